//! Batches, and counts of runs.

use std::time::{Duration, Instant};

use hostel::RunFilter;
use hostel::journal::{BatchAction, Journal, RunFact, RunRecord, RunSpec, SqliteJournal, StoredOutcome};
use hostel::{Event, Outcome, QueueName, RunId, TaskKey, TaskSpec, Timestamp};
use hostel_server::Settings;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

/// Submits a map of this many rows that begin in an hour, and returns its id.
fn map_of(server: &Running, digest: &str, rows: usize) -> String {
    let rows: Vec<Json> = (0..rows).map(|row| json!([row, 1])).collect();
    let request = json!({ "task": format!("{digest}#add"), "rows": rows, "in": "1h" });
    let answer = server.post("/api/v1/maps", &request);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["map"].as_str().unwrap().to_owned()
}

/// Looks at a batch until it has ended.
#[track_caller]
fn ended(server: &Running, batch: &Json) -> Json {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = server.get(&format!("/api/v1/batches/{batch}")).json();
        if found["state"] != "running" {
            return found;
        }
        assert!(Instant::now() < until, "the batch does not end: {found}");
        std::thread::yield_now();
    }
}

fn start(server: &Running, action: &str, filter: &str) -> Answer {
    server.post("/api/v1/batches", &json!({ "action": action, "filter": filter }))
}

#[test]
fn a_batch_acts_on_all_runs_that_match_and_on_no_later_one() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let map = map_of(&server, &digest, 1_203);
    let other = map_of(&server, &digest, 2);
    let filter = format!("tag:map:{map}");

    let request = json!({ "action": "cancel", "filter": filter, "dry_run": true });
    let preview = server.post("/api/v1/batches", &request);
    assert_eq!((preview.status, preview.json()), (200, json!({ "matched": 1203, "more": false })));
    assert_eq!(server.get("/api/v1/batches").json()["items"], json!([]));

    let begun = start(&server, "cancel", &filter);
    assert_eq!((begun.status, &begun.json()["matched"]), (202, &json!(1203)), "{begun:?}");
    assert_eq!(begun.header("location").unwrap(), format!("/api/v1/batches/{}", begun.json()["batch"]));
    let done = ended(&server, &begun.json()["batch"]);
    assert_eq!(
        (&done["state"], &done["done"], &done["failed"]),
        (&json!("finished"), &json!(1203), &json!(0))
    );
    assert_eq!(done["filter"], filter);
    assert_eq!(server.get(&format!("/api/v1/maps/{map}")).json()["states"], json!({ "Cancelled": 1203 }));
    assert_eq!(server.get(&format!("/api/v1/maps/{other}")).json()["states"], json!({ "Scheduled": 2 }));

    let removed = start(&server, "delete", &filter).json();
    assert_eq!(ended(&server, &removed["batch"])["done"], json!(1203));
    server.get(&format!("/api/v1/maps/{map}")).problem(404, "not-found");
    let listed = server.get("/api/v1/batches").json();
    let actions: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, ["delete", "cancel"]);
}

#[test]
fn runs_that_refuse_are_named() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::BATCH);
    let run = |args: Json, later: bool| {
        let mut request = json!({ "task": format!("{digest}#process-data"), "args": args, "unique": "one" });
        if later {
            request["in"] = json!("1h");
        }
        server.post(if later { "/api/v1/runs" } else { "/api/v1/runs?wait=60s" }, &request).json()
    };
    let failed = run(json!([-1]), false);
    assert_eq!(failed["state"], "Failed", "{failed}");
    run(json!([1]), true);
    let batch = start(&server, "retry", "state:failed").json();
    let done = ended(&server, &batch["batch"]);
    assert_eq!((&done["done"], &done["failed"]), (&json!(0), &json!(1)), "{done}");
    assert_eq!(done["failed_runs"], json!([failed["run"]]));
    let seen = start(&server, "seen", "state:attention").json();
    assert_eq!(ended(&server, &seen["batch"])["done"], json!(1));
}

#[test]
fn a_server_goes_on_with_what_an_earlier_one_has_left() {
    let settings = || {
        let mut settings = Settings::default();
        settings.executes = false;
        settings
    };
    let server = Running::with(settings());
    let digest = server.upload(hostel_guests::ARITH);
    map_of(&server, &digest, 700);
    let dir = server.stop_and_keep();
    let journal = SqliteJournal::open(dir.path()).unwrap();
    let at = Timestamp::from(std::time::SystemTime::now());
    let batch = journal.start_batch(at, BatchAction::Cancel, &RunFilter::new()).unwrap();
    drop(journal);

    let server = Running::again(dir, settings());
    let done = ended(&server, &json!(batch.id.number()));
    assert_eq!((&done["done"], &done["matched"]), (&json!(700), &json!(null)));
}

#[test]
fn a_batch_is_stopped() {
    let server = Running::start();
    // Once it has driven one, it has looked for those that were left before.
    ended(&server, &start(&server, "seen", "state:attention").json()["batch"]);
    // One of another process: the server shows it, and does not drive it.
    let journal = SqliteJournal::open(server.dir()).unwrap();
    let at = Timestamp::from(std::time::SystemTime::now());
    let batch = journal.start_batch(at, BatchAction::Cancel, &RunFilter::new()).unwrap();
    let address = format!("/api/v1/batches/{}", batch.id);
    assert_eq!(server.get(&address).json()["state"], "running");
    let stopped = server.request("DELETE", &address).send();
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("stopped")));
    assert_eq!(server.request("DELETE", &address).send().json()["state"], "stopped", "once more");
    server.get("/api/v1/batches/17").problem(404, "not-found");
    server.get("/api/v1/batches/x").problem(422, "invalid");
}

#[test]
fn what_no_batch_can_do_is_refused_or_left_out() {
    let server = Running::start();
    let unknown = start(&server, "cancle", "state:failed").problem(422, "invalid");
    assert_eq!(
        (&unknown["candidates"], &unknown["errors"][0]["path"]),
        (&json!(["cancel"]), &json!(["action"]))
    );
    start(&server, "cancel", " ").problem(422, "invalid");
    start(&server, "cancel", "state:faild").problem(422, "invalid");
    server.post("/api/v1/batches", &json!({ "action": "cancel" })).problem(422, "invalid");
    let reader = server.token_with("reader", &["read"]);
    let post = |action: &str, filter: &str| {
        Request::new(server.address, "POST", "/api/v1/batches")
            .header("Authorization", &format!("Bearer {reader}"))
            .json(&json!({ "action": action, "filter": filter }))
            .send()
    };
    assert_eq!(post("retry", "state:failed").problem(403, "missing-scope")["scope"], "run");
    assert_eq!(post("seen", "state:failed").problem(403, "missing-scope")["scope"], "cancel");

    // Words of a filter by error or input are values, also those of another token.
    for (filter, is_hidden) in [("in:name=secret", true), ("error:secret", true), ("state:Failed!", false)] {
        let batch = start(&server, "seen", filter).json()["batch"].clone();
        let shown = |path: &str| server.bearer(&reader, "GET", path).send().json();
        let of_reader = shown(&format!("/api/v1/batches/{batch}"))["filter"].clone();
        assert_eq!(of_reader, shown("/api/v1/batches")["items"][0]["filter"]);
        assert_eq!(of_reader.as_str().unwrap().contains("read:values"), is_hidden, "{of_reader}");
        assert!(!of_reader.as_str().unwrap().contains("secret"));
        assert_eq!(server.get(&format!("/api/v1/batches/{batch}")).json()["filter"], filter);
    }

    // A run that no worker has executed, as the history of the command has them.
    let journal = SqliteJournal::open(server.dir()).unwrap();
    let at = Timestamp::from(std::time::SystemTime::now());
    let task = TaskKey { component: hostel::Digest::of(b""), export: hostel::ExportPath::top_level("add") };
    let mut spec = RunSpec::new(RunId::from_bytes([7; 16]), task, TaskSpec::default().into(), at);
    spec.queue = QueueName::new("hostel.run").unwrap();
    let mut record = RunRecord::born(at, spec);
    let outcome: StoredOutcome = Outcome::Cancelled;
    record.apply(at, RunFact::Ended { event: Event::CancelRequested, outcome }).unwrap();
    journal.import(&[record]).unwrap();
    let run = RunId::from_bytes([7; 16]);
    let refused = server.request("POST", &format!("/api/v1/runs/{run}/retry")).send();
    let expected = format!("run {run} was not executed by a worker: it cannot be retried");
    assert_eq!(refused.problem(409, "conflict")["detail"], expected);
    let begun = start(&server, "retry", "state:cancelled").json();
    assert_eq!(begun["matched"], json!(0), "{begun}");
    let done = ended(&server, &begun["batch"]);
    assert_eq!((&done["done"], &done["failed"]), (&json!(0), &json!(0)), "{done}");
    assert_eq!(start(&server, "delete", "state:cancelled").json()["matched"], json!(1));
}

#[test]
fn runs_are_counted_by_state_and_time() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    map_of(&server, &digest, 3);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 2] });
    assert_eq!(server.post("/api/v1/runs?wait=60s", &request).status, 200);
    let states = json!({ "Scheduled": 3, "Completed": 1 });
    for query in
        ["", "?by=state", "?since=1h", "?task=add", "?q=queue:default", "?bucket=10m", "?bucket=1m&task=add"]
    {
        let counts = server.get(&format!("/api/v1/counts{query}")).json();
        assert_eq!((&counts["states"], &counts["total"]), (&states, &json!(4)), "{query}: {counts}");
        let items = counts["items"].as_array().unwrap();
        let in_items: u64 = items.iter().map(|item| item["total"].as_u64().unwrap()).sum();
        assert_eq!(in_items, if query.contains("bucket") { 4 } else { 0 }, "{query}: {counts}");
    }
    let none = server.get("/api/v1/counts?q=tag:other").json();
    assert_eq!((&none["total"], &none["states"]), (&json!(0), &json!({})));
    for wrong in ["by=task", "bucket=90s", "bucket=0m", "bucket=x", "bucket=1m&since=30d", "since=x", "q=x"] {
        server.get(&format!("/api/v1/counts?{wrong}")).problem(422, "invalid");
    }
}

#[test]
fn the_rows_of_a_map_are_listed_by_number_and_in_time() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let map = map_of(&server, &digest, 5);
    let rows = |query: &str| server.get(&format!("/api/v1/maps/{map}/rows{query}")).json();
    let numbers = |page: &Json| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|item| item["row"].as_u64().unwrap()).collect()
    };
    let all = rows("");
    assert_eq!((numbers(&all), &all["next"]), (vec![0, 1, 2, 3, 4], &json!(null)));
    let first = rows("?limit=2");
    assert_eq!(numbers(&first), [0, 1]);
    let second = server.get(first["next"].as_str().unwrap()).json();
    assert_eq!(numbers(&second), [2, 3]);
    // One that is removed leaves a gap.
    let gone = all["items"][1]["run"].as_str().unwrap();
    assert_eq!(server.request("POST", &format!("/api/v1/runs/{gone}/cancel")).send().status, 200);
    assert_eq!(server.request("DELETE", &format!("/api/v1/runs/{gone}")).send().status, 204);
    assert_eq!(numbers(&rows("")), [0, 2, 3, 4]);

    let timeline = |query: &str| server.get(&format!("/api/v1/maps/{map}/timeline{query}")).json();
    let columns = timeline("");
    assert_eq!((&columns["total"], &columns["rows"]["row"]), (&json!(4), &json!([0, 2, 3, 4])));
    assert_eq!(columns["rows"]["start"], json!([null, null, null, null]));
    let place = columns["rows"]["state"][0].as_u64().unwrap();
    assert_eq!(columns["states"][usize::try_from(place).unwrap()], "Scheduled");

    let request = json!({ "task": format!("{digest}#add"), "rows": [[1, 2], [3, 4]] });
    let done = server.post("/api/v1/maps?wait=60s", &request).json()["map"].as_str().unwrap().to_owned();
    let lanes = server.get(&format!("/api/v1/maps/{done}/timeline?lanes=1")).json();
    let count: u64 =
        lanes["lanes"]["count"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).sum();
    assert_eq!((count, &lanes["rows"]), (2, &json!(null)), "{lanes}");
    let both = server.get(&format!("/api/v1/maps/{done}/timeline?from=0&to=3600000")).json();
    assert_eq!(both["rows"]["attempt"], json!([1, 1]), "{both}");

    for wrong in [
        "rows?limit=0",
        "rows?from=1000001",
        "timeline?lanes=0",
        "timeline?lanes=257",
        "timeline?from=2&to=1",
    ] {
        server.get(&format!("/api/v1/maps/{map}/{wrong}")).problem(422, "invalid");
    }
    server.get(&format!("/api/v1/maps/{}/rows", RunId::from_bytes([1; 16]))).problem(404, "not-found");
    server.get(&format!("/api/v1/maps/{}/timeline", RunId::from_bytes([1; 16]))).problem(404, "not-found");
}

#[test]
fn rows_are_told_by_their_ids() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let (task, map) = (format!("{digest}#add"), "01a227a3-bf8d-74ea-902d-08c41636443e");
    let send = || {
        let rows: Vec<Json> = (0..5).map(|row| json!([row, 1])).collect();
        let answer =
            server.post("/api/v1/maps", &json!({ "task": task, "id": map, "rows": rows, "in": "1h" }));
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    let page = |query: &str| {
        let page = server.get(&format!("/api/v1/maps/{map}/rows{query}")).json();
        let rows = page["items"].as_array().unwrap().iter().map(|item| item["row"].as_u64().unwrap());
        (rows.collect::<Vec<_>>(), page["next"].clone())
    };
    let remove = |row: u64| {
        let row = &server.get(&format!("/api/v1/maps/{map}/rows?from={row}&limit=1")).json()["items"][0];
        let run = row["run"].as_str().unwrap();
        assert_eq!(server.request("POST", &format!("/api/v1/runs/{run}/cancel")).send().status, 200);
        assert_eq!(server.request("DELETE", &format!("/api/v1/runs/{run}")).send().status, 204);
    };
    send();
    remove(1);
    let next = |from: u64, limit: u64| json!(format!("/api/v1/maps/{map}/rows?from={from}&limit={limit}"));
    assert_eq!(page("?limit=1"), (vec![0], next(2, 1)), "a row that was removed begins no page");
    assert_eq!(page("?from=1&limit=2"), (vec![2, 3], next(4, 2)));
    assert_eq!(page("?from=3&limit=2"), (vec![3, 4], json!(null)));
    // Sent again, it arrives after the others.
    send();
    assert_eq!(page(""), (vec![0, 1, 2, 3, 4], json!(null)));
    for past in ["?from=5", "?from=999999", "?from=1000000"] {
        assert_eq!(page(past), (vec![], json!(null)), "{past}");
    }
    // Any client may give the tag to a run that is no row: with an id that the server chose, or one that looks like that of a row.
    let tagged = json!({ "task": task, "args": [7, 1], "in": "1h", "tags": [format!("map:{map}")] });
    assert_eq!(server.post("/api/v1/runs", &tagged).status, 201);
    assert_eq!(page("?limit=5"), (vec![0, 1, 2, 3, 4], json!(null)));
    let other = "/api/v1/runs/01a227a3-bf8d-84ea-902d-08c416364430";
    assert_eq!(server.request("PUT", other).json(&tagged).send().status, 201);
    assert_eq!(page("?from=3"), (vec![3, 4], json!(null)));
    remove(0);
    let timeline = server.get(&format!("/api/v1/maps/{map}/timeline")).json();
    assert_eq!((&timeline["total"], &timeline["rows"]["row"]), (&json!(4), &json!([1, 2, 3, 4])));
}
