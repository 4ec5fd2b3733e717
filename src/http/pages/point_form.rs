//! The form for a further point of a venue.

use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::Desk;
use super::layout::token;
use super::venue_form::{degrees, field};
use super::words;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Granularity;
use crate::http::error::ApiError;
use crate::http::permissions::SeeVenues;
use crate::http::point_forms::NewPoint;

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilledPoint {
    name: String,
    granularity: String,
    lat_deg: String,
    lng_deg: String,
    mobile: String,
    row: String,
    seat: String,
}

impl FilledPoint {
    /// The point, once the numbers are found to be numbers.
    pub(super) fn read(&self) -> Result<NewPoint, ApiError> {
        let word = |one: &Granularity| words::granularity_word(*one) == self.granularity;
        let mobile = match self.mobile.as_str() {
            "" => None,
            "true" => Some(true),
            "false" => Some(false),
            _ => return Err(ApiError::invalid("points.mobile", "must be true, false or empty")),
        };
        Ok(NewPoint {
            name: self.name.clone(),
            granularity: Granularity::ALL.iter().copied().find(word),
            lat_deg: degrees("points.position", &self.lat_deg)?,
            lng_deg: degrees("points.position", &self.lng_deg)?,
            mobile,
            row: row_no(&self.row)?,
            seat: Some(self.seat.clone()).filter(|seat| !seat.trim().is_empty()),
        })
    }
}

/// A row of a vehicle from a field; `None` when it was left empty.
pub(super) fn row_no(text: &str) -> Result<Option<i16>, ApiError> {
    let number = Some(text.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose();
    number.map_err(|_unread| ApiError::invalid("row", "must be a number from 1 to 999"))
}

/// The form, folded away until it is wanted.
pub(super) fn new_point(desk: &Desk<SeeVenues>, venue: Uuid) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        details {
            summary { (t("增加点位", "Add a point")) }
            form method="post" action={ "/manage/venues/" (venue) "/points" } {
                (token(&desk.signed))
                (field("name", t("名称，例如：东门、二楼包间", "Name, such as: east door"), "", 100, true))
                label for="granularity" { (t("人与人有多近", "How close together people are")) }
                select #granularity name="granularity" {
                    option value="" { (t("按场所类别", "As usual for the category")) }
                    @for one in Granularity::ALL {
                        option value=(words::granularity_word(*one)) { (words::granularity(desk.view.lang, *one)) }
                    }
                }
                (field("lat_deg", t("纬度（与场所位置不同时填写）", "Degrees north, where it is not the venue's own"), "", 24, false))
                (field("lng_deg", t("经度", "Degrees east"), "", 24, false))
                label for="mobile" { (t("是否移动（车厢、公交车、出租车）", "Whether it moves (carriage, bus, taxi)")) }
                select #mobile name="mobile" {
                    option value="" { (t("车厢类点位移动，其他不动", "Vehicles do, others do not")) }
                    option value="true" { (t("移动", "It moves")) }
                    option value="false" { (t("固定", "It does not")) }
                }
                (field("row", t("车厢内第几排（可不填）", "Row in the vehicle (optional)"), "", 3, false))
                (field("seat", t("座位（可不填）", "Seat (optional)"), "", 8, false))
                button type="submit" { (t("增加", "Add")) }
            }
        }
    }
}
