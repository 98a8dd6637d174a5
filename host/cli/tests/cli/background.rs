//! `hostel delay`, `hostel worker` and `hostel runs`: work that outlives the command that asked for it.

use hostel::journal::{Journal, RunFact, RunRecord, RunSpec, SqliteJournal, StoredOutcome, StoredValue};
use hostel::{Event, RunId, State, TaskSpec, Timestamp};
use serde_json::Value;

use crate::hostel::{Place, Ran};
use crate::stored::{Worker, completed, refused};

/// The runs that match, newest first.
fn listed(place: &Place, filter: &str) -> Vec<Value> {
    let lines = completed(place, &format!("runs ls --output json {filter}"));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn state(place: &Place, run: &str) -> String {
    let of_run = |listed: &Value| listed["run"] == run;
    let listed = listed(place, "").into_iter().find(of_run).unwrap();
    listed["state"].as_str().unwrap().to_owned()
}

#[test]
fn e11_two_runs_are_delayed_and_then_served() {
    let place = Place::with_data_dir();
    let add = completed(&place, "delay calculator.wasm#add 2 3");
    let multiply = completed(&place, "delay calculator.wasm#multiply 2 3");
    assert_eq!((state(&place, &add), state(&place, &multiply)), ("Pending".into(), "Pending".into()));
    let worker = place.run("worker --until-idle");
    assert_eq!(worker.code, 0, "{}", worker.stderr);
    let waited = completed(&place, &format!("runs wait {add} {multiply}"));
    let (add_name, multiply_name) = (&add[add.len() - 3..], &multiply[multiply.len() - 3..]);
    let expected = format!("{add} Completed add-{add_name}\n{multiply} Completed multiply-{multiply_name}");
    assert_eq!(waited, expected);
    let lines: Vec<&str> = worker.stderr.lines().filter(|line| line.ends_with("is Completed")).collect();
    assert_eq!(lines.len(), 2, "{}", worker.stderr);
}

#[test]
fn a_worker_executes_what_the_files_were_when_runs_were_delayed() {
    let place = Place::with_data_dir();
    std::fs::copy(place.path().join("arith.wasm"), place.path().join("mine.wasm")).unwrap();
    let run = completed(&place, "delay mine.wasm#add 40 2");
    std::fs::remove_file(place.path().join("mine.wasm")).unwrap();
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    assert_eq!(state(&place, &run), "Completed");
    completed(&place, &format!("components rm {}", component(&place)));
}

/// The digest of the only component.
fn component(place: &Place) -> String {
    let listed = listed(place, "");
    listed[0]["task"].as_str().unwrap().split('#').next().unwrap().to_owned()
}

#[test]
fn the_runs_of_a_killed_worker_start_again() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay spin-forever.wasm#spin --name spinning");
    let mut first = Worker::start(&place, "--lease 2s");
    first.until("spinning is Running");
    drop(first);
    let mut second = Worker::start(&place, "--lease 2s");
    second.until("spinning is Running");
    let listed = &listed(&place, "state:running")[0];
    assert_eq!((listed["crashes"].as_u64(), listed["attempt_count"].as_u64()), (Some(1), Some(2)));
    assert_eq!(completed(&place, &format!("runs cancel {run}")), format!("cancelled {run}"));
    second.until("spinning is Cancelled");
    assert_eq!(state(&place, &run), "Cancelled");
}

#[test]
fn a_worker_until_idle_waits_for_the_runs_of_a_lost_one() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay spin-forever.wasm#spin --name spinning");
    Worker::start(&place, "--lease 1s").until("spinning is Running");
    let mut next = Worker::start(&place, "--lease 1s --until-idle");
    next.until("waiting until other workers renew");
    next.until("spinning is Running");
    completed(&place, &format!("runs cancel {run}"));
    assert_eq!(next.child.wait().unwrap().code(), Some(0));
    assert_eq!(state(&place, &run), "Cancelled");
}

#[test]
fn a_worker_until_idle_ends_beside_one_that_is_busy() {
    let place = Place::with_data_dir();
    completed(&place, "delay spin-forever.wasm#spin --name spinning");
    let mut busy = Worker::start(&place, "--lease 1s");
    busy.until("spinning is Running");
    assert_eq!(place.run("worker --lease 5m --until-idle --quiet").code, 0);
    assert_eq!(listed(&place, "state:running")[0]["attempt_count"].as_u64(), Some(1));
}

#[test]
fn a_run_that_takes_its_workers_down_is_given_up() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay spin-forever.wasm#spin --name poison");
    for _ in 0..3 {
        Worker::start(&place, "--lease 1s").until("poison is Running");
    }
    Worker::start(&place, "--lease 1s").until(": Crashed");
    let waited = place.run(&format!("runs wait {run}"));
    assert_eq!((waited.code, state(&place, &run).as_str()), (1, "Crashed"));
    // By hand, it gets another chance.
    assert_eq!(completed(&place, &format!("runs retry {run}")), format!("retried {run}"));
    assert_eq!(state(&place, &run), "Pending");
}

#[test]
#[cfg(unix)]
fn a_worker_that_is_asked_to_end_gives_its_runs_back() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay spin-forever.wasm#spin --name spinning");
    let mut worker = Worker::start(&place, "--drain 1ms");
    worker.until("spinning is Running");
    crate::hostel::send("TERM", &worker.child);
    assert_eq!(worker.child.wait().unwrap().code(), Some(0));
    let listed = &listed(&place, "")[0];
    assert_eq!((listed["run"].as_str(), listed["state"].as_str()), (Some(&*run), Some("Pending")));
    assert_eq!((listed["crashes"].as_u64(), &listed["worker"]), (Some(0), &Value::Null));
    let shown: Value =
        serde_json::from_str(&completed(&place, &format!("runs show {run} --output json"))).unwrap();
    let attempt = &shown["attempts"][0];
    assert_eq!(
        (&attempt["state"], &attempt["error"]["message"]),
        (&"Cancelled".into(), &"given back by its worker".into())
    );
}

#[test]
#[cfg(unix)]
fn a_worker_ends_at_a_signal_in_its_first_moments() {
    let place = Place::with_data_dir();
    // Each one is a little further.
    for _ in 0..5 {
        let mut child = place.start("worker --quiet");
        crate::hostel::send("TERM", &child);
        let status = child.wait().unwrap();
        let was_drained = status.code() == Some(0);
        assert!(was_drained || status.code().is_none(), "{status:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_worker_whose_journal_is_removed_ends_with_an_error() {
    let place = Place::with_data_dir();
    completed(&place, "delay spin-forever.wasm#spin --name spinning");
    let mut worker = Worker::start(&place, "");
    worker.until("spinning is Running");
    std::fs::remove_file(place.data_dir().join("journal-1.db")).unwrap();
    worker.until("was removed, replaced or emptied while the worker was using it");
    assert_eq!(worker.child.wait().unwrap().code(), Some(5));
}

#[test]
#[cfg(unix)]
fn a_frozen_worker_finds_out_that_another_one_has_its_run() {
    let place = Place::with_data_dir();
    completed(&place, "delay spin-forever.wasm#spin --name spinning");
    let mut frozen = Worker::start(&place, "--lease 2s");
    frozen.until("spinning is Running");
    crate::hostel::send("STOP", &frozen.child);
    let mut other = Worker::start(&place, "--lease 2s");
    other.until("spinning is Running");
    crate::hostel::send("CONT", &frozen.child);
    frozen.until("is stopped: ");
    let listed = &listed(&place, "state:running")[0];
    assert_eq!(listed["attempt_count"].as_u64(), Some(2));
}

#[test]
fn the_log_of_a_run_is_there_when_it_has_ended() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay elevator.wasm#stop-at-floor 0");
    assert_eq!(completed(&place, &format!("runs logs {run}")), "");
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    let log = completed(&place, &format!("runs logs {run} --follow --output json"));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["elevator moving to floor 0", "elevator stops on floor 0"]);
    let found = completed(&place, &format!("runs logs {run} --text stops"));
    assert!(found.ends_with("  elevator stops on floor 0"), "{found}");
}

#[test]
fn runs_are_found_by_filters_and_acted_on_together() {
    let place = Place::with_data_dir();
    for number in 0..3 {
        completed(&place, &format!("delay arith.wasm#add {number} 1 --queue numbers --tag a"));
    }
    completed(&place, "delay arith.wasm#add 9 1 --in 1h");
    assert_eq!(listed(&place, "queue:numbers").len(), 3);
    assert_eq!(listed(&place, "state:scheduled").len(), 1);
    assert_eq!(listed(&place, "tag:a --limit 2").len(), 2);
    let all = "runs cancel --where queue:numbers";
    assert_eq!(completed(&place, &format!("{all} --dry-run")), "3 runs would be cancelled");
    assert_eq!(listed(&place, "state:pending").len(), 3, "nothing has changed");
    assert_eq!(completed(&place, all), "cancelled 3 runs");
    assert_eq!(completed(&place, all), "cancelled 0 runs");
    assert_eq!(completed(&place, &format!("{all} --dry-run")), "0 runs would be cancelled");
    assert_eq!(completed(&place, "runs retry --where state:cancelled"), "retried 3 runs");
    assert_eq!(completed(&place, all), "cancelled 3 runs");
    assert_eq!(completed(&place, "runs rm --where tag:a"), "removed 3 runs");
    assert_eq!(completed(&place, "runs prune --keep 0"), "removed 0 runs");
    let stats: Value = serde_json::from_str(&completed(&place, "runs stats --output json")).unwrap();
    assert_eq!((&stats["states"]["Scheduled"], &stats["removed"]), (&1.into(), &3.into()));
}

#[test]
fn a_repeated_submission_and_a_taken_key_store_nothing_new() {
    let place = Place::with_data_dir();
    let id = "01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21";
    let first = completed(&place, "delay arith.wasm#add 1 2 --unique k");
    assert_eq!(completed(&place, "delay arith.wasm#add 3 4 --unique k"), first);
    refused(&place, "delay arith.wasm#add 3 4 --unique k:reject", 2, "has the key \"k\" until it ends");
    assert_eq!(completed(&place, &format!("delay arith.wasm#add 1 2 --id {id}")), id);
    assert_eq!(completed(&place, &format!("delay arith.wasm#add 1 2 --id {id}")), id);
    refused(&place, &format!("delay arith.wasm#add 1 3 --id {id}"), 2, "with another specification");
    assert_eq!(listed(&place, "").len(), 2);
}

#[test]
fn bad_input_stores_nothing() {
    let place = Place::with_data_dir();
    let refused = |line: &str, code: i32, message: &str| refused(&place, line, code, message);
    refused("delay arith.wasm#add x 2", 2, "argument \"a\": expected s64, found word x");
    refused("delay arith.wasm#sub 1 2", 3, "no export is named `sub`");
    refused("delay nothing.wasm#add 1 2", 3, "nothing.wasm");
    refused("delay arith.wasm#add 1 2 --queue Mail", 2, "invalid queue name \"Mail\"");
    refused("delay arith.wasm#add 1 2 --at 2020-01-01T00:00:00Z", 2, "it is in the past");
    refused("delay arith.wasm#add 1 2 --at soon", 2, "expected a time such as");
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(3_600);
    refused(&format!("delay arith.wasm#add 1 2 --at {later} --in 1h"), 2, "cannot be used with");
    refused("delay arith.wasm#add 1 2 --in 9999d", 2, "it is more than ten years");
    refused("delay arith.wasm#add 1 2 --max-fuel 10", 2, "workers do not count it");
    refused("delay arith.wasm#add 1 2 --no-data-dir", 2, "there is no data directory");
    refused("delay arith.wasm#add 1 2 --stdin x", 2, "--stdin is only for programs");
    refused("runs ls state:broken", 2, "state:\"broken\": expected Scheduled");
    refused("runs ls colour:red", 2, "unknown key \"colour\"");
    refused("runs wait nothing", 2, "invalid run id \"nothing\"");
    refused("runs wait 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21", 3, "hostel runs ls shows the runs");
    refused("runs logs 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21 --attempt 0", 2, "0 is not in 1..");
    refused("limits pause queue:slow --for 0s", 2, "a pause of no time pauses nothing");
    refused("worker --lease 1ms", 2, "a lease cannot be 1ms");
    assert_eq!(completed(&place, "runs ls"), "");
}

#[test]
fn a_run_is_shown_with_what_it_waits_for() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#add 40 2 --name sum --tag db --queue slow");
    let waits_for = || {
        let shown = completed(&place, &format!("runs show {run}"));
        let line = shown.lines().find_map(|line| line.strip_prefix("waits for"));
        line.map(|line| line.trim().to_owned())
    };
    assert_eq!(
        waits_for().unwrap(),
        "a worker that serves the queue slow and has room for it; hostel worker starts one"
    );
    completed(&place, "limits set tag:db --max-running 0");
    assert_eq!(waits_for().unwrap(), "a slot of tag db: 0 of 0 are taken");
    assert_eq!(place.run("worker --until-idle").code, 0);
    assert_eq!(state(&place, &run), "Pending", "the limit keeps it back");
    completed(&place, "limits rm tag:db");
    completed(&place, "limits pause queue:slow --reason 'too early'");
    assert_eq!(waits_for().unwrap(), "queue slow, which is paused until it is resumed");
    assert!(completed(&place, "limits ls").contains("too early"));
    completed(&place, "limits resume queue:slow");
    assert_eq!(place.run("worker --until-idle").code, 0);
    assert_eq!(waits_for(), None);
    let shown: Value =
        serde_json::from_str(&completed(&place, &format!("runs show {run} --output json"))).unwrap();
    assert_eq!((&shown["value"], &shown["state"]), (&42.into(), &"Completed".into()));
    let history: Vec<_> = shown["history"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(history, ["Pending", "Running", "Completed"]);
    assert_eq!(completed(&place, "runs export").lines().count(), 1);
}

#[test]
fn a_long_value_is_cut_in_the_table_and_whole_in_json() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#pow 10 5000");
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    let shown = completed(&place, &format!("runs show {run}"));
    let value = shown.lines().find_map(|line| line.strip_prefix("value")).unwrap().trim();
    assert_eq!(value, format!("\"1{}…", "0".repeat(4_094)));
    let shown = completed(&place, &format!("runs show {run} --output json"));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["value"].as_str().unwrap().len(), 5_001);
}

#[test]
fn what_people_see() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#add 40 2 --name sum");
    let before = place.run("runs ls");
    assert!(before.stdout.lines().next().unwrap().starts_with("RUN "), "{}", before.stdout);
    assert!(before.stdout.contains(&run) && before.stdout.contains("Pending"), "{}", before.stdout);
    let Ran { stderr, .. } = place.run("worker --until-idle");
    assert!(stderr.contains("serves all queues"), "{stderr}");
    assert_eq!(place.run("runs ls state:failed").stderr, "no run matches\n");
}

/// A journal with two runs that ended so long ago, and no other.
fn with_old_runs(place: &Place, days: [u64; 2]) {
    let task = hostel::TaskKey {
        component: hostel::Digest::of(b"gone"),
        export: hostel::ExportPath::top_level("add"),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let old = |days: u64| {
        let ago = std::time::Duration::from_hours(24 * days);
        let at = Timestamp::from_unix_nanos((now - ago).as_nanos().try_into().unwrap());
        let id = RunId::from_bytes([days.try_into().unwrap(); 16]);
        let mut run = RunRecord::born(at, RunSpec::new(id, task.clone(), TaskSpec::default().into(), at));
        run.apply(at, RunFact::Event(Event::Started)).unwrap();
        let value = StoredValue::new(&hostel::Value::U8(1), &hostel::Type::U8).unwrap();
        let outcome = StoredOutcome::Completed(value);
        run.apply(at, RunFact::Ended { event: Event::Completed, outcome }).unwrap();
        run
    };
    let journal = SqliteJournal::open(place.data_dir()).unwrap();
    journal.import(&days.map(old)).unwrap();
}

#[test]
fn a_worker_removes_what_is_old_and_takes_in_the_history() {
    let place = Place::with_data_dir();
    with_old_runs(&place, [8, 6]);
    let stats: Value = serde_json::from_str(&completed(&place, "runs stats --output json")).unwrap();
    assert_eq!(
        (&stats["states"]["Completed"], &stats["retention"]["logs_bytes"]),
        (&2.into(), &(1 << 30).into())
    );
    assert_eq!(place.run("run arith.wasm#add 1 2").code, 0);
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    let journal = SqliteJournal::open(place.data_dir()).unwrap();
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(State::Completed), counts.removed), (2, 1));
    // It was the turn of the first one for a whole day.
    drop(journal);
    let place = Place::with_data_dir();
    assert_eq!(place.run("worker --until-idle --quiet").code, 0, "it creates the journal");
    with_old_runs(&place, [8, 6]);
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    assert_eq!(listed(&place, "").len(), 2);
    let pruned = completed(&place, "runs prune");
    assert_eq!(pruned, "removed 1 run, 0 bytes of logs, 0 values that no run has");
    assert!(completed(&place, "runs stats").contains("completed   7 d"));
}
