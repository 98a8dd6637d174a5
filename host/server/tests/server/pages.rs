//! Pages of other origins that are allowed, schedules with grants, and numbers about runs.

use std::time::{Duration, Instant};

use hostel_server::Settings;
use serde_json::json;

use crate::client::{Answer, Request};
use crate::running::Running;

const PAGE: &str = "https://pages.example";

fn with_page() -> Running {
    let mut settings = Settings::default();
    settings.allowed_origins = vec![PAGE.to_owned()];
    Running::with(settings)
}

#[test]
fn pages_of_an_allowed_origin_read_answers_and_no_others_do() {
    let server = with_page();
    let from = |origin: &str| server.request("GET", "/api/v1/info").header("Origin", origin).send();
    let allowed = from(PAGE);
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, Some(PAGE)));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    let other = from("https://other.example");
    other.problem(403, "cross-origin");
    assert_eq!(other.header("access-control-allow-origin"), None);
    let own = from(&format!("http://{}", server.address));
    assert_eq!((own.status, own.header("access-control-allow-origin")), (200, None));

    let problem = server.request("GET", "/api/v1/runs/x").header("Origin", PAGE).send();
    problem.problem(422, "invalid");
    assert_eq!(problem.header("access-control-allow-origin"), Some(PAGE), "a page reads problems, too");

    let ask = |origin: &str| {
        Request::new(server.address, "OPTIONS", "/api/v1/runs")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type")
            .send()
    };
    let asked = ask(PAGE);
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (200, Some(PAGE)), "{asked:?}");
    assert!(asked.header("access-control-allow-methods").unwrap().contains("POST"), "{asked:?}");
    assert!(asked.header("access-control-allow-headers").unwrap().contains("authorization"), "{asked:?}");
    ask("https://other.example").problem(403, "cross-origin");
}

#[test]
fn a_schedule_with_grants_is_for_those_who_may_grant() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let put = |name: &str, options: serde_json::Value| {
        let body =
            json!({ "task": format!("{digest}#add"), "args": [1, 2], "every": "1h", "options": options });
        server.request("PUT", &format!("/api/v1/schedules/{name}")).json(&body).send()
    };
    assert_eq!(put("plain", json!({})).status, 201);
    assert_eq!(put("granted", json!({ "env": "A=1" })).status, 201);
    let runner = server.token_with("runner", &["read", "run"]);
    let send = |method: &str, path: &str| -> Answer {
        Request::new(server.address, method, path).header("Authorization", &format!("Bearer {runner}")).send()
    };
    for action in ["run", "pause", "resume"] {
        let refused = send("POST", &format!("/api/v1/schedules/granted/{action}"));
        assert_eq!(refused.problem(403, "missing-scope")["scope"], "admin", "{action}");
        assert!(send("POST", &format!("/api/v1/schedules/plain/{action}")).status < 300, "{action}");
    }
    let body = json!({ "task": format!("{digest}#add"), "args": [1, 2], "every": "1h" });
    let replaced = Request::new(server.address, "PUT", "/api/v1/schedules/granted")
        .header("Authorization", &format!("Bearer {runner}"))
        .json(&body)
        .send();
    replaced.problem(403, "missing-scope");
    send("DELETE", "/api/v1/schedules/granted").problem(403, "missing-scope");
    assert_eq!(send("DELETE", "/api/v1/schedules/plain").status, 204);
}

#[test]
fn runs_are_counted_and_timed() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 2] });
    let until = Instant::now() + Duration::from_secs(60);
    // The observer begins a moment after the server.
    loop {
        assert_eq!(server.post("/api/v1/runs?wait=60s", &request).status, 200);
        let metrics = server.get("/metrics");
        let text = metrics.text();
        let has = |line: &str| text.lines().any(|other| other.starts_with(line));
        if has("hostel_events_total{kind=\"Born\"}") && has("hostel_events_total{kind=\"Completed\"}") {
            assert!(has("hostel_journal_bytes{part=\"wal\"}") && has("hostel_requests_active 1"), "{text}");
            assert!(has("hostel_queue_wait_seconds_count"), "{text}");
            assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
            break;
        }
        assert!(Instant::now() < until, "no event is counted: {text}");
    }
}

#[test]
fn a_run_says_what_the_cache_did() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let run = |more: serde_json::Value| {
        let mut request = json!({ "task": format!("{digest}#add"), "args": [1, 2] });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let run = server.post("/api/v1/runs?wait=60s", &request).json()["run"].as_str().unwrap().to_owned();
        (server.get(&format!("/api/v1/runs/{run}/cache")).json(), run)
    };
    let (first, producer) = run(json!({}));
    assert_eq!((&first["look_up"], &first["entries"][0]["own"]), (&json!("miss"), &json!(true)), "{first}");
    let listed = server.get("/api/v1/cache").json();
    assert_eq!(listed["items"][0]["key"], first["key"]);
    let (second, _) = run(json!({}));
    assert_eq!((&second["look_up"], &second["producer"]), (&json!("hit"), &json!(producer)), "{second}");
    assert_eq!((&second["key"], &second["entries"][0]["own"]), (&first["key"], &json!(false)));
    let (off, _) = run(json!({ "options": { "cache": "none" } }));
    assert_eq!((&off["look_up"], &off["key"]), (&json!("off"), &json!(null)), "{off}");
    let children = server.get(&format!("/api/v1/runs/{producer}/children")).json();
    assert_eq!(children, json!({ "items": [], "more": false }));
}

#[test]
fn what_a_component_has_used_is_counted_by_run() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::PUPPET);
    let surface = |query: &str| server.get(&format!("/api/v1/components/{digest}/surface{query}")).json();
    assert_eq!(surface("")["observed"], json!(null));
    let none = &surface("?observed=true")["observed"];
    assert_eq!(none, &json!({ "runs": 0, "more": false, "used": {}, "denied": {} }));
    for script in ["sleep 1", "print x", "look-up host.example"] {
        let request = json!({ "task": format!("{digest}#play"), "args": { "script": script } });
        assert_eq!(server.post("/api/v1/runs?wait=60s", &request).status, 200);
    }
    let found = &surface("?observed=true")["observed"];
    assert_eq!((&found["runs"], &found["more"]), (&json!(3), &json!(false)), "{found}");
    assert_eq!((&found["used"]["files"], &found["used"]["network"]), (&json!(0), &json!(1)), "{found}");
    assert!(found["used"]["clocks"].as_u64().is_some_and(|runs| runs >= 1), "{found}");
    assert_eq!(found["denied"], json!({ "lookup": 1 }), "{found}");
}
