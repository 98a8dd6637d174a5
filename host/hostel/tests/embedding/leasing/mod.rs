//! What a worker holds: how many runs it claims while their guests wait, and what it does when it cannot keep them.

mod faulty;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_executor::block_on;
use hostel::journal::{ClaimRequest, ExpireRequest, Journal, SOLO_CRASHES, WorkerId};
use hostel::{
    CachePolicy, DelayOptions, DelayedRun, Digest, ErrorKind, EventKind, Events, Host, QueueName, State,
    Task, Timestamp, args,
};
use hostel_guests::{ARITH, SPIN_FOREVER, wat};

use self::faulty::{Fault, FaultyJournal};
use crate::{host, task};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// An hour, in the unit of the sleeper.
const HOUR: u64 = 3_600_000;

/// Waits until so many runs are in a state.
#[track_caller]
fn until(journal: &dyn Journal, state: State, count: u64) {
    let began = Instant::now();
    while began.elapsed() < LONG {
        let seen = journal.changes().unwrap();
        if journal.counts().unwrap().of(state) == count {
            return;
        }
        journal.wait_for_change(seen, LONG).unwrap();
    }
    panic!("there never were {count} runs in state {state}: {:?}", journal.counts());
}

/// Waits until a worker has claimed so many runs, and has done all that it knows of.
#[track_caller]
fn until_claimed(worker: &hostel::Worker, count: usize) {
    let began = Instant::now();
    while worker.claimed() != count {
        assert!(
            began.elapsed() < LONG,
            "the worker has claimed {} runs, and never {count}",
            worker.claimed()
        );
        std::thread::yield_now();
    }
}

/// Waits until a run of this process comes to a state, whatever the journal says.
fn until_event(events: &mut Events, state: State) {
    let is_it = |kind: EventKind| matches!(kind, EventKind::State(transition) if transition.state == state);
    while !is_it(block_on(events.next()).expect("the host lives").expect("few events").kind) {}
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn in_queue(task: &Task, queue: &str, ms: u64) -> DelayedRun {
    let mut options = DelayOptions::default();
    options.queue = queue.parse().unwrap();
    task.delay_with(args![ms], options).unwrap()
}

#[test]
fn runs_that_sleep_leave_their_places_to_others() {
    let host = host(1);
    let journal = host.journal().unwrap();
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let runs: Vec<_> = (0..100).map(|_| sleep.delay(args![HOUR]).unwrap()).collect();
    let worker = host.serve([sleep, task(&host, ARITH, "add")]).unwrap();
    until(&**journal, State::Running, 100);
    let add = task(&host, ARITH, "add").delay(args![1, 2]).unwrap();
    assert_eq!(block_on(add.result::<i64>()).unwrap(), 3);
    until_claimed(&worker, 100);
    drop(worker);
    assert_eq!(journal.counts().unwrap().of(State::Pending), 100);
    assert!(runs.iter().all(|run| run.entry().unwrap().crashes() == 0));
}

/// A delayed run ends, whatever else its worker executes.
#[track_caller]
fn ends(run: &DelayedRun) {
    let ended = block_on(run.wait(LONG)).unwrap().expect("it ends beside the others");
    assert_eq!(ended.state(), State::Completed);
}

#[test]
fn endless_loops_leave_their_places_to_other_tasks_and_their_successors_to_other_workers() {
    for threads in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let build =
            || Host::builder().max_workers(threads).max_instances(100).data_dir(dir.path()).build().unwrap();
        let (one, two) = (build(), build());
        let journal = one.journal().unwrap();
        let (spin, add) = (task(&one, SPIN_FOREVER, "spin"), task(&one, ARITH, "add"));
        let spinning: Vec<_> = (0..=2 * threads).map(|_| spin.delay(args![]).unwrap()).collect();
        let worker = one.serve([spin, add.clone()]).unwrap();
        until(&**journal, State::Running, threads as u64);
        (0..5).for_each(|number| ends(&add.delay(args![number, 2]).unwrap()));
        until_claimed(&worker, threads);
        assert_eq!(journal.counts().unwrap().of(State::Running), threads as u64);

        let other = two.serve([task(&two, SPIN_FOREVER, "spin")]).unwrap();
        until(&**journal, State::Running, 2 * threads as u64);
        until_claimed(&other, threads);
        // The last one takes the place of the first that ends.
        let first = spinning.iter().find(|run| run.state().unwrap() == State::Running).unwrap();
        first.cancel().unwrap();
        until(&**journal, State::Cancelled, 1);
        until(&**journal, State::Running, 2 * threads as u64);
        drop((worker, other));
        assert_eq!(journal.counts().unwrap().of(State::Pending), 2 * threads as u64);
        assert!(spinning.iter().all(|run| run.entry().unwrap().crashes() == 0));
    }
}

#[test]
fn loops_that_slept_when_others_were_claimed_leave_their_places_too() {
    let host = host(1);
    let journal = host.journal().unwrap();
    let spin = task(&host, SPIN_FOREVER, "spin-after");
    let spinning: Vec<_> = (0..20).map(|_| spin.delay(args![100]).unwrap()).collect();
    let add = task(&host, ARITH, "add");
    let worker = host.serve([spin, add.clone()]).unwrap();
    (0..3).for_each(|number| ends(&add.delay(args![number, 2]).unwrap()));
    drop(worker);
    assert_eq!(journal.counts().unwrap().of(State::Pending), 20);
    assert!(spinning.iter().all(|run| run.entry().unwrap().crashes() == 0));
}

#[test]
fn what_was_claimed_behind_endless_loops_and_has_not_begun_is_given_back() {
    // Returns its argument, or loops for ever if that is zero.
    const SOME_LOOP: &str = r#"
        (component
          (core module $m
            (func (export "spin") (param i64) (result i64)
              (loop $again (br_if $again (i64.eqz (local.get 0))))
              (local.get 0)))
          (core instance $i (instantiate $m))
          (func (export "spin") (param "n" u64) (result u64) (canon lift (core func $i "spin"))))"#;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some-loop.wat");
    std::fs::write(&path, SOME_LOOP).unwrap();
    let host = host(1);
    let spin = task(&host, path.to_str().unwrap(), "spin");
    let add = task(&host, ARITH, "add");
    let quick: Vec<_> = (1..100).map(|n| spin.delay(args![n]).unwrap()).collect();
    let spinning: Vec<_> = (0..20).map(|_| spin.delay(args![0]).unwrap()).collect();
    // The quick ones make it claim many at once.
    let worker = host.serve([spin, add.clone()]).unwrap();
    quick.iter().for_each(ends);
    (0..3).for_each(|number| ends(&add.delay(args![number, 2]).unwrap()));
    let is_held = |run: &DelayedRun| {
        let entry = run.entry().unwrap();
        entry.state() == State::Pending && entry.claim().is_some()
    };
    let began = Instant::now();
    while spinning.iter().any(is_held) {
        assert!(began.elapsed() < LONG, "the worker keeps runs that cannot begin");
        std::thread::yield_now();
    }
    assert!(spinning.iter().any(|run| run.state().unwrap() == State::Pending), "not all have begun");
    drop(worker);
    assert!(spinning.iter().all(|run| run.entry().unwrap().crashes() == 0));
}

#[test]
fn a_worker_claims_no_more_runs_than_it_may_however_many_sleep() {
    let host = host(1);
    let journal = host.journal().unwrap();
    let sleep = task(&host, wat::SLEEPER, "sleep");
    for _ in 0..5 {
        sleep.delay(args![HOUR]).unwrap();
    }
    let worker = host.worker().serve([sleep]).max_runs(3).start().unwrap();
    until(&**journal, State::Running, 3);
    let running = hostel::RunFilter::new().states([State::Running]);
    let run = journal.find(&running, hostel::journal::Page::first(1)).unwrap().runs[0].run;
    journal.cancel(now(), run).unwrap();
    until(&**journal, State::Cancelled, 1);
    until(&**journal, State::Running, 3);
    assert!(worker.claimed() <= 3, "{}", worker.claimed());
    until_claimed(&worker, 3);
    assert_eq!(journal.counts().unwrap().of(State::Pending), 1);
}

#[test]
fn a_run_that_waits_for_an_equal_one_leaves_its_place_to_others() {
    let host = host(1);
    let journal = host.journal().unwrap();
    let sleep = task(&host, wat::SLEEPER, "sleep").cache(CachePolicy::INPUTS).priority(1);
    let equal: Vec<_> = (0..20).map(|_| sleep.delay(args![HOUR]).unwrap()).collect();
    let add = task(&host, ARITH, "add");
    let last = add.delay(args![1, 2]).unwrap();
    let worker = host.serve([sleep, add]).unwrap();
    assert_eq!(block_on(last.result::<i64>()).unwrap(), 3);
    // The start of the one that executes may be recorded later than the end of the last.
    until(&**journal, State::Running, 1);
    assert_eq!(journal.counts().unwrap().of(State::Pending), 19);
    assert!(equal.iter().all(|run| run.entry().unwrap().claim().is_some()), "the worker has all of them");
    let waiting = equal.iter().find(|run| run.state().unwrap() == State::Pending).unwrap();
    waiting.cancel().unwrap();
    assert_eq!(block_on(waiting.wait(LONG)).unwrap().unwrap().state(), State::Cancelled);
    drop(worker);
    assert!(equal.iter().all(|run| run.entry().unwrap().claim().is_none()));
}

#[test]
fn a_run_that_executes_alone_does_not_wait_for_an_equal_one_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let build = || Host::builder().max_workers(1).max_instances(10).data_dir(dir.path()).build().unwrap();
    let (one, two) = (build(), build());
    let journal = one.journal().unwrap();
    let sleep = |host: &Host| task(host, wat::SLEEPER, "sleep").cache(CachePolicy::INPUTS);
    let crashed = in_queue(&sleep(&two), "two", HOUR);
    let lost = ClaimRequest {
        worker: WorkerId::new("lost"),
        limit: 1,
        now: now(),
        lease: Duration::ZERO,
        queues: Vec::new(),
        tasks: Vec::new(),
        without: Vec::new(),
        is_idle: true,
    };
    for crash in 1..=SOLO_CRASHES {
        assert_eq!(journal.claim(&lost).unwrap().len(), 1);
        let over = ExpireRequest { now: now(), lease: Duration::MAX };
        assert_eq!(journal.expire(&over).unwrap().runs[0].crashes, crash);
    }
    in_queue(&sleep(&one), "one", HOUR);
    let queue = |name: &str| [name.parse::<QueueName>().unwrap()];
    let _first = one.worker().serve([sleep(&one)]).queues(queue("one")).start().unwrap();
    until(&**journal, State::Running, 1);
    let _second = two.worker().serve([sleep(&two)]).queues(queue("two")).start().unwrap();
    until(&**journal, State::Running, 2);
    assert_eq!(crashed.state().unwrap(), State::Running);
}

/// A host with a journal that fails on request, a run of an endless task that executes, and its worker.
fn executing(lease: Duration) -> (Host, Arc<FaultyJournal>, DelayedRun, hostel::Worker) {
    let journal = FaultyJournal::new();
    let given: Arc<dyn Journal> = Arc::<FaultyJournal>::clone(&journal);
    let host = Host::builder().max_workers(1).max_instances(10).journal(given).build().unwrap();
    let spin = task(&host, SPIN_FOREVER, "spin");
    let run = spin.delay(args![]).unwrap();
    let worker = host.worker().serve([spin]).lease(lease).start().unwrap();
    until(&*journal, State::Running, 1);
    (host, journal, run, worker)
}

#[test]
fn a_run_whose_lease_cannot_be_renewed_is_stopped_while_the_write_still_hangs() {
    let (host, journal, run, worker) = executing(Duration::from_millis(1_500));
    let mut events = host.events();
    let _sound = journal.set_until_dropped(Fault::Hangs);
    journal.until_hanging();
    until_event(&mut events, State::Cancelled);
    // That of the worker, and perhaps that of the thread that removes what is old.
    assert!(journal.hanging() >= 1);
    assert_eq!(run.state().unwrap(), State::Running, "the journal knows nothing");
    journal.set(Fault::None);
    // It is given back, and starts again.
    until_event(&mut events, State::Running);
    drop(worker);
    let entry = run.entry().unwrap();
    assert_eq!((entry.state(), entry.claim()), (State::Pending, None));
}

#[test]
fn a_worker_ends_although_its_journal_fails() {
    let (host, journal, run, worker) = executing(LONG);
    journal.set(Fault::Fails);
    block_on(worker.drain(Duration::ZERO));
    assert_eq!(host.memory_bytes(), 0, "the guest has stopped");
    assert!(run.entry().unwrap().claim().is_some(), "until its lease is over");
}

#[test]
fn a_journal_that_fails_for_a_while_does_not_end_its_worker() {
    let (_host, journal, run, worker) = executing(LONG);
    journal.set(Fault::Fails);
    assert_eq!(run.cancel().unwrap_err().kind(), ErrorKind::Unavailable);
    journal.set(Fault::None);
    run.cancel().unwrap();
    assert_eq!(block_on(run.wait(LONG)).unwrap().unwrap().state(), State::Cancelled);
    assert!(worker.failure().is_none());
}

#[test]
fn a_damaged_journal_ends_its_worker_with_the_error() {
    let (host, journal, _run, worker) = executing(Duration::from_millis(600));
    journal.set(Fault::Damaged);
    block_on(worker.ended());
    let error = worker.failure().unwrap();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("damaged (its state)"), "{error}");
    drop(worker);
    assert_eq!(host.memory_bytes(), 0, "the guest has stopped");
}

#[test]
fn a_component_that_cannot_be_read_for_now_costs_its_run_nothing() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let run = add.retries(0).delay(args![1, 2]).unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    let source = move |_: &Digest| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Err(std::io::Error::other("too many open files")),
        _ => std::fs::read(ARITH).map(Some),
    };
    let _worker = host.worker().components(source).start().unwrap();
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 3);
    let entry = run.entry().unwrap();
    assert_eq!((entry.record().attempts().len(), entry.crashes(), reads.load(Ordering::SeqCst)), (1, 0, 2));
}

#[test]
fn a_run_that_is_given_back_before_its_component_can_be_read_can_be_had_by_another_worker() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let run = add.delay(args![1, 2]).unwrap();
    let (send, read) = std::sync::mpsc::channel();
    let source = move |_: &Digest| {
        // The test may have ended.
        _ = send.send(());
        Err(std::io::Error::other("the disk is broken"))
    };
    let broken = host.worker().components(source).start().unwrap();
    crate::told(&read);
    block_on(broken.drain(Duration::ZERO));
    assert_eq!((run.state().unwrap(), run.entry().unwrap().claim()), (State::Pending, None));
    let _worker = host.serve([add]).unwrap();
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 3);
}

#[test]
fn the_late_result_of_a_worker_whose_lease_is_over_is_refused() {
    let (host, journal, run, worker) = executing(LONG);
    // The worker is frozen for an hour, and another one takes over.
    let _sound = journal.set_until_dropped(Fault::Hangs);
    let sound = journal.sound();
    let later = now().after(Duration::from_millis(HOUR));
    let expired = sound.expire(&ExpireRequest { now: later, lease: Duration::MAX }).unwrap();
    assert_eq!(
        expired.runs.iter().map(|expired| (expired.run, expired.crashes)).collect::<Vec<_>>(),
        [(run.id(), 1)]
    );
    assert_eq!(run.state().unwrap(), State::Pending);
    let other = ClaimRequest {
        worker: WorkerId::new("other"),
        limit: 1,
        now: later,
        lease: LONG,
        queues: Vec::new(),
        tasks: Vec::new(),
        without: Vec::new(),
        is_idle: true,
    };
    let claimed = sound.claim(&other).unwrap();
    journal.set(Fault::None);
    // The first worker finds out when it reports, and stops the guest.
    drop(worker);
    let entry = run.entry().unwrap();
    assert_eq!((entry.claim(), entry.version()), (claimed[0].claim(), claimed[0].version()));
    assert_eq!(host.memory_bytes(), 0);
}
