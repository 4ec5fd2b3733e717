//! One child process that is kept alive: started, started again when it dies, stopped.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::logs::Log;
use super::nursery;
use super::place::User;
use super::processes::{Signal, signal};

/// A child that lived at least this long did start; its death says nothing about the next start.
const SETTLED: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How to start one child, and how to end it.
#[derive(Debug)]
pub(super) struct Recipe {
    /// What messages call it.
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    /// Whether `env` is all that the child sees of the environment.
    pub(super) bare_env: bool,
    /// Where it works; `None` is our own working folder.
    pub(super) folder: Option<PathBuf>,
    /// Who it runs as; `None` is ourselves.
    pub(super) user: Option<User>,
    pub(super) log: Log,
    /// What ends it in order; also what it gets when we die.
    pub(super) goodbye: Signal,
    /// How long it may take to end before it is killed.
    pub(super) grace: Duration,
}

impl Recipe {
    fn spawn(&self) -> io::Result<Child> {
        let mut command = nursery::command(&self.program, self.goodbye);
        if self.bare_env {
            command.env_clear();
        }
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        // A group of its own, else Ctrl-C would reach the child before we can stop things in order.
        command.process_group(0);
        let log = self.log.open()?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        nursery::spawn(command)
    }
}

/// A running (or dead and soon restarted) child.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) recipe: Recipe,
    child: Option<Child>,
    born: Instant,
    /// Deaths in a row before [`SETTLED`].
    quick_deaths: u32,
    not_before: Instant,
}

impl Kept {
    pub(super) fn start(recipe: Recipe) -> io::Result<Kept> {
        let child = recipe.spawn()?;
        let now = Instant::now();
        Ok(Kept { recipe, child: Some(child), born: now, quick_deaths: 0, not_before: now })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn quick_deaths(&self) -> u32 {
        self.quick_deaths
    }

    /// Starts the child again if it has died and its pause is over; `clean` runs right before. True when it did.
    pub(super) fn revive(&mut self, clean: impl FnOnce(), say: &dyn Fn(&str)) -> bool {
        // A log that cannot be trimmed only grows; that must not stop the child from being kept.
        drop(self.recipe.log.trim());
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return false,
                Ok(Some(status)) => self.note_death(&status.to_string(), say),
                // Nothing to wait for: it ended, and the system was told not to keep its status.
                Err(error) => self.note_death(&error.to_string(), say),
            }
        }
        if Instant::now() < self.not_before {
            return false;
        }
        clean();
        self.born = Instant::now();
        match self.recipe.spawn() {
            Ok(child) => {
                self.child = Some(child);
                true
            }
            Err(error) => {
                self.note_death(&format!("it cannot be started: {error}"), say);
                false
            }
        }
    }

    fn note_death(&mut self, how: &str, say: &dyn Fn(&str)) {
        self.child = None;
        self.quick_deaths = if self.born.elapsed() < SETTLED { self.quick_deaths + 1 } else { 0 };
        let pause = pause_after(self.quick_deaths);
        self.not_before = Instant::now() + pause;
        say(&format!("{} has ended ({how}); starting it again in {pause:.1?}", self.recipe.name));
    }

    /// Asks the child to end, without waiting.
    pub(super) fn ask_to_end(&self) {
        if let Some(pid) = self.pid() {
            signal(pid, self.recipe.goodbye);
        }
    }

    /// Waits until the child has ended, and kills it when its grace is over. It is not started again.
    pub(super) fn wait_for_end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let begun = Instant::now();
        while begun.elapsed() < self.recipe.grace {
            // An error means that there is nothing left to wait for.
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        drop(child.kill());
        drop(child.wait());
    }
}

/// Whatever fails between two starts, no child is left behind.
impl Drop for Kept {
    fn drop(&mut self) {
        self.ask_to_end();
        self.wait_for_end();
    }
}

/// The pause before the next start: none after a settled life, then 0.2 s, doubling to 5 s.
fn pause_after(quick_deaths: u32) -> Duration {
    match quick_deaths.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let pauses: Vec<u128> = (0..8).map(|deaths| pause_after(deaths).as_millis()).collect();
        assert_eq!(pauses, [0, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
