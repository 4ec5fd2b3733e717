//! A manager's venues: the list, and the form for a new one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Asked, Desk, Sent};
use super::layout::{Layout, token};
use super::trouble::detail;
use super::view::go;
use super::words;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::venue_forms::{NewPoint, NewVenue};
use crate::http::venues::{PAGE, enter, page};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::register::{self, VenueRow};

/// Which page of the list.
#[derive(Debug, Deserialize)]
struct ListPage {
    after: Option<Uuid>,
}

/// What the form sends; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    organisation: String,
    credit_code: String,
    name: String,
    category: String,
    division: String,
    address: String,
    lat_deg: String,
    lng_deg: String,
    contact_name: String,
    contact_phone: String,
    capacity: String,
    points: String,
}

/// The venues that the manager answers for, or that lie in the inspector's division.
#[get("/manage")]
pub(super) async fn list(
    asked: Asked<RegisterVenues, ListPage>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let rows = page(&web, &desk.signed.actor, None, list.after).await?;
    let more = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let body = html! {
        h1 { (desk.say("场所", "Venues")) }
        p { a.button href="/manage/venues/new" { (desk.say("登记新场所", "Register a venue")) } }
        @if rows.is_empty() { p { (desk.say("还没有场所。", "No venue yet.")) } }
        ul.cards { @for row in &rows { (card(&desk, row)?) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/manage?after=" (last.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(desk.say("场所", "Venues"), &body))
}

/// The empty form.
#[get("/manage/venues/new")]
pub(super) async fn blank(desk: Desk<RegisterVenues>, web: Data<Web>) -> HttpResponse {
    let division = desk.signed.actor.division.to_string();
    form(&desk, &web, &Filled { division, ..Filled::default() }, None)
}

/// Takes the form; what is not right is shown again with the reason.
#[post("/manage/venues")]
pub(super) async fn take(
    web: Data<Web>,
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let entered = async {
        let new = filled.read()?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| enter(&web, conn, &desk.signed.actor, new).await).await
    };
    match entered.await {
        Ok(venue) => Ok(go(&format!("/manage/venues/{}", venue.id))),
        Err(error @ ApiError::Invalid { .. }) => Ok(form(&desk, &web, &filled, Some(&error))),
        Err(error) => Err(error),
    }
}

impl Filled {
    /// The application, once the numbers are found to be numbers.
    fn read(&self) -> Result<NewVenue, ApiError> {
        let number = |field, text: &str| {
            text.trim().parse::<f64>().map_err(|_unread| ApiError::invalid(field, "must be a number"))
        };
        let capacity = Some(self.capacity.trim()).filter(|text| !text.is_empty());
        let capacity = capacity.map(str::parse).transpose();
        let points = self.points.lines().map(str::trim).filter(|name| !name.is_empty());
        Ok(NewVenue {
            organisation: self.organisation.clone(),
            credit_code: Some(self.credit_code.trim().to_owned()).filter(|code| !code.is_empty()),
            name: self.name.clone(),
            category: self.category.clone(),
            division: self.division.trim().to_owned(),
            address: self.address.clone(),
            lat_deg: number("position", &self.lat_deg)?,
            lng_deg: number("position", &self.lng_deg)?,
            contact_name: self.contact_name.clone(),
            contact_phone: self.contact_phone.clone(),
            capacity: capacity.map_err(|_unread| ApiError::invalid("capacity", "must be a number"))?,
            points: points.map(|name| NewPoint { name: name.to_owned(), granularity: None }).collect(),
        })
    }
}

fn card(desk: &Desk<RegisterVenues>, row: &VenueRow) -> Result<Markup, ApiError> {
    let state = register::venue_state(row.state)?;
    Ok(html! {
        li {
            a href={ "/manage/venues/" (row.id) } { strong { (row.name) } }
            span { (row.address) }
            (words::venue_state(desk.view.lang, state))
        }
    })
}

fn form(desk: &Desk<RegisterVenues>, web: &Web, filled: &Filled, wrong: Option<&ApiError>) -> HttpResponse {
    let title = desk.say("登记新场所", "Register a venue");
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        h1 { (title) }
        p { (desk.say("提交后由核查员审核，通过后场所码生效。", "An inspector reviews it; the codes answer once it is approved.")) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        form method="post" action="/manage/venues" {
            (token(&desk.signed))
            (who(desk, filled))
            (place(desk, web, filled))
            button type="submit" { (desk.say("提交审核", "Submit for review")) }
        }
        p { a href="/manage" { (desk.say("返回列表", "Back to the list")) } }
    };
    desk.lay(Layout::default(), status, title, &body)
}

fn who(desk: &Desk<RegisterVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("负责单位", "Who answers for it")) }
            (field("organisation", t("单位名称（营业执照全称）", "Full legal name"), &filled.organisation, 200, true))
            (field("credit_code", t("统一社会信用代码（18 位，可不填）", "Unified social credit code (18 symbols, optional)"), &filled.credit_code, 18, false))
            (field("contact_name", t("联系人", "Contact"), &filled.contact_name, 100, false))
            (field("contact_phone", t("联系电话", "Phone"), &filled.contact_phone, 30, false))
        }
    }
}

fn place(desk: &Desk<RegisterVenues>, web: &Web, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        fieldset {
            legend { (t("场所", "The venue")) }
            (field("name", t("场所名称", "Name"), &filled.name, 200, true))
            label for="category" { (t("类别", "Category")) }
            select #category name="category" required {
                option value="" { (t("请选择", "Please choose")) }
                @for (word, category) in web.app.catalogue.iter() {
                    option value=(word) selected[word == filled.category] { (t(&category.zh, &category.en)) }
                }
            }
            (field("division", t("区划代码（6 位）", "Division code (GB/T 2260, six digits)"), &filled.division, 6, true))
            (field("address", t("地址", "Address"), &filled.address, 300, true))
            (field("lat_deg", t("纬度（WGS 84，例如 34.7466）", "Degrees north (WGS 84, such as 34.7466)"), &filled.lat_deg, 20, true))
            (field("lng_deg", t("经度（WGS 84，例如 113.6253）", "Degrees east (WGS 84, such as 113.6253)"), &filled.lng_deg, 20, true))
            (field("capacity", t("可容纳人数（可不填）", "How many people it holds (optional)"), &filled.capacity, 7, false))
            label for="points" { (t("点位，每行一个（可不填）", "Points, one a line (optional)")) }
            textarea #points name="points" rows="4" maxlength="4000" placeholder=(t("正门\n二楼包间", "Main door\nRoom on the first floor")) { (filled.points) }
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
