//! Our own roles (serve, work, issuer) as children of one supervisor.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::kept::{Kept, Recipe};
use super::logs::Log;
use super::processes::Signal;

/// How long a role may take to finish its requests and batches before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// Child processes of one program, started again when they die, stopped in reverse order.
///
/// A role that keeps dying is started again after 0.2 s, doubling to 5 s, for ever. Roles end with their owner, even
/// when that is killed with `kill -9`.
#[derive(Debug)]
pub struct Roles {
    program: PathBuf,
    logs: PathBuf,
    running: Vec<Kept>,
}

impl Roles {
    /// Roles of `program`; each writes to `<logs>/<name>.log`.
    pub fn new(program: PathBuf, logs: PathBuf) -> Roles {
        Roles { program, logs, running: Vec::new() }
    }

    /// Starts one role. It inherits our environment and sees `env` on top. Returns its process id.
    pub fn add(&mut self, name: &str, args: &[&str], env: &[(&str, &str)]) -> io::Result<u32> {
        let role = Kept::start(Recipe {
            name: name.to_owned(),
            program: self.program.clone(),
            args: args.iter().map(OsString::from).collect(),
            env: env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            bare_env: false,
            folder: None,
            user: None,
            log: Log::new(self.logs.join(format!("{name}.log"))),
            goodbye: Signal::Terminate,
            grace: GRACE,
        })?;
        let pid = role.pid().unwrap_or_default();
        self.running.push(role);
        Ok(pid)
    }

    /// Starts again the roles that have died and whose pause is over; to be called every half second or so.
    /// Returns how many were started.
    pub fn revive(&mut self, say: &dyn Fn(&str)) -> usize {
        self.running.iter_mut().map(|role| usize::from(role.revive(|| (), say))).sum()
    }

    /// The roles by name with their process ids; none while one is dead.
    pub fn pids(&self) -> Vec<(&str, Option<u32>)> {
        self.running.iter().map(|role| (role.recipe.name.as_str(), role.pid())).collect()
    }

    /// The end of a role's log, for a message that explains why it does not come up.
    pub fn log_tail(&self, name: &str, lines: usize) -> String {
        let role = self.running.iter().find(|role| role.recipe.name == name);
        role.map(|role| role.recipe.log.tail(lines)).unwrap_or_default()
    }

    /// Stops the roles, the last one first, and waits for each. Dropping does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        while let Some(mut role) = self.running.pop() {
            role.ask_to_end();
            role.wait_for_end();
        }
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        self.end();
    }
}
