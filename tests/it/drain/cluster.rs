//! The scan log in a Redis Cluster of three nodes: sharded by hash tag, drained, and left for the inbox
//! when a node is gone.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use placecode::config::Config;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use uuid::Uuid;

use crate::support::people::near;
use crate::support::{Replica, TestApp, servers, until};

const NODES: u16 = 3;
const SLOTS: u16 = 16384;

struct Node {
    port: u16,
    child: Child,
    folder: PathBuf,
}

impl Node {
    fn start(number: u16) -> Self {
        let pid = servers::servers().pids().redis.unwrap();
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        let port = free_port();
        let folder = servers::folder().join(format!("node-{}-{number}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = [
            ("--port", port.to_string()),
            ("--bind", "127.0.0.1".to_owned()),
            ("--cluster-enabled", "yes".to_owned()),
            ("--cluster-node-timeout", "2000".to_owned()),
            ("--appendonly", "yes".to_owned()),
            ("--save", String::new()),
            ("--dir", folder.display().to_string()),
        ];
        let mut command = Command::new(program);
        // One program in many packages, which goes by the name that it is called.
        command.arg0("redis-server");
        command.args(settings.iter().flat_map(|(name, value)| [*name, value.as_str()]));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { port, child, folder }
    }

    async fn conn(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.conn().await?).await
    }

    async fn is_whole(&self) -> bool {
        let info: redis::RedisResult<String> = self.ask(&["CLUSTER", "INFO"]).await;
        info.is_ok_and(|info| {
            info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{NODES}"))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A port whose neighbour for the nodes' own talk, 10,000 higher, exists.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

async fn cluster() -> Vec<Node> {
    let nodes: Vec<Node> = (0..NODES).map(Node::start).collect();
    for (number, node) in (0u16..).zip(&nodes) {
        until("a node answers", async || node.ask::<String>(&["PING"]).await.is_ok()).await;
        let (first, last) = (number * (SLOTS / NODES), (number + 1) * (SLOTS / NODES) - 1);
        let last = if number + 1 == NODES { SLOTS - 1 } else { last };
        let range = [first.to_string(), last.to_string()];
        node.ask::<String>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await.unwrap();
        let first_port = nodes[0].port.to_string();
        node.ask::<String>(&["CLUSTER", "MEET", "127.0.0.1", &first_port]).await.unwrap();
    }
    for node in &nodes {
        until("the cluster is whole", async || node.is_whole().await).await;
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_survive_in_a_cluster_of_three_nodes_and_without_one_of_them() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let mut nodes = cluster().await;
    let urls: Vec<String> = nodes.iter().map(Node::url).collect();
    let clustered = |config: &mut Config| {
        config.redis_url = urls.join(",");
        config.log_shards = 16;
    };
    let replica = Replica::start(&app, clustered).await;
    let send = async |number: u32| {
        let person = app.person(number).await.at(replica.address);
        let scan = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now(), "phone_cell": near() });
        person.post("/v1/scans", &scan).await.expect(201);
    };
    for number in 1..=40 {
        send(number).await;
    }
    let mut holders = 0;
    for node in &nodes {
        let keys: Vec<String> = node.ask(&["KEYS", "*:log"]).await.unwrap();
        holders += usize::from(!keys.is_empty());
    }
    assert_eq!(holders, usize::from(NODES), "every node holds a part of the log");
    assert_eq!(app.number("select count(*) from inbox").await, 0);
    while Step::Drain.take(&replica.app).await.unwrap() != Outcome::Idle {}
    assert_eq!(app.number("select count(*) from scans").await, 40);
    for shard in replica.app.intake.shards() {
        assert_eq!(replica.app.intake.length(shard).await.unwrap(), 0);
    }

    drop(nodes.pop());
    for number in 1..=40 {
        app.pass(3);
        send(number).await;
    }
    assert!(
        app.number("select count(*) from inbox").await > 0,
        "what the lost node cannot keep waits in Postgres"
    );
    until("all scans are stored", async || {
        let _what_the_lost_node_held_is_not_readable = Step::Drain.take(&replica.app).await;
        app.number("select count(*) from scans").await == 80
    })
    .await;
}
