//! The tables of the issuing system: its migrations can be undone, and its schema tells what they make.

use std::collections::{BTreeMap, BTreeSet};

use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use placecode::domain::letter::LetterKind;
use placecode::domain::visitor::Visitor;
use serde_json::{Value, json};
use uuid::Uuid;

use super::platform::Platform;
use crate::support::servers::database_url;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/issuer");

async fn catalog(platform: &Platform) -> BTreeSet<String> {
    let sql = "select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) as line
            from information_schema.columns where table_schema = 'public'
        union all select indexdef from pg_indexes where schemaname = 'public'
        union all select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
            where connamespace = 'public'::regnamespace";
    let rows = platform.rows(sql).await;
    let lines = rows.iter().map(|row| row["line"].as_str().unwrap().to_owned());
    lines.filter(|line| !line.contains("__diesel")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_undone_and_keeps_what_was_there() {
    let platform = Platform::start().await;
    let visitor = Visitor::from_uuid(Uuid::now_v7());
    let (open, over) = (Uuid::now_v7(), Uuid::now_v7());
    let assigned = platform.letter(visitor, 1, LetterKind::Assigned, open);
    let ended = platform.letter(visitor, 2, LetterKind::Ended, over);
    platform.deliver(&[assigned, ended]).await;
    let whole = catalog(&platform).await;
    let before = platform.code(visitor).await;
    let connection = AsyncPgConnection::establish(&database_url(&platform.database)).await.unwrap();
    let mut harness = AsyncMigrationHarness::new(connection);
    // Down to the first release's tables with its rows, and up again: the rows are read as before.
    while harness.applied_migrations().unwrap().len() > 1 {
        harness.revert_last_migration(MIGRATIONS).unwrap();
    }
    let first = catalog(&platform).await;
    assert!(first.len() < whole.len());
    // Letters as the first release has kept them.
    let less = "update assignments set letter = letter - '{rule,review_at,end,appeal_url,shown}'::text[]";
    platform.sql(less).await;
    harness.run_pending_migrations(MIGRATIONS).unwrap();
    assert_eq!(catalog(&platform).await, whole);
    let after = platform.code(visitor).await;
    assert_eq!((&after["colour"], &after["sequence"]), (&before["colour"], &before["sequence"]));
    assert_eq!(after["assignments"][0]["exposures"], before["assignments"][0]["exposures"]);
    assert_eq!(after["assignments"][0]["appeal_url"], "");
    harness.revert_all_migrations(MIGRATIONS).unwrap();
    assert!(catalog(&platform).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_tells_what_the_migrations_make() {
    let platform = Platform::start().await;
    let columns = platform
        .rows(
            "select table_name as t, column_name as c, udt_name as u, is_nullable = 'YES' as n
             from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position",
        )
        .await;
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in include_str!("../../../src/issuer/reference/schema.rs").lines().map(str::trim) {
        if line.contains(" -> ") {
            told.entry(current.clone()).or_default().push(line.trim_end_matches(',').to_owned());
        } else if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            current = name.to_owned();
        }
    }
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in columns {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let table = text("t");
        // Those of the border are asked in SQL of their own.
        if !told.contains_key(&table) && (table.starts_with("__") || table.starts_with("border_")) {
            continue;
        }
        let kind = match text("u").as_str() {
            "uuid" => "Uuid",
            "int2" => "SmallInt",
            "int4" => "Integer",
            "int8" => "BigInt",
            "text" => "Text",
            "bool" => "Bool",
            "bytea" => "Bytea",
            "jsonb" => "Jsonb",
            "timestamptz" => "Timestamptz",
            other => panic!("say how {other} is called in Diesel"),
        }
        .to_owned();
        let kind = if row["n"] == Value::Bool(true) { format!("Nullable<{kind}>") } else { kind };
        made.entry(table).or_default().push(format!("{} -> {kind}", text("c")));
    }
    assert_eq!(told, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_has_an_index() {
    let platform = Platform::start().await;
    let bare = platform
        .rows(
            "select conrelid::regclass::text as t, conname from pg_constraint as c where contype = 'f'
             and not exists (select from pg_index as i where i.indrelid = c.conrelid
                and (i.indkey::smallint[])[0:array_length(c.conkey, 1) - 1] @> c.conkey)",
        )
        .await;
    assert_eq!(bare, Vec::<Value>::new());
    assert_eq!(json!(platform.rows("select count(*) from feed").await), json!([{ "count": 0 }]));
}
