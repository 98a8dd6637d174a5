//! Delayed runs, and the workers that execute them.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use futures_executor::block_on;
use hostel::journal::{Cancellation, Journal, JournalError, MemoryJournal, StoredOutcome, Submitted};
use hostel::{
    DelayError, DelayOptions, DelayedRun, Digest, DirGrant, ErrorKind, Event, Failure, Host, HostBuilder,
    Input, LimitKind, Limits, Outcome, QueueName, ResultError, RunId, Shutdown, State, SubmitError, Task,
    Timestamp, Value, WorkerError, args,
};
use hostel_guests::{ARITH, BATCH, CALCULATOR, ELEVATOR, FLAKY, READER, SPIN_FOREVER, TEXT, wat};

use crate::{host, task, told};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A run as the journal has it when it has ended.
fn ended(run: &DelayedRun) -> hostel::journal::JournalEntry {
    block_on(run.wait(LONG)).unwrap().expect("the run ends")
}

fn states(run: &DelayedRun) -> Vec<State> {
    run.entry().unwrap().record().history().iter().map(|transition| transition.state).collect()
}

/// Waits until the journal has the run in this state.
fn until(run: &DelayedRun, host: &Host, state: State) {
    let journal = host.journal().unwrap();
    let began = Instant::now();
    while began.elapsed() < LONG {
        let seen = journal.changes().unwrap();
        if run.state().unwrap() == state {
            return;
        }
        journal.wait_for_change(seen, LONG).unwrap();
    }
    panic!("the run never was {state}: {:?}", run.entry());
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

#[test]
fn e11_runs_are_delayed_before_anything_serves_and_then_served() {
    let host = host(2);
    let (add, multiply) = (task(&host, CALCULATOR, "add"), task(&host, CALCULATOR, "multiply"));
    let runs = [add.delay(args![1, 2]).unwrap(), multiply.delay(args![3, 4]).unwrap()];
    assert!(runs.iter().all(|run| run.state().unwrap() == State::Pending));
    let _worker = host.serve([add, multiply]).unwrap();
    let results = runs.each_ref().map(|run| block_on(run.result::<i64>()).unwrap());
    assert_eq!(results, [3, 12]);
    assert_eq!(states(&runs[0]), [State::Pending, State::Running, State::Completed]);
}

#[test]
fn a_run_keeps_the_options_with_which_it_was_delayed() {
    let host = host(1);
    let journal = host.journal().unwrap();
    let spinning = task(&host, SPIN_FOREVER, "spin");
    let run =
        spinning.clone().timeout(Duration::from_millis(20)).tags(["a"]).priority(7).delay(args![]).unwrap();
    let _worker = host.serve([spinning]).unwrap();
    let entry = ended(&run);
    assert_eq!(entry.state(), State::TimedOut);
    let spec = entry.record().spec();
    assert_eq!((spec.spec.priority, spec.all_tags().len()), (7, 1));
    assert_eq!(journal.get(run.id()).unwrap(), Some(entry));
    let error = block_on(run.result::<Value>()).unwrap_err();
    assert!(matches!(error, ResultError::Failed { failure: Failure::TimedOut { .. }, .. }), "{error}");
}

#[test]
fn retries_go_through_the_journal_and_have_numbers() {
    let host = host(1);
    let flaky = task(&host, FLAKY, "fail-until");
    let run = flaky.clone().retries(3).delay(args![3, Input::case("error")]).unwrap();
    let worker = host.serve([flaky]).unwrap();
    assert_eq!(block_on(run.result::<u32>()).unwrap(), 3);
    let retrying = [State::AwaitingRetry, State::Retrying];
    let expected =
        [&[State::Pending, State::Running][..], &retrying, &retrying, &[State::Completed]].concat();
    assert_eq!(states(&run), expected);
    let entry = run.entry().unwrap();
    let attempts = entry.record().attempts();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    let failed = |outcome: &StoredOutcome| matches!(outcome, Outcome::Failed(Failure::Error(_)));
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.as_ref().unwrap()).collect();
    assert!(failed(outcomes[0]) && failed(outcomes[1]) && outcomes[2].is_completed());
    assert!(attempts.iter().all(|attempt| attempt.receipt.is_some()));
    drop(worker);
}

#[test]
fn a_run_fails_when_its_retries_are_used_up_and_may_be_retried_by_hand() {
    let host = host(1);
    let flaky = task(&host, FLAKY, "fail-until");
    let run = flaky.clone().retries(1).delay(args![4, Input::case("trap")]).unwrap();
    let _worker = host.serve([flaky]).unwrap();
    assert_eq!(ended(&run).state(), State::Failed);
    assert_eq!(run.entry().unwrap().record().attempts().len(), 2);
    host.journal().unwrap().retry(now(), run.id()).unwrap();
    assert_eq!(block_on(run.result::<u32>()).unwrap(), 4);
    assert_eq!(run.entry().unwrap().record().attempts().len(), 4);
}

#[test]
fn those_who_wait_for_a_run_get_what_the_journal_has() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::builder().max_workers(1).max_instances(10).data_dir(dir.path()).build().unwrap();
    let (add, greet) = (task(&host, ARITH, "add"), task(&host, TEXT, "greet"));
    let flaky = task(&host, FLAKY, "fail-until").retries(1);
    let worker = host.serve([add.clone(), greet.clone(), flaky.clone()]).unwrap();
    let tagged = add.clone().tags(["a"]).run_name("{a}").unwrap();
    // One of them is so long that it is stored apart.
    for (task, args) in [
        (&add, args![1, 2]),
        (&tagged, args![1, 2]),
        (&greet, args!["x".repeat(20_000)]),
        (&flaky, args![2, Input::case("trap")]),
        (&flaky, args![9, Input::case("error")]),
    ] {
        block_on(worker.idle());
        let run = task.delay(args).unwrap();
        assert_eq!(ended(&run), run.entry().unwrap());
    }
}

#[test]
fn a_running_run_is_cancelled_from_anywhere() {
    let host = host(1);
    for (path, name, args) in [(SPIN_FOREVER, "spin", args![]), (ELEVATOR, "stop-at-floor", args![3600])] {
        let task = task(&host, path, name);
        let run = task.delay(args).unwrap();
        let _worker = host.serve([task]).unwrap();
        until(&run, &host, State::Running);
        assert_eq!(run.cancel().unwrap(), Cancellation::Requested);
        assert_eq!(ended(&run).state(), State::Cancelled);
        let expected = [State::Pending, State::Running, State::Cancelling, State::Cancelled];
        assert_eq!(states(&run), expected, "{name}");
        assert_eq!(run.cancel().unwrap(), Cancellation::TooLate);
        assert_eq!(host.memory_bytes(), 0, "the guest has stopped");
    }
}

#[test]
fn a_run_that_waits_is_cancelled_at_once() {
    let host = host(1);
    let run = task(&host, ARITH, "add").delay(args![1, 2]).unwrap();
    assert_eq!(run.cancel().unwrap(), Cancellation::Now);
    assert_eq!(states(&run), [State::Pending, State::Cancelled]);
    assert!(matches!(block_on(run.result::<i64>()), Err(ResultError::Cancelled { .. })));
}

#[test]
fn a_worker_that_is_dropped_gives_its_runs_back_and_the_attempt_does_not_count() {
    let host = host(1);
    let moving = task(&host, ELEVATOR, "stop-at-floor");
    let run = moving.clone().retries(0).delay(args![3600]).unwrap();
    let worker = host.serve([moving.clone()]).unwrap();
    until(&run, &host, State::Running);
    drop(worker);
    let entry = run.entry().unwrap();
    assert_eq!((entry.state(), entry.claim(), entry.crashes()), (State::Pending, None, 0));
    assert_eq!(entry.record().ended_attempts(), 0);
    let attempt = &entry.record().attempts()[0];
    assert!(matches!(attempt.outcome, Some(Outcome::Cancelled)) && attempt.receipt.is_some());
    assert_eq!(host.memory_bytes(), 0, "the guest has stopped");
    let _other = host.serve([moving]).unwrap();
    until(&run, &host, State::Running);
    assert_eq!(run.entry().unwrap().record().attempts().len(), 2);
    run.cancel().unwrap();
    assert_eq!(ended(&run).state(), State::Cancelled);
}

#[test]
fn a_worker_that_drains_lets_its_runs_end_and_claims_no_more() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let runs: Vec<_> = (0..20).map(|n| add.delay(args![n, 1]).unwrap()).collect();
    let worker = host.worker().serve([add.clone()]).max_runs(1).start().unwrap();
    ended(&runs[0]);
    block_on(worker.drain(None));
    let ended = runs.iter().filter(|run| run.state().unwrap() == State::Completed).count();
    let pending = runs.iter().filter(|run| run.state().unwrap() == State::Pending).count();
    assert!(ended >= 1 && ended + pending == 20, "{ended} {pending}");
    assert!(runs.iter().all(|run| run.entry().unwrap().claim().is_none()));
}

#[test]
fn a_drain_gives_back_what_does_not_end_in_time() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin");
    let run = spinning.delay(args![]).unwrap();
    let worker = host.serve([spinning]).unwrap();
    until(&run, &host, State::Running);
    block_on(worker.drain(Duration::ZERO));
    assert_eq!(states(&run), [State::Pending, State::Running, State::Pending]);
    assert_eq!(run.entry().unwrap().crashes(), 0);
}

#[test]
fn a_host_that_shuts_down_gives_the_runs_of_its_workers_back() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let host =
        Host::builder().max_workers(1).max_instances(10).journal(Arc::clone(&journal)).build().unwrap();
    let spinning = task(&host, SPIN_FOREVER, "spin");
    let run = spinning.delay(args![]).unwrap();
    let worker = host.serve([spinning]).unwrap();
    until(&run, &host, State::Running);
    block_on(host.shutdown(Shutdown::CancelAll));
    block_on(worker.ended());
    let entry = journal.get(run.id()).unwrap().unwrap();
    assert_eq!((entry.state(), entry.claim()), (State::Pending, None));
}

#[test]
fn a_second_run_with_equal_inputs_is_cached() {
    let host = host(1);
    let add = block_on(host.load(ARITH)).unwrap().task("add").unwrap();
    let first = add.delay(args![20, 22]).unwrap();
    let _worker = host.serve([add.clone()]).unwrap();
    assert_eq!(block_on(first.result::<i64>()).unwrap(), 42);
    let second = add.delay(args![20, 22]).unwrap();
    assert_eq!(block_on(second.result::<i64>()).unwrap(), 42);
    assert_eq!(states(&second), [State::Pending, State::Cached]);
    let last = *second.entry().unwrap().record().history().last().unwrap();
    assert_eq!(last.cause, Some(Event::CacheHit { producer: first.id() }));
}

#[test]
fn a_delayed_run_can_end_with_its_cached_value_when_it_is_submitted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("today.txt"), "nothing to do").unwrap();
    let host = host(1);
    let load = |path| block_on(host.load(path)).unwrap();
    let read = load(READER).task("read-with-std").unwrap().dir(DirGrant::new(dir.path(), "notes").unwrap());
    let add = load(ARITH).task("add").unwrap().run_name("{a} and {b}").unwrap();
    let spec = |task: &Task, args, options| task.delayed_spec(args, options).unwrap();
    let sum = || spec(&add, args![20, 22], DelayOptions::default());
    let text = || spec(&read, args!["notes/today.txt"], DelayOptions::default());
    assert_eq!(add.cached_record(&sum(), u64::MAX, LONG), None);
    let first = add.submit(args![20, 22]).unwrap();
    assert_eq!(block_on(first.result::<i64>()).unwrap(), 42);
    block_on(read.submit(args!["notes/today.txt"]).unwrap().outcome());

    let record = add.cached_record(&sum(), u64::MAX, LONG).unwrap();
    assert_eq!((record.state(), record.name()), (State::Cached, Some("20 and 22")));
    assert_eq!((record.cached_from(), record.version()), (Some(first.id()), 3));
    let journal = host.journal().unwrap();
    let submitted = journal.import(std::slice::from_ref(&record)).unwrap();
    assert_eq!(submitted, [Submitted::New]);
    let stored = host.delayed(record.spec().id).unwrap();
    assert_eq!(block_on(stored.result::<i64>()).unwrap(), 42);
    // A value that is too long is not read.
    assert!(add.cached_record(&sum(), 1 << 10, LONG).is_some());
    assert_eq!(add.cached_record(&sum(), 8, LONG), None);
    // Only the files that a value depends on take time.
    assert!(add.cached_record(&sum(), u64::MAX, Duration::ZERO).is_some());
    assert_eq!(read.cached_record(&text(), u64::MAX, Duration::ZERO), None);
    assert!(read.cached_record(&text(), u64::MAX, LONG).is_some());

    let mut later = DelayOptions::default();
    later.at = Some(now().after(LONG));
    let mut unique = DelayOptions::default();
    unique.unique = Some("key".parse().unwrap());
    for options in [later, unique] {
        assert_eq!(add.cached_record(&spec(&add, args![20, 22], options), u64::MAX, LONG), None);
    }
    let fresh = add.clone().refresh_cache(true);
    assert_eq!(
        fresh.cached_record(&spec(&fresh, args![20, 22], DelayOptions::default()), u64::MAX, LONG),
        None
    );
    assert_eq!(read.cached_record(&sum(), u64::MAX, LONG), None, "a run of another task");
}

#[test]
fn runs_whose_inputs_and_results_have_no_room_together_wait_for_each_other() {
    // A quarter of it is for inputs, and a quarter for results.
    let host = Host::builder().max_workers(2).max_memory_bytes(64 << 20).build().unwrap();
    let greet = block_on(host.load(TEXT)).unwrap().task("greet").unwrap();
    let name = "two words ".repeat(300_000);
    // Fewer than the journal in memory forgets.
    let runs: Vec<_> =
        (0..8).map(|_| greet.clone().refresh_cache(true).delay(args![&*name]).unwrap()).collect();
    let small = greet.delay(args!["Ada"]).unwrap();
    let _worker = host.serve([greet]).unwrap();
    for run in &runs {
        let greeting = block_on(run.result::<String>()).unwrap();
        assert!(greeting.contains(&name), "{} bytes", greeting.len());
    }
    assert_eq!(ended(&small).state(), State::Completed);
}

#[test]
fn hooks_of_a_served_task_see_the_journal_and_only_the_end() {
    let host = Arc::new(host(1));
    let (send, receive) = mpsc::channel();
    let flaky = task(&host, FLAKY, "fail-until");
    let run = flaky.clone().retries(1).delay(args![5, Input::case("error")]).unwrap();
    let journal = Arc::clone(host.journal().unwrap());
    let note = move |what: &'static str| {
        let (send, journal) = (send.clone(), Arc::clone(&journal));
        move |future: &hostel::TaskFuture, state: State| {
            let stored = journal.get(future.id()).unwrap().unwrap();
            let _ = send.send((what, state, stored.record().attempts().len(), stored.state().is_terminal()));
        }
    };
    let served = flaky.on_running(note("running")).on_failure(note("failure"));
    let _worker = host.serve([served]).unwrap();
    // The journal may already have recorded more than what the hook is called for: here, the second attempt.
    let (what, state, attempts, _) = told(&receive);
    assert_eq!((what, state), ("running", State::Running));
    assert!((1..=2).contains(&attempts), "{attempts}");
    let (what, state, attempts, _) = told(&receive);
    assert_eq!((what, state, attempts), ("running", State::Retrying, 2));
    assert_eq!(told(&receive), ("failure", State::Failed, 2, true));
    assert_eq!(ended(&run).state(), State::Failed);
}

#[test]
fn runs_are_executed_by_priority_and_then_in_order() {
    let host = host(1);
    let (send, receive) = mpsc::channel();
    let add = task(&host, ARITH, "add");
    let of = |priority, n: i64| add.clone().priority(priority).delay(args![n, 0]).unwrap().id();
    let ids: Vec<RunId> =
        [(0, 1), (5, 2), (0, 3), (5, 4), (-1, 5)].map(|(priority, n)| of(priority, n)).into();
    let served = add.on_completion(move |future, _| _ = send.send(future.id()));
    let _worker = host.worker().serve([served]).max_runs(1).start().unwrap();
    let order: Vec<RunId> = (0..5).map(|_| told(&receive)).collect();
    assert_eq!(order, [ids[1], ids[3], ids[0], ids[2], ids[4]]);
}

#[test]
fn a_worker_claims_only_from_its_queues_and_tasks() {
    let host = host(1);
    let (add, flaky) = (task(&host, ARITH, "add"), task(&host, FLAKY, "fail-until"));
    let options = |name: &str| {
        let mut options = DelayOptions::default();
        options.queue = queue(name);
        options
    };
    let mail = add.delay_with(args![1, 1], options("mail")).unwrap();
    let other_queue = add.delay_with(args![1, 2], options("slow")).unwrap();
    let other_task = flaky.delay_with(args![1, Input::case("error")], options("mail")).unwrap();
    let worker = host.worker().serve([add]).queues([queue("mail")]).start().unwrap();
    ended(&mail);
    drop(worker);
    assert_eq!(other_queue.state().unwrap(), State::Pending);
    assert_eq!(other_task.state().unwrap(), State::Pending);
}

#[test]
fn a_run_with_a_due_time_begins_then_and_not_before() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let mut options = DelayOptions::default();
    let due = now().after(Duration::from_millis(50));
    options.at = Some(due);
    let run = add.delay_with(args![1, 2], options.clone()).unwrap();
    assert_eq!(run.state().unwrap(), State::Scheduled);
    options.at = Some(due.after(LONG));
    let later = add.delay_with(args![3, 4], options).unwrap();
    let _worker = host.serve([add]).unwrap();
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 3);
    let entry = run.entry().unwrap();
    assert!(entry.record().attempts()[0].began >= due);
    assert_eq!(states(&run), [State::Scheduled, State::Pending, State::Running, State::Completed]);
    assert_eq!(later.state().unwrap(), State::Scheduled);
}

#[test]
fn components_are_loaded_when_a_run_needs_them() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let known = add.delay(args![1, 2]).unwrap();
    let unknown = task(&host, BATCH, "process-data").delay(args![1]).unwrap();
    let digest = add.key().component;
    let source = move |wanted: &Digest| {
        if *wanted == digest { std::fs::read(ARITH).map(Some) } else { Ok(None) }
    };
    let _worker = host.worker().components(source).start().unwrap();
    assert_eq!(block_on(known.result::<i64>()).unwrap(), 3);
    let entry = ended(&unknown);
    assert_eq!(entry.state(), State::Crashed);
    let Err(ResultError::Crashed { reason, .. }) = block_on(unknown.result::<i64>()) else { panic!() };
    assert!(reason.contains("is not registered here: push it again"), "{reason}");
}

#[test]
fn the_time_for_a_whole_run_ends_it_without_a_retry() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin");
    let whole = Duration::from_millis(20);
    let run = spinning.clone().run_timeout(whole).retries(100).delay(args![]).unwrap();
    let _worker = host.serve([spinning]).unwrap();
    let entry = ended(&run);
    assert_eq!((entry.state(), entry.record().attempts().len()), (State::TimedOut, 1));
    let outcome = entry.record().outcome().unwrap();
    assert!(
        matches!(outcome, Outcome::Failed(Failure::TimedOut { after }) if *after == whole),
        "{outcome:?}"
    );
}

#[test]
fn work_outlives_the_program_that_asked_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let build = || Host::builder().max_workers(1).max_instances(10).data_dir(dir.path()).build().unwrap();
    let first = build();
    let text = "x".repeat(100_000);
    let runs = [task(&first, TEXT, "greet"), task(&first, TEXT, "word-count")];
    let runs =
        [runs[0].delay(args![&*text]).unwrap(), runs[1].delay(args!["a b c"]).unwrap()].map(|run| run.id());
    drop(first);
    let second = build();
    let source = |_: &Digest| std::fs::read(TEXT).map(Some);
    let worker = second.worker().components(source).start().unwrap();
    let [greeting, count] = runs.map(|run| second.delayed(run).unwrap());
    let greeting = block_on(greeting.result::<String>()).unwrap();
    assert!(greeting.contains(&text), "a value that is stored apart");
    assert!(matches!(block_on(count.result::<Value>()).unwrap(), Value::Record(_)));
    drop(worker);
    drop(second);
    let third = build();
    assert!(runs.iter().all(|run| third.delayed(*run).unwrap().state().unwrap() == State::Completed));
}

#[test]
fn hosts_of_one_data_directory_share_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let build = || Host::builder().max_workers(1).max_instances(10).data_dir(dir.path()).build().unwrap();
    let (submitter, executor) = (build(), build());
    let (add, spin) = (task(&submitter, ARITH, "add"), task(&submitter, SPIN_FOREVER, "spin"));
    let served = [task(&executor, ARITH, "add"), task(&executor, SPIN_FOREVER, "spin")];
    let _worker = executor.serve(served).unwrap();
    let run = add.delay(args![20, 22]).unwrap();
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 42);
    let spinning = spin.delay(args![]).unwrap();
    until(&spinning, &submitter, State::Running);
    assert_eq!(spinning.cancel().unwrap(), Cancellation::Requested);
    assert_eq!(ended(&spinning).state(), State::Cancelled);
}

#[test]
fn what_exists_only_in_this_program_cannot_be_delayed() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let refused = |task: Task, args, expected: &str| {
        let error = task.delay(args).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(add.clone().retry_if(|_| true), args![1, 2], "cannot be delayed with `retry_if`");
    refused(add.clone().on_failure(|_, _| {}), args![1, 2], "cannot be delayed with hooks");
    refused(add.clone().log_prints(|_| {}), args![1, 2], "cannot be delayed with `log_prints`");
    let future = add.submit(args![1, 2]).unwrap();
    refused(add.clone(), args![&future, 2], "cannot wait for a future of this program");
    refused(add.clone(), args![1, 2].wait_for([&future]), "cannot wait for a future of this program");
    refused(add.clone(), args![1], "argument");
    let journal = host.journal().unwrap();
    assert_eq!(journal.counts().unwrap().unfinished(), 0, "nothing is stored");
    assert!(matches!(host.serve([]), Err(WorkerError::NoTasks)));
    let error = host.worker().serve([add]).lease(Duration::from_millis(1)).start().unwrap_err();
    assert_eq!(error.to_string(), "a lease cannot be 1ms: expected 300ms to 3600s");
}

#[test]
fn queues_of_the_host_take_no_runs() {
    let host = host(1);
    let mut options = DelayOptions::default();
    options.queue = "hostel.run".parse().unwrap();
    let error = task(&host, ARITH, "add").delay_with(args![1, 2], options).unwrap_err();
    assert!(
        matches!(&error, DelayError::ReservedQueue { queue } if queue.as_str() == "hostel.run"),
        "{error}"
    );
    assert_eq!(host.journal().unwrap().counts().unwrap().unfinished(), 0);
}

#[test]
fn a_submission_may_be_repeated_with_its_id() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let id = RunId::from_bytes([7; 16]);
    let mut options = DelayOptions::default();
    options.id = Some(id);
    let spec = add.delayed_spec(args![1, 2], options.clone()).unwrap();
    let journal = host.journal().unwrap();
    journal.submit(now(), std::slice::from_ref(&spec)).unwrap();
    journal.submit(now(), &[spec]).unwrap();
    assert_eq!(journal.counts().unwrap().unfinished(), 1);
    assert_eq!(add.delay_with(args![1, 2], options.clone()).unwrap().id(), id);
    assert_eq!(add.delay_with(args![1, 2], options.clone()).unwrap().id(), id);
    let error = add.delay_with(args![1, 3], options).unwrap_err();
    assert!(matches!(error, DelayError::Journal(JournalError::Conflict(_))), "{error}");
    let _worker = host.serve([add]).unwrap();
    assert_eq!(block_on(host.delayed(id).unwrap().result::<i64>()).unwrap(), 3);
}

#[test]
fn at_most_one_unfinished_run_has_a_key() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let mut options = DelayOptions::default();
    options.unique = Some("report".parse().unwrap());
    let first = add.delay_with(args![1, 2], options.clone()).unwrap();
    let second = add.delay_with(args![3, 4], options.clone()).unwrap();
    assert_eq!(first.id(), second.id());
    let _worker = host.serve([add.clone()]).unwrap();
    assert_eq!(block_on(first.result::<i64>()).unwrap(), 3);
    let third = add.delay_with(args![5, 6], options).unwrap();
    assert_eq!(block_on(third.result::<i64>()).unwrap(), 11);
}

#[test]
fn a_worker_that_is_dropped_after_its_host_stops_its_runs() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let host =
        Host::builder().max_workers(1).max_instances(10).journal(Arc::clone(&journal)).build().unwrap();
    let spinning = task(&host, SPIN_FOREVER, "spin");
    let runs = [spinning.delay(args![]).unwrap(), spinning.delay(args![]).unwrap()].map(|run| run.id());
    let worker = host.serve([spinning]).unwrap();
    until(&host.delayed(runs[0]).unwrap(), &host, State::Running);
    drop(host);
    block_on(worker.ended());
    drop(worker);
    for run in runs {
        let entry = journal.get(run).unwrap().unwrap();
        assert_eq!((entry.state(), entry.claim()), (State::Pending, None));
    }
}

#[test]
fn an_idle_worker_has_executed_what_was_stored_before() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let worker = host.serve([add.clone()]).unwrap();
    for n in 0..20 {
        block_on(worker.idle());
        let run = add.delay(args![n, 1]).unwrap();
        block_on(worker.idle());
        assert_eq!(run.state().unwrap(), State::Completed);
    }
}

#[test]
fn a_run_that_waits_has_its_name() {
    let host = host(1);
    let add = task(&host, ARITH, "add").run_name("sum of {a}").unwrap();
    let run = add.delay(args![20, 22]).unwrap();
    assert_eq!(&*run.entry().unwrap().head().name, "sum of 20");
    let _worker = host.serve([add]).unwrap();
    assert_eq!((block_on(run.result::<i64>()).unwrap(), &*ended(&run).head().name), (42, "sum of 20"));
}

#[test]
fn a_limit_on_fuel_needs_a_worker_that_counts_it() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let host = |counts| {
        let builder = Host::builder().max_workers(1).max_instances(10).count_fuel(counts);
        builder.journal(Arc::clone(&journal)).build().unwrap()
    };
    let spin =
        |host: &Host| task(host, wat::LOOP, "spin").limits(Limits { fuel: Some(1_000), ..Limits::default() });
    let (counting, other) = (host(true), host(false));
    let run = spin(&counting).delay(args![]).unwrap();
    let worker = counting.serve([spin(&counting)]).unwrap();
    let entry = ended(&run);
    let outcome = entry.record().outcome();
    let Some(Outcome::Failed(Failure::Limit { limit, .. })) = outcome else { panic!("{outcome:?}") };
    assert_eq!((entry.state(), limit.kind), (State::Failed, LimitKind::Fuel));
    block_on(worker.drain(LONG));

    let refused = spin(&other).delay(args![]).unwrap_err();
    assert!(matches!(refused, DelayError::Submit(SubmitError::FuelIsNotCounted)), "{refused}");
    // One that another host has stored.
    let run = spin(&counting).delay(args![]).unwrap();
    let _worker = other.serve([spin(&other)]).unwrap();
    let entry = ended(&run);
    let outcome = entry.record().outcome();
    let Some(Outcome::Crashed { reason }) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("this host does not count fuel"), "{reason}");
}

#[test]
fn any_number_of_threads_wait_for_runs_and_for_a_time() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let run = add.delay(args![1, 2]).unwrap();
    assert!(block_on(run.wait(Duration::from_millis(1))).unwrap().is_none());
    // More than the blocking pool of the host has threads.
    let mut waiting: Vec<_> = (0..600).map(|_| Box::pin(run.wait(None))).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for wait in &mut waiting {
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    let _worker = host.serve([add]).unwrap();
    assert!(waiting.into_iter().all(|wait| block_on(wait).unwrap().is_some()));
}

#[test]
fn a_cached_run_has_its_name() {
    let host = host(1);
    let add = block_on(host.load(ARITH)).unwrap().task("add").unwrap().run_name("sum of {a}").unwrap();
    let _worker = host.serve([add.clone()]).unwrap();
    let names = [1, 2].map(|_| {
        let run = add.delay(args![20, 22]).unwrap();
        ended(&run).head().name.to_string()
    });
    assert_eq!(names, ["sum of 20", "sum of 20"]);
}

#[test]
fn several_workers_execute_each_run_once() {
    let host = host(2);
    let add = task(&host, ARITH, "add");
    let runs: Vec<_> = (0..300).map(|n| add.delay(args![n, 1]).unwrap()).collect();
    let _workers: Vec<_> = (0..3).map(|_| host.serve([add.clone()]).unwrap()).collect();
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(block_on(run.result::<i64>()).unwrap(), n as i64 + 1);
        assert_eq!(run.entry().unwrap().record().attempts().len(), 1);
    }
    let counts = host.journal().unwrap().counts().unwrap();
    assert_eq!((counts.of(State::Completed), counts.unfinished()), (300, 0));
}

#[test]
fn a_worker_whose_guests_have_all_memory_leaves_runs_to_others() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let sharing =
        |builder: HostBuilder| builder.max_workers(1).journal(Arc::clone(&journal)).build().unwrap();
    let small = sharing(Host::builder().max_memory_bytes(64 << 20));
    let hold = task(&small, wat::HOLDER, "hold");
    let _full = small.serve([hold.clone(), task(&small, ARITH, "add-one")]).unwrap();
    // Each takes at most four times what is free, and sleeps for an hour.
    for pages in [800_u32, 176, 32, 4] {
        let held = small.memory_bytes();
        hold.delay(args![pages, 0_u32, 3_600_000_u64]).unwrap();
        while small.memory_bytes() < held + (u64::from(pages) << 16) {
            std::thread::yield_now();
        }
    }
    let large = sharing(Host::builder());
    let add_one = task(&large, ARITH, "add-one");
    let runs: Vec<_> = (0..50).map(|number| add_one.delay(args![number]).unwrap()).collect();
    let _other = large.serve([add_one]).unwrap();
    for run in &runs {
        assert_eq!(ended(run).state(), State::Completed);
    }
}
