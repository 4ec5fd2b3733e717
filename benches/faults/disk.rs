//! A small disk under a server: a mount of its own where we may mount, else a limit on the size of files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How large a file may be where a limit stands for a full disk, in bytes.
const FILE_BYTES_MAX: u32 = 64 * 1024;

/// The disk under one server.
pub enum Disk {
    /// A file system of its own, in memory.
    Mount(PathBuf),
    /// The disk of the machine; what is full is the size that a file of the server may have.
    Limit,
}

impl Disk {
    /// Mounts a file system of so many megabytes; where that is not allowed, a limit takes its place.
    pub fn small(folder: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &folder.to_string_lossy()]);
        if mounted { Self::Mount(folder.to_owned()) } else { Self::Limit }
    }

    /// Leaves no byte free. `pids` are the server's processes.
    pub fn fill(&self, pids: &[u32]) {
        match self {
            Self::Mount(folder) => {
                let Ok(mut filler) = File::create(folder.join("filler")) else { return };
                for size in [64 * 1024, 4096, 256, 1] {
                    while filler.write_all(&vec![0; size]).is_ok() {}
                }
            }
            Self::Limit => limit(pids, &format!("--fsize={FILE_BYTES_MAX}:")),
        }
    }

    /// Gives the space back.
    pub fn free(&self, pids: &[u32]) {
        match self {
            Self::Mount(folder) => drop(fs::remove_file(folder.join("filler"))),
            Self::Limit => limit(pids, "--fsize=unlimited:"),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mount(folder) = self {
            unmount(folder);
        }
    }
}

/// Ends a mount, also one that is still looked at.
pub fn unmount(folder: &Path) {
    run("umount", &["-l", &folder.to_string_lossy()]);
}

fn limit(pids: &[u32], limit: &str) {
    for pid in pids {
        run("prlimit", &["--pid", &pid.to_string(), limit]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
