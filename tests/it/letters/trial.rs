//! Law 4 for letters: dispatchers and issuing system are killed in the middle, and both sides agree in the end.

#[path = "../../../benches/letters/harness.rs"]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod harness;

use std::path::PathBuf;

use self::harness::trial::{Plan, play};
use crate::faults::harness::process;
use crate::support::servers;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_every_letter_arrives_and_counts_once() {
    let name = format!("letters_{}", uuid::Uuid::new_v4().simple());
    let issuer = format!("{name}_issuer");
    servers::create_empty_database(&name);
    servers::create_empty_database(&issuer);
    let plan = Plan {
        folder: servers::folder().join(&name),
        program: PathBuf::from(env!("CARGO_BIN_EXE_placecode")),
        database_url: servers::database_url(&name),
        issuer_database_url: servers::database_url(&issuer),
        redis_url: servers::redis_url(),
        visitors: 370,
        kills: 8,
        seed: 7,
    };
    let report = play(&plan, &|line| eprintln!("{line}")).await.unwrap();
    assert!(report.findings.is_good(), "{report:#?}; logs in {}", plan.folder.display());
    assert!(report.findings.letters > 2_500, "{report:#?}");
    assert!(report.killed.0 > 0 && report.killed.1 > 0, "{report:#?}");
    std::fs::remove_dir_all(&plan.folder).unwrap();
    servers::drop_databases(&name);
}
