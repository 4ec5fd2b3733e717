//! What somebody with the database in hand could do to the log, and that `placecode audit verify` names it.

use std::path::PathBuf;
use std::process::Command;

use diesel_async::SimpleAsyncConnection;
use placecode::domain::access::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::{TestApp, servers};

/// A log of some days: two published heads, entries after the last, and the heads in a file elsewhere.
struct Log {
    app: TestApp,
    heads: PathBuf,
    /// The entry that the first head covers, and the last entry of all.
    covered: i64,
    last: i64,
}

impl Log {
    async fn start() -> Self {
        let heads = servers::folder().join(format!("heads-{}.ndjson", Uuid::new_v4().simple()));
        let app = TestApp::start_with(&["--audit-heads-file", heads.to_str().unwrap()]).await;
        let teahouse = app.venue("老茶馆", "teahouse").await;
        app.scan(1, &teahouse, 180).await;
        app.scan(2, &teahouse, 170).await;
        app.settle().await;
        let investigator = app.staff(Role::Investigator, "410100").await;
        let case = app.case(&investigator, 1).await;
        let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
        investigator.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await.expect(200);
        app.pass(24 * 60);
        app.settle().await;
        let covered = app.number("select seq from audit_heads where number = 1").await;
        app.release(&investigator, &run).await;
        app.pass(24 * 60);
        app.settle().await;
        let withdrawal = json!({ "reason": "实验室误报" });
        investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
        app.settle().await;
        let last = app.number("select seq from audit_head").await;
        assert_eq!(app.number("select count(*) from audit_heads").await, 2);
        assert!(covered > 7 && last > covered + 4, "{covered} {last}");
        for table in ["audit_entries", "audit_head", "audit_heads"] {
            app.tamper(&format!("create table kept_{table} as table {table}")).await;
        }
        Self { app, heads, covered, last }
    }

    /// The program at work: its exit code and what it said.
    fn placecode(&self, args: &[&str]) -> (i32, String) {
        let config = &self.app.config;
        let output = Command::new(env!("CARGO_BIN_EXE_placecode"))
            .args(args)
            .env("DATABASE_URL", &config.database_url)
            .env("REDIS_URL", &config.redis_url)
            .env("KEYS_FILE", &config.keys_file)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn verify(&self, with: &[&str]) -> (i32, String) {
        self.placecode(&[&["audit", "verify"], with].concat())
    }

    #[track_caller]
    fn finds(&self, with: &[&str], what: &str) {
        let (code, said) = self.verify(with);
        assert_eq!(code, 4, "{what}: {said}");
        let first = said.lines().find(|line| line.contains("the audit log is broken")).unwrap();
        assert!(first.contains(what), "{what}: {said}");
    }

    async fn restore(&self) {
        for table in ["audit_entries", "audit_head", "audit_heads"] {
            let sql = format!("delete from {table}; insert into {table} select * from kept_{table}");
            self.app.tamper(&sql).await;
        }
    }

    /// Everything from an entry on is written anew: a name in it is another, and all hashes after it fit.
    fn rewriting(seq: i64) -> String {
        format!(
            "do $$
             declare r record; p bytea; h bytea;
             begin
                 update audit_entries set actor = 'staff:wang' where seq = {seq};
                 select prev into p from audit_entries where seq = {seq};
                 for r in select * from audit_entries where seq >= {seq} order by seq loop
                     h := audit_hash(p, r.seq, r.at_micros, r.actor, r.action, r.subject, r.detail);
                     update audit_entries set prev = p, hash = h where seq = r.seq;
                     update audit_head set prev = p, hash = h;
                     p := h;
                 end loop;
             end $$"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_deed_of_a_database_administrator_is_found_and_named() {
    let log = Log::start().await;
    let (covered, last) = (log.covered, log.last);
    let (code, said) = log.verify(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("{last} entries, unbroken; published heads vouch")), "{said}");
    let columns = "at_micros, actor, action, subject, detail, prev, hash";
    let forged = |seq: i64, before: i64| {
        format!(
            "insert into audit_entries (seq, {columns})
             select {seq}, at_micros, 'staff:wang', action, subject, detail, hash,
                    audit_hash(hash, {seq}, at_micros, 'staff:wang', action, subject, detail)
             from audit_entries where seq = {before}"
        )
    };
    let count_anew = "update audit_entries set seq = -seq where seq > 4; update audit_entries set seq = -seq";
    let deed = |sql: &str, what: String| (sql.to_owned(), what);
    let said = |what: &str| what.to_owned();
    let deeds = [
        deed("update audit_entries set actor = 'staff:wang' where seq = 5", said("entry 5 was altered")),
        deed("update audit_entries set at_micros = at_micros - 1 where seq = 1", said("entry 1 was altered")),
        deed("update audit_entries set hash = prev where seq = 6", said("entry 6 was altered")),
        deed("delete from audit_entries where seq = 5", said("entry 5 was removed")),
        deed("delete from audit_entries where seq between 5 and 7", said("entries 5 to 7 were removed")),
        deed(
            &format!("delete from audit_entries where seq = 5; {count_anew} - 1 where seq < 0"),
            said("entry 5 was removed"),
        ),
        deed(
            "update audit_entries set seq = -seq where seq in (5, 6); update audit_entries set seq = 11 + seq where seq < 0",
            said("entry 5 was moved"),
        ),
        deed(&format!("{count_anew} + 1 where seq < 0; {}", forged(5, 4)), said("entry 5 was added")),
        deed(&forged(last + 1, last), format!("entry {} was added", last + 1)),
        deed(
            &format!("delete from audit_entries where seq >= {}", last - 1),
            format!("entries {} to {last} are cut off", last - 1),
        ),
        deed(
            &format!(
                "delete from audit_entries where seq >= {covered};
                 update audit_head set (seq, prev, hash) =
                     (select seq, prev, hash from audit_entries order by seq desc limit 1)"
            ),
            format!("entries {covered} to "),
        ),
        deed(&Log::rewriting(5), format!("entries 1 to {covered} were rewritten")),
        deed(&Log::rewriting(covered + 2), format!("entries {} to ", covered + 1)),
        deed("update audit_head set hash = prev", said("the table that remembers the end of the log")),
        deed(
            "update audit_heads set seq = seq - 1 where number = 1",
            said("head 1 was altered, or is forged"),
        ),
        deed("delete from audit_heads where number = 1", said("head 2 is not where it belongs")),
    ];
    for (sql, what) in deeds {
        log.app.tamper(&sql).await;
        log.finds(&[], &what);
        log.restore().await;
    }
    let (code, said) = log.verify(&["--heads", log.heads.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_rewrites_the_heads_too_is_found_by_those_that_were_kept_elsewhere() {
    let log = Log::start().await;
    let kept = log.heads.to_str().unwrap();
    log.app.tamper(&Log::rewriting(5)).await;
    let redo = "update audit_heads h set hash = (select e.hash from audit_entries e where e.seq = h.seq)";
    log.app.tamper(redo).await;
    log.finds(&[], "head 1 was altered, or is forged");
    log.finds(&["--heads", kept], &format!("entries 1 to {} were rewritten", log.covered));
    log.app.tamper("delete from audit_heads").await;
    let (code, said) = log.verify(&[]);
    assert_eq!(code, 0, "nothing in the database tells: {said}");
    assert!(said.contains("no published head was held against it"), "{said}");
    log.finds(&["--heads", kept], &format!("entries 1 to {} were rewritten", log.covered));
    // The next day's head would follow no head: the worker finds it by its file.
    log.app.pass(24 * 60);
    let refused = placecode::pipeline::publish::step(&log.app.app).await.unwrap_err();
    assert!(format!("{refused:#}").contains("is another than in the table"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_without_any_server() {
    let log = Log::start().await;
    let file = servers::folder().join(format!("{}.ndjson", log.app.database));
    let path = file.to_str().unwrap();
    let (code, said) = log.placecode(&["audit", "export", "--out", path]);
    assert_eq!(code, 0, "{said}");
    let keys = log.app.client(None).get("/v1/audit/keys").await.expect(200);
    let key = keys[0]["public_key"].as_str().unwrap().to_owned();
    let offline = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        command.args(["audit", "verify", "--file", path]).args(args).env_clear();
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let heads = log.heads.to_str().unwrap();
    let all = ["--heads", heads, "--key", &key];
    let (code, said) = offline(&all);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("published heads vouch"), "{said}");
    assert_eq!(offline(&["--heads", heads]).0, 1, "heads without a key prove nothing");
    let other = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    let (code, said) = offline(&["--heads", heads, "--key", other]);
    assert!(code == 4 && said.contains("which was not given"), "{said}");

    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("{\"seq\":1,")).unwrap();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        change(&mut changed);
        std::fs::write(&file, changed.join("\n") + "\n").unwrap();
        offline(&all)
    };
    let covered = log.covered;
    for (what, (code, said)) in [
        ("entry 3 was altered", with(&|lines| lines[first + 2] = lines[first + 2].replace("staff", "sfaff"))),
        ("entry 3 was removed", with(&|lines| drop(lines.remove(first + 2)))),
        ("entry 3 was moved", with(&|lines| lines.swap(first + 2, first + 3))),
        ("entry 3 was added", with(&|lines| lines.insert(first + 3, lines[first + 2].clone()))),
        (
            &*format!("entries {covered} to "),
            with(&|lines| lines.truncate(first + usize::try_from(covered).unwrap() - 1)),
        ),
    ] {
        assert!(code == 4 && said.contains(what), "{what}: {said}");
    }
    std::fs::write(&file, "{}\n").unwrap();
    let (code, said) = offline(&all);
    assert!(code == 1 && said.contains("line 1: no audit entry"), "{said}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_tables_changes_nothing_unless_the_triggers_sleep_which_is_found() {
    let log = Log::start().await;
    let app = &log.app;
    let owner = format!("owner_{}", Uuid::new_v4().simple());
    let tables = ["audit_entries", "audit_head", "audit_heads", "looks"];
    let mut made = format!("create role {owner} nosuperuser; grant usage on schema public to {owner}; ");
    for table in tables {
        made.push_str("alter table ");
        made.push_str(table);
        made.push_str(" owner to ");
        made.push_str(&owner);
        made.push_str("; ");
    }
    app.tamper(&made).await;
    let mut conn = app.app.store.conn().await.unwrap();
    let mut as_owner = async |sql: &str| {
        let sql = format!("begin; set local role {owner}; {sql}; commit");
        let done = conn.batch_execute(&sql).await.map_err(|error| error.to_string());
        if done.is_err() {
            conn.batch_execute("rollback").await.unwrap();
        }
        done
    };
    let (seq, actor) = ("select seq + 1 from audit_head", "'staff:wang'");
    let refused = [
        ("update audit_entries set actor = 'nobody'".to_owned(), "append-only"),
        ("delete from audit_entries where seq = 5".to_owned(), "append-only"),
        ("truncate audit_entries".to_owned(), "append-only"),
        ("update audit_heads set day = day".to_owned(), "append-only"),
        ("delete from audit_heads".to_owned(), "append-only"),
        ("truncate audit_heads".to_owned(), "append-only"),
        ("update looks set purpose = 'nothing'".to_owned(), "append-only"),
        ("delete from looks".to_owned(), "append-only"),
        ("truncate looks".to_owned(), "append-only"),
        ("delete from audit_head".to_owned(), "append-only"),
        ("truncate audit_head".to_owned(), "append-only"),
        ("update audit_head set seq = seq - 1".to_owned(), "moves with the entry"),
        ("update audit_head set prev = hash, seq = seq + 1".to_owned(), "moves with the entry"),
        (
            format!(
                "insert into audit_entries select ({seq}), 0, {actor}, 'x', 'x', '{{}}', hash,
                        audit_hash(hash, seq + 1, 0, {actor}, 'x', 'x', '{{}}') from audit_head"
            ),
            "follows the one before",
        ),
        (
            "insert into audit_heads select number + 2, day + 9, daily, seq, hash, before, at_micros, key_id, signature
             from audit_heads where number = 2"
                .to_owned(),
            "follows the one before",
        ),
    ];
    for (sql, why) in refused {
        let said = as_owner(&sql).await.expect_err(&sql);
        assert!(said.contains(why), "{sql}: {said}");
    }
    assert_eq!(log.verify(&[]).0, 0);
    // An owner can put the triggers to sleep.
    let asleep = "alter table audit_entries disable trigger user; delete from audit_entries where seq = 5;
                  alter table audit_entries enable trigger user";
    assert_eq!(as_owner(asleep).await, Ok(()));
    log.finds(&[], "entry 5 was removed");
    drop(conn);
    app.tamper(&format!(
        "reassign owned by {owner} to current_user; drop owned by {owner}; drop role {owner}"
    ))
    .await;
}
