//! What codes cost, against a bare HMAC-SHA-256 of the same input in the same run: signing, reading and
//! refusing, printed and rotating. `cargo bench --bench codes`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::keyring::{Key, Keyring};
use placecode::domain::place_code::PlaceCode;
use placecode::domain::rotating_code::{RotatingCode, ScannedCode, Step};
use placecode::domain::venue::PointId;

/// How many times each thing is done in one round.
const TIMES: u32 = 20_000;

/// How many rounds; the median counts.
const ROUNDS: usize = 9;

fn main() {
    let keys = Keyring::new([1; 32], [2; 32]);
    let foreign = Keyring::new([1; 32], [3; 32]);
    let now: DateTime<Utc> = "2026-03-16T04:00:10Z".parse().unwrap();
    let point = PointId::new(123_456_789).unwrap();
    let printed = PlaceCode { point, generation: 7 };
    let live = RotatingCode { point, step: Step::of(now) };
    // The oldest that is still read: all other candidates of its low bits are tried before.
    let oldest = RotatingCode { point, step: Step::of(now - TimeDelta::hours(72)) };
    let text = |code: Option<placecode::domain::place_code::SignedCode>| code.unwrap().to_string();
    let [printed_text, forged_text] = [text(printed.sign(&keys)), text(printed.sign(&foreign))];
    let [live_text, oldest_text, forged_live] =
        [text(live.sign(&keys)), text(oldest.sign(&keys)), text(live.sign(&foreign))];
    let key = Key::new([2; 32]);
    let read = |text: &str| ScannedCode::parse(black_box(text), &keys, now);
    assert!(read(&printed_text).is_ok() && read(&live_text).is_ok() && read(&oldest_text).is_ok());
    assert!(read(&forged_text).is_err() && read(&forged_live).is_err());

    let bare = |length: usize| {
        let input = vec![7; length];
        let label = "placecode/place-code/1";
        median(|| key.mac(label, &[black_box(&input)]))
    };
    let (bare_printed, bare_rotating) = (bare(7), bare(15));
    row("bare HMAC-SHA-256, 7 bytes and label", bare_printed, bare_printed);
    row("bare HMAC-SHA-256, 15 bytes and label", bare_rotating, bare_rotating);
    row("printed: sign", median(|| printed.sign(&keys)), bare_printed);
    row("printed: read", median(|| read(&printed_text)), bare_printed);
    row("printed: refuse a forged one", median(|| read(&forged_text)), bare_printed);
    row("rotating: sign", median(|| live.sign(&keys)), bare_rotating);
    row("rotating: read a live one", median(|| read(&live_text)), bare_rotating);
    row("rotating: read one of 72 hours ago", median(|| read(&oldest_text)), bare_rotating);
    row("rotating: refuse a forged one", median(|| read(&forged_live)), bare_rotating);
}

/// The median time of doing something once.
fn median<R>(work: impl Fn() -> R) -> Duration {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..TIMES).for_each(|_| drop(black_box(work())));
            begun.elapsed() / TIMES
        })
        .collect();
    rounds.sort();
    rounds.get(ROUNDS / 2).copied().unwrap()
}

fn row(what: &str, took: Duration, bare: Duration) {
    let per_second = 1.0 / took.as_secs_f64();
    let ratio = took.as_secs_f64() / bare.as_secs_f64();
    println!("{what:<40} {per_second:>10.0} a second {ratio:>7.2} times the bare one");
}
