//! The header `traceparent` of submissions.

use std::sync::mpsc;
use std::time::Duration;

use hostel_server::Settings;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

const FIRST: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SECOND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Sends a request to add two numbers.
fn send(request: Request, digest: &str, trace: Option<&str>) -> Answer {
    let request = trace.into_iter().fold(request, |request, trace| request.header("traceparent", trace));
    request.json(&json!({ "task": format!("{digest}#add"), "args": [40, 2] })).send()
}

#[test]
fn a_run_belongs_to_the_trace_of_its_first_submission() {
    let (changes, changed) = mpsc::channel();
    let settings = Settings::default().on_change(move |change| {
        // The test may have ended.
        _ = changes.send((change.method.to_owned(), change.trace_id.map(str::to_owned), change.to_string()));
    });
    let server = Running::with(settings);
    let digest = server.upload(hostel_guests::ARITH);
    let put = || server.request("PUT", "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e?wait=60s");
    let ran = send(put(), &digest, Some(FIRST));
    assert_eq!((ran.status, &ran.json()["traceparent"]), (200, &json!(FIRST)), "{ran:?}");
    for repeated in [Some(SECOND), None] {
        let again = send(put(), &digest, repeated);
        assert_eq!((again.status, &again.json()["existing"]), (200, &json!(true)), "{again:?}");
        assert_eq!(again.json()["traceparent"], json!(FIRST));
    }
    // A cached run has the trace of its own request.
    let post = || server.request("POST", "/api/v1/runs");
    let cached = send(post(), &digest, Some(SECOND)).json();
    assert_eq!((&cached["state"], &cached["traceparent"]), (&json!("Cached"), &json!(SECOND)));
    for ignored in [None, Some("00-0-0-0"), Some("")] {
        let run = send(post(), &digest, ignored);
        assert_eq!((run.status, run.json().get("traceparent")), (201, None), "{run:?}");
    }

    let next = || changed.recv_timeout(Duration::from_secs(60)).unwrap();
    let (method, trace, _) = next();
    assert_eq!((method.as_str(), trace), ("PUT", None), "the upload");
    let (_, trace, line) = next();
    assert_eq!(trace.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert!(line.ends_with(" trace=0af7651916cd43dd8448eb211c80319c"), "{line}");
}

#[test]
fn all_rows_of_a_map_belong_to_the_trace_of_its_request() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let map = json!({ "task": format!("{digest}#add"), "rows": [[1, 2], [3, 4]] });
    let posted =
        server.request("POST", "/api/v1/maps?wait=60s").header("traceparent", FIRST).json(&map).send();
    assert_eq!(posted.status, 200, "{posted:?}");
    let listed = server.get("/api/v1/runs").json();
    let runs: Vec<&Json> = listed["items"].as_array().unwrap().iter().map(|item| &item["run"]).collect();
    assert_eq!(runs.len(), 2);
    for run in runs {
        let run = server.get(&format!("/api/v1/runs/{}", run.as_str().unwrap())).json();
        assert_eq!(run["traceparent"], json!(FIRST));
    }
}
