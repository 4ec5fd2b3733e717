//! The sentinel at a door, as the real program: the service goes away and comes back, the program is killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use chrono::TimeDelta;
use placecode::clock::Clock;
use placecode::domain::access::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::people::Place;
use crate::support::{TestApp, servers, until};

/// A device that the service knows, and its disk.
struct Device {
    id: String,
    folder: PathBuf,
}

impl Device {
    async fn at(app: &TestApp, place: &Place) -> Self {
        let folder = servers::folder().join(format!("sentinel-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).unwrap();
        let key = folder.join("key");
        let made = program().args(["sentinel", "--make-key"]).arg(&key).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let said = String::from_utf8(made.stdout).unwrap();
        let public = said.trim().rsplit(' ').next().unwrap();
        let again = program().args(["sentinel", "--make-key"]).arg(&key).output().unwrap();
        assert_eq!(again.status.code(), Some(1), "a key is never overwritten");
        let admin = app.staff(Role::Administrator, "410000").await;
        let device = json!({ "name": "哨兵", "code": place.code, "public_key": public });
        let id = admin.post("/v1/devices", &device).await.expect(201)["id"].as_str().unwrap().to_owned();
        let own = Self { id, folder };
        own.shift(app, TimeDelta::minutes(-3));
        own
    }

    /// Sets the device's clock beside that of the service.
    fn shift(&self, app: &TestApp, by: TimeDelta) {
        let shift = app.now() + by - Clock::System.now();
        fs::write(self.folder.join("shift"), shift.num_microseconds().unwrap().to_string()).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    fn command(&self, mut command: Command, service: SocketAddr) -> Command {
        command.args(["sentinel", "--service-url", &format!("http://{service}/"), "--device", &self.id]);
        for (flag, name) in [("--key-file", "key"), ("--queue", "queue"), ("--clock-shift-file", "shift")] {
            command.arg(flag).arg(self.folder.join(name));
        }
        command.stdin(Stdio::piped()).stderr(File::create(self.folder.join("errors")).unwrap());
        command
    }

    fn start(&self, service: SocketAddr) -> Sentinel {
        let mut child = self.command(program(), service).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Sentinel { child, input: Some(input), output: BufReader::new(output) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
    command.env_clear();
    command
}

/// The program at the door.
struct Sentinel {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Sentinel {
    /// Shows something to the reader, and waits until it is acknowledged.
    fn show(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        let mut said = String::new();
        self.output.read_line(&mut said).unwrap();
        assert_eq!(said, "ok\n");
    }

    /// As a power cut would.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the input and waits until everything is sent.
    async fn finish(mut self) {
        drop(self.input.take());
        until("everything is sent", async || self.child.try_wait().unwrap().is_some()).await;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a visitor shows: the channel's word, good for as long as a test takes.
fn shown(app: &TestApp, number: u32) -> String {
    app.assertion(number, app.now() - TimeDelta::seconds(200))
}

/// An address at which nobody answers.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Lets the service be reached at another address. Where answers are lost, it takes requests and answers nothing.
async fn line(at: SocketAddr, app: &TestApp, answers_are_lost: bool) -> JoinHandle<()> {
    let (listener, to) = (tokio::net::TcpListener::bind(at).await.unwrap(), app.address);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
                if !answers_are_lost {
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                    return;
                }
                let mut bytes = vec![0; 64 * 1024];
                loop {
                    let length = tokio::select! {
                        length = client.read(&mut bytes) => length.unwrap_or(0),
                        _answer = server.read_u8() => 0,
                    };
                    if length == 0 {
                        return;
                    }
                    server.write_all(&bytes[..length]).await.unwrap();
                }
            });
        }
    })
}

async fn stored(app: &TestApp) -> i64 {
    app.settle().await;
    app.number("select count(*) from scans where method = 2 and presence = 3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_while_the_service_is_away_is_stored_when_it_is_back() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    let service = nobody();
    let mut sentinel = device.start(service);
    sentinel.show(&shown(&app, 1));
    sentinel.show(&shown(&app, 2));
    until("the outage is told", async || device.text("errors").contains("scans are kept")).await;
    sentinel.kill();
    assert_eq!(device.text("queue/queue").lines().count(), 2);
    assert!(!device.text("errors").contains(&shown(&app, 1)), "what is shown stands in no log");
    let mut sentinel = device.start(service);
    sentinel.show(&shown(&app, 3));
    sentinel.show(&format!("exit {}", shown(&app, 1)));
    assert_eq!(stored(&app).await, 0);
    let line = line(service, &app, false).await;
    sentinel.finish().await;
    assert_eq!(stored(&app).await, 4);
    assert_eq!(app.number("select count(*) from scans where direction = 1").await, 1);
    assert_eq!((device.text("queue/queue"), device.text("queue/refused")), (String::new(), String::new()));
    // What comes while it can be reached goes at once.
    let mut sentinel = device.start(service);
    sentinel.show(&shown(&app, 4));
    until("the scan is stored", async || stored(&app).await == 5).await;
    sentinel.finish().await;
    line.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_answer_arrives_doubles_nothing() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    let service = nobody();
    let line = line(service, &app, true).await;
    let mut sentinel = device.start(service);
    for number in 1..=3 {
        sentinel.show(&shown(&app, number));
    }
    until("all are stored", async || stored(&app).await == 3).await;
    sentinel.kill();
    assert_eq!(device.text("queue/queue").lines().count(), 3, "none was answered for");
    line.abort();
    device.start(app.address).finish().await;
    assert_eq!(stored(&app).await, 3);
    assert_eq!(device.text("queue/queue"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_set_aside_and_holds_up_nobody() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    let service = nobody();
    let mut sentinel = device.start(service);
    sentinel.show(&shown(&app, 1));
    sentinel.show("no.good.assertion");
    sentinel.show("neither-a-code-nor-a-card");
    sentinel.show(&shown(&app, 2));
    let line = line(service, &app, false).await;
    sentinel.finish().await;
    assert_eq!(stored(&app).await, 2);
    let refused = device.text("queue/refused");
    let refused: Vec<Value> = refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<&str> = refused.iter().map(|line| line["shown"].as_str().unwrap()).collect();
    assert_eq!(shown, ["no.good.assertion", "neither-a-code-nor-a-card"]);
    assert!(refused[0]["reason"].as_str().unwrap().contains("assertion"), "{refused:?}");
    assert!(device.text("errors").contains("set aside"));
    line.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_not_known_keeps_what_it_read() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    let stranger = Device { id: Uuid::nil().to_string(), folder: device.folder.clone() };
    let mut sentinel = stranger.start(app.address);
    sentinel.show(&shown(&app, 1));
    until("it is told", async || device.text("errors").contains("401")).await;
    sentinel.kill();
    std::mem::forget(stranger);
    device.start(app.address).finish().await;
    assert_eq!(stored(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_three_days_is_set_aside() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    let mut sentinel = device.start(nobody());
    sentinel.show(&shown(&app, 1));
    sentinel.kill();
    device.shift(&app, TimeDelta::hours(72));
    device.start(app.address).finish().await;
    assert_eq!(stored(&app).await, 0);
    assert!(device.text("errors").contains("1 entries are older than 72 hours"), "{}", device.text("errors"));
    assert!(device.text("queue/refused").contains("older than 72 hours"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_kept() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let device = Device::at(&app, &teahouse).await;
    // No file of this process grows beyond a few blocks.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_placecode")]);
    let mut command = device.command(shell, nobody());
    let mut child = command.stdout(File::create(device.folder.join("said")).unwrap()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for number in 1..=30 {
        writeln!(input, "{}", shown(&app, number)).unwrap();
    }
    until("it is told", async || device.text("errors").matches("not taken").count() > 10).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = device.text("said").lines().count();
    assert!((1..20).contains(&acknowledged), "{acknowledged}");
    assert_eq!(device.text("queue/queue").lines().count(), acknowledged);
    device.start(app.address).finish().await;
    assert_eq!(stored(&app).await, i64::try_from(acknowledged).unwrap());
}
