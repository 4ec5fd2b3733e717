//! The tables: made and unmade by the migrations, told by the schema, fit for their foreign keys.

use std::collections::BTreeMap;

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::MigrationHarness;
use placecode::store::MIGRATIONS;
use uuid::Uuid;

use crate::support::servers;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

struct Database {
    name: String,
}

impl Database {
    fn empty() -> Self {
        let name = format!("m_{}", Uuid::new_v4().simple());
        servers::create_empty_database(&name);
        Self { name }
    }

    async fn connection(&self) -> AsyncPgConnection {
        AsyncPgConnection::establish(&servers::database_url(&self.name)).await.unwrap()
    }

    async fn harness(&self) -> AsyncMigrationHarness<AsyncPgConnection> {
        AsyncMigrationHarness::new(self.connection().await)
    }

    async fn lines(&self, sql: &str) -> Vec<String> {
        let mut conn = self.connection().await;
        let query = sql_query(format!("select q.line::text as line from ({sql}) as q (line) order by 1"));
        let lines: Vec<Line> = query.load(&mut conn).await.unwrap();
        lines.into_iter().map(|line| line.line).collect()
    }

    /// Everything that a migration can leave behind.
    async fn catalog(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "select concat_ws(' ', table_name, ordinal_position, column_name, data_type, udt_name, is_nullable, column_default)
             from information_schema.columns where table_schema = 'public'",
            "select indexdef from pg_indexes where schemaname = 'public'",
            "select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
             where connamespace = 'public'::regnamespace",
            "select concat(tgrelid::regclass, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal",
            "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace",
            "select concat_ws(' ', 'type', typname) from pg_type where typnamespace = 'public'::regnamespace and typtype <> 'b'",
            "select concat_ws(' ', relkind, relname) from pg_class where relnamespace = 'public'::regnamespace",
        ] {
            all.extend(self.lines(sql).await);
        }
        all.retain(|line| !line.contains("__diesel_schema_migrations"));
        all
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        servers::drop_databases(&self.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_undone_and_done_again() {
    let database = Database::empty();
    let mut harness = database.harness().await;
    let mut steps = vec![database.catalog().await];
    assert!(steps[0].is_empty());
    let count = harness.pending_migrations(MIGRATIONS).unwrap().len();
    assert!(count > 1);
    for _ in 0..count {
        harness.run_next_migration(MIGRATIONS).unwrap();
        steps.push(database.catalog().await);
    }
    assert!(!harness.has_pending_migration(MIGRATIONS).unwrap());
    assert!(steps.windows(2).all(|pair| pair[0] != pair[1]), "a migration does nothing");
    for expected in steps.iter().rev().skip(1) {
        let undone = harness.revert_last_migration(MIGRATIONS).unwrap().to_string();
        assert_eq!(&database.catalog().await, expected, "{undone} leaves something behind");
    }
    harness.run_pending_migrations(MIGRATIONS).unwrap();
    assert_eq!(Some(&database.catalog().await), steps.last());
}

/// The tables of `src/store/schema.rs`: their columns in order, each with its type.
fn schema() -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    let mut current: Option<(String, Vec<String>)> = None;
    for line in include_str!("../../src/store/schema.rs").lines().map(str::trim) {
        if let Some((name, kind)) = line.split_once(" -> ") {
            let column = format!("{name} {}", kind.trim_end_matches(','));
            current.as_mut().unwrap().1.push(column);
        } else if let (Some((name, key)), true) = (line.split_once(" ("), line.ends_with(") {")) {
            let key = key.trim_end_matches(") {");
            current = Some((name.to_owned(), vec![format!("key {key}")]));
        } else if line == "}" {
            tables.extend(current.take());
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_tells_what_the_migrations_make() {
    let database = Database::empty();
    placecode::store::migrate(&servers::database_url(&database.name)).await.unwrap();
    let columns = database
        .lines(
            "select concat_ws(' ', c.relname, to_char(a.attnum, 'FM000'), a.attname, format_type(a.atttypid, null), a.attnotnull)
             from pg_attribute a join pg_class c on c.oid = a.attrelid
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and a.attnum > 0 and not a.attisdropped and c.relname not like '\\_\\_%'",
        )
        .await;
    let keys = database
        .lines(
            "select concat_ws(' ', i.indrelid::regclass, string_agg(a.attname, ', ' order by k.nth))
             from pg_index i join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace,
                  unnest(i.indkey) with ordinality as k (attnum, nth), pg_attribute a
             where (i.indisprimary or i.indexrelid = 'stays_at_point'::regclass) and k.nth <= i.indnkeyatts
               and a.attrelid = i.indrelid and a.attnum = k.attnum group by i.indexrelid, i.indrelid",
        )
        .await;
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in keys {
        let (table, columns) = key.split_once(' ').unwrap();
        made.insert(table.to_owned(), vec![format!("key {columns}")]);
    }
    for column in columns {
        let (table, rest) = column.split_once(' ').unwrap();
        let (_, rest) = rest.split_once(' ').unwrap();
        let (name, kind) = rest.split_once(' ').unwrap();
        let (kind, required) = kind.rsplit_once(' ').unwrap();
        let kind =
            if required == "t" { diesel_type(kind) } else { format!("Nullable<{}>", diesel_type(kind)) };
        made.get_mut(table).unwrap_or_else(|| panic!("{table} has no key")).push(format!("{name} {kind}"));
    }
    made.retain(|table, _| !table.contains("__diesel"));
    assert!(made.len() > 20);
    let told = schema();
    assert_eq!(told.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    for (table, columns) in told {
        assert_eq!(columns, made[&table], "{table}");
    }
}

fn diesel_type(postgres: &str) -> String {
    if let Some(element) = postgres.strip_suffix("[]") {
        return format!("Array<{}>", diesel_type(element));
    }
    let name = match postgres {
        "uuid" => "Uuid",
        "smallint" => "SmallInt",
        "integer" => "Integer",
        "bigint" => "BigInt",
        "text" => "Text",
        "bytea" => "Bytea",
        "boolean" => "Bool",
        "jsonb" => "Jsonb",
        "date" => "Date",
        "double precision" => "Double",
        "timestamp with time zone" => "Timestamptz",
        other => panic!("say how {other} is called in Diesel"),
    };
    name.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_can_be_followed_backwards() {
    let database = Database::empty();
    placecode::store::migrate(&servers::database_url(&database.name)).await.unwrap();
    // The columns of the key stand first in some index, in any order among themselves.
    let bare = database
        .lines(
            "select concat_ws(' ', c.conrelid::regclass, pg_get_constraintdef(c.oid)) from pg_constraint c
             where c.contype = 'f' and c.connamespace = 'public'::regnamespace and not exists (
                 select 1 from pg_index i where i.indrelid = c.conrelid and i.indpred is null
                   and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
             )",
        )
        .await;
    assert!(bare.is_empty(), "no index leads with {bare:#?}");
    let keys = database.lines("select conname from pg_constraint where contype = 'f'").await;
    assert!(keys.len() > 20);
}
