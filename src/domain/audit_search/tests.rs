//! Logs that were tampered with in every way, and what is said of each.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

const COUNT: i64 = 12;

fn written(seq: i64, prev: &[u8; 32], actor: &str) -> Entry {
    let entry = Entry {
        seq,
        at_micros: seq * 1000,
        actor: actor.into(),
        action: "run.proposed".into(),
        subject: format!("run {seq}"),
        detail: "{}".into(),
        prev: hex(prev),
        hash: String::new(),
    };
    Entry { hash: hex(&entry.hash_of(prev)), ..entry }
}

fn bytes(hash: &str) -> [u8; 32] {
    HEXLOWER.decode(hash.as_bytes()).unwrap().try_into().unwrap()
}

fn log() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for seq in 1..=COUNT {
        let prev = entries.last().map_or(GENESIS, |last| bytes(&last.hash));
        entries.push(written(seq, &prev, "staff:li"));
    }
    entries
}

/// Computes every number, link and hash from the entry at `from` (an index) on anew.
fn chain_anew(entries: &mut [Entry], from: usize) {
    for at in from..entries.len() {
        let prev = if at == 0 { GENESIS } else { bytes(&entries[at - 1].hash) };
        entries[at].seq = i64::try_from(at).unwrap() + 1;
        entries[at].prev = hex(&prev);
        entries[at].hash = hex(&entries[at].hash_of(&prev));
    }
}

fn head(entries: &[Entry], seq: i64) -> Head {
    let entry = &entries[usize::try_from(seq).unwrap() - 1];
    Head {
        number: seq,
        day: NaiveDate::from_ymd_opt(2026, 3, 16).unwrap(),
        daily: true,
        seq,
        hash: entry.hash.clone(),
        before: hex(&GENESIS),
        at_micros: 0,
        key_id: String::new(),
        signature: String::new(),
    }
}

fn walk(entries: &[Entry], heads: Vec<Head>, end: Option<&(i64, String)>) -> Result<i64, Finding> {
    let mut walk = Walk::new(heads);
    // In two pages, as a reader would.
    let middle = entries.len() / 2;
    walk.add(entries[..middle].to_vec(), &entries[middle..])?;
    walk.add(entries[middle..].to_vec(), &[])?;
    walk.end(end)?;
    Ok(walk.reached().0)
}

fn found(change: impl FnOnce(&mut Vec<Entry>)) -> Result<i64, Finding> {
    let mut entries = log();
    let end = (COUNT, entries.last().unwrap().hash.clone());
    change(&mut entries);
    walk(&entries, Vec::new(), Some(&end))
}

fn is(deed: Deed, from: i64, until: i64) -> Result<i64, Finding> {
    Err(Finding { deed, from, until })
}

#[test]
fn a_whole_log_is_good() {
    assert_eq!(found(|_| ()), Ok(COUNT));
    let entries = log();
    assert_eq!(walk(&entries, vec![head(&entries, 4), head(&entries, 12)], None), Ok(COUNT));
    assert_eq!(walk(&[], Vec::new(), Some(&(0, hex(&GENESIS)))), Ok(0));
}

#[test]
fn each_deed_is_named_with_its_entry() {
    // Numbers are one more than indices.
    assert_eq!(found(|log| log[4].actor = "staff:wang".into()), is(Deed::Altered, 5, 5));
    assert_eq!(found(|log| log[0].detail = "{ }".into()), is(Deed::Altered, 1, 1));
    assert_eq!(found(|log| log[4].hash = hex(&[1; 32])), is(Deed::Altered, 5, 5));
    assert_eq!(found(|log| log[4].prev = hex(&[1; 32])), is(Deed::Altered, 5, 5));
    let rehashed = |log: &mut Vec<Entry>| log[4] = written(5, &bytes(&log[3].hash.clone()), "staff:wang");
    assert_eq!(found(rehashed), is(Deed::Altered, 5, 5));
    assert_eq!(found(|log| drop(log.remove(4))), is(Deed::Removed, 5, 5));
    assert_eq!(found(|log| drop(log.drain(4..7))), is(Deed::Removed, 5, 7));
    assert_eq!(found(|log| drop(log.remove(0))), is(Deed::Removed, 1, 1));
    assert_eq!(found(|log| log.swap(4, 5)), is(Deed::Moved, 5, 5));
    assert_eq!(found(|log| log.truncate(9)), is(Deed::CutOff, 10, 12));
    assert_eq!(found(Vec::clear), is(Deed::CutOff, 1, 12));
    let doubled = |log: &mut Vec<Entry>| log.insert(5, log[4].clone());
    assert_eq!(found(doubled), is(Deed::Added, 5, 5));
    let appended = |log: &mut Vec<Entry>| log.push(written(13, &bytes(&log[11].hash.clone()), "staff:wang"));
    assert_eq!(found(appended), is(Deed::Added, 13, 13));
}

#[test]
fn whoever_counts_anew_is_found_all_the_same() {
    let count_anew = |log: &mut Vec<Entry>| {
        for (seq, entry) in (1..).zip(log.iter_mut()) {
            entry.seq = seq;
        }
    };
    let removed = |log: &mut Vec<Entry>| {
        log.drain(4..6);
        count_anew(log);
    };
    assert_eq!(found(removed), is(Deed::Removed, 5, 6));
    let moved = |log: &mut Vec<Entry>| {
        log.swap(4, 6);
        count_anew(log);
    };
    assert_eq!(found(moved), is(Deed::Moved, 5, 5));
    let swapped = |log: &mut Vec<Entry>| {
        log.swap(4, 5);
        count_anew(log);
    };
    assert_eq!(found(swapped), is(Deed::Moved, 5, 5));
    let forged = |log: &mut Vec<Entry>| {
        log.insert(4, written(5, &bytes(&log[3].hash.clone()), "staff:wang"));
        count_anew(log);
    };
    assert_eq!(found(forged), is(Deed::Added, 5, 5));
    let junk = |log: &mut Vec<Entry>| {
        log.insert(4, Entry { hash: hex(&[7; 32]), prev: hex(&[8; 32]), ..log[2].clone() });
        count_anew(log);
    };
    assert_eq!(found(junk), is(Deed::Added, 5, 5));
    let first = |log: &mut Vec<Entry>| {
        log.insert(0, written(1, &GENESIS, "staff:wang"));
        count_anew(log);
    };
    assert_eq!(found(first), is(Deed::Added, 1, 1));
}

#[test]
fn a_log_that_was_written_anew_is_found_by_a_published_head_alone() {
    let good = log();
    let mut forged = good.clone();
    forged[4].actor = "staff:wang".into();
    chain_anew(&mut forged, 4);
    let end = (COUNT, forged.last().unwrap().hash.clone());
    assert_eq!(walk(&forged, Vec::new(), Some(&end)), Ok(COUNT), "nothing in the database tells");
    let heads = vec![head(&good, 10), head(&good, 3)];
    assert_eq!(walk(&forged, heads, Some(&end)), is(Deed::Rewritten, 4, 10));
    assert_eq!(walk(&forged, vec![head(&good, 4)], Some(&end)), Ok(COUNT), "a head before the deed");
    // Cut off and forgotten, but for a head that was printed.
    let cut = good[..9].to_vec();
    let end = (9, cut.last().unwrap().hash.clone());
    assert_eq!(walk(&cut, vec![head(&good, 11)], Some(&end)), is(Deed::CutOff, 10, 11));
    assert_eq!(walk(&good, Vec::new(), Some(&(COUNT, hex(&[1; 32])))), is(Deed::HeadMoved, 12, 12));
}

proptest! {
    /// Whatever is done to one entry, what is named lies no later than the deed, and never before it by more than
    /// the entry whose hash it holds.
    #[test]
    fn no_change_of_one_entry_passes(at in 0_usize..12, part in 0_usize..7) {
        let broken = found(|log| {
            let entry = &mut log[at];
            match part {
                0 => entry.actor.push('x'),
                1 => entry.action.push('x'),
                2 => entry.subject.push('x'),
                3 => entry.detail.push('x'),
                4 => entry.at_micros += 1,
                5 => entry.hash = hex(&[9; 32]),
                _ => entry.prev = hex(&[9; 32]),
            }
        });
        let number = i64::try_from(at).unwrap() + 1;
        prop_assert_eq!(broken, is(Deed::Altered, number, number));
    }

    #[test]
    fn no_removal_passes(from in 0_usize..12, count in 1_usize..6) {
        let until = (from + count).min(12);
        let broken = found(|log| drop(log.drain(from..until)));
        let deed = if until == 12 { Deed::CutOff } else { Deed::Removed };
        prop_assert_eq!(broken, is(deed, i64::try_from(from).unwrap() + 1, i64::try_from(until).unwrap()));
    }
}
