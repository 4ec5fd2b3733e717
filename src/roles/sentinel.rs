//! `sentinel`: a small device at a door that reads what visitors show, and hands it in whenever it can.
//!
//! One thread reads lines and answers each as soon as it is durable; beside it a courier sends what is queued. They
//! share nothing but the queue, so a service that is away never makes anybody wait at the door.

mod courier;
mod queue;
mod reader;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::SigningKey;
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

use self::courier::{Courier, Device};
use self::queue::Queue;
use self::reader::{Door, read};
use super::keys::write_secret;
use super::terminal::{remark, say};
use crate::clock::Clock;
use crate::domain::scan::Direction;

pub(super) const EXAMPLES: &str = "\
One line of standard input is one visitor: the code or card that the visitor showed, or a channel's assertion. A
line that begins with `exit ` or `entry ` says which way. `ok` on standard output means that the line is on the
disk and will not be lost; only then should the reader beep. docs/sentinel.md describes a whole installation.

Example:
  placecode sentinel --make-key /etc/placecode/sentinel.key       prints the public key; an administrator
                                                                  registers it and tells the device's id
  placecode sentinel --service-url https://p.example.cn/ --device 01956a3e-7c1e-7d2a-b6f4-2f5d3c1a9e10 \\
      --key-file /etc/placecode/sentinel.key --queue /var/lib/placecode-sentinel < /dev/ttyACM0";

/// What the device is told on its command line.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SentinelArgs {
    /// The service that scans are handed in to.
    #[arg(long, env = "SERVICE_URL", required_unless_present = "make_key")]
    service_url: Option<Url>,

    /// The device's id, as the service told it to the administrator who registered its key.
    #[arg(long, env = "SENTINEL_DEVICE", required_unless_present = "make_key")]
    device: Option<Uuid>,

    /// The device's own key: a file of 64 hexadecimal digits.
    #[arg(long, env = "SENTINEL_KEY_FILE", required_unless_present = "make_key")]
    key_file: Option<PathBuf>,

    /// The folder of the queue. It is made when it is not there; one sentinel at a time uses it.
    #[arg(long, env = "SENTINEL_QUEUE", required_unless_present = "make_key")]
    queue: Option<PathBuf>,

    /// Lines that name no direction are exits: for a device at a way out.
    #[arg(long)]
    exit: bool,

    /// Ring the bell of the terminal with each `ok`.
    #[arg(long)]
    beep: bool,

    /// Write a new key to this file, print its public key, and end.
    #[arg(long, value_name = "FILE")]
    make_key: Option<PathBuf>,

    /// A file that shifts the clock, with which the demo plays two weeks in a minute.
    #[arg(long, env, hide = true)]
    clock_shift_file: Option<PathBuf>,
}

/// Reads and sends until the input has ended and everything is sent. Ending it at any other moment loses nothing.
pub(crate) async fn sentinel(args: &SentinelArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.make_key {
        return make_key(path);
    }
    let (Some(url), Some(id), Some(key_file), Some(folder)) =
        (&args.service_url, args.device, &args.key_file, &args.queue)
    else {
        bail!("--service-url, --device, --key-file and --queue are needed");
    };
    let clock = Clock::following(args.clock_shift_file.clone());
    let device = Device { id, key: read_key(key_file)? };
    let queue = Queue::open(folder).with_context(|| format!("--queue {}", folder.display()))?;
    if queue.waiting() > 0 {
        remark(format!("{} bytes are queued from before", queue.waiting()));
    }
    let queue = Arc::new(Mutex::new(queue));
    let courier = Courier::new(url, device, queue.clone(), clock.clone())?;
    let (news, told) = watch::channel(false);
    let direction = if args.exit { Direction::Exit } else { Direction::Entry };
    let door = Door { queue, clock, direction, beep: args.beep };
    // A read of standard input cannot be interrupted, so it has a thread of its own and does not hold up the end.
    std::thread::spawn(move || read(&mut std::io::stdin().lock(), &door, &news));
    courier.carry(told).await;
    Ok(())
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let key = SigningKey::from_bytes(&rand::random());
    if !write_secret(path, &format!("{}\n", HEXLOWER.encode(key.as_bytes())))? {
        bail!("{} exists and is kept: name another file, or move it away", path.display());
    }
    say(format!("{} written. It never leaves this device", path.display()));
    say(format!("POST /v1/devices: public_key {}", HEXLOWER.encode(key.verifying_key().as_bytes())));
    Ok(())
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let place = || format!("--key-file {}", path.display());
    let text = fs::read_to_string(path).with_context(place)?;
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes.context("must hold 64 hexadecimal digits").with_context(place)?;
    Ok(SigningKey::from_bytes(&bytes))
}
