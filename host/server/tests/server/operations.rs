//! What the operations do.

use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

/// Submits a run of a task of `arith`, and waits for its end.
fn run(server: &Running, digest: &str, call: &str, args: &Json) -> Json {
    let request = json!({ "task": format!("{digest}#{call}"), "args": args });
    let answer = server.post("/api/v1/runs?wait=60s", &request);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn with(server: &Running, token: &str, method: &str, path: &str) -> Answer {
    Request::new(server.address, method, path).header("Authorization", &format!("Bearer {token}")).send()
}

#[test]
fn uploads_are_checked_before_they_are_stored() {
    let server = Running::start();
    let post = |body: &[u8]| server.request("POST", "/api/v1/components").wasm(body.to_vec()).send();
    post(b"no component").problem(422, "bad-component");
    post(b"").problem(422, "bad-component");
    let digest = hostel::Digest::of(b"other bytes");
    let wrong = server.request("PUT", &format!("/api/v1/components/{digest}")).wasm(b"bytes".to_vec()).send();
    let wrong = wrong.problem(422, "wrong-digest");
    assert_eq!(wrong["found"], hostel::Digest::of(b"bytes").to_string());
    server.request("POST", "/api/v1/components").body("text/plain", "x").send().problem(415, "media-type");
    let listed = server.get("/api/v1/components").json();
    assert_eq!(listed["items"], json!([]), "nothing was stored");

    let bytes = std::fs::read(hostel_guests::ARITH).unwrap();
    let posted = post(&bytes);
    assert_eq!((posted.status, &posted.json()["new"]), (201, &json!(true)));
    assert_eq!(post(&bytes).status, 200);
    let digest = posted.json()["digest"].as_str().unwrap().to_owned();
    let wasm = server.get(&format!("/api/v1/components/{digest}/wasm"));
    assert_eq!((wasm.body == bytes, wasm.header("content-type")), (true, Some("application/wasm")));
    let exports = server.get(&format!("/api/v1/components/{digest}")).json()["exports"].clone();
    assert!(exports.as_array().unwrap().iter().any(|export| export["export"] == "add"), "{exports}");
    assert_eq!(server.get(&format!("/api/v1/components/{digest}/surface")).json()["runnable"], json!(true));
    let wit = server.get(&format!("/api/v1/components/{digest}/wit")).json();
    assert_eq!((&wit["digest"], &wit["no_wit_because"]), (&json!(digest), &json!(null)));
    assert!(wit["wit"].as_str().unwrap().contains("  export add: func(a: s64, b: s64) -> s64;\n"), "{wit}");
    // The second time it is in memory.
    assert_eq!(server.get(&format!("/api/v1/components/{digest}/wit")).json(), wit);
    assert_eq!(server.request("DELETE", &format!("/api/v1/components/{digest}")).send().status, 204);
    server.get(&format!("/api/v1/components/{digest}")).problem(404, "not-found");
    server.get(&format!("/api/v1/components/{digest}/wit")).problem(404, "not-found");
}

#[test]
fn a_version_that_asks_for_more_has_to_be_accepted() {
    let server = Running::start();
    let plain = server.upload(hostel_guests::ARITH);
    let asking = server.upload(hostel_guests::COMMAND);
    let put = |version: &str, digest: &str, accept: bool| {
        let request = json!({ "digest": digest, "accept_capabilities": accept });
        server.request("PUT", &format!("/api/v1/names/acme.math/versions/{version}")).json(&request).send()
    };
    assert_eq!(put("1.0.0", &plain, false).status, 201);
    assert_eq!(put("1.0.0", &plain, false).status, 200);
    put("1.0.0", &asking, false).problem(409, "conflict");
    let refused = put("2.0.0", &asking, false).problem(409, "capability-change");
    assert_eq!(refused["diff"]["asks_for_more"], json!(true), "{refused}");
    let task = server.get("/api/v1/tasks/acme.math%23add").json();
    assert_eq!(task["digest"], json!(plain), "the name still stands for the version before");
    assert_eq!(put("2.0.0", &asking, true).status, 200);
    assert_eq!(server.get("/api/v1/components/acme.math").json()["digest"], json!(asking));
    let versions = server.get("/api/v1/names/acme.math").json();
    assert_eq!(versions["items"][0]["version"], "2.0.0", "{versions}");
    assert_eq!(server.get("/api/v1/names").json()["items"], json!(["acme.math"]));
    let tasks = server.get("/api/v1/tasks").json();
    assert_eq!(tasks["items"][0]["version"], "2.0.0", "{tasks}");
    let diff = server.get("/api/v1/components/acme.math@1.0.0/diff?with=acme.math@2.0.0").json();
    assert_eq!(diff["asks_for_more"], json!(true));
    assert_eq!(server.request("DELETE", "/api/v1/names/acme.math/versions/2.0.0").send().status, 204);
    let next = server.post("/api/v1/names/acme.math", &json!({ "digest": plain }));
    assert_eq!(next.status, 200, "the same component is no new version: {next:?}");
}

#[test]
fn arguments_are_checked_as_the_command_line_does() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let check =
        |args: Json| server.post(&format!("/api/v1/tasks/{digest}%23add/check"), &json!({ "args": args }));
    let fits = check(json!({ "a": "9007199254740993", "b": 1 })).json();
    assert_eq!(fits["args"][0]["wave"], "9007199254740993", "{fits}");
    let wrong = check(json!({ "a": "fast", "b": 1 })).problem(422, "invalid");
    assert_eq!(
        (&wrong["errors"][0]["path"][0], &wrong["errors"][0]["expected"]),
        (&json!("a"), &json!("s64"))
    );
    let missing = check(json!({ "a": 1 })).problem(422, "invalid");
    assert_eq!(missing["errors"][0]["path"], json!(["b"]), "{missing}");
    let unknown = check(json!({ "a": 1, "b": 2, "c": 3 })).problem(422, "invalid");
    assert_eq!(unknown["errors"][0]["path"], json!(["c"]), "{unknown}");
    let text = |body: Json| server.post(&format!("/api/v1/tasks/{digest}%23add/check"), &body);
    let fits = text(json!({ "args": { "a": 1 }, "wave": { "b": " 9007199254740993 // large" } })).json();
    assert_eq!(fits["args"][1]["value"].to_string(), "9007199254740993", "{fits}");
    let wrong = text(json!({ "wave": { "a": "1", "b": "[2" } })).problem(422, "invalid");
    assert_eq!(wrong["errors"][0]["path"], json!(["b"]), "{wrong}");
    assert!(wrong["detail"].as_str().unwrap().contains("line 1, column 3: expected `,` or `]`"), "{wrong}");
    let twice = text(json!({ "args": { "a": 1, "b": 2 }, "wave": { "b": "2" } })).problem(422, "invalid");
    assert!(twice["detail"].as_str().unwrap().contains("given twice"), "{twice}");
    let unknown = text(json!({ "wave": { "a": "1", "b": "2", "c": "3" } })).problem(422, "invalid");
    assert_eq!(unknown["errors"][0]["path"], json!(["c"]), "{unknown}");
    text(json!({ "args": 7, "wave": { "a": "1" } })).problem(422, "invalid");
    let options = json!({ "args": [1, 2], "options": { "retrys": 3 } });
    let option =
        server.post(&format!("/api/v1/tasks/{digest}%23add/check"), &options).problem(422, "invalid");
    assert!(option["detail"].as_str().unwrap().contains("did you mean \"retries\"?"), "{option}");
    let unknown = server.get(&format!("/api/v1/tasks/{digest}%23ad")).problem(404, "not-found");
    assert!(unknown["candidates"].as_array().unwrap().contains(&json!("add")), "{unknown}");
    let deep = "[".repeat(100_000);
    let deep = server.request("POST", "/api/v1/runs").body("application/json", &deep).send();
    deep.problem(400, "malformed");
}

#[test]
fn a_run_shows_its_parts() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let done = run(&server, &digest, "add", &json!({ "a": 9_007_199_254_740_993_u64, "b": 0 }));
    let address = format!("/api/v1/runs/{}", done["run"].as_str().unwrap());
    let part = |part: &str| server.get(&format!("{address}{part}")).json();
    assert_eq!(part("/inputs")["items"][0]["name"], "a");
    assert_eq!(part("/result")["value"], json!(9_007_199_254_740_993_u64));
    assert_eq!(server.get(&format!("{address}/result?form=wave")).text(), "9007199254740993");
    server.get(&format!("{address}/result?form=raw")).problem(422, "invalid");
    server.get(&format!("{address}/result?form=pdf")).problem(422, "invalid");
    assert_eq!(part("/attempts")["items"][0]["state"], "Completed");
    assert!(part("/receipt")["cpu_ms"].is_number());
    assert_eq!(part("/events")["items"][0]["kind"], "Born");
    assert_eq!(part("/logs")["items"], json!([]));
    let texts =
        server.request("GET", &format!("{address}/result")).header("Accept-Integers", "string").send();
    assert_eq!(texts.json()["value"], "9007199254740993");
    server.request("GET", &address).header("Accept-Integers", "roman").send().problem(422, "invalid");
    server.get("/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e/result").problem(404, "not-found");
    assert_eq!(server.request("DELETE", &address).send().status, 204);
    server.get(&address).problem(404, "not-found");
}

#[test]
fn a_run_is_cancelled_seen_and_tried_again() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::SPIN_FOREVER);
    let request = json!({ "task": format!("{digest}#spin"), "options": { "timeout": "100s" } });
    let submitted = server.post("/api/v1/runs?wait=0s", &request);
    assert_eq!(submitted.status, 202, "{submitted:?}");
    let address = submitted.header("location").unwrap().to_owned();
    let unfinished = server.get(&format!("{address}/result"));
    assert_eq!(unfinished.status, 202, "{unfinished:?}");
    server.get(&format!("{address}/result?form=wave")).problem(409, "conflict");
    server.request("DELETE", &address).send().problem(409, "conflict");
    let cancelled = server.request("POST", &format!("{address}/cancel?wait=60s")).send();
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("Cancelled")));
    let again = server.request("POST", &format!("{address}/cancel")).send();
    assert_eq!(again.json()["cancellation"], "too-late");
    assert_eq!(server.request("POST", &format!("{address}/seen")).send().status, 204);
    assert_eq!(server.request("POST", &format!("{address}/retry")).send().status, 200);
    let stopped = server.request("POST", &format!("{address}/cancel?wait=60s")).send();
    assert_eq!(stopped.json()["state"], "Cancelled");
}

#[test]
fn a_failed_run_is_no_error_of_the_request() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::BATCH);
    let failed = run(&server, &digest, "process-data", &json!([-1]));
    assert_eq!((&failed["state"], &failed["error"]["kind"]), (&json!("Failed"), &json!("error")));
    let listed = server.get("/api/v1/runs?state=attention&error=negative&since=1h").json();
    assert_eq!(listed["items"][0]["run"], failed["run"], "{listed}");
    let reader = server.token_with("reader", &["read"]);
    let address = format!("/api/v1/runs/{}", failed["run"].as_str().unwrap());
    let hidden = with(&server, &reader, "GET", &address);
    assert_eq!(hidden.status, 200);
    assert!(!hidden.text().contains("negative"), "{}", hidden.text());
    assert!(!with(&server, &reader, "GET", "/api/v1/runs").text().contains("negative"));
    with(&server, &reader, "GET", "/api/v1/runs?error=neg").problem(403, "missing-scope");
    with(&server, &reader, "GET", "/api/v1/runs?q=error:neg").problem(403, "missing-scope");
    with(&server, &reader, "GET", &format!("{address}/logs")).problem(403, "missing-scope");
}

#[test]
fn an_option_is_a_list_only_if_it_has_several_values() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let post = |options: serde_json::Value| {
        server.post(
            "/api/v1/runs",
            &json!({ "task": format!("{digest}#add"), "args": [1, 2], "options": options }),
        )
    };
    for options in
        [json!({ "tags": ["a", "b", "c"] }), json!({ "tag": ["a", "b", "c"] }), json!({ "tags": "a,b,c" })]
    {
        let run = post(options).json()["run"].as_str().unwrap().to_owned();
        assert_eq!(server.get(&format!("/api/v1/runs/{run}")).json()["tags"], json!(["a", "b", "c"]));
    }
    let problem = post(json!({ "retries": [1, 2] })).problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("options.retries: expected one value"), "{problem}");
}

#[test]
fn grants_need_the_scope_admin() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let token = server.token_with("runner", &["run", "read"]);
    let request =
        json!({ "task": format!("{digest}#add"), "args": [1, 2], "options": { "http": "example.org" } });
    let post = |token: &str| {
        let request = Request::new(server.address, "POST", "/api/v1/runs").json(&request);
        request.header("Authorization", &format!("Bearer {token}")).send()
    };
    post(&token).problem(403, "missing-scope");
    assert_eq!(post(&server.token).status, 201);
}

#[test]
fn lists_have_pages() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    for number in 0..5 {
        let request =
            json!({ "task": format!("{digest}#add"), "args": [number, 1], "tags": ["page"], "in": "1h" });
        assert_eq!(server.post("/api/v1/runs", &request).status, 201);
    }
    let mut seen = Vec::new();
    let mut next = Some("/api/v1/runs?tag=page&limit=2".to_owned());
    while let Some(address) = next {
        let page = server.get(&address).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["run"].to_string()));
        next = page["next"].as_str().map(str::to_owned);
    }
    let (count, mut unique) = (seen.len(), seen);
    unique.sort();
    unique.dedup();
    assert_eq!((count, unique.len()), (5, 5));
    server.get("/api/v1/runs?before=x").problem(422, "invalid");
    server.get("/api/v1/runs?q=colour:red").problem(422, "invalid");
}

#[test]
fn a_map_comes_as_one_request_or_line_by_line() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let task = format!("{digest}#add");
    let rows: Vec<_> = (0..20).map(|a| json!({ "a": a })).collect();
    let whole =
        server.post("/api/v1/maps?wait=60s", &json!({ "task": task, "args": { "b": 1 }, "rows": rows }));
    assert_eq!(whole.status, 200, "{whole:?}");
    assert_eq!((&whole.json()["total"], &whole.json()["unfinished"]), (&json!(20), &json!(0)), "{whole:?}");

    let id = "01a227a3-bf8d-74ea-902d-08c41636443e";
    let mut lines = format!("{}\n", json!({ "task": task, "id": id, "in": "1h" }));
    (0..1_200).for_each(|a| lines += &format!("[{a}, 1]\n"));
    let post = |lines: &str| server.request("POST", "/api/v1/maps").body("application/jsonl", lines).send();
    let stored = post(&lines);
    assert_eq!((stored.status, &stored.json()["total"]), (201, &json!(1_200)), "{stored:?}");
    assert_eq!(post(&lines).status, 201, "a repetition stores nothing twice");
    assert_eq!(server.get(&format!("/api/v1/maps/{id}")).json()["states"], json!({ "Scheduled": 1_200 }));
    assert_eq!(
        server.get(&format!("/api/v1/runs?map={id}&limit=500")).json()["items"].as_array().unwrap().len(),
        500
    );

    let wrong = post(&format!("{}\n[1, 2]\n[1, \"x\"]\n", json!({ "task": task }))).problem(422, "invalid");
    assert_eq!((&wrong["row"], &wrong["stored"]), (&json!(1), &json!(0)), "{wrong}");
    post("").problem(400, "malformed");
    post("{\"task\"\n").problem(400, "malformed");
    server.get("/api/v1/maps/01a227a3-bf8d-74ea-902d-08c416364430").problem(404, "not-found");
}

#[test]
fn a_schedule_that_cancels_runs_needs_the_scope_for_it() {
    let server = Running::start();
    let task = format!("{}#add", server.upload(hostel_guests::ARITH));
    let put = |token: &str, overlap: &str| {
        let request = json!({ "task": task, "args": [1, 2], "every": "300d", "overlap": overlap });
        server.bearer(token, "PUT", "/api/v1/schedules/hourly").json(&request).send()
    };
    let submits = server.token_with("submits", &["run"]);
    assert_eq!(put(&submits, "cancel-running").problem(403, "missing-scope")["scope"], "cancel");
    server.get("/api/v1/schedules/hourly").problem(404, "not-found");
    assert_eq!(put(&submits, "queue-one").status, 201);
    assert_eq!(put(&submits, "cancel-running").problem(403, "missing-scope")["scope"], "cancel");
    assert_eq!(server.get("/api/v1/schedules/hourly").json()["overlap"], "queue-one");
    let cancels = server.token_with("cancels", &["run", "cancel"]);
    assert_eq!(put(&cancels, "cancel-running").status, 200);
}

#[test]
fn schedules_are_added_paused_and_run() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let put = |request: Json| server.request("PUT", "/api/v1/schedules/nightly").json(&request).send();
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2], "cron": "30 2 * * *", "zone": "Europe/Berlin" });
    let added = put(request.clone());
    assert_eq!((added.status, &added.json()["cron"]), (201, &json!("30 2 * * *")), "{added:?}");
    assert_eq!(put(request).status, 200, "it is replaced");
    put(json!({ "task": format!("{digest}#add"), "args": [40, 2] })).problem(422, "invalid");
    put(json!({ "task": format!("{digest}#add"), "args": [40, 2], "cron": "soon" })).problem(422, "invalid");
    let post = |action: &str| server.request("POST", &format!("/api/v1/schedules/nightly/{action}")).send();
    assert_eq!(post("pause").json()["paused"], json!(true));
    assert_eq!(post("resume").json()["paused"], json!(false));
    let submitted = post("run").json();
    let ended = server.get(&format!("/api/v1/runs/{}?wait=60s", submitted["run"].as_str().unwrap())).json();
    assert_eq!((&ended["state"], &ended["value"]), (&json!("Completed"), &json!(42)));
    assert_eq!(server.get("/api/v1/schedules").json()["items"][0]["name"], "nightly");
    assert_eq!(server.request("DELETE", "/api/v1/schedules/nightly").send().status, 204);
    server.get("/api/v1/schedules/nightly").problem(404, "not-found");
}

#[test]
fn a_schedule_fires_while_the_server_runs() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2], "every": "1s" });
    assert_eq!(server.request("PUT", "/api/v1/schedules/often").json(&request).send().status, 201);
    let mut events = server.request("GET", "/api/v1/events?kinds=Completed,CacheHit&after=0").stream();
    let event = String::from_utf8(events.chunk().unwrap()).unwrap();
    assert!(event.contains("\"state\":\"C"), "{event}");
    let runs = server.get("/api/v1/runs?schedule=often").json();
    assert!(!runs["items"].as_array().unwrap().is_empty(), "{runs}");
}

#[test]
fn limits_and_pauses_keep_runs_back() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let post = |path: &str, body: Json| server.post(path, &body).status;
    assert_eq!(post("/api/v1/queues/mail/pause", json!({ "reason": "repairs" })), 204);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 2], "queue": "mail" });
    let kept_back = server.post("/api/v1/runs?wait=0s", &request).json();
    assert_eq!(
        kept_back["waiting_for"][0],
        json!({
            "kind": "paused", "scope": "queue mail", "until": null, "reason": "repairs",
        })
    );
    assert_eq!(server.request("POST", "/api/v1/queues/mail/resume").send().status, 204);
    let run = format!("/api/v1/runs/{}?wait=60s", kept_back["run"].as_str().unwrap());
    assert_eq!(server.get(&run).json()["state"], "Completed");
    let put = |path: &str, body: Json| server.request("PUT", path).json(&body).send();
    assert_eq!(put("/api/v1/limits/tag:db", json!({ "max_running": 2, "rate": "10/1s" })).status, 204);
    put("/api/v1/limits/tag:db", json!({})).problem(422, "invalid");
    put("/api/v1/limits/db", json!({ "max_running": 2 })).problem(422, "invalid");
    put("/api/v1/limits/tag:db", json!({ "rate": "often" })).problem(422, "invalid");
    let limits = server.get("/api/v1/limits").json();
    assert!(limits["items"].as_array().unwrap().iter().any(|limit| limit["scope"] == "tag db"), "{limits}");
    assert_eq!(server.request("DELETE", "/api/v1/limits/tag:db").send().status, 204);
    assert_eq!(server.get("/api/v1/workers").json()["incomplete"], json!(false));
}

#[test]
fn tokens_are_shown_once_and_removed() {
    let server = Running::start();
    let token = server.token_with("ci", &["read"]);
    let listed = server.get("/api/v1/tokens");
    assert!(!listed.text().contains(&token), "{}", listed.text());
    assert_eq!(listed.json()["items"][1]["scopes"], json!(["read"]));
    let info = with(&server, &token, "GET", "/api/v1/info").json();
    assert_eq!(info["token"]["name"], "ci", "{info}");
    assert_eq!(info["limits"]["connections"], json!(512));
    let post = |body: Json| server.post("/api/v1/tokens", &body);
    post(json!({ "name": "ci", "scopes": ["read"] })).problem(409, "conflict");
    post(json!({ "name": "", "scopes": ["read"] })).problem(422, "invalid");
    post(json!({ "name": "x", "scopes": ["write"] })).problem(422, "invalid");
    post(json!({ "name": "x", "scopes": [] })).problem(422, "invalid");
    assert_eq!(server.request("DELETE", "/api/v1/tokens/ci").send().status, 204);
    with(&server, &token, "GET", "/api/v1/info").problem(401, "unauthorized");
}

#[test]
fn cached_results_are_listed_and_removed() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    run(&server, &digest, "add", &json!([1, 2]));
    let listed = server.get("/api/v1/cache").json();
    let key = listed["items"][0]["key"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    assert_eq!(server.get(&format!("/api/v1/cache/{key}")).json()["items"][0]["value"], json!(3));
    assert_eq!(server.get("/api/v1/cache/stats").json()["entries"], json!(1));
    assert_eq!(server.request("DELETE", &format!("/api/v1/cache/{key}")).send().status, 204);
    server.get(&format!("/api/v1/cache/{key}")).problem(404, "not-found");
}

#[test]
fn health_and_numbers() {
    let server = Running::start();
    let anonymous = |path: &str| Request::new(server.address, "GET", path).send();
    assert_eq!(
        (anonymous("/healthz").text(), anonymous("/readyz").text()),
        ("ok\n".to_owned(), "ready\n".to_owned())
    );
    assert_eq!(anonymous("/problems/too-large").json()["status"], json!(413));
    anonymous("/problems/none").problem(404, "not-found");
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("hostel_runs{state=\"Completed\"} 0"), "{metrics}");
    assert!(metrics.contains("route=\"/healthz\""), "{metrics}");
}
