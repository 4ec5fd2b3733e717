//! The private Redis: how it is run, and what its data must not meet.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::kept::Recipe;
use super::logs::Log;
use super::processes::{self, Signal};
use super::programs::Redis;
use super::{Durability, EmbeddedError, Ground, postgres};

const GRACE: Duration = Duration::from_secs(15);

/// The socket file in the socket folder.
pub(super) fn socket(sockets: &Path) -> PathBuf {
    sockets.join("redis.sock")
}

/// Refuses a Redis that would not see the data: since 7.0 the log is a folder, and an older server overlooks it and
/// starts empty, which would lose accepted scans without a word.
pub(super) fn check(ground: &Ground, redis: &Redis) -> Result<(), EmbeddedError> {
    let newer_log = ground.redis().join("appendonlydir");
    if redis.version < (7, 0) && newer_log.exists() {
        return Err(EmbeddedError::OldRedis { folder: newer_log, found: redis.version });
    }
    Ok(())
}

/// How Redis is run. Every write is on disk before it is answered.
pub(super) fn recipe(ground: &Ground, redis: &Redis) -> Recipe {
    let flush = match ground.durability {
        Durability::Full => "always",
        // Not `everysec`: that one may hold back the write itself, and a killed Redis would lose what it answered.
        Durability::ForTests => "no",
    };
    let settings = [
        ("--port", "0"),
        ("--unixsocketperm", "700"),
        ("--daemonize", "no"),
        ("--logfile", ""),
        ("--appendonly", "yes"),
        ("--appendfsync", flush),
        ("--no-appendfsync-on-rewrite", "no"),
        ("--save", ""),
        ("--maxmemory-policy", "noeviction"),
    ];
    let mut args: Vec<OsString> = settings
        .into_iter()
        .flat_map(|(name, value)| [OsString::from(name), OsString::from(value)])
        .collect();
    args.extend([OsString::from("--unixsocket"), socket(&ground.sockets).into()]);
    args.extend([OsString::from("--dir"), ground.redis().into()]);
    Recipe {
        name: "Redis".to_owned(),
        program: redis.program.clone(),
        args,
        env: postgres::environment().to_vec(),
        bare_env: true,
        folder: Some(ground.redis()),
        user: ground.user.clone(),
        log: Log::new(ground.logs().join("redis.log")),
        goodbye: Signal::Terminate,
        grace: GRACE,
    }
}

/// Removes the old socket and kills a log rewrite that outlived its Redis.
pub(super) fn clean(ground: &Ground) {
    processes::kill_all(&[ground.redis()], &[&socket(&ground.sockets)]);
    drop(std::fs::remove_file(socket(&ground.sockets)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_redis_is_not_let_near_a_newer_log() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/newer-redis-log");
        let ground = Ground { sockets: home.clone(), home, user: None, durability: Durability::ForTests };
        let of = |version| Redis { program: PathBuf::from("redis-server"), version };
        std::fs::create_dir_all(ground.redis()).unwrap();
        assert!(check(&ground, &of((6, 2))).is_ok());
        std::fs::create_dir_all(ground.redis().join("appendonlydir")).unwrap();
        assert!(check(&ground, &of((7, 0))).is_ok());
        let refused = check(&ground, &of((6, 2))).unwrap_err().to_string();
        assert!(refused.contains("this machine has 6.2"), "{refused}");
        std::fs::remove_dir_all(&ground.home).unwrap();
    }
}
