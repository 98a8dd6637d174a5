//! Streams: events, and logs that are followed.

use std::sync::{Arc, Mutex};
use std::thread;

use hostel_server::Settings;
use serde_json::{Value as Json, json};

use crate::client::Streamed;
use crate::running::Running;

/// The next events of a stream, with their ids.
fn events(stream: &mut Streamed) -> Vec<(u64, Json)> {
    let text = String::from_utf8(stream.chunk().expect("the stream goes on")).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    let event = |block: &str| {
        let line = |name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        (line("id: ").parse().unwrap_or(0), serde_json::from_str(&line("data: ")).unwrap())
    };
    blocks.map(event).collect()
}

/// Reads events until one of this kind, and returns all.
fn until(stream: &mut Streamed, kind: &str) -> Vec<(u64, Json)> {
    let mut all = Vec::new();
    while !all.iter().any(|(_, event): &(u64, Json)| event["kind"] == kind) {
        all.extend(events(stream));
    }
    all
}

#[test]
fn events_are_live_and_can_be_resumed() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let mut live = server.request("GET", "/api/v1/events").stream();
    assert_eq!(live.status, 200);
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2] });
    let run = server.post("/api/v1/runs", &request).json()["run"].clone();
    let all = until(&mut live, "Completed");
    assert!(all.iter().all(|(_, event)| event["run"] == run), "{all:?}");
    assert_eq!(all[0].1["kind"], "Born");
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");

    for (place, (seq, _)) in all.iter().enumerate() {
        let resumed = server.request("GET", "/api/v1/events").header("Last-Event-ID", &seq.to_string());
        if place + 1 < all.len() {
            let again = until(&mut resumed.stream(), "Completed");
            assert_eq!(again, all[place + 1..]);
        }
    }
    let address = format!("/api/v1/events?after=0&kinds=Started,Completed&run={}", run.as_str().unwrap());
    let some = until(&mut server.request("GET", &address).stream(), "Completed");
    assert_eq!(
        some.iter().map(|(_, event)| event["kind"].clone()).collect::<Vec<_>>(),
        ["Started", "Completed"]
    );
    server.request("GET", "/api/v1/events").header("Last-Event-ID", "x").send().problem(422, "invalid");
    server.get("/api/v1/events?run=x").problem(422, "invalid");
}

#[test]
fn streams_have_a_bound_and_say_goodbye() {
    let server = Running::start();
    let other = server.token_with("other", &["read"]);
    let mut open: Vec<_> = (0..32).map(|_| server.request("GET", "/api/v1/events").stream()).collect();
    server.get("/api/v1/events").problem(429, "too-many-requests");
    // One token leaves some to others.
    let of_other = || server.bearer(&other, "GET", "/api/v1/events");
    open.extend((0..32).map(|_| of_other().stream()));
    assert!(open.iter().all(|stream| stream.status == 200));
    of_other().send().problem(429, "too-many-requests");
    let reader = thread::spawn(move || {
        let last = open.last_mut().unwrap();
        String::from_utf8(last.chunk().unwrap()).unwrap()
    });
    server.stop();
    assert!(reader.join().unwrap().starts_with("event: bye"), "the server says that it ends");
}

#[test]
fn a_log_is_followed_from_its_first_line() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::SPIN_FOREVER);
    let request = json!({ "task": format!("{digest}#spin-after"), "args": [0] });
    let submitted = server.post("/api/v1/runs", &request);
    let address = submitted.header("location").unwrap().to_owned();
    let mut live = server.request("GET", &format!("{address}/logs?follow=true")).stream();
    let first: Json = serde_json::from_slice(&live.chunk().unwrap()).unwrap();
    assert_eq!((&first["line"], &first["text"]), (&json!(0), &json!("spinning")), "while the run executes");
    assert_eq!(server.request("POST", &format!("{address}/cancel?wait=60s")).send().status, 200);
    assert_eq!(live.chunk(), None, "the stream ends with the run");

    let late = server.get(&format!("{address}/logs?follow=true"));
    assert_eq!(late.header("content-type"), Some("application/jsonl"));
    assert_eq!(late.json(), first, "a late reader begins with line 0, too");
    let page = server.get(&format!("{address}/logs?text=spin")).json();
    assert_eq!(page, json!({ "items": [first], "next": 1, "more": false }));
    assert_eq!(server.get(&format!("{address}/logs?level=error")).json()["items"], json!([]));
    server.get(&format!("{address}/logs?level=loud")).problem(422, "invalid");
    server.get("/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e/logs").problem(404, "not-found");
}

#[test]
fn changes_are_told_with_the_name_of_the_token() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let of_server = Arc::clone(&told);
    let settings = Settings::default().on_change(move |change| {
        of_server
            .lock()
            .unwrap()
            .push(format!("{} {} {:?} {}", change.method, change.path, change.token, change.status));
    });
    let server = Running::with(settings);
    let ci = server.token_with("ci", &["read"]);
    server.get("/api/v1/info");
    let refused = server.request("DELETE", "/api/v1/tokens/x");
    refused.replace("Authorization", Some(&format!("Bearer {ci}"))).send().problem(403, "missing-scope");
    assert_eq!(server.request("DELETE", "/api/v1/tokens/ci").send().status, 204);
    server.stop();
    let expected = [
        "POST /api/v1/tokens Some(\"owner\") 201",
        "DELETE /api/v1/tokens/x Some(\"ci\") 403",
        "DELETE /api/v1/tokens/ci Some(\"owner\") 204",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn the_streams_of_a_token_end_when_it_is_removed() {
    let server = Running::start();
    let reader = server.token_with("reader", &["read", "read:values"]);
    let digest = server.upload(hostel_guests::SPIN_FOREVER);
    let request = json!({ "task": format!("{digest}#spin-after"), "args": [0] });
    let run = server.post("/api/v1/runs", &request).header("location").unwrap().to_owned();
    let open = |path: &str| {
        let request = server.request("GET", path).replace("Authorization", Some(&format!("Bearer {reader}")));
        let stream = request.stream();
        assert_eq!(stream.status, 200, "{path}");
        stream
    };
    let mut quiet = open("/api/v1/events?kinds=Completed");
    let mut log = open(&format!("{run}/logs?follow=true"));
    assert!(log.chunk().is_some(), "a line while the run executes");
    let mut of_owner = server.request("GET", "/api/v1/events?after=0").stream();
    let waiting = server
        .request("GET", &format!("{run}?wait=60s"))
        .replace("Authorization", Some(&format!("Bearer {reader}")));
    let waiting = thread::spawn(move || waiting.send());
    assert_eq!(server.request("DELETE", "/api/v1/tokens/reader").send().status, 204);
    let bye = String::from_utf8(quiet.chunk().unwrap()).unwrap();
    assert!(bye.contains("event: bye") && bye.contains("the token was removed"), "{bye}");
    assert_eq!(quiet.chunk(), None);
    assert_eq!(log.chunk(), None, "the run has not ended");
    assert_eq!(server.request("POST", &format!("{run}/cancel?wait=60s")).send().status, 200);
    until(&mut of_owner, "Cancelled");
    waiting.join().unwrap().problem(401, "unauthorized");
}
