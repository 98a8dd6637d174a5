//! A small HTTP server on a port of its own, for guests to talk to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `/page` with five bytes and everything else never. Its threads end with the process.
pub(crate) struct Server {
    pub(crate) port: u16,
    events: UnboundedReceiver<Event>,
}

/// What the server sees of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Someone connected.
    Connected,
    /// The first line of a request was there.
    Asked(String),
    /// The other side closed the connection before it was answered.
    Abandoned,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, events) = unbounded_channel();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let send = send.clone();
                thread::spawn(move || serve(&connection.unwrap(), &send));
            }
        });
        Self { port, events }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next thing it sees.
    pub(crate) async fn next(&mut self) -> Event {
        let event = timeout(PATIENCE, self.events.recv()).await;
        event.expect("something happens on the server").unwrap()
    }

    /// Something it has seen already.
    pub(crate) fn seen(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Whether nobody has connected since the last event.
    pub(crate) fn is_left_alone(&mut self) -> bool {
        self.events.try_recv().is_err()
    }
}

fn serve(mut connection: &TcpStream, events: &UnboundedSender<Event>) {
    // Nobody listens any more if the test is over.
    let _ = events.send(Event::Connected);
    let mut reader = BufReader::new(connection);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        match reader.read_line(&mut request) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let line = request.lines().next().unwrap_or_default().to_owned();
    let is_page = line.contains(" /page ");
    let _ = events.send(Event::Asked(line));
    if is_page {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    } else if !matches!(reader.read(&mut [0]), Ok(1..)) {
        let _ = events.send(Event::Abandoned);
    }
}
