//! A TCP proxy before a server: it can delay, thin out, hold back or cut what passes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How many pieces may be under way in one direction; a sender beyond that waits.
const UNDER_WAY_MAX: usize = 64;

/// What becomes of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It passes.
    Open,
    /// It passes late, and no more than so many bytes a second in each direction of each connection.
    Slow { delay: Duration, bytes_per_sec: u32 },
    /// Connections are taken and stay open, and nothing passes until it does again.
    Stalled,
    /// As if the other side had vanished without a word: connections are taken and stay open, and nothing
    /// ever passes over those that there are. Only new ones find it once it is back.
    Vanished,
    /// Connections are closed, and new ones as soon as they come.
    Cut,
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, changes) = watch::channel(Mode::Open);
        Ok(Self { address, mode, task: tokio::spawn(accept(listener, to, changes)) })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.mode.send_replace(Mode::Cut);
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, mode: watch::Receiver<Mode>) {
    loop {
        if let Ok((client, _)) = listener.accept().await
            && *mode.borrow() != Mode::Cut
        {
            tokio::spawn(carry(client, to, mode.clone()));
        }
    }
}

/// Carries one connection until either side ends it or the proxy is cut.
async fn carry(client: TcpStream, to: SocketAddr, mode: watch::Receiver<Mode>) {
    let (mut cut, mut vanished) = (mode.clone(), mode.clone());
    let both = async {
        passable(&mut mode.clone()).await;
        let server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(pump(from_client, to_server, mode.clone()), pump(from_server, to_client, mode))
    };
    let mut both = std::pin::pin!(both);
    let lost = async {
        drop(vanished.wait_for(|mode| *mode == Mode::Vanished).await);
    };
    tokio::select! {
        biased;
        () = until_cut(&mut cut) => return,
        () = lost => {}
        _ended = &mut both => return,
    }
    // Both ends stay open and hear nothing.
    until_cut(&mut cut).await;
}

async fn until_cut(mode: &mut watch::Receiver<Mode>) {
    drop(mode.wait_for(|mode| *mode == Mode::Cut).await);
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let (pieces, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY_MAX);
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            let piece = (Instant::now(), buffer.get(..count).unwrap_or_default().to_vec());
            if count == 0 || pieces.send(piece).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((read_at, bytes)) = arriving.recv().await {
            passable(&mut mode).await;
            let now = *mode.borrow();
            if let Mode::Slow { delay, bytes_per_sec } = now {
                tokio::time::sleep_until(read_at + delay).await;
                let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                tokio::time::sleep(Duration::from_secs(1) * size / bytes_per_sec).await;
            }
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_ended| ())
}

async fn passable(mode: &mut watch::Receiver<Mode>) {
    drop(mode.wait_for(|mode| !matches!(mode, Mode::Stalled | Mode::Vanished)).await);
}
