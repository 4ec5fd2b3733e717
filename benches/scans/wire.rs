//! The least of HTTP/1.1: one kept connection, ready bytes out, status and body of the answer in. The client shares
//! the cores with what it measures, so it does no more than that.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A whole answer with this status.
    Status(u16),
    /// None within ten seconds.
    Late,
    /// The connection broke, and a new one too.
    Broken,
}

/// One connection that is kept, and opened again when the server has closed it.
pub(crate) struct Line {
    server: SocketAddr,
    source: Ipv4Addr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    body: Range<usize>,
}

impl Line {
    /// The line of one client; each has an address of its own, as visitors have.
    pub(crate) fn new(server: SocketAddr, number: usize) -> Self {
        let byte = |value: usize| u8::try_from(value).unwrap_or(1);
        let source = Ipv4Addr::new(127, 1, byte(number / 250), byte(number % 250 + 1));
        Self { server, source, stream: None, buffer: Vec::with_capacity(4096), body: 0..0 }
    }

    /// Sends a whole request and waits for the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Answer {
        match tokio::time::timeout(PATIENCE, self.persist(request)).await {
            Ok(Ok(status)) => Answer::Status(status),
            Ok(Err(_)) => {
                self.stream = None;
                Answer::Broken
            }
            Err(_) => {
                self.stream = None;
                Answer::Late
            }
        }
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        self.buffer.get(self.body.clone()).unwrap_or_default()
    }

    /// Asks once more when a kept connection turns out to be closed, as servers do with idle ones. A scan names
    /// itself, so asking twice makes no two of it.
    async fn persist(&mut self, request: &[u8]) -> io::Result<u16> {
        if self.stream.is_some() {
            if let Ok(status) = self.exchange(request).await {
                return Ok(status);
            }
            self.stream = None;
        }
        self.exchange(request).await
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.server, self.source).await?),
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = Head::read(&self.buffer)? else { continue };
            if self.buffer.len() >= head.body.end {
                self.body = head.body;
                if head.closes {
                    self.stream = None;
                }
                return Ok(head.status);
            }
        }
    }
}

async fn connect(server: SocketAddr, source: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Head {
    status: u16,
    body: Range<usize>,
    closes: bool,
}

impl Head {
    /// The head of an answer; `None` when it is not whole yet.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(None) };
        let head = bytes.get(..end).and_then(|head| str::from_utf8(head).ok());
        let head = head.ok_or(io::ErrorKind::InvalidData)?;
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let (mut length, mut closes) = (None, false);
        for line in head.split("\r\n").skip(1) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse::<usize>().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.eq_ignore_ascii_case("close");
            }
        }
        let (Some(status), Some(length)) = (status, length) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no status or no length"));
        };
        Ok(Some(Self { status, body: end + 4..end + 4 + length, closes }))
    }
}
