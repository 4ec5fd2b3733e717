//! The form of a venue: for an application and for its correction, shown again with what is wrong.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::Desk;
use super::layout::{Layout, token};
use super::trouble::detail;
use super::words;
use crate::domain::numbered::Numbered;
use crate::domain::venue::OrganisationKind;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::point_forms::{NewPoint, NewStop};
use crate::http::venue_forms::NewVenue;
use crate::http::venues::Venue;
use crate::http::web::Web;

/// What the form sends; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    organisation: String,
    kind: String,
    credit_code: String,
    name: String,
    short_name: String,
    category: String,
    division: String,
    street: String,
    address: String,
    lat_deg: String,
    lng_deg: String,
    outline: String,
    superior: String,
    contact_name: String,
    contact_phone: String,
    capacity: String,
    stops: String,
    points: String,
}

/// Where a form goes, and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim<'a> {
    pub(super) title: &'a str,
    pub(super) remark: &'a str,
    pub(super) action: &'a str,
    /// A new venue names its points; later they are added one by one.
    pub(super) with_points: bool,
}

impl Filled {
    /// Nothing but the division.
    pub(super) fn in_division(division: String) -> Self {
        Self { division, ..Self::default() }
    }

    /// What stands in the register.
    pub(super) fn of(venue: &Venue) -> Self {
        let organisation = venue.organisation.as_ref();
        let stop = |stop: &crate::http::venues::Stop| {
            format!("{}, {}, {}, {}", stop.number, stop.name, stop.lat_deg, stop.lng_deg)
        };
        Self {
            organisation: organisation.map(|one| one.name.clone()).unwrap_or_default(),
            kind: organisation.map(|one| words::kind_word(one.kind).to_owned()).unwrap_or_default(),
            credit_code: organisation.and_then(|one| one.credit_code.clone()).unwrap_or_default(),
            name: venue.name.clone(),
            short_name: venue.short_name.clone(),
            category: venue.category.clone(),
            division: venue.division.clone(),
            street: venue.street.clone(),
            address: venue.address.clone(),
            lat_deg: venue.lat_deg.to_string(),
            lng_deg: venue.lng_deg.to_string(),
            outline: venue.outline.as_ref().map(ToString::to_string).unwrap_or_default(),
            superior: venue.superior.clone(),
            contact_name: venue.contact_name.clone(),
            contact_phone: venue.contact_phone.clone(),
            capacity: venue.capacity.map(|count| count.to_string()).unwrap_or_default(),
            stops: venue.stops.iter().map(stop).collect::<Vec<_>>().join("\n"),
            points: String::new(),
        }
    }

    /// The application, once the numbers are found to be numbers.
    pub(super) fn read(&self) -> Result<NewVenue, ApiError> {
        let capacity = given(&self.capacity).map(str::parse).transpose();
        let outline = given(&self.outline).map(serde_json::from_str).transpose();
        let kind = |kind: &OrganisationKind| words::kind_word(*kind) == self.kind;
        let points = self.points.lines().filter_map(given);
        Ok(NewVenue {
            organisation: self.organisation.clone(),
            kind: OrganisationKind::ALL.iter().copied().find(kind).unwrap_or_default(),
            credit_code: given(&self.credit_code).map(str::to_owned),
            name: self.name.clone(),
            short_name: self.short_name.clone(),
            category: self.category.clone(),
            division: self.division.trim().to_owned(),
            street: self.street.clone(),
            address: self.address.clone(),
            lat_deg: degrees("position", &self.lat_deg)?,
            lng_deg: degrees("position", &self.lng_deg)?,
            outline: outline.map_err(|error| ApiError::invalid("outline", error))?,
            superior: self.superior.clone(),
            contact_name: self.contact_name.clone(),
            contact_phone: self.contact_phone.clone(),
            capacity: capacity.map_err(|_unread| ApiError::invalid("capacity", "must be a number"))?,
            stops: self.stops.lines().filter_map(given).map(stop).collect::<Result<_, _>>()?,
            points: points.map(|name| NewPoint { name: name.to_owned(), ..NewPoint::default() }).collect(),
        })
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Degrees from a field; `None` when it was left empty.
pub(super) fn degrees(field: &'static str, text: &str) -> Result<Option<f64>, ApiError> {
    let number = given(text).map(str::parse::<f64>).transpose();
    number.map_err(|_unread| ApiError::invalid(field, "must be a number"))
}

/// A stop from a line `number, name, degrees north, degrees east`.
fn stop(line: &str) -> Result<NewStop, ApiError> {
    let wrong = || ApiError::invalid("stops", format!("`{line}` must be: number, name, latitude, longitude"));
    let parts: Vec<&str> = line.split([',', '，']).map(str::trim).collect();
    let [number, name, lat, lng] = parts.as_slice() else { return Err(wrong()) };
    Ok(NewStop {
        number: number.parse().map_err(|_unread| wrong())?,
        name: (*name).to_owned(),
        lat_deg: lat.parse().map_err(|_unread| wrong())?,
        lng_deg: lng.parse().map_err(|_unread| wrong())?,
    })
}

/// The page with the form.
pub(super) fn form(
    desk: &Desk<RegisterVenues>,
    web: &Web,
    aim: Aim<'_>,
    filled: &Filled,
    wrong: Option<&ApiError>,
) -> HttpResponse {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        h1 { (aim.title) }
        p { (aim.remark) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        form method="post" action=(aim.action) {
            (token(&desk.signed))
            (who(desk, filled))
            (what(desk, web, filled))
            (place(desk, filled))
            @if aim.with_points { (points(desk, filled)) }
            (line(desk, filled))
            button type="submit" { (desk.say("提交审核", "Submit for review")) }
        }
        p { a href="/manage" { (desk.say("返回列表", "Back to the list")) } }
    };
    desk.lay(Layout::default(), status, aim.title, &body)
}

fn who(desk: &Desk<RegisterVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("负责单位", "Who answers for it")) }
            (field("organisation", t("单位名称（营业执照全称）", "Full legal name"), &filled.organisation, 200, true))
            label for="kind" { (t("单位性质", "Kind of body")) }
            select #kind name="kind" {
                @for kind in OrganisationKind::ALL {
                    @let chosen = words::kind_word(*kind) == filled.kind || (filled.kind.is_empty() && *kind == OrganisationKind::default());
                    option value=(words::kind_word(*kind)) selected[chosen] { (words::organisation_kind(desk.view.lang, *kind)) }
                }
            }
            (field("credit_code", t("统一社会信用代码（18 位，企业必填）", "Unified social credit code (18 symbols; companies must give it)"), &filled.credit_code, 18, false))
            (field("superior", t("主管部门（可不填）", "Supervising authority (optional)"), &filled.superior, 200, false))
            (field("contact_name", t("联系人", "Contact"), &filled.contact_name, 100, false))
            (field("contact_phone", t("联系电话", "Phone"), &filled.contact_phone, 30, false))
        }
    }
}

fn what(desk: &Desk<RegisterVenues>, web: &Web, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("场所", "The venue")) }
            (field("name", t("场所名称", "Name"), &filled.name, 200, true))
            (field("short_name", t("简称（2–8 字，可不填）", "Short name (2 to 8 characters, optional)"), &filled.short_name, 8, false))
            label for="category" { (t("类别", "Category")) }
            select #category name="category" required {
                option value="" { (t("请选择", "Please choose")) }
                @for (word, category) in web.app.catalogue.iter() {
                    option value=(word) selected[word == filled.category] { (t(&category.zh, &category.en)) }
                }
            }
            (field("capacity", t("可容纳人数（可不填）", "How many people it holds (optional)"), &filled.capacity, 7, false))
        }
    }
}

fn place(desk: &Desk<RegisterVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("位置", "Where it is")) }
            (field("division", t("区划代码（6 位）", "Division code (GB/T 2260, six digits)"), &filled.division, 6, true))
            (field("street", t("街道或乡镇（可不填）", "Street or town (optional)"), &filled.street, 100, false))
            (field("address", t("地址", "Address"), &filled.address, 300, true))
            (field("lat_deg", t("纬度（WGS 84，例如 34.7466）", "Degrees north (WGS 84, such as 34.7466)"), &filled.lat_deg, 24, false))
            (field("lng_deg", t("经度（WGS 84，例如 113.6253）", "Degrees east (WGS 84, such as 113.6253)"), &filled.lng_deg, 24, false))
            details open[!filled.outline.is_empty()] {
                summary { (t("范围较大的场所：轮廓", "A wide venue: its outline")) }
                label for="outline" { (t("GeoJSON（Polygon 或 MultiPolygon，经度在前）；填写后经纬度可不填", "GeoJSON (Polygon or MultiPolygon, longitude first); the position may then be left out")) }
                textarea #outline name="outline" rows="4" maxlength="20000" spellcheck="false" { (filled.outline) }
            }
        }
    }
}

fn points(desk: &Desk<RegisterVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("点位", "Points")) }
            label for="points" { (t("点位，每行一个（可不填）", "Points, one a line (optional)")) }
            textarea #points name="points" rows="4" maxlength="4000" placeholder=(t("正门\n二楼包间", "Main door\nRoom on the first floor")) { (filled.points) }
        }
    }
}

fn line(desk: &Desk<RegisterVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        details open[!filled.stops.is_empty()] {
            summary { (t("公交、地铁等线路：站点", "A line of vehicles: its stops")) }
            label for="stops" { (t("每行一站：序号, 站名, 纬度, 经度", "One stop a line: number, name, latitude, longitude")) }
            textarea #stops name="stops" rows="4" maxlength="20000" placeholder=(t("1, 火车站, 34.7466, 113.6253", "1, Railway station, 34.7466, 113.6253")) { (filled.stops) }
        }
    }
}

/// A label and a field of text.
pub(super) fn field(name: &str, label: &str, value: &str, length: u32, required: bool) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) type="text" value=(value) maxlength=(length) required[required] autocomplete="off";
    }
}
