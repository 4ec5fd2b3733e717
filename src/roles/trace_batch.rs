//! `trace-batch`: what a pack finds of many cases, as counts, before a run of any. It colours nobody and keeps no result.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::cases::{investigator, signature};
use super::house::{House, HouseArgs};
use super::terminal::{remark, say};
use super::trace::pack;
use crate::app::App;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::case::infectious;
use crate::domain::grading::Contact;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour, RulePack};
use crate::domain::visitor::Visitor;
use crate::pipeline::batch::{self, Asked, Rules};
use crate::pipeline::{drain, settle};
use crate::store::access::{self, StaffRow};
use crate::store::audit::{self, Act};
use crate::store::cases::{self, CaseFilter, CaseRow, TrailRow};
use crate::store::looks::{self, Look};
use crate::store::runs;

/// How many cases one batch may have.
const CASES_MAX: usize = 50_000;
/// How many cases are read at once.
const PAGE: i64 = 500;

/// Which cases are traced, by which rules and what for.
#[derive(clap::Args, Clone, Debug)]
#[group(id = "which", required = true, multiple = false, args = ["cases", "all_open"])]
pub(crate) struct BatchArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// A file with the id of one case on each line.
    #[arg(long)]
    cases: Option<PathBuf>,

    /// All cases of the investigator's division that were not withdrawn.
    #[arg(long)]
    all_open: bool,

    /// The rule pack and its version, such as `baseline@1`.
    #[arg(long, value_parser = pack)]
    pack: (String, i32),

    /// What it is for; it stands in the audit log.
    #[arg(long)]
    purpose: String,

    /// The login of the investigator who asks.
    #[arg(long)]
    by: String,

    /// Write the contacts of each case to this file, as CSV by pseudonym. A look is written down for each case, and
    /// they can see it.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A row of the file.
#[derive(Serialize)]
struct Row {
    case: Uuid,
    visitor: String,
    class: Class,
    colour: Colour,
    together_secs: i64,
    meetings: usize,
    first_at: String,
    last_at: String,
}

/// Traces the cases and prints what each would come to, and how many different people there are.
pub(crate) async fn compute(args: &BatchArgs) -> anyhow::Result<()> {
    let purpose = args.purpose.trim();
    ensure!((3..=500).contains(&purpose.chars().count()), "--purpose has 3 to 500 characters");
    let house = House::open(&args.house).await?;
    let app = house.app().await?;
    settle(&app, async |app| drain::step(&app).await).await?;
    let (staff, rows) = wanted(&app, args).await?;
    let rules = rules(&app, &args.pack).await?;
    let (rows, asked) = asked(&app, &rules.pack, rows).await?;
    let table = args.out.as_deref().map(create).transpose()?;
    let mut shown = Vec::new();
    write_down(&app, args, &staff, purpose, &rows).await?;
    remark(format!("tracing {} cases", asked.len()));
    let mut people: HashSet<Visitor> = HashSet::new();
    let mut conn = app.store.conn().await?;
    batch::trace(&mut conn, &rules, &asked, |nth, contacts| {
        let case = rows.get(nth).context("a case of the batch")?.id;
        say(format!("{case}  {}", counts(&contacts)));
        for contact in contacts {
            people.insert(contact.visitor);
            if table.is_some() {
                shown.push((case, contact));
            }
        }
        Ok(())
    })
    .await?;
    if let Some(mut table) = table {
        write_down_shown(&mut conn, &staff, purpose, &shown).await?;
        for (case, contact) in &shown {
            table.serialize(row(*case, contact)).context("--out")?;
        }
        table.flush().context("--out")?;
    }
    say(format!("cases   {}", asked.len()));
    say(format!("people  {}", people.len()));
    drop(conn);
    drop(app);
    house.close()
}

/// Who asks, and the cases that were named, each once. Whoever asks sees the division of every one.
async fn wanted(app: &App, args: &BatchArgs) -> anyhow::Result<(StaffRow, Vec<CaseRow>)> {
    let mut conn = app.store.conn().await?;
    let staff = access::staff_by_login(&mut conn, &args.by).await?;
    let staff = staff.with_context(|| format!("--by {}: there is no open account of that login", args.by))?;
    let own = access::division(&staff.division)?;
    let mut rows = Vec::new();
    if let Some(path) = &args.cases {
        let text = std::fs::read_to_string(path).with_context(|| format!("--cases {}", path.display()))?;
        for (line, id) in ids(&text, path)? {
            let case = cases::find(&mut conn, id).await?;
            let case = case.with_context(|| format!("line {line}: there is no case {id}"))?;
            ensure!(case.withdrawn_at.is_none(), "line {line}: case {id} was withdrawn");
            rows.push(case);
        }
    } else {
        let filter = CaseFilter { division: own, withdrawn: Some(false), reported_since: None };
        let mut before = None;
        loop {
            let page = cases::page(&mut conn, &filter, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            rows.extend(page);
            ensure!(
                rows.len() <= CASES_MAX,
                "there are more than {CASES_MAX} open cases; name some by --cases"
            );
        }
    }
    investigator(&mut conn, &args.by, &own).await?;
    for division in rows.iter().map(|case| case.division.clone()).collect::<BTreeSet<_>>() {
        investigator(&mut conn, &args.by, &access::division(&division)?).await?;
    }
    Ok((staff, rows))
}

/// The ids of a file with their lines, each once.
fn ids(text: &str, path: &Path) -> anyhow::Result<Vec<(usize, Uuid)>> {
    let (mut seen, mut ids) = (HashSet::new(), Vec::new());
    for (line, word) in (1..).zip(text.lines().map(str::trim)).filter(|(_, word)| !word.is_empty()) {
        let id: Uuid = word
            .parse()
            .with_context(|| format!("{}, line {line}: `{word}` is no id of a case", path.display()))?;
        if seen.insert(id) {
            ids.push((line, id));
        }
    }
    ensure!(!ids.is_empty(), "{}: names no case", path.display());
    ensure!(ids.len() <= CASES_MAX, "{}: names more than {CASES_MAX} cases", path.display());
    Ok(ids)
}

async fn rules(app: &App, (id, version): &(String, i32)) -> anyhow::Result<Rules> {
    let body = runs::pack_body(&mut *app.store.conn().await?, id, *version).await?;
    let body = body.with_context(|| {
        format!("--pack {id}@{version} is not loaded; `placecode packs load` loads those that are shipped")
    })?;
    let pack = RulePack::parse(&body)?;
    if let Some(why) = batch::refusal(&pack) {
        bail!("{why}");
    }
    Ok(Rules { pack: Arc::new(pack), offset: app.config.local_offset })
}

/// The cases that the pack counts, with their trails as a run would pull them now.
async fn asked(app: &App, pack: &RulePack, rows: Vec<CaseRow>) -> anyhow::Result<(Vec<CaseRow>, Vec<Asked>)> {
    let now = Clock::System.now();
    let mut conn = app.store.conn().await?;
    let (mut counted, mut asked) = (Vec::new(), Vec::new());
    for case in rows {
        let kind = case.kind()?;
        if !pack.index_kinds.contains(&kind) {
            say(format!("{}  {} does not count cases of this kind", case.id, pack.name()));
            continue;
        }
        let infectious = infectious(&case.dates(), pack, now, app.config.local_offset);
        let trail = conn
            .transaction::<_, anyhow::Error, _>(async |conn| {
                cases::pull_trail(conn, &case, infectious, now).await?;
                let trail = cases::trail(conn, case.id).await?;
                Ok(trail.iter().map(TrailRow::read).collect::<Result<Vec<_>, _>>()?)
            })
            .await?;
        asked.push(Asked { case: case.visitor(), kind, dates: case.dates(), infectious, trail });
        counted.push(case);
    }
    Ok((counted, asked))
}

/// Writes down who asked what for, and a look at each case where people are shown.
async fn write_down(
    app: &App,
    args: &BatchArgs,
    staff: &StaffRow,
    purpose: &str,
    rows: &[CaseRow],
) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let (id, version) = &args.pack;
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let actor = signature(staff);
        let detail = json!({ "cases": rows.len(), "purpose": purpose, "people_shown": args.out.is_some() });
        let subject = format!("pack {id}@{version}");
        audit::append(conn, Act { actor: &actor, action: "batch.traced", subject, detail }, now).await?;
        if args.out.is_some() {
            for case in rows {
                look(conn, staff, case.id, purpose, now).await?;
            }
        }
        Ok(())
    })
    .await
}

/// Writes down a look at each person whom the file is going to name, so that they are told.
async fn write_down_shown(
    conn: &mut AsyncPgConnection,
    staff: &StaffRow,
    purpose: &str,
    shown: &[(Uuid, Contact)],
) -> anyhow::Result<()> {
    let at = Clock::System.now();
    let look = |(case_id, contact): &(Uuid, Contact)| Look {
        id: Uuid::now_v7(),
        case_id: *case_id,
        run_id: None,
        role: Role::Investigator.number(),
        purpose: purpose.to_owned(),
        at,
        kind: LookKind::Batch.number(),
        division: Some(staff.division.clone()),
        visitor: Some(contact.visitor.to_uuid()),
    };
    let all: Vec<Look> = shown.iter().map(look).collect();
    conn.transaction::<_, anyhow::Error, _>(async |conn| Ok(looks::insert_all(conn, &all).await?)).await
}

async fn look(
    conn: &mut AsyncPgConnection,
    staff: &StaffRow,
    case_id: Uuid,
    purpose: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<()> {
    let role = Role::Investigator.number();
    let look = Look {
        id: Uuid::now_v7(),
        case_id,
        run_id: None,
        role,
        purpose: purpose.to_owned(),
        at: now,
        kind: LookKind::Batch.number(),
        division: Some(staff.division.clone()),
        visitor: None,
    };
    looks::insert(conn, &look).await?;
    let (subject, detail) = (format!("case {case_id}"), json!({ "case": case_id, "purpose": purpose }));
    let actor = signature(staff);
    Ok(audit::append(conn, Act { actor: &actor, action: "persons.seen", subject, detail }, now).await?)
}

/// A new file that only its owner may read.
fn create(path: &Path) -> anyhow::Result<csv::Writer<File>> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    Ok(csv::Writer::from_writer(file.with_context(|| format!("--out {}", path.display()))?))
}

fn counts(contacts: &[Contact]) -> String {
    let mut classes: BTreeMap<i16, (Class, usize)> = BTreeMap::new();
    for contact in contacts {
        classes.entry(contact.class.number()).or_insert((contact.class, 0)).1 += 1;
    }
    let word = |class: Class| json!(class).as_str().unwrap_or_default().to_owned();
    let parts: Vec<String> =
        classes.into_values().map(|(class, count)| format!("{} {count}", word(class))).collect();
    format!("contacts {}  {}", contacts.len(), parts.join(", ")).trim_end().to_owned()
}

fn row(case: Uuid, contact: &Contact) -> Row {
    Row {
        case,
        visitor: contact.visitor.to_hex(),
        class: contact.class,
        colour: contact.colour,
        together_secs: contact.together_secs,
        meetings: contact.meetings,
        first_at: contact.first_at.to_rfc3339(),
        last_at: contact.last_at.to_rfc3339(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_each_case_once_and_what_is_no_id_is_told_with_its_line() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let path = Path::new("list");
        assert_eq!(ids(&format!("{one}\n\n {two} \n{one}\n"), path).unwrap(), [(1, one), (3, two)]);
        let why = ids(&format!("{one}\nx\n"), path).unwrap_err().to_string();
        assert_eq!(why, "list, line 2: `x` is no id of a case");
        assert!(ids("\n", path).is_err());
    }
}
