//! Commands that act on stored runs: change those that wait, mark them as seen, and go on with batches.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hostel::journal::{BatchAction, Journal, MAX_BATCH_STEP, MAX_SUBMITTED, RunSpec, SqliteJournal};
use hostel::{RunFilter, RunId, State, Timestamp};
use serde_json::Value;

use crate::hostel::{Place, Ran};
use crate::server::{PATIENCE, Server, StandIn, Watchdog};
use crate::stored::{completed, refused};

fn listed(place: &Place, filter: &str) -> Vec<Value> {
    let lines = completed(place, &format!("runs ls --output json {filter}"));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_that_waits_is_changed_and_one_that_ended_is_not() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#add 40 2 --in 1h --tag slow");
    let other = completed(&place, "delay arith.wasm#add 1 2 --in 1h");
    let line = format!("runs set {run} {other} --priority -3 --queue quick --tag a --tag b");
    assert_eq!(completed(&place, &line), format!("changed {run}\nchanged {other}"));
    let changed = listed(&place, "queue:quick tag:a tag:b");
    assert_eq!(changed.len(), 2);
    assert!(
        changed
            .iter()
            .all(|run| (run["priority"].as_i64(), &run["state"]) == (Some(-3), &"Scheduled".into()))
    );
    completed(&place, &format!("runs set {run} --in 0s"));
    completed(&place, "worker --until-idle --quiet");
    assert_eq!(listed(&place, "state:completed").len(), 1);
    let ended = "is Completed: expected one that waits for its first attempt";
    refused(&place, &format!("runs set {run} --priority 1"), 2, ended);
    refused(&place, &format!("runs set {run}"), 2, "--priority");
    refused(&place, &format!("runs set {run} --tag a,b"), 2, "invalid tag");
    refused(&place, &format!("runs set {run} --at 2020-01-01T00:00:00Z"), 2, "in the past");
    let unknown = "01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21";
    refused(&place, &format!("runs set {unknown} --priority 1"), 3, "the journal has no run");
}

#[test]
fn runs_that_failed_need_attention_until_they_are_seen() {
    let place = Place::with_data_dir();
    let mut runs = Vec::new();
    for number in -3..0 {
        runs.push(completed(&place, &format!("delay batch.wasm#process-data {number}")));
    }
    completed(&place, "worker --until-idle --quiet");
    assert_eq!(listed(&place, "state:attention").len(), 3);
    let first = &runs[0];
    assert_eq!(completed(&place, &format!("runs seen {first}")), format!("marked as seen {first}"));
    assert_eq!(completed(&place, &format!("runs seen {first}")), format!("{first} needs no attention"));
    assert_eq!(
        completed(&place, "runs seen --where state:failed --dry-run"),
        "2 runs would be marked as seen"
    );
    // A filter may leave nothing that fits, and a dry run of one run does nothing, either.
    assert_eq!(
        completed(&place, "runs seen --where state:unfinished --dry-run"),
        "0 runs would be marked as seen"
    );
    assert_eq!(completed(&place, "runs seen --where state:unfinished"), "marked as seen 0 runs");
    for action in ["seen", "cancel", "retry", "rm"] {
        refused(&place, &format!("runs {action} {first} --dry-run"), 2, "cannot be used with '--dry-run'");
    }
    assert_eq!(listed(&place, "state:failed").len(), 3);
    assert_eq!(completed(&place, "runs seen --where state:failed"), "marked as seen 2 runs");
    assert_eq!(listed(&place, "state:attention").len(), 0);
    assert_eq!(listed(&place, "state:failed").len(), 3);
}

#[test]
fn an_interrupted_batch_is_resumed_or_stopped() {
    let place = Place::with_data_dir();
    for number in 0..3 {
        completed(&place, &format!("delay arith.wasm#add {number} 1 --tag a"));
    }
    // As a command leaves them that was killed.
    let journal = SqliteJournal::open(place.data_dir()).unwrap();
    let start = |tag: &str| {
        let filter = RunFilter::new().tag(tag);
        journal.start_batch(Timestamp::from_unix_nanos(1), BatchAction::Cancel, &filter).unwrap().id
    };
    let (first, second) = (start("a"), start("b"));
    let list = || completed(&place, "runs batches");
    assert_eq!((list().lines().count(), list().matches(" running ").count()), (3, 2), "{}", list());
    assert_eq!(completed(&place, &format!("runs batches --resume {first}")), "cancelled 3 runs");
    assert_eq!(completed(&place, &format!("runs batches --resume {first}")), "cancelled 3 runs");
    assert_eq!(
        completed(&place, &format!("runs batches --stop {second}")),
        format!("batch {second} is stopped")
    );
    let again = format!("batch {second} was finished before");
    assert_eq!(completed(&place, &format!("runs batches --stop {second}")), again);
    assert_eq!(list().matches(" running ").count(), 0);
    let json = completed(&place, "runs batches --output json");
    let batches: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = |batch: &Value| (batch["action"].clone(), batch["filter"].clone(), batch["state"].clone());
    let expected = [("cancel", "tag:b", "stopped"), ("cancel", "tag:a", "finished")];
    assert_eq!(
        batches.iter().map(shown).collect::<Vec<_>>(),
        expected.map(|(action, filter, state)| (action.into(), filter.into(), state.into()))
    );
    refused(&place, "runs batches --resume 77", 3, "the journal has no batch 77");
    refused(&place, "runs batches --stop first", 2, "expected the number of a batch");
}

/// A place with so many runs that wait, which have the tag `a`, and its journal.
fn waiting(runs: usize) -> (Place, SqliteJournal) {
    let place = Place::with_data_dir();
    let first: RunId = completed(&place, "delay arith.wasm#add 1 1 --in 1h --tag a").parse().unwrap();
    let journal = SqliteJournal::open(place.data_dir()).unwrap();
    let spec = journal.get(first).unwrap().unwrap().record().spec().clone();
    let numbered = |number: u64| {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        let mut run: RunSpec = spec.clone();
        run.id = RunId::from_bytes(id);
        run
    };
    let specs: Vec<_> = (1..runs as u64).map(numbered).collect();
    for some in specs.chunks(MAX_SUBMITTED) {
        journal.submit(spec.created, some).unwrap();
    }
    (place, journal)
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_batch_between_two_steps_and_it_is_resumed() {
    const RUNS: usize = 12 * MAX_BATCH_STEP;
    let (place, journal) = waiting(RUNS);
    let child = place.start("runs cancel --where tag:a");
    let watchdog = Watchdog::of(&child);
    let began = Instant::now();
    let mut seen = journal.changes().unwrap();
    let batch = loop {
        let batch = journal.batches().unwrap().into_iter().next().filter(|batch| batch.done > 0);
        if let Some(batch) = batch {
            break batch;
        }
        assert!(began.elapsed() < PATIENCE, "no step of the batch in {PATIENCE:?}");
        seen = journal.wait_for_change(seen, Duration::from_secs(1)).unwrap();
    };
    // It stands still until the signal has been sent.
    crate::hostel::send("STOP", &child);
    assert!(!journal.batch(batch.id).unwrap().is_finished(), "{batch:?}: the test needs more runs");
    crate::hostel::interrupt(&child);
    crate::hostel::send("CONT", &child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(watchdog);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let batch = journal.batch(batch.id).unwrap();
    assert!(!batch.is_finished(), "{batch:?}");
    // Whole steps, and all of what the command says is there.
    assert_eq!((batch.done % MAX_BATCH_STEP as u64, batch.failed), (0, 0), "{batch:?}");
    assert_eq!(ran.stdout.replace(',', ""), format!("cancelled {} runs\n", batch.done));
    assert_eq!(journal.counts().unwrap().of(State::Cancelled), batch.done);
    let id = batch.id;
    let hint = format!("interrupted: hostel runs batches --resume {id} goes on, --stop {id} leaves the rest");
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);

    let resumed = completed(&place, &format!("runs batches --resume {id}"));
    assert_eq!(resumed.replace(',', ""), format!("cancelled {RUNS} runs"));
    assert_eq!(journal.counts().unwrap().of(State::Cancelled), RUNS as u64);
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_a_batch_to_the_server() {
    let batch = r#"{"batch":7,"action":"cancel","filter":"tag:a","state":"running","done":500,"failed":0,"created":"2026-01-01T00:00:00Z","ended":null,"failed_runs":[]}"#;
    let server = StandIn::start(vec![StandIn::answer("200 OK", "application/json", "", batch)]);
    let place = Place::with_data_dir();
    let mut command = server.command(&place, "runs cancel --where tag:a");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watchdog = Watchdog::of(&child);
    let mut request = String::new();
    while !request.starts_with("GET /api/v1/batches/7") {
        request = server.requests.recv_timeout(PATIENCE).unwrap();
    }
    crate::hostel::interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(watchdog);
    assert_eq!((ran.code, ran.stdout.as_str()), (130, "cancelled 500 runs\n"), "{}", ran.stderr);
    let hint = "the server goes on with batch 7; hostel runs batches --stop 7 leaves the rest";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
}

#[test]
fn a_batch_names_the_runs_that_refuse() {
    let place = Place::with_data_dir();
    let first = completed(&place, "delay batch.wasm#process-data -1 --unique k");
    completed(&place, "worker --until-idle --quiet");
    completed(&place, "delay batch.wasm#process-data -2 --unique k");
    let ran = place.run("runs retry --where state:failed");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "retried 0 runs\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("1 run could not be retried: {first}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("hostel runs retry RUN says why"), "{}", ran.stderr);
    refused(&place, &format!("runs retry {first}"), 2, "has the key \"k\" until it ends");
}

#[test]
fn an_empty_filter_does_not_mean_all_runs() {
    let place = Place::with_data_dir();
    let server = Server::start("--workers 0");
    completed(&place, "delay arith.wasm#add 40 2");
    server.completed("delay arith.wasm#add 40 2");
    let message = "--where is empty and would match all runs: expected a filter";
    for action in ["cancel", "retry", "seen", "rm", "rm --dry-run"] {
        for filter in ["''", "' '"] {
            let line = format!("runs {action} --where {filter}");
            refused(&place, &line, 2, message);
            server.refused(&line, 2, message);
        }
    }
    let hint = "name the runs that you mean, such as --where 'state:unfinished'";
    refused(&place, "runs cancel --where ''", 2, hint);
    // A list of all is harmless.
    assert_eq!(listed(&place, "''").len(), 1);
    assert_eq!(server.completed("runs ls '' --output json").lines().count(), 1);
    assert_eq!((completed(&place, "runs batches"), server.completed("runs batches")), Default::default());
}

#[test]
fn runs_are_found_by_their_inputs() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#add 40 2");
    completed(&place, "delay arith.wasm#add 41 2");
    let found =
        |filter: &str| listed(&place, filter).iter().map(|run| run["run"].clone()).collect::<Vec<_>>();
    assert_eq!(found("in:a=40"), [Value::from(run.as_str())]);
    assert_eq!(found("in:0=40 in:b=2"), [Value::from(run.as_str())]);
    assert_eq!(found("in:b=2").len(), 2);
    assert_eq!(found("in:c=2").len(), 0);
    refused(&place, "runs ls in:a", 2, "in:\"a\": expected NAME=VALUE such as city=Berlin");
    assert_eq!(completed(&place, "runs cancel --where in:a=41"), "cancelled 1 run");
}
