//! Who plays in the demo: staff with accounts, venues with codes, visitors with tokens.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::caller::Caller;
use super::city::City;

/// The password of every demo account. They exist only in the demo's own data folder.
pub(super) const PASSWORD: &str = "demo-demo-demo";

/// The demo accounts: login, name, role.
pub(super) const ACCOUNTS: &[(&str, &str, &str)] = &[
    ("admin", "管理员 Administrator", "administrator"),
    ("manager", "场所负责人 Venue manager", "venue_manager"),
    ("inspector", "检查员 Inspector", "inspector"),
    ("investigator", "流调员 Investigator", "investigator"),
    ("officer", "发布官 Releasing officer", "releasing_officer"),
    ("chief", "首席发布官 Chief officer", "chief_officer"),
    ("auditor", "审计员 Auditor", "auditor"),
];

/// The division that the demo plays in.
pub(super) const DIVISION: &str = "410100";

/// How many calls are under way at the same time.
pub(super) const LANES: usize = 48;

/// Staff, each with a session.
pub(super) struct Staff {
    pub(super) manager: Caller,
    pub(super) inspector: Caller,
    pub(super) investigator: Caller,
    pub(super) officer: Caller,
    pub(super) chief: Caller,
    pub(super) auditor: Caller,
}

impl Staff {
    /// Makes the accounts, of which the administrator is there already, and signs everybody in.
    pub(super) async fn enter(service: &Caller) -> anyhow::Result<Self> {
        let admin = sign_in(service, "admin").await?;
        for (login, name, role) in ACCOUNTS.iter().filter(|account| account.0 != "admin") {
            let body = json!({
                "login": login, "display_name": name, "password": PASSWORD, "roles": [role], "division": DIVISION,
            });
            admin.post("v1/staff", &body).await?;
        }
        Ok(Self {
            manager: sign_in(service, "manager").await?,
            inspector: sign_in(service, "inspector").await?,
            investigator: sign_in(service, "investigator").await?,
            officer: sign_in(service, "officer").await?,
            chief: sign_in(service, "chief").await?,
            auditor: sign_in(service, "auditor").await?,
        })
    }
}

async fn sign_in(service: &Caller, login: &str) -> anyhow::Result<Caller> {
    let session = service.post("v1/sessions", &json!({ "login": login, "password": PASSWORD })).await?;
    Ok(service.with(text(&session, "token")?))
}

/// Registers and approves every venue, and gives the codes of its points.
pub(super) async fn open_venues(staff: &Staff, city: &City) -> anyhow::Result<Vec<Vec<String>>> {
    let open = city.venues.iter().map(|venue| async move {
        let body = json!({
            "organisation": format!("{}管理方", venue.name),
            "name": venue.name,
            "category": venue.category,
            "division": "410105",
            "address": format!("郑州市金水区 {}", venue.name),
            "lat_deg": venue.lat_deg,
            "lng_deg": venue.lng_deg,
            "capacity": 200,
            "points": venue.points.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        });
        let made = staff.manager.post("v1/venues", &body).await?;
        let review = json!({ "state": "approved", "reason": "在现场核实 seen on site" });
        staff.inspector.post(&format!("v1/venues/{}/review", text(&made, "id")?), &review).await?;
        let points = made.get("points").and_then(Value::as_array).context("a venue has points")?;
        points.iter().map(|point| Ok(text(point, "url")?.to_owned())).collect::<anyhow::Result<Vec<String>>>()
    });
    stream::iter(open).buffered(8).try_collect().await
}

/// Has the health-code platform vouch for everybody, and gives each a visitor token.
pub(super) async fn admit(service: &Caller, platform: &Caller, people: usize) -> anyhow::Result<Vec<Caller>> {
    let numbers: Vec<String> = (0..people).map(identity).collect();
    let mut assertions = Vec::with_capacity(people);
    for block in numbers.chunks(1000) {
        let identities: Vec<Value> =
            block.iter().map(|number| json!({ "kind": 99, "number": number })).collect();
        let answer = platform.post("v1/assertions", &json!({ "identities": identities })).await?;
        let own = answer.get("assertions").and_then(Value::as_array).context("assertions")?;
        assertions.extend(own.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let exchange = assertions.into_iter().map(|assertion| async move {
        let token = service.post("v1/visitor-tokens", &json!({ "assertion": assertion })).await?;
        Ok::<_, anyhow::Error>(service.with(text(&token, "token")?))
    });
    stream::iter(exchange).buffered(LANES).try_collect().await
}

/// The identity number of a person of the demo.
pub(super) fn identity(person: usize) -> String {
    format!("DEMO-{person:06}")
}

/// A text in an answer.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("the answer has no `{name}`"))
}
