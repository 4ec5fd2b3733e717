//! The basic information of GB/T 38962: read, checked, turned into a pseudonym and dropped. Nothing here can be printed or
//! written.

use serde::Deserialize;

use super::refusal::{Refusal, ReturnCode};
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::identity::Identity;

/// A person as other systems describe one. Only kind and number of the document tell who it is; the other fields are
/// checked for their form, because systems send them, and go no further.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Person {
    document_type: u8,
    document_number: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    sex: Option<String>,
    #[serde(default)]
    nationality: Option<String>,
    #[serde(default)]
    household_division: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    medical_history: Option<Vec<String>>,
}

impl Person {
    /// The pseudonym, and an end of the person.
    pub(super) fn visitor(self, platform: &Platform) -> Result<Visitor, Refusal> {
        self.check()?;
        let identity = Identity::typed(self.document_type, &self.document_number).map_err(|why| {
            let why =
                why.to_string().replace("`kind`", "`documentType`").replace("`number`", "`documentNumber`");
            Refusal::new(ReturnCode::Document, why)
        })?;
        Ok(platform.visitor(&identity))
    }

    fn check(&self) -> Result<(), Refusal> {
        let fits = |field: &Option<String>, fits: fn(&str) -> bool| field.as_deref().is_none_or(fits);
        let text =
            |text: &str| (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let sexes = |text: &str| ["0", "1", "2", "9"].contains(&text);
        let country = |text: &str| {
            text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        let division = |text: &str| text.parse::<Division>().is_ok();
        let phone = |text: &str| {
            (5..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b"+- ".contains(&b))
        };
        let history = self.medical_history.as_deref().unwrap_or_default();
        let checks = [
            (fits(&self.name, text), "`name` must be 1 to 200 characters"),
            (fits(&self.sex, sexes), "`sex` must be 0, 1, 2 or 9 (GB/T 2261.1)"),
            (fits(&self.nationality, country), "`nationality` must be three letters or digits (GB/T 2659)"),
            (fits(&self.household_division, division), "`householdDivision` must be six digits (GB/T 2260)"),
            (fits(&self.address, text), "`address` must be 1 to 200 characters"),
            (fits(&self.phone, phone), "`phone` must be 5 to 20 digits"),
            (
                history.len() <= 20 && history.iter().all(|entry| text(entry)),
                "`medicalHistory` must be up to 20 texts of 1 to 200 characters",
            ),
        ];
        match checks.into_iter().find(|(fits, _)| !fits) {
            Some((_, why)) => Err(Refusal::new(ReturnCode::Field, why)),
            None => Ok(()),
        }
    }
}
