//! What the same server and the same disk do without any of our work: the measure of a letter's price.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use diesel::sql_types::{Array, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::office::Office;
use super::trial::Plan;

/// How many letters make an envelope.
const ENVELOPE: usize = 200;
/// How long each is measured.
const MEASURED: Duration = Duration::from_secs(2);

#[derive(QueryableByName)]
struct Body {
    #[diesel(sql_type = Text)]
    body: String,
}

/// Letters a second by bare posts to the issuing system, which refuses them by their missing signature once it has read
/// them; and by bare inserts, each envelope's worth durable before the next.
pub async fn measure(office: &Office, plan: &Plan, issuer: SocketAddr) -> anyhow::Result<(f64, f64)> {
    let mut conn = office.app.store.conn().await?;
    let sql = format!("select body::text as body from letters limit {ENVELOPE}");
    let bodies: Vec<Body> = sql_query(sql).load(&mut conn).await?;
    drop(conn);
    let bodies: Vec<String> = bodies.into_iter().map(|row| row.body).collect();
    Ok((posts(&bodies, issuer).await?, inserts(&bodies, plan).await?))
}

async fn posts(bodies: &[String], issuer: SocketAddr) -> anyhow::Result<f64> {
    let body = format!("{{\"letters\":[{}]}}", bodies.join(","));
    let http = reqwest::Client::builder().no_proxy().build()?;
    let (begun, mut letters) = (Instant::now(), 0);
    while begun.elapsed() < MEASURED {
        let answer = http.post(format!("http://{issuer}/v1/letters")).body(body.clone()).send().await?;
        anyhow::ensure!(answer.status() == 401, "an unsigned envelope is answered with {}", answer.status());
        letters += bodies.len();
    }
    Ok(rate(letters, begun.elapsed()))
}

async fn inserts(bodies: &[String], plan: &Plan) -> anyhow::Result<f64> {
    let mut conn = AsyncPgConnection::establish(&plan.database_url).await?;
    conn.batch_execute("create table bare_letters (body text)").await?;
    let (begun, mut letters) = (Instant::now(), 0);
    while begun.elapsed() < MEASURED {
        sql_query("insert into bare_letters select * from unnest($1)")
            .bind::<Array<Text>, _>(bodies)
            .execute(&mut conn)
            .await?;
        letters += bodies.len();
    }
    Ok(rate(letters, begun.elapsed()))
}

#[expect(clippy::cast_precision_loss, reason = "a count of letters")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
