//! Just enough of the Postgres and Redis protocols to ask whether a server answers and to create a database.
//!
//! It works without `psql`, which some packages of Postgres lack, and before any runtime exists.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// No answer to a question of ours is longer.
const LONGEST_MESSAGE: u32 = 1024 * 1024;
const PROTOCOL_3_0: u32 = 196_608;

/// What a server said when asked whether it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// Not listening yet, or still recovering.
    NotYet,
    /// It answers, but will not serve.
    No(String),
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{message} (SQLSTATE {code})")]
    Database { code: String, message: String },
}

/// Whether Postgres accepts a session of `user` on the database `postgres`.
pub(super) fn ask_postgres(socket: &Path, user: &str) -> Answer {
    match Session::open(socket, user, Duration::from_secs(5)) {
        Ok(_session) => Answer::Ready,
        // 57P03: starting up, recovering or shutting down.
        Err(WireError::Database { code, .. }) if code == "57P03" => Answer::NotYet,
        Err(WireError::Database { code, message }) => Answer::No(format!("{message} (SQLSTATE {code})")),
        // No socket yet, or the server ended while we asked.
        Err(WireError::Io(_)) => Answer::NotYet,
    }
}

/// Whether Redis answers a PING. `-LOADING` means that it is replaying its log.
pub(super) fn ask_redis(socket: &Path) -> Answer {
    let ask = || -> io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"PING\r\n")?;
        let mut line = String::new();
        BufReader::new(stream.take(4096)).read_line(&mut line)?;
        Ok(line)
    };
    match ask().as_deref().map(str::trim_end) {
        Ok("+PONG") => Answer::Ready,
        // An empty line is a connection closed by a server that is just ending.
        Ok(line) if line.starts_with("-LOADING") || line.is_empty() => Answer::NotYet,
        Ok(line) => Answer::No(line.to_owned()),
        Err(_) => Answer::NotYet,
    }
}

/// One session on a Postgres that trusts us.
pub(super) struct Session {
    stream: UnixStream,
}

impl Session {
    /// Opens a session of `user` on the database `postgres`.
    pub(super) fn open(socket: &Path, user: &str, patience: Duration) -> Result<Session, WireError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
        for text in ["user", user, "database", "postgres", "application_name", "placecode-up", ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        let mut session = Session { stream };
        session.send(&body)?;
        session.until_ready()?;
        Ok(session)
    }

    /// Runs one statement; returns how many rows it gave.
    pub(super) fn run(&mut self, statement: &str) -> Result<usize, WireError> {
        let mut body = statement.as_bytes().to_vec();
        body.push(0);
        self.stream.write_all(b"Q")?;
        self.send(&body)?;
        self.until_ready()
    }

    fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        let mut message = length.to_be_bytes().to_vec();
        message.extend_from_slice(body);
        self.stream.write_all(&message)
    }

    /// Reads until the server waits for the next statement; returns the number of rows, or the first error.
    fn until_ready(&mut self) -> Result<usize, WireError> {
        let mut rows = 0;
        let mut failure = None;
        loop {
            let (kind, body) = match self.receive() {
                Ok(message) => message,
                // A refused session ends with an error message and a closed connection.
                Err(error) => return Err(failure.unwrap_or(WireError::Io(error))),
            };
            match kind {
                b'Z' => return failure.map_or(Ok(rows), Err),
                b'D' => rows += 1,
                b'E' => failure = failure.or_else(|| Some(database_error(&body))),
                b'R' if body != [0; 4] => {
                    return Err(WireError::Io(io::Error::other("the server asks for a password")));
                }
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut kind = [0];
        let mut length = [0; 4];
        self.stream.read_exact(&mut kind)?;
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let Some(length) = length.checked_sub(4).filter(|length| *length <= LONGEST_MESSAGE) else {
            return Err(io::Error::other("the server does not speak the protocol of Postgres"));
        };
        let mut body = Vec::new();
        (&self.stream).take(length.into()).read_to_end(&mut body)?;
        let [kind] = kind;
        Ok((kind, body))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Terminate; without it the server logs a lost connection.
        drop(self.stream.write_all(&[b'X', 0, 0, 0, 4]));
    }
}

/// Reads an `ErrorResponse`: fields of one letter and a text, each ended by a zero.
fn database_error(body: &[u8]) -> WireError {
    let field = |letter: u8| {
        body.split(|byte| *byte == 0)
            .filter_map(<[u8]>::split_first)
            .find(|(first, _)| **first == letter)
            .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    };
    WireError::Database { code: field(b'C'), message: field(b'M') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_is_read_by_its_letters() {
        let body = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let text = database_error(body).to_string();
        assert_eq!(text, "the database system is starting up (SQLSTATE 57P03)");
    }

    #[test]
    fn a_missing_socket_is_not_ready_yet() {
        let nowhere = Path::new("/nonexistent/socket");
        assert_eq!(ask_redis(nowhere), Answer::NotYet);
        assert_eq!(ask_postgres(nowhere, "x"), Answer::NotYet);
    }
}
