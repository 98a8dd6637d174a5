//! Grants that an admin has given reach only the code that was meant.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

fn request(server: &Running, token: &str, method: &str, path: &str) -> Request {
    let request = Request::new(server.address, method, &format!("/api/v1{path}"));
    request.header("Authorization", &format!("Bearer {token}"))
}

/// The request is refused because the token has no scope admin, in words with this part.
#[track_caller]
fn refused(answer: &Answer, part: &str) {
    let problem = answer.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    assert_eq!(problem["scope"], "admin", "{problem}");
}

/// A component with the same functions and another digest: it has a section that means nothing.
fn uploaded_variant(server: &Running, token: &str, mark: u8) -> String {
    let mut bytes = std::fs::read(hostel_guests::ARITH).unwrap();
    bytes.extend([0, 2, 1, mark]);
    let digest = hostel::Digest::of(&bytes).to_string();
    let put = request(server, token, "PUT", &format!("/components/{digest}")).wasm(bytes).send();
    assert_eq!(put.status, 201, "{put:?}");
    digest
}

/// Runs a schedule now, and returns the task of the run.
fn task_of_run(server: &Running, schedule: &str) -> String {
    let submitted = server.post(&format!("/api/v1/schedules/{schedule}/run"), &json!({}));
    assert_eq!(submitted.status, 201, "{submitted:?}");
    let run = submitted.json()["run"].as_str().unwrap().to_owned();
    let ran = server.get(&format!("/api/v1/runs/{run}?wait=60s")).json();
    ran["task"].as_str().unwrap().to_owned()
}

#[test]
fn a_schedule_with_grants_uses_only_versions_of_those_who_may_grant() {
    let server = Running::start();
    let pusher = server.token_with("pusher", &["read", "run", "components"]);
    let version = |token: &str, number: &str, body: Json| {
        request(&server, token, "PUT", &format!("/names/job/versions/{number}")).json(&body).send()
    };
    let put = |name: &str, options: Json| {
        let body = json!({ "task": "job#add", "args": [40, 2], "every": "300d", "options": options });
        let put = server.request("PUT", &format!("/api/v1/schedules/{name}")).json(&body).send();
        assert!([200, 201].contains(&put.status), "{put:?}");
        put.json()
    };
    let [first, second, third] = [1, 2, 3].map(|mark| uploaded_variant(&server, &pusher, mark));
    assert_eq!(version(&pusher, "1.0.0", json!({ "digest": first })).status, 201);
    // Nobody gives grants to what another token has registered, not even unknowingly.
    let options = json!({ "env": "KEY=secret" });
    for reference in ["job#add", "job@1.0.0#add"] {
        let run = json!({ "task": reference, "args": [40, 2], "options": options });
        let mut schedule = run.clone();
        schedule["every"] = json!("300d");
        for (method, path, body) in [("POST", "/runs", &run), ("PUT", "/schedules/granted", &schedule)] {
            let answer = server.request(method, &format!("/api/v1{path}")).json(body).send();
            let problem = answer.problem(409, "conflict");
            assert!(
                problem["detail"].as_str().unwrap().contains("job@1.0.0 may not be used with grants"),
                "{problem}"
            );
        }
        let plain = json!({ "task": reference, "args": [40, 2] });
        assert_eq!(server.post("/api/v1/runs", &plain).status, 201);
    }
    assert_eq!(version(&server.token, "1.0.0", json!({ "digest": first })).status, 200);
    assert_eq!(put("granted", json!({ "env": "KEY=secret" })).get("held_back"), None);
    put("plain", json!({}));
    assert_eq!(task_of_run(&server, "granted"), format!("{first}#add"));

    assert_eq!(version(&pusher, "1.0.1", json!({ "digest": second })).status, 201);
    assert_eq!(task_of_run(&server, "plain"), format!("{second}#add"));
    assert_eq!(
        task_of_run(&server, "granted"),
        format!("{first}#add"),
        "another code does not get the grants"
    );
    let shown = server.get("/api/v1/schedules/granted").json();
    let why = shown["held_back"].as_str().unwrap();
    assert!(why.contains("uses job@1.0.0 and not 1.0.1"), "{why}");
    let listed = server.get("/api/v1/schedules").json();
    let words: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["held_back"]).collect();
    assert_eq!(words, [&json!(why), &Json::Null]);

    // The number of the trusted version, with other code.
    let removed = request(&server, &pusher, "DELETE", "/names/job/versions/1.0.0").send();
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(version(&pusher, "1.0.0", json!({ "digest": third })).status, 201);
    let none = server.post("/api/v1/schedules/granted/run", &json!({})).problem(409, "conflict");
    assert!(none["detail"].as_str().unwrap().contains("may not be used with grants"), "{none}");

    // The same request with a token that may grant chooses the version.
    assert_eq!(version(&server.token, "1.0.1", json!({ "digest": second })).status, 200);
    assert_eq!(task_of_run(&server, "granted"), format!("{second}#add"));
    assert_eq!(server.get("/api/v1/schedules/granted").json().get("held_back"), None);
}

#[test]
fn only_those_who_may_grant_accept_more_and_register_runtimes() {
    let server = Running::start();
    let pusher = server.token_with("pusher", &["read", "components"]);
    let digest = uploaded_variant(&server, &pusher, 1);
    let accepting = json!({ "digest": digest, "accept_capabilities": true });
    let put = request(&server, &pusher, "PUT", "/names/job/versions/1.0.0").json(&accepting).send();
    refused(&put, "accept_capabilities");
    refused(&request(&server, &pusher, "POST", "/names/job").json(&accepting).send(), "accept_capabilities");
    for language in hostel::Language::ALL {
        let path = format!("/names/{}", language.runtime_name());
        let post = request(&server, &pusher, "POST", &path).json(&json!({ "digest": digest })).send();
        refused(&post, "executes the scripts of everyone");
    }
    assert_eq!(server.get("/api/v1/names").json()["items"], json!([]));
    let put = server.request("PUT", "/api/v1/names/job/versions/1.0.0").json(&accepting).send();
    assert_eq!(put.status, 201, "{put:?}");
}

#[test]
fn a_run_with_grants_is_retried_only_by_those_who_may_grant() {
    let server = Running::start();
    let runner = server.token_with("runner", &["read", "run"]);
    let digest = server.upload(hostel_guests::ARITH);
    let cancelled = |options: Json| {
        let body = json!({ "task": format!("{digest}#add"), "args": [1, 2], "in": "1h", "options": options });
        let stored = server.post("/api/v1/runs", &body);
        assert_eq!(stored.status, 201, "{stored:?}");
        let run = stored.json()["run"].as_str().unwrap().to_owned();
        assert_eq!(server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 200);
        run
    };
    let (granted, plain) = (cancelled(json!({ "env": "KEY=secret" })), cancelled(json!({})));
    let retry = |token: &str, run: &str| {
        request(&server, token, "POST", &format!("/runs/{run}/retry?wait=60s")).send()
    };
    refused(&retry(&runner, &granted), "has grants: to retry it needs the scope admin");
    let state = |run: &str| server.get(&format!("/api/v1/runs/{run}?wait=60s")).json()["state"].clone();
    assert_eq!(state(&granted), "Cancelled");

    let body = json!({ "action": "retry", "filter": "state:cancelled" });
    let batch = request(&server, &runner, "POST", "/batches").json(&body).send();
    assert_eq!(batch.status, 202, "{batch:?}");
    let path = format!("/api/v1/batches/{}", batch.json()["batch"]);
    let until = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        let batch = server.get(&path).json();
        if batch["state"] != "running" {
            break batch;
        }
        assert!(Instant::now() < until, "the batch does not end: {batch}");
        std::thread::yield_now();
    };
    assert_eq!(
        (&ended["action"], &ended["done"], &ended["failed"], &ended["failed_runs"]),
        (&json!("retry"), &json!(1), &json!(1), &json!([granted]))
    );
    assert_eq!((state(&granted), state(&plain)), (json!("Cancelled"), json!("Completed")));
    assert_eq!(retry(&server.token, &granted).status, 200);
    assert_eq!(state(&granted), "Completed");
}

#[test]
fn a_run_has_a_bounded_number_of_tags() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let submit = |count: usize| {
        let tags: Vec<_> = (0..count).map(|number| format!("t{number}")).collect();
        let body = json!({ "task": format!("{digest}#add"), "args": [1, 2], "in": "1h", "tags": tags });
        server.post("/api/v1/runs", &body)
    };
    assert_eq!(submit(64).status, 201);
    let problem = submit(65).problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("65 tags: expected at most 64"), "{problem}");
}
