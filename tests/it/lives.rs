//! `placecode assignments`: events against rows, an export that two people answer for, and its replay offline.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use placecode::domain::access::Role;

use crate::feed::gather;
use crate::support::{TestApp, servers};

struct Story {
    app: TestApp,
    folder: PathBuf,
    admin: String,
    chief: String,
}

/// Persons 2 to 4 met the case of person 1, and the days of it are not over by the clock of this machine either.
async fn story(name: &str) -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    gather(&app, &teahouse).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    app.release(&investigator, &run).await;
    app.tamper("update assignments set expires_at = '2126-03-16T04:00:00Z'").await;
    app.tamper("update assignment_events set expires_at = '2126-03-16T04:00:00Z'").await;
    let folder = servers::folder().join("lives").join(name);
    let _gone = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut logins = Vec::new();
    for role in [Role::Administrator, Role::ChiefOfficer] {
        let (id, _) = app.member(&[role], "100000").await;
        let rows = app.rows(&format!("select login from staff where id = '{id}'")).await;
        logins.push(rows[0]["login"].as_str().unwrap().to_owned());
    }
    let [admin, chief] = logins.try_into().unwrap();
    Story { app, folder, admin, chief }
}

impl Story {
    fn run(&self, args: &[&str], with_servers: bool) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        command.args(args).env_clear().current_dir(&self.folder);
        if with_servers {
            let config = &self.app.config;
            command.env("DATABASE_URL", servers::database_url(&self.app.database));
            command.env("REDIS_URL", servers::redis_url()).env("KEYS_FILE", &config.keys_file);
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn done(&self, args: &[&str], with_servers: bool) -> String {
        let output = self.run(args, with_servers);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}: {}{}", said(&output.stdout), said(&output.stderr));
        said(&output.stdout)
    }

    #[track_caller]
    fn refused(&self, args: &[&str], with_servers: bool, why: &str) {
        let output = self.run(args, with_servers);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    }

    fn export(by: &str, approved_by: &str) -> Vec<String> {
        let purpose = ["--purpose", "新平台", "--out", "old.ndjson"];
        let args = ["assignments", "export", "--by", by, "--approved-by", approved_by];
        args.iter().chain(&purpose).map(|arg| (*arg).to_owned()).collect()
    }
}

/// The line that begins with a word.
fn line<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("no {word} in {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_says_something_else_than_its_events_is_named() {
    let story = story("verify").await;
    let said = story.done(&["assignments", "verify"], true);
    assert!(said.contains("Every assignment stands as its events say"), "{said}");
    assert!(!line(&said, "visitors").contains("0 red, 0 yellow"), "{said}");
    let rows = story.app.rows("select id from assignments order by id desc limit 1").await;
    let id = rows[0]["id"].as_str().unwrap();
    story.app.tamper(&format!("update assignments set colour_now = 0 where id = '{id}'")).await;
    story.refused(&["assignments", "verify"], true, &format!("assignment {id}: its row says"));
    story.app.tamper(&format!("update assignments set colour_now = colour where id = '{id}'")).await;
    story.done(&["assignments", "verify"], true);
    // A history that cannot be: it was withdrawn, and delivered again.
    let back = format!(
        "insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
         select assignment_id, 3 + n, case n when 1 then 6 else 2 end, case n when 1 then 4 else 2 end, colour,
                last_exposure_at, expires_at, at, actor
         from assignment_events, (values (1), (2)) v (n) where assignment_id = '{id}' and seq = 3"
    );
    story.app.tamper(&back).await;
    story.refused(&["assignments", "verify"], true, "what is Withdrawn cannot be Delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_comes_to_the_same_colours_and_is_whole_or_refused() {
    let story = story("export").await;
    let export = Story::export(&story.admin, &story.chief);
    let export: Vec<&str> = export.iter().map(String::as_str).collect();
    story.done(&export, true);
    let replay = ["assignments", "replay", "--file", "old.ndjson"];
    let said = story.done(&replay, false);
    let rows = story.done(&["assignments", "verify"], true);
    assert_eq!(line(&said, "digest"), line(&rows, "digest"));
    assert_eq!(line(&said, "visitors"), line(&rows, "visitors"));
    // Once the days are over nobody has a colour of it.
    let later = story.done(&[&replay[..], &["--at", "2127-01-01T00:00:00Z"]].concat(), false);
    assert!(line(&later, "visitors").contains("0 red, 0 yellow"), "{later}");

    // No more than needed: neither place nor case, nor who did what.
    let path = story.folder.join("old.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    for secret in ["老茶馆", "case", "run_id", "actor", "reason", "staff:"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let noted = story
        .app
        .rows("select subject, detail from audit_entries where action = 'assignments.exported'")
        .await;
    assert_eq!(noted.len(), 1);
    assert!(noted[0]["detail"].as_str().unwrap().contains(&format!("staff:{}", story.chief)));
    assert_eq!(story.app.number("select count(*) from looks where purpose = '新平台'").await, 1);

    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5);
    let put = |lines: &[&str]| fs::write(&path, lines.join("\n") + "\n").unwrap();
    put(&lines[..4]);
    story.refused(&replay, false, "without its seal");
    put(&[&lines[..2], &lines[3..]].concat());
    story.refused(&replay, false, "altered, removed or added");
    put(&[&lines[..2], &lines[1..]].concat());
    story.refused(&replay, false, "twice");
    let weaker = text.replacen("yellow", "green", 1).replacen("red", "green", 1);
    fs::write(&path, weaker).unwrap();
    let output = story.run(&replay, false);
    assert_eq!(output.status.code(), Some(1), "an altered colour is found");
    put(&lines[1..]);
    story.refused(&replay, false, "line 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_takes_two_people_with_the_right() {
    let story = story("approved").await;
    let (admin, chief) = (story.admin.as_str(), story.chief.as_str());
    for (by, approved_by, why) in [
        (admin, admin, "somebody else"),
        (chief, admin, "no administrator"),
        (admin, "nobody", "no open account"),
    ] {
        let export = Story::export(by, approved_by);
        let export: Vec<&str> = export.iter().map(String::as_str).collect();
        story.refused(&export, true, why);
    }
    let (id, _) = story.app.member(&[Role::ChiefOfficer], "410000").await;
    let rows = story.app.rows(&format!("select login from staff where id = '{id}'")).await;
    let provincial = Story::export(admin, rows[0]["login"].as_str().unwrap());
    let provincial: Vec<&str> = provincial.iter().map(String::as_str).collect();
    story.refused(&provincial, true, "which 100000 is not part of");
    assert!(!story.folder.join("old.ndjson").exists());
    assert_eq!(story.app.number("select count(*) from looks").await, 0);
}
