//! The form that adds a stay to a trail, and the fields that it shares with those of a stay.

use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::Desk;
use super::layout::token;
use super::point_form::row_no;
use super::venue_form::{degrees, field};
use super::view::View;
use super::words;
use crate::domain::numbered::Numbered;
use crate::http::error::ApiError;
use crate::http::permissions::Investigate;
use crate::http::trails::{NewTrailStay, Source};

/// What the form sends; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    code: String,
    venue: String,
    address: String,
    cell: String,
    lat_deg: String,
    lng_deg: String,
    radius_m: String,
    row: String,
    seat: String,
    from: String,
    until: String,
    source: String,
    reason: String,
    /// What the trail was opened for, to come back to it.
    pub(super) purpose: String,
}

impl Filled {
    /// The stay, once its fields are found to be what they should.
    pub(super) fn read(&self, view: &View) -> Result<NewTrailStay, ApiError> {
        let venue = given(&self.venue).map(|text| Uuid::parse_str(&text)).transpose();
        let radius_m = given(&self.radius_m).map(|text| text.parse()).transpose();
        let time =
            |field, text| view.local_time(field, text)?.ok_or_else(|| ApiError::invalid(field, "is needed"));
        Ok(NewTrailStay {
            code: given(&self.code),
            point: None,
            venue: venue.map_err(|_unread| ApiError::invalid("venue", "must be the id of a venue"))?,
            address: given(&self.address),
            cell: given(&self.cell),
            lat_deg: degrees("position", &self.lat_deg)?,
            lng_deg: degrees("position", &self.lng_deg)?,
            radius_m: radius_m.map_err(|_unread| ApiError::invalid("radius_m", "must be a number"))?,
            row: row_no(&self.row)?,
            seat: given(&self.seat),
            from: time("from", &self.from)?,
            until: time("until", &self.until)?,
            source: source_of(&self.source)?,
            reason: self.reason.clone(),
        })
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The source that a word of a form stands for.
pub(super) fn source_of(word: &str) -> Result<Source, ApiError> {
    let known = Source::ALL.iter().copied().find(|source| words::source_word(*source) == word);
    known.ok_or_else(|| ApiError::invalid("source", "must be one of the list"))
}

/// The form, folded away until it is wanted or wrong.
pub(super) fn add_form(desk: &Desk<Investigate>, case: Uuid, purpose: &str, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        details open[!filled.reason.is_empty()] {
            summary { (t("补充一次停留", "Add a stay")) }
            form method="post" action={ "/cases/" (case) "/trail" } {
                (token(&desk.signed))
                input type="hidden" name="purpose" value=(purpose);
                fieldset {
                    legend { (t("地点（三选一）", "Where: one of three")) }
                    (field("code", t("场所码", "Place code"), &filled.code, 200, false))
                    (field("venue", t("场所编号（点位不明时）", "Id of the venue, where the point is not known"), &filled.venue, 36, false))
                    (field("address", t("地址（场所不明时）", "Address, where the venue is not known"), &filled.address, 300, false))
                    details open[!filled.address.is_empty()] {
                        summary { (t("地址所在位置", "Where that address is")) }
                        (field("cell", t("H3 网格（8–11 级）", "H3 cell, of resolution 8 to 11"), &filled.cell, 15, false))
                        (field("lat_deg", t("或：纬度", "Or: degrees north"), &filled.lat_deg, 24, false))
                        (field("lng_deg", t("经度", "Degrees east"), &filled.lng_deg, 24, false))
                        (field("radius_m", t("误差半径（1–500 米）", "How exact: 1 to 500 metres"), &filled.radius_m, 3, false))
                    }
                    details open[!filled.row.is_empty()] {
                        summary { (t("车厢内的座位", "Seat in a vehicle")) }
                        (field("row", t("排", "Row"), &filled.row, 3, false))
                        (field("seat", t("座位", "Seat"), &filled.seat, 8, false))
                    }
                }
                (time_field("from", "from", t("开始", "From"), &filled.from))
                (time_field("until", "until", t("结束（最长 48 小时）", "Until, 48 hours later at the most"), &filled.until))
                (ground_fields(desk, "new", &filled.source, &filled.reason))
                button type="submit" { (t("补充", "Add")) }
            }
        }
    }
}

/// What a word of an investigator rests on. `of` tells the fields of one form from those of another.
pub(super) fn ground_fields(desk: &Desk<Investigate>, of: &str, chosen: &str, reason: &str) -> Markup {
    let known = Source::ALL.iter().filter(|source| **source != Source::Scan);
    html! {
        label for={ "source-" (of) } { (desk.say("依据", "What says so")) }
        select id={ "source-" (of) } name="source" required {
            @for source in known {
                option value=(words::source_word(*source)) selected[words::source_word(*source) == chosen] { (words::source(desk.view.lang, *source)) }
            }
        }
        label for={ "reason-" (of) } { (desk.say("理由（会记录在案）", "Reason (it is written down)")) }
        input id={ "reason-" (of) } name="reason" type="text" value=(reason) required minlength="3" maxlength="500" autocomplete="off";
    }
}

/// A field for local date and time.
pub(super) fn time_field(id: &str, name: &str, label: &str, value: &str) -> Markup {
    html! {
        label for=(id) { (label) }
        input id=(id) name=(name) type="datetime-local" value=(value) required;
    }
}
