//! What a report is made from: the run, its case and its rules, and what the caller has said.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value, json};

use super::ReportQuery;
use crate::app::App;
use crate::domain::audit::hex;
use crate::domain::report::DESCRIPTION;
use crate::domain::report::cell::moment;
use crate::domain::report::contact::Frame;
use crate::domain::report::kind::{Kind, Report};
use crate::domain::report::line_list::{CaseFacts, Link};
use crate::domain::report::trajectory::{Language, public_number};
use crate::domain::report::{sormas, trajectory};
use crate::domain::rule_pack::RulePack;
use crate::domain::span::Span;
use crate::domain::venue::Division;
use crate::http::error::ApiError;
use crate::http::venue_forms::text;
use crate::store::cases::CaseRow;
use crate::store::reports;
use crate::store::runs::{self, RunRow, RunState};

/// How many contacts a triage list has at the most, and when nothing is said.
const TRIAGE: (usize, usize) = (10_000, 1_000);

/// The same of a chain.
const CHAIN: (usize, usize) = (5_000, 500);

/// What the caller has said, checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number that a case is published under.
    pub number: String,
    /// In which language.
    pub language: Language,
    /// How many contacts.
    pub limit: usize,
    /// Only the people of this division's letter.
    pub division: Option<Division>,
    /// Whom the receiver of a letter may ask.
    pub contact: String,
    /// The disease by SORMAS's word.
    pub disease: String,
    /// Dates with the day first.
    pub day_first: bool,
}

impl Options {
    /// Checks what was said for a kind; what another kind needs is refused, so that nothing is silently ignored.
    pub fn read(kind: Kind, query: &ReportQuery) -> Result<Self, ApiError> {
        let is_letter = kind == Kind::Letters;
        let is_trajectory = kind == Kind::Trajectory;
        let is_sormas = matches!(kind, Kind::SormasCases | Kind::SormasContacts);
        for (name, given, fits) in [
            ("number", query.number.is_some(), is_trajectory),
            ("language", query.language.is_some(), is_trajectory),
            ("limit", query.limit.is_some(), matches!(kind, Kind::Triage | Kind::Chain)),
            ("division", query.division.is_some(), is_letter),
            ("contact", query.contact.is_some(), is_letter),
            ("disease", query.disease.is_some(), is_sormas),
            ("day_first", query.day_first.is_some(), is_sormas),
        ] {
            if given && !fits {
                return Err(ApiError::invalid(name, "says nothing to this report"));
            }
        }
        let number = match &query.number {
            Some(number) => public_number(number).map_err(|error| ApiError::invalid("number", error))?,
            None if is_trajectory => return Err(ApiError::invalid("number", trajectory::InvalidNumber)),
            None => String::new(),
        };
        let (most, usual) = if kind == Kind::Chain { CHAIN } else { TRIAGE };
        let limit = query.limit.unwrap_or(usual);
        if !(1..=most).contains(&limit) {
            return Err(ApiError::invalid("limit", format!("must lie between 1 and {most}")));
        }
        let division = query.division.as_deref().map(str::parse).transpose();
        let disease = query.disease.clone().unwrap_or_else(|| "CORONAVIRUS".to_owned());
        if !sormas::is_disease(&disease) {
            return Err(ApiError::invalid("disease", "is a word of SORMAS, such as CORONAVIRUS"));
        }
        Ok(Self {
            number,
            language: query.language.unwrap_or_default(),
            limit,
            division: division.map_err(|error| ApiError::invalid("division", error))?,
            contact: text("contact", query.contact.as_deref().unwrap_or_default(), 0, 200)?,
            disease,
            day_first: query.day_first.unwrap_or_default(),
        })
    }
}

/// A report that may be made.
#[derive(Debug)]
pub struct Plan {
    /// Settings, keys, pools, clock.
    pub app: App,
    /// What, and in which form.
    pub report: Report,
    /// What was said beside.
    pub options: Options,
    /// Of which run.
    pub run: RunRow,
    /// Of which case.
    pub case: CaseRow,
    /// By which rules.
    pub pack: RulePack,
    /// When the case was infectious.
    pub infectious: Span,
    /// The case of the run and those that it is linked with, as far as the caller may see them.
    pub cases: Vec<CaseFacts>,
    /// The names of divisions, by code.
    pub names: HashMap<String, String>,
    /// When it is made.
    pub made_at: DateTime<Utc>,
}

impl Plan {
    /// Loads what does not grow with the run. Only a computed run that stands is reported.
    pub async fn load(
        app: &App,
        report: Report,
        options: Options,
        of: (RunRow, CaseRow),
        within: Division,
    ) -> Result<Self, ApiError> {
        let (run, case) = of;
        let infectious = match (run.state()?, run.infectious_from, run.infectious_until) {
            (RunState::Withdrawn, ..) => {
                return Err(ApiError::Conflict("the run was taken back with its case"));
            }
            (_, Some(from), Some(until)) => Span::new(from, until).ok(),
            _ => None,
        };
        let infectious = infectious.ok_or(ApiError::Conflict("the run has no result, or none yet"))?;
        let mut conn = app.store.conn().await?;
        let body = runs::pack_body(&mut conn, &run.pack_id, run.pack_version).await?;
        let body = body.ok_or(ApiError::NotFound("rule pack"))?;
        let pack = RulePack::parse(&body).map_err(|error| ApiError::Internal(error.into()))?;
        let cases = reports::cases(&mut conn, run.id, &within).await?;
        let names = reports::division_names(&mut conn).await?;
        let (app, made_at) = (app.clone(), app.clock.now());
        Ok(Self { app, report, options, run, case, pack, infectious, cases, names, made_at })
    }

    /// How far the local clock is ahead of UTC.
    pub fn offset(&self) -> FixedOffset {
        self.app.config.local_offset
    }

    /// The number of the case by its authority.
    pub fn case_no(&self) -> &str {
        self.cases.iter().find(|case| case.link == Link::Index).map_or("", |case| case.case_no.as_str())
    }

    /// What all rows share.
    pub fn frame(&self) -> Frame<'_> {
        let (case_no, case_division) = (self.case_no(), self.case.division.as_str());
        Frame { case_no, case_division, pack: &self.pack, offset: self.offset() }
    }

    /// What other systems need to be told.
    pub fn sormas(&self) -> sormas::Settings {
        let Options { disease, day_first, .. } = self.options.clone();
        sormas::Settings { disease, day_first, offset: self.offset() }
    }

    /// The name of a division; empty when none is loaded.
    pub fn division_name(&self, code: &str) -> &str {
        self.names.get(code).map_or("", String::as_str)
    }

    /// The names of a division's province and prefecture, as another system lists its regions and districts; the code
    /// where no name is loaded.
    pub fn region_and_district(&self, code: &str) -> (String, String) {
        let wider = code.parse::<Division>().map(|division| division.with_wider()).unwrap_or_default();
        let named = |division: Option<&Division>| {
            let code = division.map_or(code, Division::as_str);
            let name = self.division_name(code);
            if name.is_empty() { code.to_owned() } else { name.to_owned() }
        };
        let prefecture = wider.len().checked_sub(2).and_then(|at| wider.get(at));
        (named(wider.last()), named(prefecture.or(wider.last())))
    }

    /// What JSON, GeoJSON and Parquet say of themselves.
    pub fn about(&self) -> Map<String, Value> {
        let offset = self.offset();
        let told = json!({
            "description": DESCRIPTION,
            "report": self.report.file_name(),
            "run": self.run.id,
            "case_no": self.case_no(),
            "rule_pack": self.pack.name(),
            "infectious_from": moment(self.infectious.from(), offset),
            "infectious_until": moment(self.infectious.until(), offset),
            "computed_at": self.run.computed_at.map(|at| moment(at, offset)),
            "result_digest": self.run.result_digest.as_deref().map(hex),
            "summary": self.run.summary,
        });
        told.as_object().cloned().unwrap_or_default()
    }
}
