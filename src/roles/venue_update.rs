//! `venues import --update`: what a row says of a venue that is there already.

use super::refusals::Refusal;
use super::venue_rows::Draft;
use crate::domain::area::Area;
use crate::domain::position::Position;
use crate::store::register::VenueRow;

/// Two positions closer than this are one; files round.
const SAME_M: f64 = 1.0;

/// In what a row differs from the register.
pub(super) enum Difference {
    /// In nothing that it says.
    None,
    /// The venue as it is to be.
    Changed(Box<VenueRow>),
}

/// Compares what a row says with a venue. Where a venue is and what it is, its posters and its stays rest on; so a
/// file changes neither, and says so.
pub(super) fn compare(row: &VenueRow, draft: &Draft) -> Result<Difference, Refusal> {
    unmoved(row, draft)?;
    let mut to_be = row.clone();
    for column in &draft.told {
        match *column {
            "name" => to_be.name.clone_from(&draft.name),
            "short_name" => to_be.short_name.clone_from(&draft.short_name),
            "street" => to_be.street.clone_from(&draft.street),
            "address" => to_be.address.clone_from(&draft.address),
            "capacity" => to_be.capacity = draft.capacity,
            "superior" => to_be.superior.clone_from(&draft.superior),
            "contact_name" => to_be.contact_name.clone_from(&draft.contact_name),
            "contact_phone" => to_be.contact_phone.clone_from(&draft.contact_phone),
            _ => {}
        }
    }
    let same = (&to_be.name, &to_be.short_name, &to_be.street, &to_be.address, to_be.capacity)
        == (&row.name, &row.short_name, &row.street, &row.address, row.capacity)
        && (&to_be.superior, &to_be.contact_name, &to_be.contact_phone)
            == (&row.superior, &row.contact_name, &row.contact_phone);
    Ok(if same { Difference::None } else { Difference::Changed(Box::new(to_be)) })
}

fn unmoved(row: &VenueRow, draft: &Draft) -> Result<(), Refusal> {
    let differs = |column, value: &str, registered: &str| {
        let right =
            format!("as registered ({registered}); a venue that moved or became another is entered anew");
        Err(Refusal::new(column, value, "differs from the register", &right))
    };
    let outline = draft.outline.as_ref().map(Area::to_json);
    if draft.told.contains(&"outline") || outline.is_some() {
        let shape = |outline: &Option<serde_json::Value>| {
            outline.as_ref().map_or_else(|| "no outline".to_owned(), ToString::to_string)
        };
        if outline != row.outline {
            return differs("outline", &shape(&outline), &shape(&row.outline));
        }
    }
    let text = |position: &Position| format!("{}, {}", position.lat_deg(), position.lng_deg());
    if let Ok(here) = Position::new(row.lat_deg, row.lng_deg)
        && here.distance_m(&draft.position) > SAME_M
    {
        return differs("lat", &text(&draft.position), &text(&here));
    }
    if draft.told.contains(&"category") && draft.category != row.category {
        return differs("category", &draft.category, &row.category);
    }
    if draft.told.contains(&"division") && draft.division.as_str() != row.division {
        return differs("division", draft.division.as_str(), &row.division);
    }
    Ok(())
}
