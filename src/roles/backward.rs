//! `backward`: what the cases of a division have in common, for an investigator at the machine.

use anyhow::{Context, ensure};
use chrono::{DateTime, FixedOffset, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::cases::{investigator, signature};
use super::house::{House, HouseArgs};
use super::moment;
use super::terminal::say;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::http::backward::{
    Asked, Backward, BackwardQuery, Cluster, LookedAt, NamedPlace, cases_of, reckon,
};
use crate::store::audit::{self, Act};
use crate::store::cases::CaseRow;
use crate::store::looks::{self, Look};

/// How many places and clusters are printed.
const PRINTED_MAX: usize = 20;

/// Which cases are looked at together. Times are RFC 3339, or `YYYY-MM-DD HH:MM` by the local clock.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BackwardArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// Whose cases (GB/T 2260).
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Division,

    /// Cases that began (by onset, else by sample) from then on.
    #[arg(long)]
    since: String,

    /// Cases that began before; now when not given.
    #[arg(long)]
    until: Option<String>,

    /// What the look is for; written down for each case, and the person can see it.
    #[arg(long)]
    purpose: String,

    /// The login of the investigator who looks.
    #[arg(long)]
    by: String,

    /// By how many minutes two may miss each other and still count as near.
    #[arg(long, default_value_t = 60)]
    window_mins: u16,

    /// How many hours a slot has in which cases cluster.
    #[arg(long, default_value_t = 2)]
    slot_hours: u8,

    /// How many days before its beginning the stays of a case are looked at.
    #[arg(long, default_value_t = 14)]
    lookback_days: u8,

    /// Print everything as JSON, as the API answers it.
    #[arg(long)]
    json: bool,

    /// How far the local clock is ahead of UTC.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    local_offset: FixedOffset,
}

/// Writes the look down for each case, and prints what the cases have in common.
pub(crate) async fn backward(args: &BackwardArgs) -> anyhow::Result<()> {
    let purpose = args.purpose.trim();
    ensure!((3..=500).contains(&purpose.chars().count()), "--purpose has 3 to 500 characters");
    let now = Clock::System.now();
    let read = |name: &'static str, text: &str| {
        moment::read(text, args.local_offset).with_context(|| format!("{name} is {}", moment::FORMS))
    };
    let query = BackwardQuery {
        division: None,
        since: Some(read("--since", &args.since)?),
        until: args.until.as_deref().map(|text| read("--until", text)).transpose()?,
        purpose: purpose.to_owned(),
        window_mins: Some(args.window_mins),
        slot_hours: Some(args.slot_hours),
        lookback_days: Some(args.lookback_days),
    };
    let asked = query.check(args.division, now)?;
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let cases = conn
        .transaction::<_, anyhow::Error, _>(async |conn| look_at(conn, args, &asked, purpose, now).await)
        .await?;
    let found = reckon(&mut conn, &cases, &asked, now).await?;
    if args.json {
        say(serde_json::to_string_pretty(&found)?);
    } else {
        print(&found);
    }
    drop(conn);
    house.close()
}

/// The cases, after the look was written down for each of them.
async fn look_at(
    conn: &mut AsyncPgConnection,
    args: &BackwardArgs,
    asked: &Asked,
    purpose: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<CaseRow>> {
    let staff = investigator(conn, &args.by, &asked.division).await?;
    let cases = cases_of(conn, asked).await?;
    for case in &cases {
        let (id, role) = (Uuid::now_v7(), Role::Investigator.number());
        let look = Look {
            id,
            case_id: case.id,
            run_id: None,
            role,
            purpose: purpose.to_owned(),
            at: now,
            kind: LookKind::Backward.number(),
            division: Some(staff.division.clone()),
            visitor: None,
        };
        looks::insert(conn, &look).await?;
        let subject = format!("case {}", case.id);
        let detail = json!({ "case": case.id, "purpose": purpose });
        audit::append(conn, Act { actor: &signature(&staff), action: "persons.seen", subject, detail }, now)
            .await?;
    }
    Ok(cases)
}

fn print(found: &Backward) {
    say(format!("cases     {}", found.cases.len()));
    let places = found.places.len() + found.places_left_out;
    say(format!("places    {places} that two or more have been to"));
    for place in found.places.iter().take(PRINTED_MAX) {
        say(format!(
            "  {:>3} cases  {:>3} pairs together ({} min)  {:>3} near  {:>3} at other times  {}",
            place.cases.len(),
            place.together_pairs,
            place.together_mins,
            place.near_pairs,
            place.apart_pairs,
            named(&place.place)
        ));
    }
    let clusters = found.clusters.len() + found.clusters_left_out;
    say(format!("clusters  {clusters}, among {} places and slots", found.tested));
    for cluster in found.clusters.iter().take(PRINTED_MAX) {
        say(line(cluster));
    }
    say("sources");
    for case in found.cases.iter().filter(|case| !case.sources.is_empty()) {
        source_lines(case).into_iter().for_each(say);
    }
    say(&found.note.en);
}

fn line(cluster: &Cluster) -> String {
    let surprise = match (cluster.expected, cluster.chance, cluster.chance_among_all) {
        (Some(expected), Some(chance), Some(among)) => {
            format!("{expected:.3} expected, chance {chance:.2e}, among all at most {among:.2e}")
        }
        _ => "the counts are missing".to_owned(),
    };
    let from = cluster.from.format("%Y-%m-%d %H:%MZ");
    format!("  {:>3} cases  {from}  {surprise}  {}", cluster.cases.len(), named(&cluster.place))
}

fn source_lines(case: &LookedAt) -> Vec<String> {
    let mut lines = vec![format!("  {}", case.case)];
    let source = |(rank, source): (usize, &crate::http::backward::Source)| {
        format!("    {rank}. {}  {:.3}  {}", source.case, source.score, source.reason.en)
    };
    lines.extend((1..).zip(&case.sources).map(source));
    lines
}

fn named(place: &NamedPlace) -> String {
    match &place.point_name {
        Some(point) => format!("{} / {point}", place.venue_name),
        None => place.venue_name.clone(),
    }
}
