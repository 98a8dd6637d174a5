//! What a guest learns of its run, and what it tells while it executes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hostel_core::{Limits, LogLevel, LogLine, LogStream, Progress, RunId, Timestamp};
use hostel_engine::AttemptOptions;
use hostel_guests::{REPORTER, SELF_AWARE};

use crate::{function, run, run_as, run_with};

const TIMEOUT: Duration = Duration::from_secs(60);

fn usual() -> AttemptOptions {
    AttemptOptions::new(Limits::default())
}

/// Everything that a guest tells of its progress.
async fn heard(name: &str, args: &[&str]) -> Vec<Progress> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let of_guest = Arc::clone(&heard);
    let options = usual().on_progress(Arc::new(move |progress| of_guest.lock().unwrap().push(progress)));
    run_as(&function(REPORTER, name), args, options).await.value();
    let heard = heard.lock().unwrap();
    heard.clone()
}

/// The lines that a guest logged, without those it printed.
async fn logged(args: &[&str]) -> Vec<LogLine> {
    let ran = run(REPORTER, "say", args).await;
    ran.value();
    ran.log.lines().into_iter().filter(|line| line.stream == LogStream::Log).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_can_ask_for_its_run_attempt_and_task() {
    let who = function(SELF_AWARE, "who-am-i");
    let run = RunId::from_bytes([7; 16]);
    let ran = run_as(&who, &[], usual().attempt_of(run, 3)).await;
    assert_eq!(ran.value(), format!("\"attempt 3 of run {run} of {}\"", who.key()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_without_a_name_is_named_by_its_task_and_the_end_of_its_id() {
    let about = function(REPORTER, "about-me");
    let ran = run_as(&about, &[], usual()).await;
    assert_eq!(ran.value(), "{task-name: \"about-me\", run-name: \"about-me-000\"}");
    let ran = run_as(&about, &[], usual().name("nightly".into())).await;
    assert_eq!(ran.value(), "{task-name: \"about-me\", run-name: \"nightly\"}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_deadline_is_a_timeout_after_the_start() {
    let about = function(REPORTER, "about-me");
    let limits = Limits { timeout: Some(TIMEOUT), ..Limits::default() };
    let now = || Timestamp::from(SystemTime::now()).after(TIMEOUT).unix_nanos();
    let earliest = now();
    let value = run_with(&about, &[], limits).await.value();
    let deadline = value.split_once("some(").unwrap().1.trim_end_matches(")}").parse::<u64>().unwrap();
    assert!((earliest..=now()).contains(&deadline), "{value}");
}

#[tokio::test(flavor = "current_thread")]
async fn progress_is_heard_at_once_and_in_order() {
    let step = |done| Progress { done, total: Some(3), message: Some(format!("counting {done}")) };
    assert_eq!(heard("count-to", &["3"]).await, [step(1), step(2), step(3)]);
    let bare = Progress { done: 7, total: None, message: None };
    assert_eq!(heard("tell", &["7", "none", "none"]).await, [bare]);
    assert_eq!(run(REPORTER, "count-to", &["3"]).await.value(), "3", "though nobody listens");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_told_of_progress_is_bounded() {
    let told = heard("tell", &["0", "none", &"x".repeat(1000)]).await;
    assert_eq!(told[0].message.as_deref(), Some(&*("x".repeat(256) + "…")));
    // As many as there are, each is gone when the next one comes.
    let last = Arc::new(Mutex::new(None));
    let of_guest = Arc::clone(&last);
    let options = usual().on_progress(Arc::new(move |progress| *of_guest.lock().unwrap() = Some(progress)));
    run_as(&function(REPORTER, "count-to"), &["100000"], options).await.value();
    assert_eq!(last.lock().unwrap().as_ref().map(|progress| progress.done), Some(100_000));
}

#[tokio::test(flavor = "current_thread")]
async fn a_message_is_logged_with_its_level_and_fields() {
    for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error] {
        let lines =
            logged(&[level.name(), "disk is nearly full", "[(\"free\", \"3 %\"), (\"free\", \"\")]"]).await;
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((line.level, &*line.text), (level, "disk is nearly full"));
        let fields = [("free", "3 %"), ("free", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(line.fields, fields);
    }
    let lines = logged(&["error", "\"two\\nlines\"", "[(\"id\", \"a\\nb\")]"]).await;
    let seen: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.fields.len())).collect();
    assert_eq!(seen, [("two", 1), ("lines", 0)]);
    assert_eq!(lines[0].fields[0].1, "a\nb");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_logged_is_bounded() {
    let long = "x".repeat(100_000);
    let many = vec![format!("(\"{long}\", \"{long}\")"); 40].join(", ");
    let lines = logged(&["info", &long, &format!("[{many}]")]).await;
    let [line] = &lines[..] else { panic!("{} lines", lines.len()) };
    assert_eq!(line.text.len(), (64 << 10) + "…".len());
    assert_eq!(line.fields.len(), 33);
    assert_eq!((line.fields[0].0.len(), line.fields[0].1.len()), (128 + "…".len(), 4096 + "…".len()));
    assert_eq!(line.fields[32], ("…".to_owned(), "8 more".to_owned()));

    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let ran = run_with(&function(REPORTER, "count-to"), &["100000"], limits).await;
    assert_eq!(ran.value(), "100000", "the guest goes on");
    assert!(ran.log.lines().len() < 200);
    assert_eq!(ran.printed(LogStream::Host), ["cut here: the log is over 9.8 KiB (raise it with --max-log)"]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_printed_is_information() {
    let ran = run(hostel_guests::COMMAND, "run", &["[\"--fail\", \"oops\"]"]).await;
    assert!(ran.failure().stderr_tail().iter().any(|line| line.contains("oops")));
    assert!(ran.log.lines().iter().all(|line| (line.level, line.fields.len()) == (LogLevel::Info, 0)));
}
