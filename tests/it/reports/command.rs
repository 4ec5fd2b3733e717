//! Reports at the machine: the same files, the same look.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use placecode::domain::access::Role;

use super::{Outbreak, outbreak};

/// `placecode report` with the servers of the test.
fn report(out: &Outbreak, args: &[&str]) -> Output {
    let config = &out.app.config;
    let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
    command.arg("report").args(args).args(["--run", &out.run]);
    command.args(["--database-url", &config.database_url, "--redis-url", &config.redis_url]);
    command.arg("--keys-file").arg(&config.keys_file).env_remove("PLACECODE_DATA");
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_writes_what_the_api_gives_and_the_look_down() {
    let out = outbreak().await;
    let folder = out.app.config.keys_file.parent().unwrap().to_owned();
    let file = folder.join("contacts.csv");
    let by = ["--by", &out.login, "--purpose", "流行病学调查"];
    let to = ["contacts", "--format", "csv", "--out", file.to_str().unwrap()];
    let done = report(&out, &[&to[..], &by].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), out.text("contacts.csv", "").await);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let looks =
        "select count(*) from audit_entries where action = 'persons.seen' and detail like '%流行病学调查%'";
    assert_eq!(out.app.number(looks).await, 1);
    let text = report(&out, &[&["trajectory", "--format", "txt", "--number", "病例1"], &by[..]].concat());
    assert!(String::from_utf8(text.stdout).unwrap().starts_with("病例1活动轨迹\n"));

    // Who may not, asks for what there is not, or says no purpose gets nothing, and nothing is left lying.
    let (officer, _) = out.app.member(&[Role::ReleasingOfficer], "410100").await;
    let officer = format!("releasing-officer-{}", &officer.simple().to_string()[24..]);
    let elsewhere = out.app.member(&[Role::Investigator], "420000").await.0;
    let elsewhere = format!("investigator-{}", &elsewhere.simple().to_string()[24..]);
    let none = folder.join("none.csv");
    let none = none.to_str().unwrap();
    for (args, why) in [
        (
            vec!["contacts", "--format", "csv", "--out", none, "--by", &officer, "--purpose", "review"],
            "no investigator",
        ),
        (
            vec!["contacts", "--format", "csv", "--out", none, "--by", &elsewhere, "--purpose", "review"],
            "not part of",
        ),
        (vec!["contacts", "--format", "csv", "--out", none, "--by", &out.login, "--purpose", "x"], "purpose"),
        (
            vec!["contacts", "--format", "dot", "--out", none, "--by", &out.login, "--purpose", "review"],
            "it has csv",
        ),
        (
            vec!["trajectory", "--format", "txt", "--out", none, "--by", &out.login, "--purpose", "review"],
            "number",
        ),
    ] {
        let refused = report(&out, &args);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(why), "{args:?}: {said}");
        assert!(refused.stdout.is_empty() && !std::path::Path::new(none).exists());
    }
}
