//! `hostel schedule`: runs that are submitted again and again.

use serde_json::Value;

use crate::hostel::Place;
use crate::stored::{Worker, completed, refused};

fn listed(place: &Place) -> Vec<Value> {
    let lines = completed(place, "schedule ls --output json");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_worker_submits_the_runs_of_a_schedule_and_executes_them() {
    let place = Place::with_data_dir();
    completed(&place, "schedule add tick arith.wasm#add 40 2 --every 1s --cache none --name tock");
    Worker::start(&place, "").until("tock is Completed");
    let found = completed(&place, "runs ls schedule:tick state:completed --output json");
    let run: Value = serde_json::from_str(found.lines().next().unwrap()).unwrap();
    assert_eq!((run["schedule"].as_str(), run["name"].as_str()), (Some("tick"), Some("tock")));
}

#[test]
fn a_schedule_is_listed_paused_resumed_and_removed() {
    let place = Place::with_data_dir();
    let added =
        completed(&place, "schedule add backup arith.wasm#add 1 2 --cron '30 2 * * *' --zone Europe/Berlin");
    assert!(added.starts_with("backup: ") && added.contains("; next "), "{added}");
    let next = completed(&place, "schedule next backup --count 3");
    assert_eq!(
        next.lines().filter(|line| line.contains(" 02:30:00") || line.contains("T02:30")).count(),
        3,
        "{next}"
    );
    assert_eq!(listed(&place)[0]["paused"], false);
    assert_eq!(completed(&place, "schedule pause backup"), "paused backup");
    assert_eq!(listed(&place)[0]["paused"], true);
    assert_eq!(completed(&place, "schedule resume backup"), "resumed backup");
    assert!(listed(&place)[0]["next_at"].is_string());
    refused(&place, "schedule add backup arith.wasm#add 1 2 --every 5m", 2, "there is a schedule backup");
    assert_eq!(completed(&place, "schedule rm backup"), "removed backup");
    assert_eq!(listed(&place).len(), 0);
}

#[test]
fn what_is_no_schedule_is_refused_with_the_place_of_the_mistake() {
    let place = Place::with_data_dir();
    let refused = |options: &str, message: &str| {
        refused(&place, &format!("schedule add a arith.wasm#add 1 2 {options}"), 2, message);
    };
    refused("--cron '0 0 30 2 *'", "invalid cron expression, column 5");
    refused("--cron '61 * * * *'", "invalid cron expression, column 1");
    refused("--cron '* * * * *' --zone Europe/Berlim", "Europe/Berlim");
    refused("--every 1ms", "interval");
    refused("", "required");
    refused("--every 5m --cron '* * * * *'", "cannot be used with");
    refused("--every 5m --overlap none", "expected `allow`, `skip`, `queue-one` or `cancel-running`");
    refused("--every 5m --overlap queue-one --missed all", "cannot be used with --missed all");
    refused("--every 5m --max-fuel 10", "workers do not count it");
    refused("--cron '* * 5-x * *'", "invalid cron expression, column 7");
    assert_eq!(listed(&place).len(), 0);
    let ran = place.run("schedule rm nothing");
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
    assert!(ran.stderr.contains("hostel schedule ls shows all"), "{}", ran.stderr);
}

#[test]
fn a_run_of_a_schedule_is_submitted_at_once() {
    let place = Place::with_data_dir();
    completed(
        &place,
        "schedule add later arith.wasm#add 40 2 --cron '0 0 1 1 *' --spread 1h --overlap queue-one",
    );
    completed(&place, "schedule pause later");
    let run = completed(&place, "schedule run-now later");
    assert_eq!(place.run("worker --until-idle --quiet").code, 0);
    let found = completed(&place, "runs ls schedule:later --output json");
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((found["run"].as_str(), found["state"].as_str()), (Some(&*run), Some("Completed")));
    refused(&place, "schedule run-now nothing", 3, "hostel schedule ls shows all");
}
