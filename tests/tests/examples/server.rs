//! A small HTTP server on a port of its own, for guests to talk to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the page `/` is.
const FRONT_PAGE_BYTES: usize = 1_256;

/// Answers `/N` with N bytes, `/` with [`FRONT_PAGE_BYTES`], one request after the other, and none before it opens.
pub(crate) struct Server {
    port: u16,
    door: Sender<()>,
}

impl Server {
    pub(crate) fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (door, opened) = channel();
        thread::spawn(move || {
            // Until then those who knock wait in the system's queue. An error means that the test is over.
            if opened.recv().is_ok() {
                listener.incoming().for_each(|connection| answer(&connection.unwrap()));
            }
        });
        Self { port, door }
    }

    pub(crate) fn open(&self) {
        self.door.send(()).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Reads a request and never answers; tells when it has read it, and when the other side has gone.
pub(crate) struct Silence {
    port: u16,
    events: Receiver<&'static str>,
}

impl Silence {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, events) = channel();
        thread::spawn(move || {
            let (connection, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&connection);
            path(&mut reader);
            send.send("asked").unwrap();
            let has_gone = !matches!(reader.read(&mut [0]), Ok(1..));
            send.send(if has_gone { "abandoned" } else { "asked for more" }).unwrap();
        });
        Self { port, events }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What happens next.
    pub(crate) fn next(&self) -> &'static str {
        self.events.recv_timeout(PATIENCE).expect("something happens on the server")
    }
}

fn answer(mut connection: &TcpStream) {
    let length =
        path(&mut BufReader::new(connection)).trim_start_matches('/').parse().unwrap_or(FRONT_PAGE_BYTES);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    // Whoever asked may have gone.
    let _ = connection.write_all(&[head.as_bytes(), &vec![b'x'; length]].concat());
}

/// Reads the head of a request, and gives the path in it.
fn path(reader: &mut impl BufRead) -> String {
    let lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let lines: Vec<_> = lines.collect();
    lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned()
}
