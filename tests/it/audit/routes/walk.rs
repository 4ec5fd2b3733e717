//! A walk through writes: after each, what was changed is held against the entries of the log.

use std::collections::BTreeSet;

use placecode::domain::access::Role;
use placecode::http::routes::API;
use reqwest::Method;
use serde_json::Value;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};

/// Writes that append nothing, and why.
pub(super) const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("POST", "/v1/visitor-tokens", "changes nothing: the token is keyed and kept nowhere"),
    ("POST", "/v1/scans", "a visitor's own scan: law 5, it waits for nothing, and the log holds no visitor"),
    ("POST", "/v1/scans/batch", "scans too: law 5; each row is kept with how it was handed in"),
    ("POST", "/v1/visitor-codes", "changes nothing: what is shown is keyed and kept nowhere"),
    ("POST", "/v1/visitor-cards", "a visitor's own card: an entry would name the visitor"),
    ("DELETE", "/v1/visitor-cards", "a visitor's own cards: an entry would name the visitor"),
    ("POST", "/v1/receipts/verify", "changes nothing"),
    ("POST", "/v1/inspections/check", "changes nothing"),
    ("POST", "/v1/rule-packs/trial", "changes nothing: a trial takes labels and is kept nowhere"),
];

/// Tables that are written without an entry, and why.
const UNTOLD: &[(&str, &str)] = &[
    ("scans", "law 5"),
    ("stays", "follow from scans alone"),
    ("stay_packs", "follow from scans alone"),
    ("packed_days", "how stays are stored"),
    ("inbox", "scans on their way"),
    ("dead_entries", "scans that could not be read; looking at one is told"),
    ("log_positions", "how far the log was drained"),
    ("residences", "a visitor's own word; an entry would name the visitor"),
    ("visitor_cards", "a visitor's own; an entry would name the visitor"),
    ("point_hours", "counts"),
    ("point_usage", "follows from counts"),
    ("late_hours", "notes of late scans, for nobody"),
    ("late_runs", "notes of late scans, for nobody"),
    ("run_progress", "how far a computation is"),
    ("idempotency_keys", "answers that are kept for those who ask again; in the transaction of the act"),
    ("retention_clock", "what the clock said"),
    ("aliases", "a visitor's own; an entry would name the visitor"),
    ("letters", "leases and attempts; what came of an envelope is told"),
    ("hand_overs", "leases and attempts"),
    ("circuits", "whether a system answers; envelopes are told"),
    ("facts_waiting", "facts that are to be judged; that they came, and what came of them, is told"),
];

/// Tables that the pipeline writes without an entry too, and why.
const UNTOLD_BY_PIPELINE: &[(&str, &str)] = &[
    ("runs", "whether late scans were held against it (`late_checked`)"),
    ("release_records", "what still holds a run, computed anew; the release is told"),
    ("reconciliations", "a comparison that is due, and its lease; the result is told"),
    ("stay_corrections", "whether a visitor's own word was carried out; that it came is told"),
];

/// Writes whose body is no JSON, or that take another system to be answered; the tests that play it demand the entry.
pub(super) const ELSEWHERE: &[(&str, &str)] =
    &[("POST", "/v1/issuers/{issuer}/reconciliation"), ("POST", "/v1/me/appeals/{id}/evidence")];

pub(super) struct Walk {
    pub(super) app: TestApp,
    pub(super) done: BTreeSet<(String, &'static str)>,
}

impl Walk {
    async fn begin(&self) -> (i64, i64) {
        let last = self.app.number("select seq from audit_head").await;
        (last, self.app.number("select pg_current_xact_id()::text::bigint").await)
    }

    /// Which tables were written since then by transactions that appended nothing.
    async fn untold(&self, since: i64, more: &[(&str, &str)]) -> Vec<Value> {
        let tables = self.app.tables().await;
        let kept = tables.iter().filter(|table| !UNTOLD.iter().chain(more).any(|(name, _)| name == table));
        let each = kept.map(|table| {
            format!(
                "select '{table}' as name, count(*) as rows from {table} where xmin::text::bigint > {since}
                 and xmin::text::bigint not in (select e.xmin::text::bigint from audit_entries e)"
            )
        });
        let all: Vec<String> = each.collect();
        self.app.rows(&format!("select * from ({}) a where rows > 0", all.join(" union all "))).await
    }

    /// A write that succeeds, with what it answers.
    async fn act(
        &mut self,
        by: &Client,
        method: Method,
        route: &'static str,
        ids: &[&str],
        body: Value,
    ) -> Value {
        assert!(API.iter().any(|known| known.0.as_str() == method.as_str() && known.1 == route), "{route}");
        let mut path = route.to_owned();
        for id in ids {
            let (start, end) = (path.find('{').unwrap(), path.find('}').unwrap());
            path.replace_range(start..=end, id);
        }
        let (last, since) = self.begin().await;
        let text =
            (method != Method::DELETE).then(|| body.as_str().map_or_else(|| body.to_string(), str::to_owned));
        let answer = by.send(method.clone(), &path, text, &[]).await;
        self.told(method, route, (last, since), &answer).await
    }

    /// A write of the issuing system.
    pub(super) async fn signed(&mut self, route: &'static str, body: Value) -> Value {
        let (last, since) = self.begin().await;
        let answer = self.app.as_issuer(&route.replace("{issuer}", "health-code"), &body).await;
        self.told(Method::POST, route, (last, since), &answer).await
    }

    /// Demands the entry of what was answered.
    async fn told(
        &mut self,
        method: Method,
        route: &'static str,
        begun: (i64, i64),
        answer: &Answer,
    ) -> Value {
        let ((last, since), path) = (begun, route);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        let excepted = EXCEPTIONS.iter().any(|(verb, path, _)| *verb == method.as_str() && *path == route);
        let now = self.app.number("select seq from audit_head").await;
        assert_eq!(now > last, !excepted, "{method} {route}: entries {last} to {now}");
        let untold = self.untold(since, &[]).await;
        assert!(untold.is_empty(), "{method} {route} wrote, and told nobody in that transaction: {untold:?}");
        self.done.insert((method.to_string(), route));
        serde_json::from_str(&answer.text).unwrap_or(Value::Null)
    }

    pub(super) async fn post(
        &mut self,
        by: &Client,
        route: &'static str,
        ids: &[&str],
        body: Value,
    ) -> Value {
        self.act(by, Method::POST, route, ids, body).await
    }

    pub(super) async fn put(&mut self, by: &Client, route: &'static str, ids: &[&str], body: Value) -> Value {
        self.act(by, Method::PUT, route, ids, body).await
    }

    pub(super) async fn delete(&mut self, by: &Client, route: &'static str, ids: &[&str]) {
        self.act(by, Method::DELETE, route, ids, Value::Null).await;
    }

    /// The pipeline, as long as it has something to do.
    pub(super) async fn settle(&self, what: &str) {
        let (_, since) = self.begin().await;
        self.app.settle().await;
        let untold = self.untold(since, UNTOLD_BY_PIPELINE).await;
        assert!(untold.is_empty(), "the pipeline wrote after {what}, and told nobody: {untold:?}");
    }

    pub(super) async fn staff(&self, role: Role) -> Client {
        self.app.staff(role, "410000").await
    }
}

pub(super) fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}
