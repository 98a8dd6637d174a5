//! The stream of events of a host.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_executor::block_on;
use hostel::{EventKind, Events, LogStream, Missed, RunEvent, State, args, each, outcomes};
use hostel_guests::{ARITH, BATCH, COMMAND, ELEVATOR, REPORTER, SPIN_FOREVER};

use crate::{host, task};

/// The events up to the end of `runs` runs.
fn until_ended(events: &mut Events, runs: usize) -> Vec<RunEvent> {
    let mut seen = Vec::new();
    let mut ended = 0;
    while ended < runs {
        let event = block_on(events.next()).unwrap().unwrap();
        ended += usize::from(matches!(event.kind, EventKind::State(to) if to.state.is_terminal()));
        seen.push(event);
    }
    seen
}

#[test]
fn every_transition_and_every_line_is_told_in_order() {
    let host = host(1);
    let mut events = host.events();
    let run = task(&host, ELEVATOR, "explain-tasks").submit(args![]).unwrap();
    let told: Vec<_> = until_ended(&mut events, 1)
        .into_iter()
        .map(|event| {
            assert_eq!((event.run, &event.name), (run.id(), &run.name()));
            match event.kind {
                EventKind::State(to) => to.state.to_string(),
                EventKind::Log(line) if line.stream == LogStream::Stdout => line.text,
                other => format!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(
        told,
        ["Pending", "Running", "run any code here!", "but maybe just a little bit", "Completed"]
    );
}

#[test]
fn progress_and_structured_lines_are_told_as_they_come() {
    let host = host(1);
    let mut events = host.events();
    let run = task(&host, REPORTER, "count-to").submit(args![2]).unwrap();
    let told: Vec<_> = until_ended(&mut events, 1)
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Progress(progress) => Some(format!("{} of {:?}", progress.done, progress.total)),
            EventKind::Log(line) => Some(format!("{:?} {} {:?}", line.level, line.text, line.fields)),
            _ => None,
        })
        .collect();
    let line = |number: u32| format!(r#"Debug counted [("number", "{number}")]"#);
    let progress = |number: u32| format!("{number} of Some(2)");
    assert_eq!(told[..4], [progress(1), line(1), progress(2), line(2)]);
    assert_eq!(told[4..], ["Info counted to 2 []"], "what it prints");
    assert_eq!(run.progress().unwrap().message.as_deref(), Some("counting 2"));
}

#[test]
fn a_guest_knows_its_name_and_its_deadline() {
    let host = host(1);
    let about = task(&host, REPORTER, "about-me");
    let ask = |task: hostel::Task| block_on(task.submit(args![]).unwrap().outcome()).to_string();
    let text = ask(about.clone().run_name("a run").unwrap());
    assert_eq!(text, r#"{task-name: "about-me", run-name: "a run"}"#);
    assert!(ask(about.run_timeout(Duration::from_secs(60))).contains("deadline: some("));
}

#[test]
fn retries_are_told_with_the_time_they_are_due() {
    let host = host(1);
    let mut events = host.events();
    let task = task(&host, BATCH, "process-data").retries(1);
    task.submit(args![-1]).unwrap();
    let states: Vec<_> = until_ended(&mut events, 1)
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::State(to) => Some((to.state, to.cause)),
            _ => None,
        })
        .collect();
    let names: Vec<_> = states.iter().map(|(state, _)| *state).collect();
    assert_eq!(names, [State::Pending, State::Running, State::AwaitingRetry, State::Retrying, State::Failed]);
    assert!(matches!(states[2].1, Some(hostel::Event::RetryPlanned { .. })));
}

#[test]
fn a_slow_listener_is_told_how_much_it_missed_and_holds_nobody_up() {
    let host = host(2);
    let mut slow = host.events();
    let runs = task(&host, ARITH, "add").map(args![each(0..10_000i64), 1]).unwrap();
    block_on(outcomes(&runs));
    // Three states a run, of which the last are kept.
    let missed = 30_000 - Events::CAPACITY as u64;
    assert_eq!(block_on(slow.next()), Some(Err(Missed { events: missed })));
    assert!(matches!(block_on(slow.next()), Some(Ok(_))));
}

#[test]
fn nothing_of_a_host_remains_that_is_dropped_while_guests_compute() {
    let host = host(1);
    let mut events = host.events();
    let spin = task(&host, SPIN_FOREVER, "spin");
    let runs: Vec<_> = (0..3).map(|_| spin.submit(args![]).unwrap()).collect();
    crate::until_running(&runs[0]);
    drop((spin, host));
    assert!(runs.iter().all(hostel::TaskFuture::done));
    drop(runs);
    // It ends when the last that could tell of something is gone.
    while let Some(event) = block_on(events.next()) {
        event.unwrap();
    }
}

#[test]
fn the_stream_ends_with_the_host() {
    let host = host(1);
    let mut events = host.events();
    let run = task(&host, ARITH, "add").submit(args![1, 1]).unwrap();
    block_on(run.outcome());
    let name = Arc::clone(&until_ended(&mut events, 1)[0].name);
    assert!(name.starts_with("add-"), "{name}");
    drop((run, host));
    assert_eq!(block_on(events.next()), None);
}

#[test]
fn what_a_program_prints_is_heard_at_once_and_kept_if_it_does_not_complete() {
    let host = host(1);
    let (heard, pieces) = mpsc::channel();
    let program = task(&host, COMMAND, "run").on_stdout(move |piece| {
        heard.send(piece.to_vec()).unwrap();
        panic!("a listener's fault");
    });
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let failed = program.submit(args![words(&["--break", "so far"])]).unwrap();
    block_on(failed.outcome());
    assert_eq!(pieces.recv().unwrap(), b"so far");
    assert_eq!((failed.state(), &*failed.attempts()[0].stdout), (State::Failed, &b"so far"[..]));

    let hangs = program.submit(args![words(&["--hang", "at once"])]).unwrap();
    assert_eq!(pieces.recv().unwrap(), b"at once");
    hangs.cancel();
    block_on(hangs.outcome());
    assert_eq!((hangs.state(), &*hangs.attempts()[0].stdout), (State::Cancelled, &b"at once"[..]));

    let completed = program.submit(args![words(&["--bytes"])]).unwrap();
    block_on(completed.outcome());
    assert_eq!((completed.state(), completed.attempts()[0].stdout.len()), (State::Completed, 0));
    // Rust's standard library writes up to the last line break first.
    assert_eq!(pieces.iter().take(2).collect::<Vec<_>>().concat(), b"\x89PNG\r\n\x1a\n\xff\0");
}

#[test]
fn a_run_that_the_host_refuses_ends_in_the_events_too() {
    let host = crate::build(hostel::Host::builder().max_workers(1).queue_capacity(1));
    let spin = task(&host, SPIN_FOREVER, "spin");
    // A run that computes for long lets others begin, so one pending run may not stay one.
    let mut accepted = vec![spin.submit(args![]).unwrap()];
    let mut events = host.events();
    while let Ok(run) = spin.try_submit(args![]) {
        accepted.push(run);
    }
    let states: Vec<_> = until_ended(&mut events, 1)
        .into_iter()
        .filter(|event| accepted.iter().all(|run| run.id() != event.run))
        .map(|event| match event.kind {
            EventKind::State(to) => to.state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, [State::Pending, State::Cancelled]);
    accepted.iter().for_each(|run| assert!(run.cancel()));
}
