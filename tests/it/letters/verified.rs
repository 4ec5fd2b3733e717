//! What a dispatcher sent over HTTP is verified with libraries of others, in three languages.
//!
//! The published libraries of Standard Webhooks know shared secrets (`v1`) in all of them. None of their releases knows
//! Ed25519 (`v1a`), which is therefore verified by the specification's text with libsodium and with OpenSSL.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use placecode::clock::Clock;
use placecode::domain::webhook::{Secret, SigningKey};
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::receiver::{Received, Receiver};
use super::{Office, people};
use crate::support::{Replica, servers};

/// Pinned, so that a test of today is that of tomorrow.
const PYTHON: [&str; 2] = ["standardwebhooks==1.1.0", "pynacl==1.5.0"];
const JAVASCRIPT: &str = "standardwebhooks@1.1.1";

/// An envelope that arrived, and one of the keys that verify it.
struct Case {
    key: String,
    received: Received,
}

fn to_json(cases: &[Case]) -> String {
    let one = |case: &Case| {
        let headers: Value =
            case.received.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({ "key": case.key, "headers": headers, "body": BASE64.encode(&case.received.body) })
    };
    cases.iter().map(one).collect::<Value>().to_string()
}

/// Letters to three systems, each with other keys, as they arrived there; the public keys as the service tells them.
async fn sent() -> Vec<Case> {
    let (old, new) = (SigningKey::format_ed25519(&[7; 32]), SigningKey::format_ed25519(&[8; 32]));
    let (shared, fresh) = (Secret::format(&[9; 32]), Secret::format(&[10; 32]));
    let lines = [
        ("shared", format!("\"{shared}\"")),
        ("public", format!("\"{new}\"")),
        ("changing", format!("[\"{new}\", \"{fresh}\", \"{old}\", \"{shared}\"]")),
    ];
    let lines: Vec<(&str, &str)> = lines.iter().map(|(id, line)| (*id, line.as_str())).collect();
    let office = Office::open_by(&lines, Some(Clock::System), |_| {}).await;
    let secrets = office.dispatcher.config.issuer_secrets_file.clone();
    let replica = Replica::start(&office.app, |config| config.issuer_secrets_file = secrets).await;
    let told = office.app.client(None).at(replica.address).get("/v1/letters/keys").await.expect(200);
    let mut cases = Vec::new();
    for (issuer, _) in lines {
        let receiver = Receiver::start();
        office.enter(issuer, &receiver, json!({})).await;
        office.write(issuer, &people(5)).await;
        assert_eq!(office.dispatch().await, 5);
        let received = receiver.received().remove(0);
        let public = told.as_array().unwrap().iter().find(|row| row["issuer"] == issuer);
        let mut keys: Vec<String> =
            public.map_or(Vec::new(), |row| serde_json::from_value(row["public_keys"].clone()).unwrap());
        match issuer {
            "shared" => keys.push(shared.clone()),
            "changing" => keys.extend([shared.clone(), fresh.clone()]),
            _ => {}
        }
        cases.extend(keys.into_iter().map(|key| Case { key, received: received.clone() }));
    }
    assert_eq!(cases.len(), 6);
    cases
}

fn in_rust(cases: &[Case]) -> usize {
    let mut count = 0;
    for Case { key, received } in cases.iter().filter(|case| case.key.starts_with("whsec_")) {
        let header = |name: &str| {
            let value = received.headers[name].parse().unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
        };
        let headers: HeaderMap =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header).into_iter().collect();
        let theirs = standardwebhooks::Webhook::new(key).unwrap();
        theirs.verify(&received.body, &headers).unwrap();
        let altered = String::from_utf8(received.body.clone()).unwrap().replace("assigned", "withdrawn");
        assert!(theirs.verify(altered.as_bytes(), &headers).is_err());
        count += 1;
    }
    count
}

/// Puts a library into a folder once, for this and later runs of the test; the second to come finds it there.
fn install(folder: &Path, script: &str, packages: &[&str], why: &str) {
    fs::create_dir_all(folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let mark = folder.join(format!("installed-{}", packages.join("-").replace(['=', '@'], "-")));
    if mark.exists() {
        return;
    }
    let output = Command::new("sh").args(["-ec", script, "sh"]).arg(folder).args(packages).output().unwrap();
    assert!(
        output.status.success(),
        "{packages:?} could not be installed into {}; {why}: {}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    File::create(mark).unwrap();
}

/// Runs a program of another language on the cases; how many it verified.
fn verify(program: &Path, args: &[&Path], cases: &[Case]) -> usize {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(to_json(cases).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/others").join(name)
}

fn in_python(cases: &[Case]) -> usize {
    let folder = servers::folder().join("webhooks-python");
    let venv = "folder=$1; shift; test -x \"$folder/bin/pip\" || python3 -m venv \"$folder\"
                exec \"$folder/bin/python\" -m pip install --no-input --disable-pip-version-check \"$@\"";
    install(&folder, venv, &PYTHON, "the test needs python3 with venv (Debian: python3-venv) and PyPI");
    verify(&folder.join("bin/python"), &[&script("verify.py")], cases)
}

/// `None` where there is no Node.
fn in_javascript(cases: &[Case]) -> Option<usize> {
    let found = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        return None;
    }
    let folder = servers::folder().join("webhooks-javascript");
    let npm = "folder=$1; shift; cd \"$folder\"; exec npm install --prefix \"$folder\" --no-save --ignore-scripts --no-audit --no-fund \"$@\"";
    install(&folder, npm, &[JAVASCRIPT], "the test needs the npm registry where there is npm");
    let require = folder.join("from-here.js");
    Some(verify(Path::new("node"), &[&script("verify.mjs"), &require], cases))
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_verified_with_the_libraries_of_others() {
    let cases = sent().await;
    // Three of them are keys that are shared, three are public; the Rust library knows the former alone.
    assert_eq!(in_rust(&cases), 3);
    let (python, javascript, cases) = tokio::task::spawn_blocking(|| {
        let python = in_python(&cases);
        (python, in_javascript(&cases), cases)
    })
    .await
    .unwrap();
    assert_eq!(python, cases.len());
    match javascript {
        Some(verified) => assert_eq!(verified, cases.len()),
        None => eprintln!("no npm here: not verified in JavaScript"),
    }
}
