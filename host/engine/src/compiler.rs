//! Where components are compiled: in a few small pools of threads that give way to running tasks.
//!
//! The compiler cannot be interrupted. A load that has waited for long enough gives up, and its work goes on to its end
//! in the pool that it has; that pool is not free until then.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// How many components are compiled at once, abandoned ones among them.
pub(crate) const PLACES: usize = 4;

/// How many loads may wait for a place; each has its component in memory.
pub(crate) const MAX_WAITING: usize = 1_024;

/// The threads of one place: enough for an interpreter's thousands of functions, and no more on a large machine.
const MAX_THREADS: usize = 16;

/// The stack of each: types that nest as deep as the survey lets them are walked by recursion.
const STACK_BYTES: usize = 16 << 20;

/// How far the threads stand back on Linux: a third as much of a processor as a task that computes beside them, and all
/// of it where none does.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Runs compiles, bounded in number and in how long they are waited for.
pub(crate) struct Compiler {
    places: Arc<Places>,
    timeout: Duration,
}

/// Why a compile gave nothing.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It took longer than the timeout, and goes on.
    Timeout,
    /// Nothing was compiled to its end for as long as the timeout, and every place is taken.
    NoPlace,
    /// Too many wait already.
    Crowded,
    /// The threads cannot be started.
    NoThreads(ThreadPoolBuildError),
    /// The compiler panicked, and said so.
    Panicked(String),
}

#[derive(Default)]
struct Places {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    /// Pools that nobody compiles in. Each is made when it is first needed.
    idle: Vec<Arc<ThreadPool>>,
    taken: usize,
    waiting: usize,
    /// How many compiles have ended: those who wait see by it that it goes on.
    ended: u64,
}

/// One place among [`PLACES`], given back when this is dropped.
struct Place {
    pool: Option<Arc<ThreadPool>>,
    places: Arc<Places>,
}

impl Compiler {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { places: Arc::default(), timeout }
    }

    /// The longest that a compile is waited for.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Does `work` in a place of its own, and waits for it on the calling thread.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped>
    where
        T: Send + 'static,
    {
        let mut place = self.places.take(self.timeout)?;
        let pool = place.pool()?;
        let (send, receive) = mpsc::sync_channel(1);
        pool.spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(work));
            // Before the answer, so that who has it finds the place free.
            drop(place);
            // Nobody listens any more if it took too long.
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
    /// Takes a place, or waits for one: for as long as others end theirs in time.
    fn take(self: &Arc<Self>, timeout: Duration) -> Result<Place, Stopped> {
        let mut state = self.lock();
        if state.taken >= PLACES {
            if state.waiting >= MAX_WAITING {
                return Err(Stopped::Crowded);
            }
            state.waiting += 1;
            state = self.wait(state, timeout);
            state.waiting -= 1;
        }
        if state.taken >= PLACES {
            return Err(Stopped::NoPlace);
        }
        state.taken += 1;
        Ok(Place { pool: state.idle.pop(), places: Arc::clone(self) })
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        let (mut ended, mut since) = (state.ended, Instant::now());
        while state.taken >= PLACES {
            let left = timeout.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.ended != ended {
                (ended, since) = (state.ended, Instant::now());
            }
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn pool(&mut self) -> Result<Arc<ThreadPool>, Stopped> {
        if let Some(pool) = &self.pool {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(pool().map_err(Stopped::NoThreads)?);
        self.pool = Some(Arc::clone(&pool));
        Ok(pool)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.idle.extend(self.pool.take());
        state.taken -= 1;
        state.ended += 1;
        drop(state);
        // All, for each of those who wait counts its time anew.
        self.places.freed.notify_all();
    }
}

fn pool() -> Result<ThreadPool, ThreadPoolBuildError> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|_| "hostel-compile".to_owned())
        .start_handler(|_| stand_back())
        .build()
}

/// Lowers the priority of the calling thread. It is a courtesy: where the system does not grant it, compiles are only
/// less polite.
#[cfg(target_os = "linux")]
fn stand_back() {
    // To Linux no process means the calling thread.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("cannot lower the priority of a compiling thread: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    /// Takes every place until the sender is dropped.
    fn occupied(compiler: &Compiler) -> mpsc::Sender<()> {
        let (keep, until) = mpsc::channel::<()>();
        let until = Arc::new(Mutex::new(until));
        for _ in 0..PLACES {
            let until = Arc::clone(&until);
            let stopped = compiler.run(move || until.lock().unwrap().recv().is_ok());
            assert!(matches!(stopped, Err(Stopped::Timeout)), "{stopped:?}");
        }
        keep
    }

    #[test]
    fn a_panic_is_an_error_and_the_place_is_free_again() {
        let compiler = Compiler::new(LONG);
        for _ in 0..=PLACES {
            match compiler.run(|| panic!("register {}", 7)) {
                Err(Stopped::Panicked(message)) => assert_eq!(message, "register 7"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(compiler.run(|| 42), Ok(42)));
    }

    #[test]
    fn what_takes_too_long_is_left_alone_and_keeps_its_place_until_it_ends() {
        let places = Arc::default();
        let hasty = Compiler { places: Arc::clone(&places), timeout: Duration::ZERO };
        let patient = Compiler { places, timeout: LONG };
        let keep = occupied(&hasty);
        assert!(matches!(hasty.run(|| ()), Err(Stopped::NoPlace)));
        drop(keep);
        assert!(matches!(patient.run(|| 42), Ok(42)));
    }

    #[test]
    fn as_many_as_there_are_places_compile_at_once() {
        let compiler = Compiler::new(LONG);
        let together = Arc::new(Barrier::new(PLACES));
        thread::scope(|scope| {
            for _ in 0..PLACES {
                let together = Arc::clone(&together);
                scope.spawn(|| compiler.run(move || together.wait().is_leader()).unwrap());
            }
        });
        assert_eq!(compiler.places.lock().taken, 0);
    }

    #[test]
    fn no_more_than_the_bound_wait() {
        let places: Arc<Places> = Arc::default();
        let hasty = Compiler { places: Arc::clone(&places), timeout: Duration::ZERO };
        let _keep = occupied(&hasty);
        places.lock().waiting = MAX_WAITING;
        assert!(matches!(hasty.run(|| ()), Err(Stopped::Crowded)));
        places.lock().waiting = MAX_WAITING - 1;
        assert!(matches!(hasty.run(|| ()), Err(Stopped::NoPlace)));
    }

    #[test]
    fn dropping_it_waits_for_nobody() {
        let compiler = Compiler::new(Duration::ZERO);
        let keep = occupied(&compiler);
        let places = Arc::clone(&compiler.places);
        drop(compiler);
        drop(keep);
        let mut state = places.lock();
        while state.taken > 0 {
            state = places.freed.wait(state).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn compiling_threads_stand_back_and_others_do_not() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let compiling =
            Compiler::new(LONG).run(|| rustix::process::getpriority_process(None).unwrap()).unwrap();
        assert!(compiling >= NICENESS.max(own), "{compiling}");
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
    }
}
