//! Reports that do not grow with the run. All contacts may be looked at for one, but only what is shown is held.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::body::unwritten;
use super::letter_page;
use super::plan::Plan;
use super::rows::{rows_of, sheet};
use crate::domain::numbered::Numbered;
use crate::domain::report::cell::Row;
use crate::domain::report::chain::Chain;
use crate::domain::report::contact::Person;
use crate::domain::report::file::{TableFile, whole};
use crate::domain::report::kind::{Format, Kind};
use crate::domain::report::letter::{Letter, Letters, Sender, seal, text_zh};
use crate::domain::report::triage::First;
use crate::domain::report::{godata, sormas, trajectory};
use crate::domain::span::Span;
use crate::http::error::ApiError;
use crate::store::reports;

/// The report of a plan.
pub(super) async fn of(plan: &Plan) -> Result<Vec<u8>, ApiError> {
    match plan.report.kind {
        Kind::Triage => {
            let (_, people) = first(plan).await?;
            table(plan, &rows_of(plan, &people, 0))
        }
        Kind::Chain => chain(plan).await,
        Kind::Letters => letters(plan).await,
        Kind::Trajectory => made_public(plan).await,
        Kind::Divisions => {
            let mut conn = plan.app.store.conn().await?;
            let facts = reports::divisions(&mut conn, plan.run.id).await?;
            let rows: Vec<Row> =
                facts.iter().map(|facts| facts.row(plan.division_name(&facts.division))).collect();
            table(plan, &rows)
        }
        _ => table(plan, &case_rows(plan)),
    }
}

/// The cases that the run is linked with, as a list or for another system.
fn case_rows(plan: &Plan) -> Vec<Row> {
    let infectious = Some((plan.infectious.from(), plan.infectious.until()));
    let settings = plan.sormas();
    let row = |case: &crate::domain::report::line_list::CaseFacts| match plan.report.kind {
        Kind::SormasCases => {
            let (region, district) = plan.region_and_district(&case.division);
            sormas::case_row(case, &region, &district, &settings)
        }
        Kind::GodataCases => godata::case_row(case, plan.offset()),
        _ => case.row(plan.case_no(), infectious, plan.division_name(&case.division)),
    };
    plan.cases.iter().map(row).collect()
}

fn table(plan: &Plan, rows: &[Row]) -> Result<Vec<u8>, ApiError> {
    whole(sheet(plan), plan.report.format, plan.offset(), rows).map_err(unwritten)
}

/// Looks at every contact once.
async fn each(plan: &Plan, mut see: impl FnMut(Person)) -> Result<(), ApiError> {
    let mut after = None;
    loop {
        let mut conn = plan.app.store.conn().await?;
        let people = reports::people(&mut conn, plan.run.id, after).await?;
        drop(conn);
        let full = i64::try_from(people.len()).is_ok_and(|count| count >= reports::PAGE);
        after = people.last().map(|person| (person.class.number(), person.visitor));
        people.into_iter().for_each(&mut see);
        if !full {
            return Ok(());
        }
    }
}

/// How many contacts there are, and those to be reached first.
async fn first(plan: &Plan) -> Result<(u64, Vec<Person>), ApiError> {
    let mut first = First::of(plan.options.limit);
    each(plan, |person| first.add(person)).await?;
    Ok((first.seen, first.done()))
}

async fn chain(plan: &Plan) -> Result<Vec<u8>, ApiError> {
    let (contacts, people) = first(plan).await?;
    let cases: Vec<_> = plan.cases.iter().map(|case| case.id).collect();
    // Other cases are linked by stays within a day of those of this one.
    let day = TimeDelta::days(1);
    let span = Span::new(plan.infectious.from() - day, plan.infectious.until() + day);
    let span = span.unwrap_or(plan.infectious);
    let mut conn = plan.app.store.conn().await?;
    let at = reports::at_places(&mut conn, &cases, span).await?;
    let chain = Chain::of(&plan.cases, &at, &people, contacts, plan.offset());
    Ok(match plan.report.format {
        Format::Dot => chain.dot().into_bytes(),
        _ => chain.json(plan.about()).to_string().into_bytes(),
    })
}

async fn made_public(plan: &Plan) -> Result<Vec<u8>, ApiError> {
    let mut conn = plan.app.store.conn().await?;
    let stops = reports::stops(&mut conn, plan.case.id, plan.infectious).await?;
    let slots = trajectory::slots(&stops, plan.infectious);
    let (number, offset) = (plan.options.number.as_str(), plan.offset());
    Ok(match plan.report.format {
        Format::Json => trajectory::json(number, &slots, offset).to_string(),
        Format::Geojson => trajectory::geojson(number, &slots, offset).to_string(),
        _ => trajectory::text(number, &slots, plan.options.language, offset),
    }
    .into_bytes())
}

/// A letter with what is told of it beside.
pub(super) struct Sealed {
    /// The letter.
    pub(super) letter: Letter,
    /// The division with its name.
    pub(super) receiver: String,
    /// The service's own seal over number and digest.
    pub(super) seal: String,
}

async fn letters(plan: &Plan) -> Result<Vec<u8>, ApiError> {
    let frame = plan.frame();
    // The digest is that of the list as CSV, whatever form the letters have.
    let list = TableFile::begin(sheet(plan), Format::Csv, plan.offset()).map_err(unwritten)?;
    let mut letters = Letters::new(&frame, plan.run.id, list.head());
    each(plan, |person| letters.add(&person)).await?;
    let asked =
        |letter: &Letter| plan.options.division.as_ref().is_none_or(|own| own.as_str() == letter.division);
    let sealed: Vec<Sealed> =
        letters.done().into_iter().filter(asked).map(|letter| sealed(plan, letter)).collect();
    let sender = Sender {
        authority: plan.case.authority.clone(),
        contact: plan.options.contact.clone(),
        made_at: plan.made_at,
    };
    Ok(match plan.report.format {
        Format::Html => letter_page::page(&sealed, &sender, &frame).into_string().into_bytes(),
        Format::Json => told(plan, &sealed).to_string().into_bytes(),
        _ => {
            let text = |own: &Sealed| text_zh(&own.letter, &own.receiver, &sender, &frame, &own.seal);
            sealed.iter().map(text).collect::<Vec<_>>().join("\n\u{c}\n").into_bytes()
        }
    })
}

fn sealed(plan: &Plan, letter: Letter) -> Sealed {
    let name = plan.division_name(&letter.division);
    let receiver = if name.is_empty() {
        format!("行政区划代码 {}", letter.division)
    } else {
        format!("{name}（{}）", letter.division)
    };
    let seal = seal(plan.app.keys.token(), &letter.number, &letter.digest());
    Sealed { letter, receiver, seal }
}

fn told(plan: &Plan, sealed: &[Sealed]) -> Value {
    let letter = |own: &Sealed| {
        let letter = &own.letter;
        let place = |place: &crate::domain::report::letter::LetterPlace| json!({ "venue": place.name, "division": place.division, "first_at": place.first_at, "last_at": place.last_at, "people": place.people });
        json!({
            "number": letter.number,
            "division": letter.division,
            "division_name": plan.division_name(&letter.division),
            "people": letter.people(),
            "classes": letter.by_class().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "measures": letter.measures.iter().map(|(_, measure)| measure).collect::<Vec<_>>(),
            "places": letter.places().map(place).collect::<Vec<_>>(),
            "places_left_out": letter.places_left_out,
            "list_sha256": letter.digest(),
            "seal": own.seal,
        })
    };
    let mut about = plan.about();
    about.insert("letters".to_owned(), sealed.iter().map(letter).collect());
    Value::Object(about)
}
