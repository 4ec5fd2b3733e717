//! Hand-over letters (协查函): one for each division, with the people whom it is asked to reach.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cell::{Cell, CellKind, Column, Row, column, csv_line};
use super::contact::{Frame, Person};
use super::measure::{class_zh, measure_zh, over_on, rule_of};
use crate::domain::audit::hex;
use crate::domain::keyring::Key;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Class;
use crate::domain::words::word;

/// Within so many hours the receiver answers: what districts are given for people whom the province hands down.
pub const ANSWER_HOURS: u32 = 24;

/// How many places one letter names; the rest is counted.
pub const PLACES_MAX: usize = 50;

/// What keeps the seal of a letter apart from other uses of the key.
const SEAL: &str = "hand-over letter";

/// The columns of the list of people that goes with a letter.
pub const COLUMNS: &[Column] = &[
    column("letter_no", CellKind::Text),
    column("case_no", CellKind::Text),
    column("receiver_division", CellKind::Text),
    column("visitor", CellKind::Text),
    column("class", CellKind::Text),
    column("class_zh", CellKind::Text),
    column("colour", CellKind::Text),
    column("measure_zh", CellKind::Text),
    column("venues", CellKind::Text),
    column("first_contact_at", CellKind::Time),
    column("last_contact_at", CellKind::Time),
    column("together_mins", CellKind::Int),
    column("over_on", CellKind::Text),
    column("answer_within_hours", CellKind::Int),
];

/// A place of a letter: where the people of that division were exposed.
#[derive(Clone, Debug, PartialEq)]
pub struct LetterPlace {
    /// Name of the venue.
    pub name: String,
    /// Its division.
    pub division: String,
    /// When the first meeting there began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// How many people of the letter were exposed there.
    pub people: u64,
}

/// What one division is told.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its number: that of the run and the division.
    pub number: String,
    /// Who is asked.
    pub division: String,
    /// How many people by class, the strongest first.
    pub classes: BTreeMap<i16, u64>,
    /// The measures that their classes ask for.
    pub measures: BTreeSet<(i16, String)>,
    /// Where they were exposed; no more than [`PLACES_MAX`].
    places: BTreeMap<(String, Option<Uuid>), LetterPlace>,
    /// How many more places there are meetings at, each person counted.
    pub places_left_out: u64,
    digest: Sha256,
}

impl Letter {
    /// How many people.
    pub fn people(&self) -> u64 {
        self.classes.values().sum()
    }

    /// The classes with their names and counts.
    pub fn by_class(&self) -> Vec<(&'static str, u64)> {
        let named = |(number, count): (&i16, &u64)| Some((class_zh(Class::from_number(*number)?), *count));
        self.classes.iter().filter_map(named).collect()
    }

    /// The places, by division and name.
    pub fn places(&self) -> impl Iterator<Item = &LetterPlace> {
        self.places.values()
    }

    /// SHA-256 of the list of people as `letters.csv?division=…` gives it.
    pub fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

/// The seal over a digest: only this service can make and check it.
pub fn seal(key: &Key, number: &str, digest: &str) -> String {
    hex(&key.mac(SEAL, &[number.as_bytes(), &[0], digest.as_bytes()]))
}

/// All letters of a run under way. What is held grows with the divisions and not with the people.
#[derive(Debug)]
pub struct Letters<'a> {
    frame: &'a Frame<'a>,
    run: Uuid,
    head: Vec<u8>,
    by_division: BTreeMap<String, Letter>,
}

impl<'a> Letters<'a> {
    /// No letter yet. `head` is what stands before the rows in a list of people.
    pub fn new(frame: &'a Frame<'a>, run: Uuid, head: Vec<u8>) -> Self {
        Self { frame, run, head, by_division: BTreeMap::new() }
    }

    /// Adds somebody to the letter of the division that is to reach them.
    pub fn add(&mut self, person: &Person) {
        let Some((division, row)) = row(person, self.frame, self.run) else { return };
        let empty = || Letter {
            number: number(self.run, &division),
            division: division.clone(),
            classes: BTreeMap::new(),
            measures: BTreeSet::new(),
            places: BTreeMap::new(),
            places_left_out: 0,
            digest: Sha256::new_with_prefix(&self.head),
        };
        let letter = self.by_division.entry(division.clone()).or_insert_with(empty);
        letter.digest.update(csv_line(&row, self.frame.offset));
        let class = person.class.number();
        *letter.classes.entry(class).or_default() += 1;
        if let Some(rule) = rule_of(self.frame.pack, person.class, person.rule.as_deref()) {
            letter.measures.insert((class, format!("{}：{}", class_zh(person.class), measure_zh(rule))));
        }
        letter.add_places(person);
    }

    /// The letters, by division.
    pub fn done(self) -> Vec<Letter> {
        self.by_division.into_values().collect()
    }
}

impl Letter {
    fn add_places(&mut self, person: &Person) {
        let mut seen = BTreeSet::new();
        for met in &person.met {
            let key = (format!("{} {}", met.division, met.venue_name), met.venue);
            let full = self.places.len() >= PLACES_MAX && !self.places.contains_key(&key);
            let is_first = seen.insert(met.venue);
            if full {
                self.places_left_out += u64::from(is_first);
                continue;
            }
            let place = self.places.entry(key).or_insert_with(|| LetterPlace {
                name: met.venue_name.clone(),
                division: met.division.clone(),
                first_at: met.first_at,
                last_at: met.last_at,
                people: 0,
            });
            place.people += u64::from(is_first);
            place.first_at = place.first_at.min(met.first_at);
            place.last_at = place.last_at.max(met.last_at);
        }
    }
}

/// Who is asked to reach somebody, and the row of the list; `None` for who is left out.
pub fn row(person: &Person, frame: &Frame<'_>, run: Uuid) -> Option<(String, Row)> {
    if person.exclusion_reason.is_some() {
        return None;
    }
    let division = person.receiver(frame).to_owned();
    let rule = rule_of(frame.pack, person.class, person.rule.as_deref());
    let over: Option<NaiveDate> = rule.and_then(|rule| over_on(rule, person.last_at, frame.offset));
    let row = vec![
        Cell::text(number(run, &division)),
        Cell::text(frame.case_no),
        Cell::text(division.clone()),
        Cell::text(person.visitor.to_hex()),
        Cell::text(word(person.class)),
        Cell::text(class_zh(person.class)),
        Cell::text(word(person.colour)),
        Cell::text(rule.map(measure_zh).unwrap_or_default()),
        Cell::text(person.venues().1.join("; ")),
        Cell::Time(person.first_at),
        Cell::Time(person.last_at),
        Cell::Int(person.together_secs / 60),
        Cell::text(over.map(|day| day.to_string()).unwrap_or_default()),
        Cell::Int(ANSWER_HOURS.into()),
    ];
    Some((division, row))
}

/// The number of a letter.
fn number(run: Uuid, division: &str) -> String {
    // The end of a run's id is random, its beginning is the time.
    let hex = run.simple().to_string();
    format!("XC-{}-{division}", hex.get(20..).unwrap_or_default().to_uppercase())
}

/// What all letters of a run share, in words.
#[derive(Debug)]
pub struct Sender {
    /// The authority that reported the case.
    pub authority: String,
    /// Whom to ask: a name, a number.
    pub contact: String,
    /// When the letter is made.
    pub made_at: DateTime<Utc>,
}

/// A letter as plain text.
pub fn text_zh(letter: &Letter, receiver: &str, sender: &Sender, frame: &Frame<'_>, seal: &str) -> String {
    let local = |at: DateTime<Utc>| moment_zh(at, frame.offset);
    let mut lines = vec![
        "关于协助排查管控涉疫风险人员的函".to_owned(),
        format!("编号：{}", letter.number),
        format!("{receiver}：",),
        format!(
            "    我方报告病例（编号 {}）的接触者中有 {} 人需由贵地排查管控，现将有关情况函告如下。",
            frame.case_no,
            letter.people()
        ),
        "一、人员".to_owned(),
    ];
    lines.extend(letter.by_class().iter().map(|(class, count)| format!("    {class}：{count} 人")));
    lines.push("二、暴露地点与时段".to_owned());
    for place in letter.places() {
        let (from, until) = (local(place.first_at), local(place.last_at));
        lines.push(format!(
            "    {}（{}）：{from} 至 {until}，{} 人",
            place.name, place.division, place.people
        ));
    }
    if letter.places_left_out > 0 {
        lines.push(format!("    其余地点 {} 人次，见名单。", letter.places_left_out));
    }
    lines.push("三、请求措施".to_owned());
    lines.extend(letter.measures.iter().map(|(_, measure)| format!("    {measure}")));
    lines.push(format!("四、请于收到本函 {ANSWER_HOURS} 小时内反馈排查结果。"));
    lines.push("五、名单".to_owned());
    lines.push("    人员以 32 位匿名编号列出，由健康码平台还原身份；名单为随函附表 letters.csv。".to_owned());
    lines.push(format!("    附表 SHA-256：{}", letter.digest()));
    lines.push(format!("    校验印：{seal}"));
    lines.push(format!("依据规则：{}", frame.pack.name()));
    lines.push(format!("发函单位：{}", sender.authority));
    if !sender.contact.is_empty() {
        lines.push(format!("联系人：{}", sender.contact));
    }
    lines.push(format!("日期：{}", sender.made_at.with_timezone(&frame.offset).format("%Y年%-m月%-d日")));
    lines.join("\n") + "\n"
}

/// A moment as a letter tells it.
pub fn moment_zh(at: DateTime<Utc>, offset: FixedOffset) -> String {
    at.with_timezone(&offset).format("%-m月%-d日%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::contact::tests::{frame, met, pack, person};
    use super::*;

    #[test]
    fn a_letter_counts_its_people_and_its_digest_is_that_of_its_list() {
        let pack = pack();
        let frame = frame(&pack);
        let run = Uuid::from_u128(9);
        let head = b"head\r\n".to_vec();
        let mut letters = Letters::new(&frame, run, head.clone());
        let elsewhere = Person { residence: Some("330100".to_owned()), ..person(3) };
        let left_out = Person { exclusion_reason: Some("家人".to_owned()), ..person(4) };
        let people = [person(1), person(2), elsewhere, left_out];
        for person in &people {
            letters.add(person);
        }
        let done = letters.done();
        let told: Vec<_> = done.iter().map(|letter| (letter.division.as_str(), letter.people())).collect();
        assert_eq!(told, [("330100", 1), ("410101", 2)]);
        let own = &done[1];
        assert_eq!(own.by_class(), [("同时空暴露人员", 2)]);
        let mut list = head;
        for person in &people[..2] {
            list.extend(csv_line(&row(person, &frame, run).unwrap().1, frame.offset).into_bytes());
        }
        assert_eq!(own.digest(), hex(&Sha256::digest(&list)));
        let sender = Sender {
            authority: "郑州市疾控".to_owned(),
            contact: "王 0371".to_owned(),
            made_at: person(1).last_at,
        };
        let seal = seal(&Key::new([7; 32]), &own.number, &own.digest());
        let text = text_zh(own, "金水区（410101）", &sender, &frame, &seal);
        for part in [
            "编号：XC-000000000009-410101",
            "金水区（410101）：",
            "病例（编号 C-1）",
            "同时空暴露人员：2 人",
            "茶馆1（410101）：3月15日10:00 至 3月15日10:10，2 人",
            "黄码管理7天",
            "24 小时内",
            &own.digest(),
            &seal,
            "郑州市疾控",
            "王 0371",
            "2026年3月15日",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains(&person(1).visitor.to_hex()), "the letter itself names nobody");
    }

    #[test]
    fn a_letter_names_so_many_places_and_counts_the_others() {
        let pack = pack();
        let frame = frame(&pack);
        let mut letters = Letters::new(&frame, Uuid::nil(), Vec::new());
        let many = (1..=60)
            .map(|venue| super::super::contact::Met { division: "410105".to_owned(), ..met(venue, 60) });
        letters.add(&Person { met: many.collect(), ..person(1) });
        let letter = letters.done().remove(0);
        assert_eq!((letter.places().count(), letter.places_left_out), (PLACES_MAX, 10));
    }

    #[test]
    fn another_key_number_or_list_has_another_seal() {
        let of = |key, number, digest| seal(&Key::new([key; 32]), number, digest);
        let one = of(1, "a", "b");
        assert!(
            [of(2, "a", "b"), of(1, "x", "b"), of(1, "a", "x"), of(1, "ab", "")]
                .iter()
                .all(|other| *other != one)
        );
    }
}
