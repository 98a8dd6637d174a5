//! What is refused, and in which words.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::client::{Request, Streamed};
use crate::running::Running;

#[test]
fn a_run_that_completed_is_not_retried_and_the_reason_is_that_of_the_command() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 2] });
    let run = server.post("/api/v1/runs?wait=60s", &request).json()["run"].as_str().unwrap().to_owned();
    let problem =
        server.request("POST", &format!("/api/v1/runs/{run}/retry")).send().problem(409, "conflict");
    let expected = format!("run {run} is Completed: expected a run that failed, crashed or was cancelled");
    assert_eq!(problem["detail"], expected);
}

#[test]
fn a_cache_key_inserts_few_inputs_and_its_policy_is_short() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::TEXT);
    let refused = |policy: String| {
        let name = "x".repeat(400_000);
        let body =
            json!({ "task": format!("{digest}#greet"), "args": [name], "options": { "cache": policy } });
        let problem = server.post("/api/v1/runs", &body).problem(422, "invalid");
        problem.to_string()
    };
    let key = |places: usize| format!("key:\"{}\"", "{name}".repeat(places));
    let problem = refused(key(33));
    assert!(problem.contains("column 193: one placeholder too many: expected at most 32"), "{problem}");
    let problem = refused(key(60_000));
    assert!(problem.contains("the policy has 360006 bytes: expected at most 16384"), "{problem}");
    assert!(problem.len() < 2_000, "{problem}");
}

#[test]
fn a_body_says_what_was_expected_and_found() {
    let server = Running::start();
    let check = |body: Json, path: Json, expected: &str, found: Json| {
        let problem = server.post("/api/v1/runs", &body).problem(422, "invalid");
        let error = &problem["errors"][0];
        assert_eq!((&error["path"], &error["expected"], &error["found"]), (&path, &json!(expected), &found));
    };
    check(json!({ "task": 17 }), json!(["task"]), "a text", json!("the number 17"));
    check(json!({ "task": "a", "tags": "x" }), json!(["tags"]), "a list", json!("the text \"x\""));
    check(
        json!({ "task": "a", "tags": ["x", {}] }),
        json!(["tags", "[1]"]),
        "a text",
        json!("an object of 0"),
    );
    check(json!({ "task": "a", "options": [] }), json!(["options"]), "an object", json!("a list of 0"));
    check(json!({}), json!(["task"]), "the member \"task\"", json!(null));
    let problem = server.get("/api/v1/runs?limit=many").problem(422, "invalid");
    assert_eq!(problem["detail"], "limit: expected a whole number of 0 or more, found \"many\"");
    let problem = server.get("/api/v1/runs?limit=1&limit=2").problem(422, "invalid");
    assert_eq!(problem["detail"], "limit: expected it once, found it several times");
    let run = "01a227a3-bf8d-74ea-902d-08c41636443e";
    let problem = server.get(&format!("/api/v1/runs/{run}/logs?follow=yes")).problem(422, "invalid");
    assert_eq!(problem["detail"], "follow: expected true or false, found \"yes\"");
    let problem = server.get(&format!("/api/v1/runs/{run}/result?form=xml")).problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("\"wave\""), "{problem}");
    let problem = server.get("/api/v1/components/x/diff").problem(422, "invalid");
    assert_eq!(problem["errors"][0]["path"], json!(["with"]), "{problem}");
    server.get("/api/v1/runs/%ff").problem(400, "malformed");
    server.get(&format!("/api/v1/runs/{run}/logs?from=9007199254740993")).problem(422, "invalid");
    server.get(&format!("/api/v1/runs/{run}/logs?attempt=2147483648")).problem(422, "invalid");
    server.get("/api/v1/events?after=9007199254740993").problem(422, "invalid");
}

#[test]
fn a_limit_on_fuel_is_refused_because_no_worker_counts_it() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 2], "options": { "max-fuel": 10 } });
    let problem = server.post("/api/v1/runs", &request).problem(422, "invalid");
    let expected = "options.max-fuel: workers do not count fuel: bound the time with timeout";
    assert_eq!(
        (&problem["detail"], &problem["errors"][0]["path"]),
        (&json!(expected), &json!(["options.max-fuel"]))
    );
    let map = json!({ "task": format!("{digest}#add"), "rows": [[1, 2]], "options": { "max-fuel": 10 } });
    server.post("/api/v1/maps", &map).problem(422, "invalid");
    assert_eq!(server.get("/api/v1/runs").json()["items"], json!([]));
}

#[test]
fn a_host_that_counts_fuel_limits_it() {
    let host = hostel::Host::builder().count_fuel(true);
    let server = Running::on(tempfile::tempdir().unwrap(), hostel_server::Settings::default(), host);
    let digest = server.upload(hostel_guests::ARITH);
    let request = |fuel: u64| json!({ "task": format!("{digest}#add"), "args": [1, 2], "options": { "max-fuel": fuel, "cache": "none" } });
    let run = |fuel: u64| {
        let ran = server.post("/api/v1/runs?wait=60s", &request(fuel));
        assert_eq!(ran.status, 200, "{ran:?}");
        ran.json()
    };
    let enough = run(1_000_000_000);
    assert_eq!((&enough["state"], &enough["value"]), (&json!("Completed"), &json!(3)), "{enough}");
    let short = run(1);
    assert_eq!((&short["state"], &short["error"]["kind"]), (&json!("Failed"), &json!("limit")), "{short}");
    assert!(short["error"]["message"].as_str().unwrap().contains("fuel of 1 "), "{short}");
    let check = json!({ "args": [1, 2], "options": { "max-fuel": 10 } });
    let checked = server.post(&format!("/api/v1/tasks/{digest}%23add/check"), &check);
    assert_eq!(checked.status, 200, "{checked:?}");
}

#[test]
fn unknown_query_parameters_are_refused_everywhere() {
    let server = Running::start();
    let refused = |method: &str, path: &str| {
        let answer = server.request(method, path).send();
        answer.problem(422, "invalid")["detail"].as_str().unwrap().to_owned()
    };
    for (method, path) in [
        ("GET", "/api/v1/batches"),
        ("GET", "/api/v1/limits"),
        ("POST", "/api/v1/queues/a/pause"),
        ("GET", "/healthz"),
    ] {
        let expected = "unknown query parameter \"colour\": expected none";
        assert_eq!(refused(method, &format!("{path}?colour=red")), expected, "{method} {path}");
    }
    let expected = "unknown query parameter \"colour\": expected one of after, limit";
    assert_eq!(refused("GET", "/api/v1/schedules?colour=red"), expected);
    let expected = "unknown query parameter \"limits\": did you mean \"limit\"?";
    assert_eq!(refused("GET", "/api/v1/runs?limits=1"), expected);
    assert_eq!(server.get("/api/v1/limits").json()["items"], json!([]), "nothing was paused");
}

#[test]
fn a_compressed_body_is_refused() {
    let server = Running::start();
    for path in ["/api/v1/runs", "/api/v1/maps", "/api/v1/components"] {
        let request = server.request("POST", path).header("Content-Encoding", "gzip");
        let request = if path.ends_with("components") {
            request.wasm(b"\x1f\x8b".to_vec())
        } else {
            request.body("application/json", "{}")
        };
        let problem = request.send().problem(415, "media-type");
        assert!(problem["detail"].as_str().unwrap().contains("\"gzip\""), "{problem}");
    }
    let plain = server.request("POST", "/api/v1/runs").header("Content-Encoding", "identity");
    plain.body("application/json", "{}").send().problem(422, "invalid");
}

#[test]
fn the_first_token_stays() {
    let server = Running::start();
    let problem = server.request("DELETE", "/api/v1/tokens/owner").send().problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("cannot be removed"), "{problem}");
}

#[test]
fn pauses_have_bounds_and_need_no_body() {
    let server = Running::start();
    let pause = |body: Json| server.post("/api/v1/queues/mail/pause", &body);
    pause(json!({ "until": "2020-01-01T00:00:00Z" })).problem(422, "invalid");
    pause(json!({ "until": "9999-01-01T00:00:00Z" })).problem(422, "invalid");
    pause(json!({ "for": "0s" })).problem(422, "invalid");
    pause(json!({ "for": "10000d" })).problem(422, "invalid");
    pause(json!({ "reason": "x".repeat(1_001) })).problem(422, "invalid");
    let resume = |path: &str| server.request("POST", path).send();
    resume("/api/v1/queues/mail/resume").problem(404, "not-found");
    assert_eq!(server.request("POST", "/api/v1/queues/mail/pause").send().status, 204, "without a body");
    let near = resume("/api/v1/queues/mial/resume").problem(404, "not-found");
    assert_eq!(near["candidates"], json!(["queue:mail"]));
    assert_eq!(resume("/api/v1/queues/mail/resume").status, 204);
    assert_eq!(resume("/api/v1/queues/mail/resume").status, 204, "once more");
    server.request("DELETE", "/api/v1/limits/queue:other").send().problem(404, "not-found");
    let reason = "ä".repeat(1_000);
    assert_eq!(server.post("/api/v1/tags/x/pause", &json!({ "reason": reason })).status, 204);
}

#[test]
fn times_and_queues_of_runs_have_bounds() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let post = |more: Json| {
        let mut request = json!({ "task": format!("{digest}#add"), "args": [1, 2] });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/api/v1/runs", &request).problem(422, "invalid")["errors"][0]["path"].clone()
    };
    assert_eq!(post(json!({ "at": "9999-12-31T23:59:59Z" })), json!(["at"]));
    assert_eq!(post(json!({ "at": "+262143-12-31T23:59:59Z" })), json!(["at"]));
    assert_eq!(post(json!({ "in": "100000d" })), json!(["in"]));
    assert_eq!(post(json!({ "queue": "hostel.run" })), json!(["queue"]));
}

#[test]
fn a_host_that_is_missing_or_given_twice_is_said_so() {
    let server = Running::start();
    let empty = server.request("GET", "/healthz").replace("Host", Some("")).send();
    let detail = |problem: Json| problem["detail"].as_str().unwrap().to_owned();
    let empty = detail(empty.problem(421, "wrong-host"));
    assert!(empty.starts_with("the request names no host: expected one of"), "{empty}");
    let twice = server.request("GET", "/healthz").header("Host", "localhost").send();
    let twice = detail(twice.problem(421, "wrong-host"));
    assert!(twice.starts_with("the request has several headers Host"), "{twice}");
}

#[test]
fn unknown_kinds_of_events_are_refused() {
    let server = Running::start();
    let problem = server.get("/api/v1/events?kinds=Completed,Complete").problem(422, "invalid");
    assert_eq!(problem["candidates"][0], "Completed", "{problem}");
}

#[test]
fn workers_are_found_behind_a_backlog() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::SPIN_FOREVER);
    let request = json!({ "task": format!("{digest}#spin-after"), "args": [0] });
    let address = server.post("/api/v1/runs", &request).header("location").unwrap().to_owned();
    let mut live = server.request("GET", &format!("{address}/logs?follow=true")).stream();
    assert!(live.chunk().is_some(), "it executes");
    let arith = server.upload(hostel_guests::ARITH);
    let head = json!({ "task": format!("{arith}#add"), "in": "1h" }).to_string();
    let body = format!("{head}\n{}", "[1, 2]\n".repeat(21_000));
    let stored = server.request("POST", "/api/v1/maps").body("application/jsonl", &body).send();
    assert_eq!(stored.status, 201, "{stored:?}");
    let workers = server.get("/api/v1/workers").json();
    assert_eq!(workers["items"][0]["claimed"], json!(1), "{workers}");
    assert_eq!(workers["incomplete"], json!(true));
    assert_eq!(server.request("POST", &format!("{address}/cancel?wait=60s")).send().status, 200);
}

#[test]
fn those_who_wait_for_a_map_are_answered_when_the_server_ends() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "rows": [[1, 2]], "in": "1h" });
    let map = server.post("/api/v1/maps", &request).json()["map"].as_str().unwrap().to_owned();
    let (address, token) = (server.address, server.token.clone());
    let (sent, is_sent) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let request = Request::new(address, "GET", &format!("/api/v1/maps/{map}?wait=60s"));
        let request = request.header("Authorization", &format!("Bearer {token}"));
        let connection = request.begin();
        sent.send(()).unwrap();
        Streamed::read(connection).answer()
    });
    is_sent.recv().unwrap();
    // It is being answered, and so is the question.
    let until = Instant::now() + Duration::from_secs(60);
    while !server.get("/metrics").text().contains("hostel_requests_active 2") {
        assert!(Instant::now() < until, "the waiting request is not there");
        std::thread::yield_now();
    }
    server.stop();
    let answer = waiting.join().unwrap();
    assert_eq!((answer.status, &answer.json()["unfinished"]), (200, &json!(1)), "{answer:?}");
}

#[test]
fn a_script_is_refused_with_its_reason_before_it_is_stored() {
    let server = Running::start();
    let send = |query: &str, media_type: &str, body: &[u8]| {
        let request = server.request("POST", &format!("/api/v1/components{query}"));
        let answer = request.body(media_type, body).send();
        (answer.status, answer.json()["detail"].as_str().unwrap().to_owned())
    };
    let (status, detail) = send("?file=tasks.py", "text/x-python", b"def f(): return 1");
    assert_eq!((status, detail.as_str()), (409, "the server has no Python runtime"));
    let (status, detail) = send("", "text/javascript; charset=utf-8", b"\xff");
    assert_eq!((status, detail.as_str()), (422, "the source is not UTF-8: the first other byte is at 0"));
    let (status, detail) = send("", "text/x-python", &vec![b'#'; (4 << 20) + 1]);
    assert_eq!((status, detail.as_str()), (413, "the body is too large: expected at most 4 MiB"));
    let (status, detail) = send("?file=a.py", "application/wasm", b"\0asm");
    assert_eq!((status, detail.as_str()), (422, "file: expected with a script only"));
    let (status, _) = send("", "text/plain", b"def f(): return 1");
    assert_eq!(status, 415);
}
