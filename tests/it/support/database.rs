//! What stands in the tables, and what somebody with the owner's password could do to them.

use std::collections::BTreeMap;

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde_json::Value;

use super::TestApp;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl TestApp {
    /// The rows of a query, as JSON objects.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let mut conn = self.app.store.conn().await.unwrap();
        let query = sql_query(format!("select row_to_json(q)::text as line from ({sql}) q"));
        let lines: Vec<Line> = query.load(&mut conn).await.unwrap();
        lines.iter().map(|line| serde_json::from_str(&line.line).unwrap()).collect()
    }

    /// The names of all tables, without the partitions of each day.
    pub async fn tables(&self) -> Vec<String> {
        let sql = "select relname as name from pg_class
                   where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
                     and relname not like '\\_\\_%' order by 1";
        let text = |row: &Value| row["name"].as_str().unwrap().to_owned();
        self.rows(sql).await.iter().map(text).collect()
    }

    /// How many rows every table has.
    pub async fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for table in self.tables().await {
            let count = self.number(&format!("select count(*) from {table}")).await;
            counts.insert(table, count);
        }
        counts
    }

    /// Runs SQL with all triggers asleep, as only a superuser can.
    pub async fn tamper(&self, sql: &str) {
        let mut conn = self.app.store.conn().await.unwrap();
        let asleep = format!("begin; set local session_replication_role = replica; {sql}; commit");
        conn.batch_execute(&asleep).await.unwrap();
    }
}
