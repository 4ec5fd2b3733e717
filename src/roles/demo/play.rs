//! The outbreak, act by act, through the public HTTP API.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::cast::{DIVISION, LANES, Staff, admit, identity, open_venues, text};
use super::city::{City, Move};
use crate::clock::Clock;
use crate::domain::position::{PHONE_RESOLUTION, Position};
use crate::domain::visitor::{IdentityKind, Visitor};
use crate::issuer::reference::IssuerKeys;
use crate::roles::terminal::{Progress, remark};

/// How many days are played.
pub(super) const DAYS: i64 = 14;

/// How long a service may take to hear that a venue was approved; it asks the register every half second.
const REGISTER_DELAY: Duration = Duration::from_secs(2);

/// How many people scan a forwarded photo of a code from another city.
const PHOTOS: usize = 12;

/// What the play needs.
pub(super) struct Scene {
    pub(super) service: Caller,
    pub(super) platform: Caller,
    pub(super) keys: IssuerKeys,
    pub(super) city: City,
    pub(super) people: usize,
    pub(super) shift_file: PathBuf,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each arrow, and how long it took.
    pub(super) arrows: Vec<(String, Duration)>,
    /// How many scans were accepted.
    pub(super) scans: usize,
    /// Each case: counts by class.
    pub(super) cases: Vec<Value>,
    /// What the issuing system shows after the release, and after the withdrawal.
    pub(super) colours: Vec<(String, Value)>,
    /// One contact's colour, explained.
    pub(super) explained: Option<Value>,
    /// What the people with the forwarded photo show.
    pub(super) photo_colours: BTreeMap<String, usize>,
    /// How many entries the audit log has, once it verified.
    pub(super) audited: i64,
}

impl Scene {
    /// Plays everything.
    pub(super) async fn play(&self) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        self.set_day(DAYS - 1)?;
        let staff = Staff::enter(&self.service).await?;
        let started = Instant::now();
        remark(format!("{} venues register, an inspector approves them", self.city.venues.len()));
        let codes = open_venues(&staff, &self.city).await?;
        seen.arrow("venues registered and approved", started);
        tokio::time::sleep(REGISTER_DELAY).await;
        let started = Instant::now();
        remark(format!("the health-code platform vouches for {} visitors", self.people));
        let visitors = admit(&self.service, &self.platform, self.people + PHOTOS).await?;
        seen.arrow("visitors identified", started);
        self.two_weeks(&visitors, &codes, &mut seen).await?;
        self.outbreak(&staff, &visitors, &codes, &mut seen).await?;
        seen.audited = verify_audit(&staff.auditor).await?;
        Ok(seen)
    }

    /// Two weeks of scans, a day at a time: the clock of all roles stands at each day's end in turn.
    async fn two_weeks(
        &self,
        visitors: &[Caller],
        codes: &[Vec<String>],
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let total = u64::try_from(DAYS)?;
        let mut progress = Progress::new("two weeks of scans", total);
        for day in 0..DAYS {
            let now = self.set_day(DAYS - 1 - day)?;
            let moves = self.city.moves(now - TimeDelta::days(1), now);
            let scans = moves.iter().map(|one| self.scan(visitors, codes, one));
            stream::iter(scans).buffer_unordered(LANES).try_collect::<Vec<()>>().await?;
            seen.scans += moves.len();
            progress.at(u64::try_from(day + 1)?, total, u64::try_from(seen.scans)?);
        }
        progress.end();
        seen.arrow(&format!("{} scans accepted", seen.scans), started);
        Ok(())
    }

    async fn scan(&self, visitors: &[Caller], codes: &[Vec<String>], one: &Move) -> anyhow::Result<()> {
        let venue = self.city.venues.get(one.venue).context("a venue of the city")?;
        let code = codes.get(one.venue).and_then(|own| own.get(one.point)).context("a code of the venue")?;
        let near = Position::new(venue.lat_deg, venue.lng_deg)?.cell(PHONE_RESOLUTION).to_string();
        let body = json!({
            "id": Uuid::now_v7(),
            "code": code,
            "occurred_at": one.at,
            "direction": if one.exit { "exit" } else { "entry" },
            "phone_cell": one.phone.then_some(near),
        });
        visitors.get(one.person).context("a person of the city")?.post_once("v1/scans", &body).await?;
        Ok(())
    }

    async fn outbreak(
        &self,
        staff: &Staff,
        visitors: &[Caller],
        codes: &[Vec<String>],
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let now = Clock::System.now();
        let moves = self.city.moves(now - TimeDelta::days(3), now);
        let people = self.index_cases(&moves);
        self.forward_a_photo(&moves, &people, visitors, codes, seen).await?;
        let mut reported = Vec::new();
        for person in people {
            reported.push(self.trace(staff, person, now, seen).await?);
        }
        self.await_letters(staff, seen).await?;
        let shown = self.platform.get("v1/summary").await?;
        seen.colours.push(("after the release".to_owned(), shown));
        self.explain(staff, &reported, seen).await?;
        self.look_at_photos(seen).await?;
        if let Some((case, _)) = reported.last() {
            let started = Instant::now();
            remark("the last case turns out to be an error of the laboratory and is withdrawn");
            let reason = json!({ "reason": "实验室误报 laboratory error" });
            staff.investigator.post(&format!("v1/cases/{case}/withdrawal"), &reason).await?;
            self.await_withdrawn(staff, case).await?;
            self.await_letters(staff, seen).await?;
            seen.arrow("withdrawn case undone", started);
            let shown = self.platform.get("v1/summary").await?;
            seen.colours.push(("after one case was withdrawn".to_owned(), shown));
        }
        Ok(())
    }

    /// The three people who met most others lately, by how often they went to small rooms.
    fn index_cases(&self, moves: &[Move]) -> Vec<usize> {
        let mut rooms: BTreeMap<usize, usize> = BTreeMap::new();
        for one in moves.iter().filter(|one| !one.exit) {
            let category = self.city.venues.get(one.venue).map(|venue| venue.category);
            let room = matches!(category, Some("restaurant" | "teahouse" | "ktv"));
            *rooms.entry(one.person).or_default() += if room { 3 } else { 1 };
        }
        let mut people: Vec<(usize, usize)> =
            rooms.into_iter().map(|(person, count)| (count, person)).collect();
        people.sort_unstable_by(|a, b| b.cmp(a));
        people.into_iter().take(3).map(|(_, person)| person).collect()
    }

    /// A photo of a code goes round: people in another city scan it in the hour in which a case was there.
    async fn forward_a_photo(
        &self,
        moves: &[Move],
        people: &[usize],
        visitors: &[Caller],
        codes: &[Vec<String>],
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let case = people.first().context("somebody fell ill")?;
        let visit =
            moves.iter().rev().find(|one| one.person == *case && !one.exit).context("a visit of the case")?;
        let code =
            codes.get(visit.venue).and_then(|own| own.get(visit.point)).context("a code of the venue")?;
        let shijiazhuang = Position::new(38.0428, 114.5149)?.cell(PHONE_RESOLUTION).to_string();
        remark(format!("a photo of a code goes round: {PHOTOS} people scan it 400 km away"));
        for visitor in visitors.iter().skip(self.people) {
            let body = json!({
                "id": Uuid::now_v7(), "code": code, "occurred_at": visit.at, "phone_cell": shijiazhuang,
            });
            visitor.post_once("v1/scans", &body).await?;
            seen.scans += 1;
        }
        Ok(())
    }

    /// Reports one person, previews, proposes, and has two officers let go.
    async fn trace(
        &self,
        staff: &Staff,
        person: usize,
        now: DateTime<Utc>,
        seen: &mut Seen,
    ) -> anyhow::Result<(String, String)> {
        let case = json!({
            "visitor": self.pseudonym(person),
            "kind": "confirmed",
            "onset_at": now - TimeDelta::hours(30),
            "sampled_at": now - TimeDelta::hours(6),
            "authority": "郑州市疾病预防控制中心 Zhengzhou CDC",
            "division": DIVISION,
        });
        let case = staff.investigator.post("v1/cases", &case).await?;
        let case = text(&case, "id")?.to_owned();
        let started = Instant::now();
        let ask = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查 outbreak investigation" });
        let run = staff.investigator.post(&format!("v1/cases/{case}/runs"), &ask).await?;
        let run = text(&run, "id")?.to_owned();
        let found = wait_for(&staff.investigator, &run, "computed").await?;
        seen.arrow("a case traced, from report to preview", started);
        seen.cases.push(found.get("summary").cloned().unwrap_or_default());
        let started = Instant::now();
        staff.investigator.post(&format!("v1/runs/{run}/proposal"), &json!({})).await?;
        wait_for(&staff.investigator, &run, "proposed").await?;
        let record = staff.officer.get(&format!("v1/runs/{run}/release")).await?;
        let word = json!({
            "legal_basis": "传染病防治法 Law on Prevention and Treatment of Infectious Diseases",
            "people": record.get("people"),
        });
        staff.officer.post(&format!("v1/runs/{run}/release"), &word).await?;
        staff.chief.post(&format!("v1/runs/{run}/release"), &word).await?;
        wait_for(&staff.investigator, &run, "released").await?;
        seen.arrow("a run proposed and let go by two officers", started);
        Ok((case, run))
    }

    async fn await_letters(&self, staff: &Staff, seen: &mut Seen) -> anyhow::Result<()> {
        let started = Instant::now();
        poll(|| async {
            let outbox = staff.chief.get("v1/letters").await?;
            let letters = outbox.get("letters").and_then(Value::as_array).cloned().unwrap_or_default();
            let open = |letter: &Value| letter.get("state").and_then(Value::as_str) != Some("delivered");
            Ok((!letters.iter().any(open)).then_some(()))
        })
        .await
        .context("letters were not delivered")?;
        seen.arrow("letters delivered to the issuing system", started);
        Ok(())
    }

    async fn await_withdrawn(&self, staff: &Staff, case: &str) -> anyhow::Result<()> {
        poll(|| async {
            let log = staff.auditor.text("v1/audit?limit=1000&after=0").await?;
            let undone = format!("case {case}");
            Ok(log.lines().any(|line| line.contains("case.undone") && line.contains(&undone)).then_some(()))
        })
        .await
        .context("the withdrawn case was not undone")
    }

    /// Takes one contact and asks the issuing system why that colour is shown.
    async fn explain(
        &self,
        staff: &Staff,
        reported: &[(String, String)],
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let Some((_, run)) = reported.first() else { return Ok(()) };
        let contacts =
            staff.investigator.get(&format!("v1/runs/{run}/contacts?purpose=demo%20summary")).await?;
        let contact = contacts.get(0).and_then(|contact| contact.get("visitor")).and_then(Value::as_str);
        let Some(visitor) = contact else { return Ok(()) };
        seen.explained = Some(self.platform.get(&format!("v1/colours/{visitor}")).await?);
        Ok(())
    }

    async fn look_at_photos(&self, seen: &mut Seen) -> anyhow::Result<()> {
        for person in self.people..self.people + PHOTOS {
            let shown = self.platform.get(&format!("v1/colours/{}", self.pseudonym(person))).await?;
            *seen.photo_colours.entry(text(&shown, "colour")?.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// What the health-code platform knows somebody as; only it can say so.
    fn pseudonym(&self, person: usize) -> String {
        Visitor::of(self.keys.visitor_key().bytes(), IdentityKind::Other, &identity(person)).to_hex()
    }

    /// Sets the clock of all roles so many days back, and gives the time that it shows.
    fn set_day(&self, days_back: i64) -> anyhow::Result<DateTime<Utc>> {
        let shift = TimeDelta::days(-days_back);
        let partial = self.shift_file.with_extension("partial");
        std::fs::write(&partial, shift.num_microseconds().unwrap_or_default().to_string())?;
        std::fs::rename(&partial, &self.shift_file)?;
        // The roles look at the file every ten milliseconds.
        std::thread::sleep(Duration::from_millis(200));
        Ok(Clock::System.now() + shift)
    }
}

impl Seen {
    fn arrow(&mut self, what: &str, since: Instant) {
        self.arrows.push((what.to_owned(), since.elapsed()));
    }
}

impl Caller {
    /// Writes something that carries its own id, so that a second attempt needs no other key.
    async fn post_once(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body.to_string()), &[]).await
    }
}

async fn wait_for(investigator: &Caller, run: &str, state: &str) -> anyhow::Result<Value> {
    poll(|| async {
        let shown = investigator.get(&format!("v1/runs/{run}")).await?;
        let is = text(&shown, "state")?.to_owned();
        anyhow::ensure!(is != "failed", "the run failed: {shown}");
        Ok((is == state).then_some(shown))
    })
    .await
    .with_context(|| format!("the run did not become {state}"))
}

/// Asks again and again for two minutes.
async fn poll<T, F>(ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        anyhow::ensure!(since.elapsed() < Duration::from_secs(120), "waited for two minutes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads the whole audit log through the API and walks its chain.
async fn verify_audit(auditor: &Caller) -> anyhow::Result<i64> {
    let mut verifier = crate::domain::audit::Verifier::default();
    loop {
        let after = verifier.head().0;
        let page = auditor.text(&format!("v1/audit?limit=1000&after={after}")).await?;
        if page.is_empty() {
            return Ok(after);
        }
        for line in page.lines() {
            verifier.add(&serde_json::from_str(line)?)?;
        }
    }
}
