//! The command line as an operator uses it: a private house from nothing, its exit codes and its help.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use placecode::clock::Clock;
use placecode::domain::keyring::Keyring;

use crate::support::servers;

const PURPOSE: [&str; 4] = ["--purpose", "first look", "--by", "li"];

/// A data folder of its own, without any server that was there before.
struct Home {
    folder: PathBuf,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Home {
    fn new(name: &str) -> Self {
        let folder = servers::folder().join("cli").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program with those arguments, in an environment that names no server.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        let kept = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
        command.args(args).env_clear().envs(kept).env("PLACECODE_DATA", self.folder.join("house"));
        command.current_dir(&self.folder);
        command
    }

    fn run(&self, args: &[&str], input: &str) -> Said {
        let piped = || Stdio::piped();
        let mut child = self.command(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
        // A command that reads nothing may have ended before it is told anything.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What a command said that has done all it should.
    #[track_caller]
    fn done(&self, args: &[&str], input: &str) -> String {
        let said = self.run(args, input);
        assert_eq!(said.code, 0, "{args:?}: {}{}", said.out, said.err);
        said.out
    }

    /// A command that must end with that code and say why.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str], why: &str) {
        let said = self.run(args, "");
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(why), "{args:?}: {}", said.err);
    }
}

/// An `up` that runs, and is asked to end when the test fails.
struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Up {
    /// Starts it and waits until it says that it is ready; it gives up by itself after a minute.
    fn start(home: &Home, issuer_port: u16, port: u16) -> Self {
        let (bind, issuer_bind) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{issuer_port}"));
        let mut command = home.command(&["up", "--bind", &bind, "--issuer-bind", &issuer_bind]);
        let log = fs::File::create(home.folder.join("up.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut up = Self { child, out };
        let mut said = String::new();
        while !said.contains("Ctrl-C ends it") {
            let read = up.out.read_line(&mut said).unwrap();
            assert!(read > 0, "{said}{}", fs::read_to_string(home.folder.join("up.log")).unwrap());
        }
        assert!(said.contains(&format!("http://{bind}/")), "{said}");
        up
    }

    fn ask_to_end(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status().unwrap().success());
    }

    fn end(mut self) {
        self.ask_to_end();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.ask_to_end();
            self.child.wait().unwrap();
        }
    }
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = listeners.map(|listener| listener.local_addr().unwrap().port());
    (one, other)
}

/// Noon in China, three days ago.
fn noon() -> DateTime<Utc> {
    let day = (Clock::System.now() - TimeDelta::days(3)).date_naive();
    day.and_time(NaiveTime::from_hms_opt(4, 0, 0).unwrap()).and_utc()
}

fn report<'a>(home: &Home, sampled: &'a str, by: &'a str) -> Said {
    let who = ["cases", "report", "--identity", "-", "--identity-kind", "other", "--by", by];
    let what = ["--kind", "asymptomatic", "--sampled", sampled, "--division", "410104"];
    home.run(&[&who[..], &what, &["--authority", "郑州市疾病预防控制中心"]].concat(), "GUEST-1\n")
}

#[test]
fn an_operator_gets_from_an_empty_folder_to_the_contacts_of_a_case() {
    let home = Home::new("operator");
    let add = ["staff", "add", "--login", "li", "--role", "investigator", "--division", "410100"];
    let said = home.done(&add, "correct horse battery staple\n");
    assert!(said.contains("li (li) may sign in: investigator of 410100"), "{said}");

    let (issuer_port, port) = free_ports();
    let up = Up::start(&home, issuer_port, port);
    home.refused(1, &["up"], "is in use by another placecode");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/venues/sample.csv");
    let venues = home.file("venues.csv", &fs::read_to_string(sample).unwrap());
    let said = home.done(&["venues", "import", &venues, "--set", "demo"], "");
    assert!(said.contains(" 12  accepted"), "{said}");
    let at = |minutes: i64| (noon() + TimeDelta::minutes(minutes)).to_rfc3339();
    let rows =
        [("GUEST-1", at(0), "3"), ("GUEST-2", at(10), "3"), ("GUEST-3", at(10), "4"), ("X", at(0), "99")];
    let point = |venue: &str| if venue == "4" { "北门" } else { "大厅" };
    let row = |(who, at, venue): &(&str, String, &str)| format!("{who},{at},{venue},{}\n", point(venue));
    let text = format!("visitor,time,venue,point\n{}", rows.iter().map(row).collect::<String>());
    let scans = home.file("scans.csv", &text);
    let import = ["scans", "import", &scans, "--set", "demo", "--identity-kind", "other"];
    let said = home.run(&import, "");
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.out.contains(" 3  accepted") && said.out.contains(" 1  refused"), "{}", said.out);

    let said = report(&home, &at(600), "li");
    assert_eq!(said.code, 0, "{}", said.err);
    let case = said.out.trim();
    let said = home.done(&[&["trace", case], &PURPOSE[..]].concat(), "");
    assert!(said.contains("pack            baseline@1"), "{said}");
    // The second guest shared the hall; the third was somewhere else.
    assert!(said.contains("contacts        1\n") && said.contains("trail           1 stays"), "{said}");
    assert!(said.contains("at 30 min       1 contacts"), "{said}");
    let said = home.done(&[&["trace", case, "--dry"], &PURPOSE[..]].concat(), "");
    assert!(said.contains("dry: it is never proposed"), "{said}");
    home.refused(1, &[&["trace", case, "--compare", "baseline@1"], &PURPOSE[..]].concat(), "another pack");
    assert!(home.done(&["cases", "list", "--division", "410000"], "").contains(case));
    let batch = [&["trace-batch", "--pack", "baseline@1"], &PURPOSE[..]].concat();
    let said = home.done(&[&batch[..], &["--all-open"]].concat(), "");
    assert!(said.contains(&format!("{case}  contacts 1  exposed_place 1")), "{said}");
    assert!(said.contains("cases   1") && said.contains("people  1"), "{said}");
    let list = home.file("cases.txt", &format!("{case}\n{case}\n"));
    let people = format!("{list}.csv");
    home.done(&[&batch[..], &["--cases", &list, "--out", &people]].concat(), "");
    let written = fs::read_to_string(&people).unwrap();
    assert_eq!((written.lines().count(), written.contains(case)), (2, true), "{written}");
    home.refused(1, &[&batch[..], &["--cases", &people]].concat(), "line 1: ");
    home.refused(2, &batch, "required");

    assert_eq!(report(&home, "yesterday", "li").code, 1);
    assert_eq!(report(&home, &at(600), "wang").code, 1);
    let nobody = "00000000-0000-7000-8000-000000000000";
    home.refused(1, &[&["trace", nobody], &PURPOSE[..]].concat(), "there is no such case");
    home.refused(1, &[&["trace", case, "--pack", "mine@9"], &PURPOSE[..]].concat(), "mine@9 is not loaded");
    up.end();

    // The service has ended; its data has not.
    let said = home.done(&["audit", "verify"], "");
    assert!(said.contains("entries, unbroken"), "{said}");
}

#[test]
fn a_wrong_command_line_is_told_from_work_that_failed() {
    let home = Home::new("wrong");
    home.refused(2, &["fly"], "unrecognized subcommand");
    home.refused(2, &["trace"], "required");
    let add = ["staff", "add", "--role", "investigator", "--division", "410100", "--login"];
    home.refused(2, &[&add[..], &["Li!"]].concat(), "2 to 40 of a-z");
    home.refused(1, &[&add[..], &["li"]].concat(), "password");
    home.refused(1, &["venues", "import", "nothing.csv", "--set", "demo"], "nothing.csv");
    let log = home.file("audit.ndjson", "{}\n");
    home.refused(1, &["audit", "verify", "--file", &log], "line 1: no audit entry");
    assert!(!home.folder.join("house").exists(), "nothing of that needs a server");
}

#[test]
fn keys_turn_in_their_file_and_codes_are_read_without_servers() {
    let home = Home::new("keys");
    home.done(&["keys", "made.toml"], "");
    home.refused(1, &["keys", "made.toml"], "exists and is kept");
    let file = home.file("keys.toml", &Keyring::new([1; 32], [2; 32]).to_toml());
    let (genuine, forged) = ("2000E-PYD2M-3VZ8X-YCTFKC", "2000E-PYD2M-3VZ8X-YCTFKA");
    let read = |codes: &[&str]| home.run(&[&["codes", "read", "--keys-file", &file], codes].concat(), "");
    let said = read(&[genuine]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("version 1, key slot 0, point 123456789, generation 7: genuine"),
        "{}",
        said.out
    );
    let said = read(&[genuine, forged, "HELLO"]);
    assert_eq!((said.code, said.out.lines().count()), (3, 3), "{}{}", said.out, said.err);
    assert!(said.out.contains("does not check") && said.out.contains("21 symbols"), "{}", said.out);
    let said = home.done(&["keys", "rotate", &file], "");
    assert!(said.contains("slot 1 signs new codes; verified as well: 0"), "{said}");
    assert_eq!(read(&[genuine]).code, 0, "old posters stay valid");
    home.refused(1, &["keys", "retire", &file, "1"], "slot 1 signs new codes");
    home.refused(1, &["keys", "retire", &file, "7"], "slot 7 has no key");
    home.done(&["keys", "retire", &file, "0"], "");
    let said = read(&[genuine]);
    assert!(said.code == 3 && said.out.contains("no key in slot 0"), "{}", said.out);
    for _ in 2..17 {
        home.done(&["keys", "rotate", &file], "");
    }
    home.refused(1, &["keys", "rotate", &file], "all 16 slots are in use");
    home.refused(1, &["keys", "rotate", "nothing.toml"], "nothing.toml");
    home.refused(1, &["codes", "read", "--keys-file", "nothing.toml", genuine], "nothing.toml");
    home.refused(2, &["codes", "rotate"], "required");
    home.refused(2, &["codes", "rotate", "--all", "--point", "7"], "cannot be used with");
    assert!(!home.folder.join("house").exists(), "nothing of that needs a server");
}

/// The names below `Commands:` in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    let entries = list.lines().take_while(|line| line.starts_with("  "));
    let names = entries.filter(|line| !line.starts_with("   ")).map(|line| line.split_whitespace().next());
    names.map(|name| name.unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn every_subcommand_explains_itself() {
    let home = Home::new("help");
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = Vec::new();
    while let Some(path) = open.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = home.done(&args, "");
        let usage = ["Usage: placecode".to_owned()].into_iter().chain(path.clone()).collect::<Vec<_>>();
        assert!(help.contains(&usage.join(" ")), "{path:?}: {help}");
        let below = subcommands(&help).into_iter().map(|name| [path.clone(), vec![name]].concat());
        open.extend(below);
        seen.push(path.join(" "));
    }
    for path in ["up", "serve", "work", "trace", "cases report", "scans import", "staff add", "audit verify"]
    {
        assert!(seen.iter().any(|seen| seen == path), "{path} is not among {seen:?}");
    }
}

#[test]
fn the_api_document_is_printed_as_json() {
    let document = Home::new("openapi").done(&["openapi"], "");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{}", document["openapi"]);
    assert!(document["paths"]["/v1/scans"]["post"].is_object());
}
