//! Where components are compiled: in a few small pools of threads with a lower priority than running tasks.
//!
//! The compiler cannot be interrupted. A load that has waited too long gives up, but its work goes on to the end in its
//! pool, which is not free until then.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use hostel_core::Digest;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::survey::MAX_THREADS;

/// The maximum number of components that are compiled at once, including abandoned ones.
pub(crate) const PLACES: usize = 4;

/// The maximum number of loads that wait for a place. Each has its component in memory.
pub(crate) const MAX_WAITING: usize = 1_024;

/// The stack size of each thread: types nested as deep as the survey allows are traversed by recursion.
pub(crate) const STACK_BYTES: usize = 16 << 20;

/// The nice value of the threads on Linux: they get a third as much of a processor as a task that computes at the same
/// time, and all of it otherwise.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Runs compilations, with a bound on their number and on how long loads wait for them.
pub(crate) struct Compiler {
    places: Arc<Places>,
    timeout: Duration,
    /// One thread that compiles heavy components one after the other. Created on first use.
    narrow: Mutex<Option<Arc<ThreadPool>>>,
}

/// The reason why a compilation returned nothing.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It took longer than the timeout, and goes on.
    Timeout,
    /// Every place is taken, and no compilation ended within the timeout.
    NoPlace,
    /// Too many loads are already waiting.
    Crowded,
    /// The threads cannot be started.
    NoThreads(ThreadPoolBuildError),
    /// The compiler panicked, with this message.
    Panicked(String),
}

#[derive(Default)]
struct Places {
    state: Mutex<Compilations>,
    freed: Condvar,
}

#[derive(Default)]
struct Compilations {
    /// Idle pools. Each is created on first use.
    idle: Vec<Arc<ThreadPool>>,
    /// The components that are being compiled, each in its own place and without duplicates.
    under_way: Vec<Digest>,
    /// The waiting loads and their components, in order of arrival.
    waiting: VecDeque<(u64, Digest)>,
    /// The number of loads that have arrived.
    arrived: u64,
    /// The number of compilations that have ended. Waiting loads use it to see progress.
    ended: u64,
}

/// One of the [`PLACES`], released when this is dropped.
struct Place {
    pool: Option<Arc<ThreadPool>>,
    digest: Digest,
    places: Arc<Places>,
}

impl Compiler {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { places: Arc::default(), timeout, narrow: Mutex::default() }
    }

    /// Compiles a heavy component on one thread, while no other heavy one is compiled. Blocks the calling thread.
    pub(crate) fn alone<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, ThreadPoolBuildError> {
        let mut narrow = self.narrow.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = match &*narrow {
            Some(pool) => Arc::clone(pool),
            None => Arc::clone(narrow.insert(Arc::new(pool(1)?))),
        };
        drop(narrow);
        Ok(pool.install(work))
    }

    /// The maximum time that a load waits for a compilation.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The number of compilations that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.places.lock().ended
    }

    /// Does `work` for the component with this digest in a place of its own, and waits for it on the calling thread. It
    /// begins when no other work for this component is in progress.
    pub(crate) fn run<T>(
        &self,
        digest: Digest,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopped>
    where
        T: Send + 'static,
    {
        let mut place = self.places.take(digest, self.timeout)?;
        let pool = place.pool()?;
        let (send, receive) = mpsc::sync_channel(1);
        pool.spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(work));
            // Before the answer, so that its receiver finds the place free.
            drop(place);
            // Fails only if the load has given up waiting.
            let _ = send.send(done);
        });
        match receive.recv_timeout(self.timeout) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(panic)) => Err(Stopped::Panicked(message(&*panic))),
            Err(_) => Err(Stopped::Timeout),
        }
    }
}

impl Places {
    /// Takes a place, or waits for one, as long as others end in time.
    fn take(self: &Arc<Self>, digest: Digest, timeout: Duration) -> Result<Place, Stopped> {
        let mut state = self.lock();
        let ticket = state.arrived;
        state.arrived += 1;
        state.waiting.push_back((ticket, digest));
        let crowded = state.waiting.len() > MAX_WAITING;
        if !crowded {
            state = self.wait(state, ticket, &digest, timeout);
        }
        let taken = state.is_turn_of(ticket);
        state.waiting.retain(|&(other, _)| other != ticket);
        // It may be the turn of the next load now.
        self.freed.notify_all();
        if taken {
            state.under_way.push(digest);
            return Ok(Place { pool: state.idle.pop(), digest, places: Arc::clone(self) });
        }
        Err(match state.under_way.contains(&digest) {
            _ if crowded => Stopped::Crowded,
            true => Stopped::Timeout,
            false => Stopped::NoPlace,
        })
    }

    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, Compilations>,
        ticket: u64,
        digest: &Digest,
        timeout: Duration,
    ) -> MutexGuard<'a, Compilations> {
        let (mut ended, mut since) = (state.ended, Instant::now());
        while !state.is_turn_of(ticket) {
            let left = timeout.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            // A load that waits for the same component does not profit from the end of another one.
            if state.ended != ended && !state.under_way.contains(digest) {
                (ended, since) = (state.ended, Instant::now());
            }
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, Compilations> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compilations {
    /// Whether this load may take a place: one is free, and all earlier loads wait for components in progress.
    fn is_turn_of(&self, ticket: u64) -> bool {
        let next = self.waiting.iter().find(|(_, digest)| !self.under_way.contains(digest));
        self.under_way.len() < PLACES && next.is_some_and(|&(next, _)| next == ticket)
    }
}

impl Place {
    fn pool(&mut self) -> Result<Arc<ThreadPool>, Stopped> {
        if let Some(pool) = &self.pool {
            return Ok(Arc::clone(pool));
        }
        // Enough for the thousands of functions of an interpreter, and not too many on a large machine.
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let pool = Arc::new(pool(threads).map_err(Stopped::NoThreads)?);
        self.pool = Some(Arc::clone(&pool));
        Ok(pool)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.idle.extend(self.pool.take());
        state.under_way.retain(|digest| *digest != self.digest);
        state.ended += 1;
        drop(state);
        // All of them, because each waiting load restarts its timeout.
        self.places.freed.notify_all();
    }
}

fn pool(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|_| "hostel-compile".to_owned())
        .start_handler(|_| stand_back())
        .build()
}

/// Lowers the priority of the calling thread. If the system refuses that, compilations only compete more with tasks.
#[cfg(target_os = "linux")]
fn stand_back() {
    // On Linux, process 0 means the calling thread.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("cannot lower the priority of a compiling thread: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    /// Takes every place until the sender is dropped.
    fn occupied(compiler: &Compiler) -> mpsc::Sender<()> {
        let (keep, until) = mpsc::channel::<()>();
        let until = Arc::new(Mutex::new(until));
        for number in 0..PLACES {
            let until = Arc::clone(&until);
            let stopped = compiler.run(digest(number), move || until.lock().unwrap().recv().is_ok());
            assert!(matches!(stopped, Err(Stopped::Timeout)), "{stopped:?}");
        }
        keep
    }

    #[test]
    fn a_panic_is_an_error_and_the_place_is_free_again() {
        let compiler = Compiler::new(LONG);
        for _ in 0..=PLACES {
            match compiler.run(digest(0), || panic!("register {}", 7)) {
                Err(Stopped::Panicked(message)) => assert_eq!(message, "register 7"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(compiler.run(digest(0), || 42), Ok(42)));
    }

    #[test]
    fn what_takes_too_long_is_left_alone_and_keeps_its_place_until_it_ends() {
        let hasty = Compiler::new(Duration::ZERO);
        let patient = Compiler { places: Arc::clone(&hasty.places), ..Compiler::new(LONG) };
        let keep = occupied(&hasty);
        assert!(matches!(hasty.run(digest(PLACES), || ()), Err(Stopped::NoPlace)));
        drop(keep);
        assert!(matches!(patient.run(digest(0), || 42), Ok(42)));
    }

    #[test]
    fn heavy_components_are_compiled_one_at_a_time_on_one_thread() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        let compiler = Compiler::new(LONG);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Lets the others enter, if they can.
            (0..1000).for_each(|_| thread::yield_now());
            now.fetch_sub(1, Ordering::SeqCst);
            rayon::current_num_threads()
        };
        thread::scope(|scope| {
            let run = || scope.spawn(|| compiler.alone(work).unwrap());
            let threads: Vec<_> = (0..4).map(|_| run()).map(|thread| thread.join().unwrap()).collect();
            assert_eq!(threads, [1; 4]);
        });
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn as_many_as_there_are_places_compile_at_once() {
        let compiler = Compiler::new(LONG);
        let together = Arc::new(Barrier::new(PLACES));
        thread::scope(|scope| {
            for number in 0..PLACES {
                let (compiler, together) = (&compiler, Arc::clone(&together));
                scope.spawn(move || {
                    compiler.run(digest(number), move || together.wait().is_leader()).unwrap()
                });
            }
        });
        assert!(compiler.places.lock().under_way.is_empty());
    }

    #[test]
    fn the_same_component_takes_one_place_and_its_turn_comes_after_it() {
        let places: Arc<Places> = Arc::default();
        let hasty = Compiler { places: Arc::clone(&places), ..Compiler::new(Duration::ZERO) };
        let patient = Compiler { places: Arc::clone(&places), ..Compiler::new(LONG) };
        let (keep, until) = mpsc::channel::<()>();
        assert!(matches!(hasty.run(digest(0), move || until.recv().is_ok()), Err(Stopped::Timeout)));
        for _ in 0..=PLACES {
            assert!(matches!(hasty.run(digest(0), || ()), Err(Stopped::Timeout)));
        }
        assert_eq!(places.lock().under_way, [digest(0)]);
        thread::scope(|scope| {
            let after = scope.spawn(|| patient.run(digest(0), || 42));
            while places.lock().waiting.is_empty() {
                thread::yield_now();
            }
            // Others overtake it meanwhile.
            assert!(matches!(patient.run(digest(1), || 7), Ok(7)));
            assert_eq!(places.lock().waiting.len(), 1);
            drop(keep);
            assert!(matches!(after.join().unwrap(), Ok(42)));
        });
    }

    #[test]
    fn places_are_given_in_the_order_of_those_who_came() {
        let mut state = Compilations::default();
        state.under_way.extend([digest(0), digest(1)]);
        state.waiting.extend([(0, digest(1)), (1, digest(2)), (2, digest(3))]);
        let turns = |state: &Compilations| [0, 1, 2].map(|ticket| state.is_turn_of(ticket));
        assert_eq!(turns(&state), [false, true, false]);
        state.under_way = vec![digest(0)];
        assert_eq!(turns(&state), [true, false, false]);
        state.under_way = (4..4 + PLACES).map(digest).collect();
        assert_eq!(turns(&state), [false; 3]);
    }

    #[test]
    fn no_more_than_the_bound_wait() {
        let places: Arc<Places> = Arc::default();
        let hasty = Compiler { places: Arc::clone(&places), ..Compiler::new(Duration::ZERO) };
        let _keep = occupied(&hasty);
        places.lock().waiting = (0..MAX_WAITING).map(|_| (u64::MAX, digest(PLACES))).collect();
        assert!(matches!(hasty.run(digest(PLACES), || ()), Err(Stopped::Crowded)));
        places.lock().waiting.pop_back();
        assert!(matches!(hasty.run(digest(PLACES), || ()), Err(Stopped::NoPlace)));
    }

    #[test]
    fn dropping_it_waits_for_nobody() {
        let compiler = Compiler::new(Duration::ZERO);
        let keep = occupied(&compiler);
        let places = Arc::clone(&compiler.places);
        drop(compiler);
        drop(keep);
        let mut state = places.lock();
        while !state.under_way.is_empty() {
            state = places.freed.wait(state).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn compiling_threads_stand_back_and_others_do_not() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let compiling = Compiler::new(LONG)
            .run(digest(0), || rustix::process::getpriority_process(None).unwrap())
            .unwrap();
        assert!(compiling >= NICENESS.max(own), "{compiling}");
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
    }
}
