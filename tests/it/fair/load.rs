//! Too much at once, and clients that are slow: who is refused first, and that nobody is held up.

use std::net::SocketAddr;
use std::time::Duration;

use placecode::config::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Replica, TestApp, until};

/// So long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many clients of each kind are slow at once.
const SLOW: usize = 40;

/// A request whose body never comes.
const WAITING: &str = "POST /v1/visitor-tokens HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{";

async fn client_that_sends(address: SocketAddr, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// Everything that the service sends until it closes the connection.
async fn until_closed(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that was reset is closed as well.
    let _end = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("was never closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_refused_first_then_reads_and_scans_last() {
    let app = TestApp::start().await;
    let busy = Replica::start(&app, |config| {
        let fair = &mut config.fair;
        (fair.shed_pages_above, fair.shed_reads_above, fair.shed_scans_above) = (2, 4, 6);
        fair.body_timeout = PATIENCE;
    })
    .await;
    let client = app.client(None).at(busy.address);
    let (page, read, scan) = ("/", "/v1/categories", "/v1/scans");
    // Without a token a scan goes no further than to be admitted.
    let status = async |path: &str| match path {
        "/v1/scans" => client.post(path, &json!({})).await.status,
        path => client.get(path).await.status,
    };
    let mut waiting = Vec::new();
    for (refused, admitted) in [
        (vec![], vec![(page, 200), (read, 200), (scan, 401)]),
        (vec![page], vec![(read, 200), (scan, 401)]),
        (vec![page, read], vec![(scan, 401)]),
        (vec![page, read, scan], vec![]),
    ] {
        for path in &refused {
            until("the service is busy", async || status(path).await == 503).await;
        }
        for (path, expected) in &admitted {
            assert_eq!(status(path).await, *expected, "{path} with {} under way", waiting.len());
        }
        assert_eq!((status("/livez").await, status("/readyz").await), (200, 200));
        for _ in 0..2 {
            waiting.push(client_that_sends(busy.address, WAITING).await);
        }
    }
    let trouble = app.browser().at(busy.address).get("/").await;
    assert_eq!((trouble.status, &trouble.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(trouble.text.contains("服务繁忙"), "{}", trouble.text);
    let problem = client.get(read).await;
    problem.problem(503);
    assert_eq!(problem.headers["retry-after"], "1");
    // Whoever goes away gives the place back.
    drop(waiting);
    for (path, expected) in [(page, 200), (read, 200), (scan, 401)] {
        until("the service is idle", async || status(path).await == expected).await;
    }
}

fn impatient(config: &mut Config) {
    let fair = &mut config.fair;
    let short = Duration::from_secs(2);
    (fair.head_timeout, fair.body_timeout, fair.keep_alive) = (short, short, short);
    fair.connection_life = 3 * short;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_hold_nobody_up_and_are_cut_off() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let service = Replica::start(&app, impatient).await;
    let whole = "GET /livez HTTP/1.1\r\nHost: test\r\n\r\n";
    let half = "POST /v1/scans HTTP/1.1\r\nHost: te";
    let kinds = [
        // What is sent, and what comes before the connection is closed.
        ("", ""),
        (half, ""),
        (WAITING, "408 Request Timeout"),
        (whole, "200 OK"),
        (&format!("{whole}{half}"), "200 OK"),
    ];
    let mut slow = Vec::new();
    for (sent, answer) in kinds {
        for _ in 0..SLOW {
            slow.push((client_that_sends(service.address, sent).await, answer));
        }
    }
    // Some ask and ask, and read no answer.
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let asked = "GET /style.css HTTP/1.1\r\nHost: test\r\n\r\n".repeat(2000);
        deaf.push(client_that_sends(service.address, &asked).await);
    }
    for number in 0..10 {
        let person = app.person(number).await.at(service.address);
        person.post("/v1/scans", &json!({ "code": teahouse.code })).await.expect(201);
    }
    for (socket, answer) in slow {
        let text = until_closed(socket).await;
        assert!(text.contains(answer), "{answer}: {text}");
    }
    for socket in deaf {
        until("who reads nothing is cut off", async || match socket.try_write(b"G") {
            Ok(_) => false,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_beyond_the_bound_make_others_wait_and_no_more() {
    let app = TestApp::start().await;
    let service = Replica::start(&app, |config| {
        impatient(config);
        config.fair.connections_max = 4;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(client_that_sends(service.address, "").await);
    }
    let client = app.client(None).at(service.address);
    let answer = timeout(PATIENCE, client.get("/livez")).await.expect("was never answered");
    assert_eq!(answer.status, 200);
    for socket in idle {
        until_closed(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_given_up() {
    let app = TestApp::start().await;
    let service = Replica::start(&app, |config| {
        (config.fair.answer_timeout, config.database_connections) = (Duration::from_secs(1), 2);
    })
    .await;
    // Somebody holds what every reader needs.
    let mut conn = app.app.store.conn().await.unwrap();
    let lock = "begin; lock table venues in access exclusive mode";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *conn, lock).await.unwrap();
    let inspector = app.staff(placecode::domain::access::Role::Inspector, "410000").await;
    let answer = inspector.at(service.address).get("/v1/venues").await;
    answer.problem(503);
    assert_eq!(
        (&answer.headers["retry-after"], &answer.headers["x-frame-options"]),
        (&"1".parse().unwrap(), &"DENY".parse().unwrap())
    );
    let page = app.desk(&inspector).at(service.address).get("/inspect").await;
    assert_eq!((page.status, &page.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(page.text.contains("服务繁忙"), "{}", page.text);
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *conn, "rollback").await.unwrap();
    until("readers are answered", async || {
        inspector.at(service.address).get("/v1/venues").await.status == 200
    })
    .await;
}
