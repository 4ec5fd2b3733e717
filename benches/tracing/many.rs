//! Ten thousand cases in one go, in a process of its own, whose memory is told.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use placecode::pipeline::batch::{self, Asked, Rules};

use crate::city::{City, Visit};
use crate::floor::{Floor, Sums, sums};
use crate::house::Db;
use crate::times::peak_mib;
use crate::{MANY, ours};

/// What tells the process that it is the one.
pub(crate) const CHILD: &str = "--many-child";

/// The floor, then ours.
pub(crate) fn measure(folder: &Path, db: &Db, city: &City, floor: &Floor) {
    let trails = city.trails(MANY);
    println!("\n-- {} cases in one batch --", trails.len());
    let (mut buffer, mut whole, mut pairs) = (Vec::new(), [0; 6], 0);
    let began = Instant::now();
    for trail in &trails {
        pairs += floor.contacts(trail, &mut buffer);
    }
    let floor_secs = began.elapsed().as_secs_f64();
    for trail in &trails {
        floor.contacts(trail, &mut buffer);
        whole.iter_mut().zip(sums(&buffer)).for_each(|(sum, part)| *sum += part);
    }
    println!("{:<44} {floor_secs:>9.2} s  {pairs} contacts", "floor, one thread");
    let file = folder.join("trails.bin");
    let bytes = |v: &Visit| [v.point, v.from, v.until, v.person].map(u32::to_le_bytes).concat();
    std::fs::write(&file, trails.iter().flatten().flat_map(bytes).collect::<Vec<u8>>()).unwrap();
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg(CHILD).arg(&db.url).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().take(3).map(|word| word.parse().unwrap()).collect();
    let found: Vec<i128> = said.split_whitespace().skip(3).map(|word| word.parse().unwrap()).collect();
    assert_eq!(found, whole, "{}", String::from_utf8_lossy(&output.stderr));
    let line = |what: &str, number: f64, unit: &str| println!("{what:<44} {number:>9.2} {unit}");
    line("ours, two tasks", numbers[0], "s");
    line("  against the floor", numbers[0] / floor_secs, "×");
    line("  peak memory beyond that of the trails", numbers[2] - numbers[1], "MiB");
}

/// Traces the cases of a file.
pub(crate) async fn child(url: &str, file: &Path) {
    let trails = read(file);
    let asked: Vec<Asked> = trails.iter().map(|trail| ours::asked(trail)).collect();
    drop(trails);
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    let rules = Rules { pack: Arc::new(ours::rules()), offset: ours::offset() };
    let (mut whole, before): (Sums, f64) = ([0; 6], peak_mib());
    let began = Instant::now();
    batch::trace(&mut conn, &rules, &asked, |_, contacts| {
        whole.iter_mut().zip(ours::sums(&contacts)).for_each(|(sum, part)| *sum += part);
        Ok(())
    })
    .await
    .unwrap();
    let took = began.elapsed().as_secs_f64();
    let sums: Vec<String> = whole.iter().map(i128::to_string).collect();
    println!("{took} {before} {} {}", peak_mib(), sums.join(" "));
}

fn read(file: &Path) -> Vec<Vec<Visit>> {
    let bytes = std::fs::read(file).unwrap();
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Vec<u32> = numbers.iter().map(|number| u32::from_le_bytes(*number)).collect();
    let visit = |n: &[u32]| Visit { point: n[0], from: n[1], until: n[2], person: n[3] };
    let visits: Vec<Visit> = numbers.chunks(4).map(visit).collect();
    visits.chunk_by(|one, next| one.person == next.person).map(<[Visit]>::to_vec).collect()
}
