//! An HTTP client that sends requests exactly as written: browsers and libraries change headers and targets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

/// So long a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(100);

/// A request.
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An answer that has not ended.
pub(crate) struct Streamed {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    is_chunked: bool,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![("Host".to_owned(), address.to_string())];
        Self { address, method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces a header, or takes it out.
    pub(crate) fn replace(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    pub(crate) fn json(self, body: &Json) -> Self {
        let request = self.header("Content-Type", "application/json");
        Self { body: body.to_string().into_bytes(), ..request }
    }

    pub(crate) fn wasm(self, body: Vec<u8>) -> Self {
        Self { body, ..self.header("Content-Type", "application/wasm") }
    }

    pub(crate) fn body(self, ty: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: body.as_ref().to_vec(), ..self.header("Content-Type", ty) }
    }

    pub(crate) fn send(self) -> Answer {
        let is_head = self.method == "HEAD";
        let streamed = self.stream();
        if is_head {
            return Answer { status: streamed.status, headers: streamed.headers, body: Vec::new() };
        }
        streamed.answer()
    }

    /// Sends the request and reads the head of the answer.
    pub(crate) fn stream(self) -> Streamed {
        Streamed::read(self.begin())
    }

    /// Sends the request.
    pub(crate) fn begin(self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || ["POST", "PUT"].contains(&self.method.as_str()) {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "Connection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a request at once may not read its body.
        _ = stream.write_all(&self.body);
        stream
    }
}

impl Streamed {
    pub(crate) fn read(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status =
            line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let is_chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Self { status, headers, reader, is_chunked }
    }

    /// The next part of a body that has no length; `None` at its end.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        assert!(self.is_chunked, "the body has a length");
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk).unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// All of it.
    pub(crate) fn answer(mut self) -> Answer {
        let body = self.rest();
        Answer { status: self.status, headers: self.headers, body }
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        if self.is_chunked {
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
        } else {
            // A server that has refused a body may close the connection before all of it was sent.
            _ = self.reader.read_to_end(&mut body);
        }
        body
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// Checks that it is a problem with this status and code, and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Json {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, Some("application/problem+json")),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{problem}");
        problem
    }
}
