//! One process of the stage: started, stopped, killed and continued by its id.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

/// How soon a process that has ended by itself is started again.
const PAUSE: Duration = Duration::from_millis(400);

/// How a process is started.
pub struct Recipe {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Who it runs as; `None` is ourselves.
    pub user: Option<(u32, u32)>,
    pub folder: PathBuf,
    pub log: PathBuf,
    /// The signal that ends it in order.
    pub goodbye: &'static str,
}

/// A running or ended process.
pub struct Process {
    pub recipe: Recipe,
    child: Option<Child>,
    /// Whether a fault keeps it from being started again.
    held: bool,
    /// Whether it was told to end since it was started.
    told: bool,
    /// How often it ended without having been told to.
    pub own_deaths: u32,
    not_before: Instant,
}

impl Process {
    pub fn start(recipe: Recipe) -> io::Result<Self> {
        let child = Some(spawn(&recipe)?);
        Ok(Self { recipe, child, held: false, told: false, own_deaths: 0, not_before: Instant::now() })
    }

    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its own id and those of its children: Postgres has one for each connection.
    pub fn pids(&self) -> Vec<u32> {
        self.pid().map_or_else(Vec::new, |pid| [vec![pid], children(pid)].concat())
    }

    /// Freezes it with its children; the parent first, so that no child is born meanwhile.
    pub fn freeze(&self) {
        signal("STOP", self.pid().as_slice());
        signal("STOP", &self.pids());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal("CONT", &self.pids());
    }

    /// Ends it and its children at once; it stays down until [`Process::release`].
    pub fn kill(&mut self) {
        (self.held, self.told) = (true, true);
        self.freeze();
        signal("KILL", &self.pids());
        self.wait();
    }

    /// Asks it to end in order; it stays down until [`Process::release`].
    pub fn ask_to_end(&mut self) {
        (self.held, self.told) = (true, true);
        signal(self.recipe.goodbye, self.pid().as_slice());
    }

    /// Lets it be started again.
    pub fn release(&mut self) {
        self.held = false;
        self.not_before = Instant::now();
    }

    /// Whether it runs.
    pub fn lives(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts it again when it has ended and no fault holds it down, as a supervisor would.
    pub fn tend(&mut self) {
        if self.lives() {
            return;
        }
        if self.child.take().is_some() {
            self.not_before = self.not_before.max(Instant::now());
            if !self.told {
                self.own_deaths += 1;
                self.not_before += PAUSE;
            }
        }
        if !self.held && Instant::now() >= self.not_before {
            self.not_before = Instant::now() + PAUSE;
            self.child = spawn(&self.recipe).ok();
            self.told = false;
        }
    }

    fn wait(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.wait());
        }
    }
}

/// Whatever fails, no process is left behind.
impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal with the shell's own `kill`; a process that is gone already is no failure.
pub fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let script = "name=$1; shift; kill -s \"$name\" \"$@\"";
    let pids = pids.iter().map(u32::to_string);
    let sent = Command::new("sh").args(["-c", script, "sh", name]).args(pids).stderr(Stdio::null()).status();
    drop(sent);
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let of_parent = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split(' ').nth(1) == Some(&parent.to_string())
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(of_parent).collect()
}

type Job = (Command, Sender<io::Result<Child>>);

/// Starts a process that dies with us, even by `kill -9`. Linux sends that signal when the thread that
/// started the child ends, so all are started by one thread that ends only with the process.
fn spawn(recipe: &Recipe) -> io::Result<Child> {
    static NURSERY: OnceLock<Sender<Job>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                drop(reply.send(command.spawn()));
            }
        });
        sender
    });
    let log = File::options().create(true).append(true).open(&recipe.log)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(&recipe.program).args(&recipe.args);
    command.current_dir(&recipe.folder).process_group(0);
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    if let Some((uid, gid)) = recipe.user {
        command.uid(uid).gid(gid);
    }
    let (reply, answer) = mpsc::channel();
    let ended = || io::Error::other("the thread that starts processes has ended");
    nursery.send((command, reply)).map_err(|_job| ended())?;
    answer.recv().map_err(|_closed| ended())?
}
