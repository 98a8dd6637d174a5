//! Runs without guests: a host whose clock, workers and hook thread are moved by a test, and whose attempts follow a
//! script.
//!
//! A case is text: commands, and the history of the runs. Cases are in `cases/`, one file for each area; the grammar is
//! in [`script`]. Nothing here sleeps, and no thread is started, so a case takes well under a millisecond and is
//! deterministic.

mod attempts;
mod cases;
mod script;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hostel_core::{Limits, State, Tag};
use hostel_engine::{Component, Engine, EngineOptions, Function};
use tokio::runtime::{Builder, Runtime};

use self::attempts::Scripted;
use crate::book::{Book, BookBounds};
use crate::cache::Cache;
use crate::calls::HookThread;
use crate::data_dir::Protected;
use crate::events::EventHub;
use crate::flight::Flights;
use crate::host_state::HostState;
use crate::lazy_journal::LazyJournal;
use crate::run::TaskFuture;
use crate::runner::{Bounds, Clock, Scheduler, TagLimit};
use crate::standing::StandingClaims;
use crate::task::Task;

/// An engine that never executes anything.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut options = EngineOptions::default();
    options.max_instances = 1;
    Engine::new(options).expect("an engine")
});

/// A runtime that is never driven.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// Functions to run. Each takes a plan for its attempts; `g` also a number, `h` also the outcome of a run, `l` also a
/// list.
static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    let text = r#"(component
        (core module $m
            (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "f") (param i32 i32) (result i64) unreachable)
            (func (export "g") (param i32 i32 i64) (result i64) unreachable)
            (func (export "h") (param i32 i32 i32 i64 i32) (result i64) unreachable)
            (func (export "l") (param i32 i32 i32 i32) (result i64) unreachable))
        (core instance $i (instantiate $m))
        (alias core export $i "m" (core memory $m))
        (alias core export $i "r" (core func $r))
        (func (export "f") (param "plan" string) (result s64)
            (canon lift (core func $i "f") (memory $m) (realloc $r)))
        (func (export "g") (param "plan" string) (param "x" s64) (result s64)
            (canon lift (core func $i "g") (memory $m) (realloc $r)))
        (func (export "h") (param "plan" string) (param "ended" (result s64 (error string))) (result s64)
            (canon lift (core func $i "h") (memory $m) (realloc $r)))
        (func (export "l") (param "plan" string) (param "xs" (list s64)) (result s64)
            (canon lift (core func $i "l") (memory $m) (realloc $r))))"#;
    ENGINE.load_bytes(text.as_bytes()).expect("a component")
});

fn function(name: &str) -> Function {
    COMPONENT.function(Some(name)).expect("a function")
}

/// The settings of the host of a case.
#[derive(Clone, Debug)]
struct Setting {
    workers: usize,
    queue: usize,
    live: usize,
    memory_cache_bytes: u64,
    limits: HashMap<Tag, TagLimit>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { workers: 2, queue: 100, live: 64, memory_cache_bytes: 1 << 20, limits: HashMap::new() }
    }
}

/// A host that is moved by a test.
struct Sim {
    host: Arc<HostState>,
    scripted: Arc<Scripted>,
    /// The runs by name, each with the states it has entered and their times.
    runs: BTreeMap<String, Watched>,
    /// The reports of hooks and callbacks, in order.
    notes: Arc<Mutex<Vec<String>>>,
}

struct Watched {
    future: TaskFuture,
    seen: Vec<(State, Duration)>,
}

/// More moves than any case needs: a case that does not come to rest fails instead of hanging.
const MOST_MOVES: usize = 1_000_000;

impl Sim {
    fn new(setting: &Setting) -> Self {
        let bounds = Bounds { workers: setting.workers, pending: setting.queue, live: setting.live };
        let hooks = HookThread::manual();
        let (timers, engine) = (RUNTIME.handle().clone(), ENGINE.clone());
        let scheduler =
            Scheduler::new(bounds, &setting.limits, hooks.backlog(), engine, timers, Clock::manual());
        let scheduler = Arc::new(scheduler);
        let host = Arc::new(HostState {
            engine: ENGINE.clone(),
            protected: Protected { data_dir: None, remote_dir: None },
            cache: Arc::new(Cache::new(setting.memory_cache_bytes, None)),
            flights: Arc::new(Flights::new(None)),
            book: Book::new(BookBounds::default()),
            events: EventHub::default(),
            hooks,
            random: Mutex::new(fastrand::Rng::with_seed(7)),
            scheduler,
            queue_capacity: setting.queue,
            workers: setting.workers,
            journal: LazyJournal::new(None, None),
            journal_watch: Arc::default(),
            standing: StandingClaims::default(),
        });
        let scripted = Arc::new(Scripted::new(Arc::clone(&host.scheduler)));
        Self { host, scripted, runs: BTreeMap::new(), notes: Arc::default() }
    }

    fn task(&self, name: &str) -> Task {
        let attempts = Arc::clone(&self.scripted);
        Task::with_attempts(Arc::clone(&self.host), function(name), attempts).limits(Limits::default())
    }

    fn now(&self) -> Duration {
        self.host.scheduler.now()
    }

    /// Makes one possible move. `false` if there is none.
    fn move_once(&mut self) -> bool {
        let moved = self.host.scheduler.turn() || self.host.hooks.call_waiting();
        self.look();
        moved
    }

    /// Makes all possible moves at the current time.
    fn rest(&mut self) {
        self.look();
        let moves = (0..MOST_MOVES).take_while(|_| self.move_once()).count();
        assert!(moves < MOST_MOVES, "the case does not come to rest");
    }

    /// Advances the clock to `at`, and makes all moves that are due meanwhile.
    fn pass_until(&mut self, at: Duration) {
        self.rest();
        while let Some(next) = self.next_due().filter(|next| *next <= at) {
            self.host.scheduler.set_time(next.max(self.now()));
            self.host.scheduler.wake_due();
            self.scripted.wake_due();
            self.rest();
        }
        self.host.scheduler.set_time(at);
        self.rest();
    }

    fn next_due(&self) -> Option<Duration> {
        [self.host.scheduler.next_due(), self.scripted.next_due()].into_iter().flatten().min()
    }

    /// Polls a future, and moves the host, until it is ready. `None` if it is not ready at the current time.
    fn until<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..MOST_MOVES {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                self.rest();
                return Some(output);
            }
            if !self.move_once() {
                return None;
            }
        }
        panic!("the case does not come to rest");
    }

    /// Records the states that the runs have entered.
    fn look(&mut self) {
        let now = self.host.scheduler.now();
        for run in self.runs.values_mut() {
            let history = run.future.history();
            let new = history.iter().skip(run.seen.len()).map(|transition| (transition.state, now));
            run.seen.extend(new.collect::<Vec<_>>());
        }
    }
}

impl Drop for Sim {
    /// Remaining runs would keep the host alive, and it them.
    fn drop(&mut self) {
        self.host.scheduler.close();
        self.host.scheduler.cancel_pending();
        self.host.scheduler.cancel_live();
        self.scripted.forget();
        self.rest();
    }
}
