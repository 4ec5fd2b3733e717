//! A throw-away Postgres for one test binary: a cluster in a temporary folder that ends with the process.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

/// The address of a new, empty database.
pub(crate) async fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("issuer_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    administer(&format!("create database {name}")).await;
    address(&name)
}

/// Takes a database away while it is in use.
pub(crate) async fn drop_database(url: &str) {
    let (_, name) = url.rsplit_once("@/").unwrap();
    let (name, _) = name.split_once('?').unwrap();
    administer(&format!("drop database {name} with (force)")).await;
}

fn address(name: &str) -> String {
    format!("postgres://postgres@/{name}?host={}", cluster().display())
}

async fn administer(statement: &str) {
    let mut connection = AsyncPgConnection::establish(&address("postgres")).await.unwrap();
    diesel::sql_query(statement).execute(&mut connection).await.unwrap();
}

fn cluster() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("placecode-issuer-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let shown = folder.display().to_string();
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        if root {
            assert!(Command::new("chown").args(["postgres", &shown]).status().unwrap().success());
        }
        let script = format!(
            "cd {shown} && PATH=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1):$PATH && \
             initdb -D data -U postgres -A trust --no-sync >/dev/null && \
             (postgres -D data -k {shown} -c listen_addresses= -c fsync=off -c max_connections=300 & \
              read -r _ended; kill -INT $!; wait $!; cd / && rm -rf {shown})"
        );
        let mut command = if root { Command::new("setpriv") } else { Command::new("env") };
        if root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        // The shell reads from a pipe that closes when this process ends, however it ends.
        let child = command.args(["sh", "-c", &script]);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::mem::forget(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while UnixStream::connect(folder.join(".s.PGSQL.5432")).is_err() || !ready(&folder) {
            assert!(Instant::now() < deadline, "Postgres does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        folder
    })
}

/// The last line of the file says so once connections are let in.
fn ready(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("data/postmaster.pid")).is_ok_and(|text| text.contains("ready"))
}
