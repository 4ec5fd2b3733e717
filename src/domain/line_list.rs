//! Line lists of cases: CSV as health authorities and their systems write it, read whole or not at all.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, FixedOffset, Utc};
use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::case::{CaseDates, CaseKind, InvalidCase};
use super::fields::text;
use super::moment::read_or_day;
use super::register_file::unguarded;
use super::venue::Division;
use super::visitor::Visitor;

/// How many cases one list may hold.
pub const ROWS_MAX: usize = 100_000;

/// How many faults are told; whoever has put these right is told the rest.
pub const FAULTS_MAX: usize = 1000;

/// How much of a wrong value is repeated, in characters. Whatever says who the person is is never repeated.
const VALUE_CHARACTERS: usize = 60;

/// The columns, and what other systems call them: SORMAS, Go.Data, the WHO's case report, lists in Chinese. Letters and
/// digits alone count, in whatever case. Where a list has several of them, the first named here is read.
const COLUMNS: &[(&str, &[&str])] = &[
    ("case_no", &["caseno", "casenumber", "epidnumber", "visualid", "caseid", "externalid", "病例编号"]),
    ("visitor", &["visitor"]),
    ("identity_kind", &["identitykind"]),
    ("identity", &["identity"]),
    ("kind", &["kind", "caseclassification", "classification", "reportclassif", "病例类型"]),
    (
        "onset_at",
        &[
            "onsetat",
            "symptomsonsetdate",
            "onsetdate",
            "dateofonset",
            "patcoursedateonset",
            "dateonset",
            "发病日期",
            "发病时间",
        ],
    ),
    (
        "sampled_at",
        &[
            "sampledat",
            "sampledatetime",
            "datesampletaken",
            "dateofsampling",
            "datesample",
            "采样日期",
            "采样时间",
        ],
    ),
    (
        "isolated_at",
        &[
            "isolatedat",
            "quarantinefrom",
            "dateofisolation",
            "patcoursedateiso",
            "dateisolation",
            "隔离日期",
            "隔离时间",
        ],
    ),
    ("authority", &["authority", "reportingauthority", "报告单位", "报告机构"]),
    ("division", &["division", "divisioncode", "区划代码"]),
];

/// Who a person is, from kind and number of a document.
pub type Who<'a> = dyn Fn(&str, &str) -> Option<Visitor> + 'a;

/// What stands in for columns that a list does not have, and how its values are read.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Who a person is, from kind and number of a document; `None` where nobody here can know, or the kind is unknown.
    pub who: Option<&'a Who<'a>>,
    /// Headings of the list's own, as column and heading.
    pub map: &'a [(String, String)],
    /// The authority of a list that has no such column.
    pub authority: Option<&'a str>,
    /// The division of a list that has no such column.
    pub division: Option<Division>,
    /// Whose cases may be entered.
    pub within: Division,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
    /// The time.
    pub now: DateTime<Utc>,
}

/// One case of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// In which line of the file.
    pub line: u64,
    /// The number under which the authority knows it.
    pub case_no: String,
    /// Who.
    pub visitor: Visitor,
    /// What kind of case.
    pub kind: CaseKind,
    /// Its dates.
    pub dates: CaseDates,
    /// Who reports it.
    pub authority: String,
    /// Whose case it is.
    pub division: Division,
}

/// What is wrong with one value of a list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Fault {
    /// The line; 1 is that of the headings.
    pub line: u64,
    /// The column.
    pub column: &'static str,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, {}: {}; right: {}", self.line, self.column, self.wrong, self.right)
    }
}

/// All cases of a list, or all that is wrong with it, [`FAULTS_MAX`] at the most.
pub fn read(bytes: &[u8], terms: &Terms<'_>) -> Result<Vec<LineRow>, Vec<Fault>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().delimiter(delimiter(bytes)).flexible(true).from_reader(bytes);
    let head = reader.headers().cloned().unwrap_or_default();
    let columns = columns(&head, terms).map_err(|fault| vec![fault])?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut seen: HashMap<(String, String), u64> = HashMap::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let line = record.position().map_or(0, csv::Position::line);
        if rows.len() == ROWS_MAX || faults.len() >= FAULTS_MAX {
            let right = format!("{ROWS_MAX} cases and {FAULTS_MAX} faults at the most");
            faults.push(Fault { line, column: "row", wrong: "the list is read no further".into(), right });
            break;
        }
        let row = Cells { line, columns: &columns, width: head.len() }.read(&record, terms);
        match row.and_then(|row| once(row, &mut seen)) {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(fault),
        }
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push(fault(2, "row", "the list is empty", "one case in each line"));
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

fn fault(line: u64, column: &'static str, wrong: impl Into<String>, right: impl Into<String>) -> Fault {
    Fault { line, column, wrong: wrong.into(), right: right.into() }
}

/// A comma, a semicolon or a tab: whichever the headings hold most.
fn delimiter(bytes: &[u8]) -> u8 {
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |one: u8| head.split(|byte| *byte == one).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|one| count(*one)).unwrap_or(b',')
}

/// Letters and digits of a heading alone.
fn plain(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where each column stands.
fn columns(head: &StringRecord, terms: &Terms<'_>) -> Result<BTreeMap<&'static str, usize>, Fault> {
    let headings: Vec<String> = head.iter().map(plain).collect();
    let mut found = BTreeMap::new();
    for (column, names) in COLUMNS {
        let mapped = terms.map.iter().find(|(own, _)| own == column).map(|(_, heading)| plain(heading));
        let place = |name: &str| headings.iter().position(|heading| heading == name);
        let at = mapped.as_deref().map_or_else(|| names.iter().find_map(|name| place(name)), place);
        found.extend(at.map(|at| (*column, at)));
    }
    let has = |column| found.contains_key(column);
    let given = [("authority", terms.authority.is_some()), ("division", terms.division.is_some())];
    let wanted = ["case_no", "kind", "sampled_at"].map(|column| (column, false));
    for (column, given) in wanted.into_iter().chain(given) {
        if !has(column) && !given {
            return Err(fault(
                1,
                column,
                "the list has no such column",
                "one of the headings in docs/cases.md",
            ));
        }
    }
    let says_who = has("visitor") || (has("identity") && terms.who.is_some());
    if !says_who {
        let right = if terms.who.is_some() { "`visitor`, or `identity`" } else { "`visitor`: the pseudonym" };
        return Err(fault(1, "visitor", "the list does not say who the persons are", right));
    }
    Ok(found)
}

/// A number that an authority has given once stands in a list once.
fn once(row: LineRow, seen: &mut HashMap<(String, String), u64>) -> Result<LineRow, Fault> {
    match seen.insert((row.authority.clone(), row.case_no.clone()), row.line) {
        None => Ok(row),
        Some(first) => {
            let wrong = format!("stands in line {first} already");
            Err(fault(row.line, "case_no", wrong, "one line for each case of an authority"))
        }
    }
}

/// How the cells of one row are found.
struct Cells<'a> {
    line: u64,
    columns: &'a BTreeMap<&'static str, usize>,
    width: usize,
}

impl Cells<'_> {
    fn read(&self, bytes: &ByteRecord, terms: &Terms<'_>) -> Result<LineRow, Fault> {
        if bytes.len() != self.width {
            let wrong = format!("{} cells", bytes.len());
            return Err(self.fault("row", wrong, format!("{} cells, as many as headings", self.width)));
        }
        let record = StringRecord::from_byte_record(bytes.clone())
            .map_err(|_utf8| self.fault("row", "not UTF-8", "UTF-8; spreadsheets call it `CSV UTF-8`"))?;
        let case_no = self.text(&record, "case_no", None, 100)?;
        let authority = self.text(&record, "authority", terms.authority, 200)?;
        let kind = self.kind(&record)?;
        let dates = CaseDates {
            onset_at: self.time(&record, "onset_at", terms)?,
            sampled_at: self.time(&record, "sampled_at", terms)?.ok_or_else(|| {
                self.fault("sampled_at", "empty", "when the first positive sample was taken")
            })?,
            isolated_at: self.time(&record, "isolated_at", terms)?,
        };
        dates
            .check(kind, terms.now)
            .map_err(|error| self.fault(at_fault(error), error.to_string(), "dates that agree"))?;
        let division = self.division(&record, terms)?;
        let visitor = self.visitor(&record, terms)?;
        Ok(LineRow { line: self.line, case_no, visitor, kind, dates, authority, division })
    }

    fn get<'a>(&self, record: &'a StringRecord, column: &str) -> Option<&'a str> {
        let value = unguarded(record.get(*self.columns.get(column)?)?.trim()).trim();
        (!value.is_empty()).then_some(value)
    }

    fn fault(&self, column: &'static str, wrong: impl Into<String>, right: impl Into<String>) -> Fault {
        fault(self.line, column, wrong, right)
    }

    fn wrong(&self, column: &'static str, value: &str, right: impl Into<String>) -> Fault {
        let value: String = value.chars().take(VALUE_CHARACTERS).collect();
        self.fault(column, format!("`{value}`"), right)
    }

    fn text(
        &self,
        record: &StringRecord,
        column: &'static str,
        usual: Option<&str>,
        max: usize,
    ) -> Result<String, Fault> {
        let value = self.get(record, column).or(usual).unwrap_or_default();
        text(value, 1, max).map_err(|error| self.wrong(column, value, error.to_string()))
    }

    fn time(
        &self,
        record: &StringRecord,
        column: &'static str,
        terms: &Terms<'_>,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(value) = self.get(record, column) else { return Ok(None) };
        let right = "2026-03-01, 2026-03-01 08:30 by the local clock, or 2026-03-01T08:30:00+08:00";
        read_or_day(value, terms.offset).map(Some).ok_or_else(|| self.wrong(column, value, right))
    }

    fn kind(&self, record: &StringRecord) -> Result<CaseKind, Fault> {
        let value = self.get(record, "kind").unwrap_or_default();
        kind_of(value).ok_or_else(|| self.wrong("kind", value, "confirmed, suspected or asymptomatic"))
    }

    fn division(&self, record: &StringRecord, terms: &Terms<'_>) -> Result<Division, Fault> {
        let given = self.get(record, "division").map(|value| {
            value.parse::<Division>().map_err(|error| self.wrong("division", value, error.to_string()))
        });
        let usual = terms.division.ok_or_else(|| self.fault("division", "empty", "six digits (GB/T 2260)"));
        let division = given.unwrap_or(usual)?;
        if terms.within.covers(&division) {
            Ok(division)
        } else {
            let wrong = format!("{division} belongs to another jurisdiction");
            Err(self.fault("division", wrong, format!("a division inside {}", terms.within)))
        }
    }

    fn visitor(&self, record: &StringRecord, terms: &Terms<'_>) -> Result<Visitor, Fault> {
        if let Some(hex) = self.get(record, "visitor") {
            let right = "32 hexadecimal digits in lower case";
            return Visitor::from_hex(hex).ok_or_else(|| self.fault("visitor", "no pseudonym", right));
        }
        let number = self.get(record, "identity");
        let (Some(number), Some(who)) = (number, terms.who) else {
            return Err(self.fault("visitor", "empty", "who the person is"));
        };
        let right = "a kind of document that `--identity-kind` knows, or nothing";
        let kind = self.get(record, "identity_kind").unwrap_or_default();
        who(kind, number).ok_or_else(|| self.fault("identity_kind", "no kind of document", right))
    }
}

/// Which column a contradiction between dates is told of.
fn at_fault(error: InvalidCase) -> &'static str {
    match error {
        InvalidCase::NoOnset | InvalidCase::Onset => "onset_at",
        InvalidCase::Future(column) | InvalidCase::Past(column) => column,
        InvalidCase::Period => "isolated_at",
    }
}

/// The kind of case that a word means: ours, SORMAS's, Go.Data's and the WHO's. What is merely probable has no
/// counterpart, and nobody decides it in passing.
fn kind_of(word: &str) -> Option<CaseKind> {
    let word = plain(word);
    match word.strip_prefix("lngreferencedatacategorycaseclassification").unwrap_or(&word) {
        "confirmed" | "确诊" | "确诊病例" => Some(CaseKind::Confirmed),
        "suspected" | "suspect" | "疑似" | "疑似病例" => Some(CaseKind::Suspected),
        "asymptomatic" | "confirmednosymptoms" | "无症状" | "无症状感染者" => {
            Some(CaseKind::Asymptomatic)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "line_list_tests.rs"]
mod tests;
