//! Runs that an idle worker of the same process claims when they are stored.

use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use futures_executor::block_on;
use hostel::journal::{ClaimRequest, Journal, SqliteJournal, WorkerId};
use hostel::{DelayOptions, Host, RunId, State, Timestamp, Worker, args, new_run_id};
use hostel_guests::ARITH;
use hostel_journal::JournalHooks;
use tempfile::TempDir;

use crate::task;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// How often a run is submitted until the worker is idle at that moment: it looks at the journal once more after each change.
const TRIES: u8 = 100;

fn now() -> Timestamp {
    SystemTime::now().into()
}

/// Looks at a run whenever the writer has committed, and stops it in the middle of a transaction.
#[derive(Default)]
struct Observer {
    /// The journal as another process has it.
    reader: OnceLock<SqliteJournal>,
    state: Mutex<Observed>,
    changed: Condvar,
}

#[derive(Default)]
struct Observed {
    run: Option<RunId>,
    /// Whether the run was claimed when it was first there.
    is_claimed: Option<bool>,
    /// Whether the writer stops when it has written a row.
    is_closed: bool,
    is_stopped: bool,
}

impl Observer {
    fn step(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        if name == "row" && state.is_closed {
            state.is_stopped = true;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.is_closed).unwrap();
            state.is_stopped = false;
        }
        if let ("committed", Some(run), None) = (name, state.run, state.is_claimed) {
            let entry = self.reader.get().unwrap().get(run).unwrap();
            state.is_claimed = entry.map(|entry| entry.claim().is_some());
        }
    }

    fn close(&self) {
        self.state.lock().unwrap().is_closed = true;
    }

    fn until_stopped(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, LONG, |state| !state.is_stopped);
        assert!(!waited.unwrap().1.timed_out(), "nothing was written");
    }

    fn open(&self) {
        self.state.lock().unwrap().is_closed = false;
        self.changed.notify_all();
    }
}

/// A host whose journal is observed.
fn observed() -> (TempDir, Host, Arc<Observer>) {
    let (dir, observer) = (tempfile::tempdir().unwrap(), Arc::new(Observer::default()));
    let steps = Arc::clone(&observer);
    let hooks =
        JournalHooks { step: Some(Arc::new(move |name| steps.step(name))), ..JournalHooks::default() };
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open_with(dir.path(), hooks).unwrap());
    observer.reader.set(SqliteJournal::open(dir.path()).ok().unwrap()).ok().unwrap();
    // So that workers do not write for that.
    assert!(journal.take_upkeep(now()).unwrap());
    let host = Host::builder().max_workers(1).max_instances(10).journal(journal).build().unwrap();
    (dir, host, observer)
}

fn with_id(number: u8) -> DelayOptions {
    let mut options = DelayOptions::default();
    options.id = Some(RunId::from_bytes([number; 16]));
    options
}

#[test]
fn a_run_is_claimed_by_the_transaction_that_stores_it() {
    let (_dir, host, observer) = observed();
    let add = task(&host, ARITH, "add");
    let worker = host.serve([add.clone()]).unwrap();
    let is_claimed = (1..=TRIES).any(|number| {
        block_on(worker.idle());
        let options = with_id(number);
        *observer.state.lock().unwrap() = Observed { run: options.id, ..Observed::default() };
        let run = add.delay_with(args![number, 1], options).unwrap();
        assert_eq!(block_on(run.result::<i64>()).unwrap(), i64::from(number) + 1);
        assert_eq!(run.state().unwrap(), State::Completed);
        observer.state.lock().unwrap().is_claimed.expect("it was stored")
    });
    assert!(is_claimed, "the worker had to claim each run by itself");
}

#[test]
fn a_worker_that_ends_while_a_run_is_claimed_for_it_gives_the_run_back() {
    type End = fn(Worker);
    let ends: [End; 2] = [drop, |worker| block_on(worker.drain(None))];
    for end in ends {
        let (_dir, host, observer) = observed();
        let (add, journal) = (task(&host, ARITH, "add"), host.journal().unwrap());
        let claim = |now| ClaimRequest {
            worker: WorkerId::new("other"),
            limit: 1,
            now,
            lease: LONG,
            queues: Vec::new(),
            tasks: Vec::new(),
            without: Vec::new(),
            is_idle: true,
        };
        let mut last = 0;
        let is_given_back = (1..=TRIES).any(|number| {
            let worker = host.serve([add.clone()]).unwrap();
            block_on(worker.idle());
            observer.close();
            let run = std::thread::scope(|scope| {
                let submission = scope.spawn(|| add.delay_with(args![number, 1], with_id(number)).unwrap());
                observer.until_stopped();
                end(worker);
                observer.open();
                submission.join().unwrap()
            });
            let entry = run.entry().unwrap();
            assert_eq!((entry.state(), entry.claim(), entry.crashes()), (State::Pending, None, 0));
            let claimed = journal.claim(&claim(now())).unwrap();
            assert_eq!(claimed.len(), 1, "nothing keeps it back");
            let fence = claimed[0].claim().unwrap().fence.number();
            std::mem::replace(&mut last, fence) + 1 < fence
        });
        assert!(is_given_back, "the worker had to claim each run by itself");
    }
}

#[test]
fn submissions_of_many_at_once_reach_an_idle_worker_whose_window_they_exceed() {
    let (_dir, host, _observer) = observed();
    let add = task(&host, ARITH, "add");
    let worker = host.worker().serve([add.clone()]).max_runs(1).start().unwrap();
    block_on(worker.idle());
    let specs: Vec<_> = (0..10)
        .map(|number| {
            let mut options = DelayOptions::default();
            options.id = Some(new_run_id());
            add.delayed_spec(args![number, 1], options).unwrap()
        })
        .collect();
    host.delay_specs(&specs).unwrap();
    assert!(worker.claimed() <= 1);
    for spec in &specs {
        let entry = block_on(host.delayed(spec.id).unwrap().wait(LONG)).unwrap().expect("it ends");
        assert_eq!(entry.state(), State::Completed);
    }
    block_on(worker.idle());
    assert_eq!(worker.claimed(), 0);
}
