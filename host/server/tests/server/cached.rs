//! Runs whose values the cache has when they are submitted.

use hostel::journal::{Journal, SqliteJournal};
use hostel_server::Settings;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

/// A server without workers, on a directory with a component whose `add` was executed with 40 and 2 by the run of this id.
struct Idle {
    server: Running,
    digest: String,
    producer: String,
}

impl Idle {
    fn new() -> Self {
        let server = Running::start();
        let digest = server.upload(hostel_guests::ARITH);
        let ran = server.post("/api/v1/runs?wait=60s", &add(&digest, &json!({})));
        let producer = ended(&ran, "Completed")["run"].as_str().unwrap().to_owned();
        let server = Running::again(server.stop_and_keep(), without_workers());
        Self { server, digest, producer }
    }

    fn post(&self, more: &Json) -> Answer {
        self.server.post("/api/v1/runs", &add(&self.digest, more))
    }
}

fn without_workers() -> Settings {
    let mut settings = Settings::default();
    settings.executes = false;
    settings
}

/// A request for the sum of 40 and 2, with these members.
fn add(digest: &str, more: &Json) -> Json {
    let mut request = json!({ "task": format!("{digest}#add"), "args": [40, 2] });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[track_caller]
fn ended(answer: &Answer, state: &str) -> Json {
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    let run = answer.json();
    assert_eq!(run["state"], state, "{run}");
    run
}

/// The JSON about a run without the ids, times and keys in which it differs from another one.
fn general(json: Json, run: &str) -> Json {
    match json {
        Json::String(text) if text.parse::<hostel::RunId>().is_ok() => {
            json!(if text == run { "its id" } else { "another run" })
        }
        Json::String(text) if hostel_wire::parse_instant(&text).is_some() => json!("a time"),
        Json::Array(items) => items.into_iter().map(|item| general(item, run)).collect(),
        Json::Object(members) => {
            let members = members.into_iter().filter(|(name, _)| !name.starts_with("unique_"));
            members.map(|(name, value)| (name, general(value, run))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json,
    }
}

#[test]
fn it_is_stored_as_a_worker_would_have_stored_it() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let submit = |more: Json| {
        let mut request = add(&digest, &more);
        request["options"] = json!({ "name": "{a} and {b}", "tags": ["sums"] });
        request["tags"] = json!(["one"]);
        request["queue"] = json!("counting");
        let ran = server.post("/api/v1/runs?wait=60s", &request);
        assert_eq!(ran.status, 200, "{ran:?}");
        ran.json()
    };
    let first = submit(json!({}));
    assert_eq!(first["state"], "Completed");
    let at_once = submit(json!({}));
    // A run with a key is left to the worker.
    let by_worker = submit(json!({ "unique": "mine" }));
    for run in [&at_once, &by_worker] {
        assert_eq!((&run["state"], &run["value"]), (&json!("Cached"), &json!(42)), "{run}");
        assert_eq!((&run["cached_from"], &run["name"]), (&first["run"], &json!("40 and 2")), "{run}");
    }
    let [at_once, by_worker] = [&at_once, &by_worker].map(|run| run["run"].as_str().unwrap().to_owned());
    for part in ["", "/result", "/inputs", "/attempts", "/receipt", "/cache", "/events", "/children", "/logs"]
    {
        let [one, other] = [&at_once, &by_worker].map(|run| {
            let answer = server.get(&format!("/api/v1/runs/{run}{part}"));
            assert_eq!(answer.status, 200, "{part}: {answer:?}");
            general(answer.json(), run)
        });
        assert_eq!(one, other, "{part}");
    }
    let listed = server.get("/api/v1/runs?state=cached&queue=counting").json();
    let [newer, older] = &listed["items"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&newer["run"], &older["run"]), (&json!(by_worker), &json!(at_once)));
    assert_eq!(general(newer.clone(), &by_worker), general(older.clone(), &at_once));
    let counts = server.get("/api/v1/counts").json();
    assert_eq!(counts["states"]["Cached"], json!(2), "{counts}");

    let dir = server.stop_and_keep();
    let journal = SqliteJournal::open(dir.path()).unwrap();
    let events = journal.events(0, 500).unwrap();
    let [one, other] = [&at_once, &by_worker].map(|run| {
        let events = events.iter().filter(|event| event.run.to_string() == *run);
        events.map(|event| (event.version, event.state, event.change)).collect::<Vec<_>>()
    });
    assert_eq!(one, other);
    assert_eq!(one.len(), 3, "born, named, ended: {one:?}");
}

#[test]
fn no_worker_is_needed_unless_something_else_was_asked_for() {
    let idle = Idle::new();
    let run = ended(&idle.post(&json!({})), "Cached");
    assert_eq!((&run["value"], &run["cached_from"]), (&json!(42), &json!(idle.producer)));
    // It never starts, so neither limits nor pauses matter.
    let paused = idle.server.post("/api/v1/queues/default/pause", &json!({}));
    assert!(paused.status < 300, "{paused:?}");
    ended(&idle.post(&json!({ "priority": -1 })), "Cached");
    ended(&idle.post(&json!({ "options": { "cache-expiration": "1d" } })), "Cached");
    for (more, state) in [
        (json!({ "args": [40, 3] }), "Pending"),
        (json!({ "in": "1h" }), "Scheduled"),
        (json!({ "unique": "key" }), "Pending"),
        (json!({ "options": { "refresh-cache": true } }), "Pending"),
        (json!({ "options": { "cache": "none" } }), "Pending"),
        (json!({ "options": { "cache-expiration": "1ms" } }), "Pending"),
    ] {
        let answer = idle.post(&more);
        assert_eq!((answer.status, &answer.json()["state"]), (201, &json!(state)), "{more}: {answer:?}");
    }
    // A key that another run has: that run is the answer.
    let other = idle.post(&json!({ "unique": "key" }));
    assert_eq!((other.status, &other.json()["state"]), (200, &json!("Pending")), "{other:?}");
    let reader = idle.server.token_with("reader", &["read", "read:values"]);
    let request = Request::new(idle.server.address, "POST", "/api/v1/runs");
    let request = request.header("Authorization", &format!("Bearer {reader}"));
    request.json(&add(&idle.digest, &json!({}))).send().problem(403, "missing-scope");
    let cached = idle.server.get("/api/v1/runs?state=cached").json();
    assert_eq!(cached["items"].as_array().unwrap().len(), 3, "{cached}");
}

#[test]
fn repetitions_with_an_id_are_one_run() {
    let Idle { server, digest, producer } = Idle::new();
    let address = "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e";
    let request = add(&digest, &json!({}));
    let put = |server: &Running| server.request("PUT", address).json(&request).send();
    let post = |server: &Running| {
        server.request("POST", "/api/v1/runs").header("Idempotency-Key", "order 18").json(&request).send()
    };
    for send in [&put as &(dyn Fn(&Running) -> Answer + Sync), &post] {
        let mut answers: Vec<Answer> = std::thread::scope(|scope| {
            let sent: Vec<_> = (0..8).map(|_| scope.spawn(|| send(&server))).collect();
            sent.into_iter().map(|sent| sent.join().unwrap()).collect()
        });
        answers.sort_unstable_by_key(|answer| answer.status);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
        let runs: Vec<Json> = answers.iter().map(|answer| ended(answer, "Cached")["run"].clone()).collect();
        assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    }
    server
        .request("PUT", address)
        .json(&add(&digest, &json!({ "args": [40, 3] })))
        .send()
        .problem(409, "id-in-use");
    // Neither another server on the directory nor the value's removal makes it another run.
    let server = Running::again(server.stop_and_keep(), without_workers());
    assert_eq!(ended(&put(&server), "Cached")["existing"], json!(true));
    let key = server.get(&format!("/api/v1/runs/{producer}/cache")).json()["key"].clone();
    let removed = server.request("DELETE", &format!("/api/v1/cache/{}", key.as_str().unwrap())).send();
    assert!(removed.status < 300, "{removed:?}");
    let again = ended(&put(&server), "Cached");
    assert_eq!((&again["existing"], &again["cached_from"]), (&json!(true), &json!(producer)));
    let listed = server.get("/api/v1/runs?state=cached").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn a_long_value_is_left_to_a_worker() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::TEXT);
    let request = |text: &str| json!({ "task": format!("{digest}#greet"), "args": [text] });
    let (short, long) = (request("short"), request(&"long ".repeat(16 << 10)));
    for request in [&short, &long] {
        ended(&server.post("/api/v1/runs?wait=60s", request), "Completed");
    }
    let server = Running::again(server.stop_and_keep(), without_workers());
    ended(&server.post("/api/v1/runs", &short), "Cached");
    ended(&server.post("/api/v1/runs", &long), "Pending");
}

#[test]
fn a_value_that_depends_on_other_files_is_not_the_answer() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("today.txt");
    std::fs::write(&file, "nothing to do").unwrap();
    let server = Running::start();
    let digest = server.upload(hostel_guests::READER);
    let request = json!({
        "task": format!("{digest}#read-with-std"),
        "args": ["notes/today.txt"],
        "options": { "dir": format!("{}::notes:ro", files.path().display()) },
    });
    let ran = ended(&server.post("/api/v1/runs?wait=60s", &request), "Completed");
    let server = Running::again(server.stop_and_keep(), without_workers());
    let cached = ended(&server.post("/api/v1/runs", &request), "Cached");
    assert_eq!((&cached["value"], &cached["cached_from"]), (&ran["value"], &ran["run"]));
    std::fs::write(&file, "a lot to do").unwrap();
    ended(&server.post("/api/v1/runs", &request), "Pending");
    std::fs::remove_file(&file).unwrap();
    ended(&server.post("/api/v1/runs", &request), "Pending");
}
