//! A server whose connections are all taken.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hostel_server::Settings;
use serde_json::json;

use crate::client::{Request, Streamed};
use crate::running::Running;

const CONNECTIONS: usize = 4;

fn small() -> Running {
    let mut settings = Settings::default();
    settings.connections = CONNECTIONS;
    Running::with(settings)
}

/// A connection on which a request of this token was answered, and the next one is sent.
fn asking(server: &Running, token: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
    let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", server.address);
    stream.write_all(format!("GET /api/v1/info HTTP/1.1\r\n{head}\r\n").as_bytes()).unwrap();
    let mut reader = BufReader::new(&stream);
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("\r\n\r\n{") {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        text.extend(byte);
    }
    let head_text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let length = head_text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut rest = vec![0; length.parse::<usize>().unwrap() - 1];
    reader.read_exact(&mut rest).unwrap();
    assert!(reader.buffer().is_empty());
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
    stream
}

#[test]
fn requests_that_only_wait_make_room_for_others() {
    let server = small();
    for sent in [
        "POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        "POST /api/v1/login HTTP/1.1\r\nHost:",
        "",
    ] {
        let mut stalled = Vec::new();
        for _ in 0..3 * CONNECTIONS {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(sent.as_bytes()).unwrap();
            stalled.push(stream);
        }
        for _ in 0..2 {
            assert_eq!(Request::new(server.address, "GET", "/healthz").send().status, 200, "{sent:?}");
            assert_eq!(server.get("/api/v1/counts").status, 200, "{sent:?}");
        }
    }
}

#[test]
fn the_token_with_most_waiting_requests_gives_way() {
    let server = small();
    assert_eq!(server.get("/api/v1/info").json()["limits"]["connections"], CONNECTIONS);
    let add = server.upload(hostel_guests::ARITH);
    let run = json!({ "task": format!("{add}#add"), "args": [1, 2], "in": "1h" });
    let stored = server.post("/api/v1/runs", &run);
    let path = stored.header("location").unwrap().to_owned();
    let [modest, greedy] = ["modest", "greedy"].map(|name| server.token_with(name, &["read"]));
    let waiting = format!("{path}?wait=60s");
    let modest = asking(&server, &modest, &waiting);
    let greedy: Vec<_> = (1..CONNECTIONS).map(|_| asking(&server, &greedy, &waiting)).collect();
    // Two places are enough for what follows.
    for _ in 0..2 {
        assert_eq!(Request::new(server.address, "GET", "/readyz").send().status, 200);
    }
    let cancelled = server.request("POST", &format!("{path}/cancel")).send();
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let answer = Streamed::read(modest).answer();
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("Cancelled")));
    let early = greedy.into_iter().filter(|stream| stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0));
    let states: Vec<_> =
        early.map(|stream| Streamed::read(stream).answer().json()["state"].clone()).collect();
    assert!(states.contains(&json!("Scheduled")), "the first of them was answered early: {states:?}");
}

#[test]
fn uploads_that_never_end_leave_room_for_those_of_others() {
    let server = Running::start();
    let [greedy, modest] = ["greedy", "modest"].map(|name| server.token_with(name, &["run"]));
    // As many as one token may have. None has a byte.
    let length = 256 << 20;
    let uploads: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            let head = format!(
                "POST /api/v1/blobs HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {greedy}\r\nExpect: 100-continue\r\n\
                 Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n",
                server.address
            );
            stream.write_all(head.as_bytes()).unwrap();
            // It asks for the body when it has a place for it.
            let mut line = [0; 25];
            stream.read_exact(&mut line).unwrap();
            assert!(line.starts_with(b"HTTP/1.1 100"));
            stream
        })
        .collect();
    let upload =
        |token| server.bearer(token, "POST", "/api/v1/blobs").body("application/octet-stream", "x").send();
    assert_eq!(upload(&modest).status, 201);
    let waited = upload(&greedy);
    waited.problem(503, "unavailable");
    assert!(waited.header("retry-after").is_some());
    drop(uploads);
}

#[test]
fn maps_that_never_end_leave_turns_for_the_requests_of_others() {
    let server = Running::start();
    let task = format!("{}#add", server.upload(hostel_guests::ARITH));
    let [greedy, modest] = ["greedy", "modest"].map(|name| server.token_with(name, &["run"]));
    let padding = " ".repeat(5_000);
    // More than have a place at once, and as many more as have a turn. None sends a row.
    let maps: Vec<_> = (0..10)
        .map(|_| {
            let line = json!({ "task": task, "args": { "x": 1 } });
            let mut stream = TcpStream::connect(server.address).unwrap();
            let head = format!(
                "POST /api/v1/maps HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {greedy}\r\n\
                 Content-Type: application/jsonl\r\nContent-Length: 1000000\r\n\r\n{padding}{line}\n",
                server.address
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let run = format!("{padding}{}", json!({ "task": task, "args": [1, 2] }));
    for _ in 0..20 {
        let request = server.bearer(&modest, "POST", "/api/v1/runs");
        let stored = request.body("application/json", &run).send();
        assert_eq!(stored.status, 201, "{stored:?}");
    }
    drop(maps);
}
