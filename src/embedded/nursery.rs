//! The one thread that starts children, so that they die with this process and not before.
//!
//! Linux can send a process a signal when its parent dies, even by `kill -9` (`PR_SET_PDEATHSIG`). "Parent" means
//! the *thread* that forked: a child of a pool thread would be killed when the pool shrinks. So every child is
//! started from here, a thread that ends only with the process. Setting the signal takes a system call between fork
//! and exec, which needs `unsafe` in Rust; util-linux's `setpriv --pdeathsig` (since 2.33) does it for us.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::processes::Signal;

struct Job {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

static NURSERY: LazyLock<io::Result<Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("nursery".to_owned()).spawn(move || {
        for mut job in jobs {
            // A caller that is gone drops the answer; its child then dies with this process like any other.
            drop(job.reply.send(job.command.spawn()));
        }
    })?;
    Ok(sender)
});

/// `setpriv` of busybox lacks the option, so it is tried once instead of looked for.
static CAN_BIND_LIFE: LazyLock<bool> = LazyLock::new(|| {
    Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
});

/// Whether children die with this process on this machine.
pub(super) fn binds_life() -> bool {
    *CAN_BIND_LIFE
}

/// A command for `program` that receives `at_death` when this process dies.
///
/// A change of user must be set on the returned command (`CommandExt::uid`): the kernel forgets the signal when
/// credentials change, and std changes them before `setpriv` runs.
pub(super) fn command(program: &Path, at_death: Signal) -> Command {
    if !binds_life() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", at_death.name(), "--"]).arg(program);
    command
}

/// Starts `command` from the nursery thread.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let ended = || io::Error::other("the thread that starts children has ended");
    let nursery = NURSERY.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (reply, answer) = mpsc::channel();
    nursery.send(Job { command, reply }).map_err(|_job| ended())?;
    answer.recv().map_err(|_closed| ended())?
}
