//! Live attempts: a thread that advances the epoch while there are some, so that computing guests yield and can be
//! stopped, and looks at the memory of the process; and those that wait for room.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::yield_now;

use crate::turn::Rhythm;

/// How long a guest computes before it yields, at most twice as long in its first turn. It bounds how late a timeout or
/// a cancellation takes effect, and is short enough that the others get their turn.
const TICK: Duration = Duration::from_millis(5);

/// The number of ticks without a guest after which the thread sleeps, so that an idle host costs nothing.
const IDLE_TICKS: u32 = 20;

/// The most waiting attempts that one that ends wakes.
const MOST_WOKEN: usize = 32;

/// The number of ticks between two looks at the memory of the process.
const TICKS_BETWEEN_LOOKS: u32 = 4;

/// Looks at the memory of the process. Returns whether it is no longer short.
pub(crate) type Look = Box<dyn FnMut() -> bool + Send>;

/// Owns the tick thread, which ends when this is dropped.
pub(crate) struct Ticker(Arc<LiveAttempts>);

struct LiveAttempts {
    /// The number of existing attempts.
    live: AtomicUsize,
    /// How many of them wait for room.
    waiting: AtomicUsize,
    /// An attempt has ended.
    room: Notify,
    rhythm: Arc<Rhythm>,
    state: Mutex<TickState>,
    changed: Condvar,
}

#[derive(Default)]
struct TickState {
    engines: Vec<wasmtime::Engine>,
    asleep: bool,
    ended: bool,
}

/// Keeps the tick running as long as it lives.
pub(crate) struct Ticking<'a>(&'a LiveAttempts);

impl Ticker {
    /// Starts the thread, which looks at the memory every few ticks if there is something to look at.
    pub(crate) fn start(look: Option<Look>) -> io::Result<Self> {
        let shared = Arc::new(LiveAttempts {
            live: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
            rhythm: Arc::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("hostel-tick".to_owned())
            .spawn(move || of_thread.tick_until_ended(look))?;
        Ok(Self(shared))
    }

    /// Lets the tick advance `engine` too.
    pub(crate) fn drive(&self, engine: &wasmtime::Engine) {
        let mut state = self.0.lock();
        if !state.engines.iter().any(|driven| wasmtime::Engine::same(driven, engine)) {
            state.engines.push(engine.clone());
        }
    }

    /// Notifies attempts that wait for room that there may be some, although none has ended.
    pub(crate) fn there_may_be_room(&self) {
        self.0.room.notify_waiters();
    }

    /// The state that guests read when there is a new epoch.
    pub(crate) fn rhythm(&self) -> &Arc<Rhythm> {
        &self.0.rhythm
    }

    /// Hold it while a guest exists.
    pub(crate) fn ticking(&self) -> Ticking<'_> {
        if self.0.live.fetch_add(1, Ordering::SeqCst) == 0 {
            self.0.wake();
        }
        Ticking(&self.0)
    }
}

impl Ticking<'_> {
    /// Registers for room. From then on, a caller that finds no room does not miss the end of another attempt.
    pub(crate) fn look_out(&self) -> LookOut<'_> {
        let mut ended = Box::pin(self.0.room.notified());
        ended.as_mut().enable();
        LookOut { waiting: Waiting::new(self.0), ended }
    }
}

/// Waits for room.
pub(crate) struct LookOut<'a> {
    waiting: Waiting<'a>,
    ended: Pin<Box<Notified<'a>>>,
}

impl LookOut<'_> {
    /// Waits until another attempt has ended; `false`, soon, if all existing attempts are waiting.
    pub(crate) async fn wait(self) -> bool {
        let Self { waiting, ended } = self;
        let shared = waiting.0;
        let others_hold_room = shared.live.load(Ordering::SeqCst) > shared.waiting.load(Ordering::SeqCst);
        if others_hold_room {
            ended.await;
        } else {
            // The other waiting attempts find out the same, and go on before this one does.
            shared.room.notify_waiters();
            yield_now().await;
        }
        others_hold_room
    }
}

/// Hold it while an attempt waits for room.
struct Waiting<'a>(&'a LiveAttempts);

impl<'a> Waiting<'a> {
    fn new(shared: &'a LiveAttempts) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
        // Several of them, because one may need less than another; and not all, because there may be ten thousand. One that finds no room
        // waits behind the others again. Each of those that are woken will end, and wake further ones.
        for _ in 0..self.0.waiting.load(Ordering::SeqCst).min(MOST_WOKEN) {
            self.0.room.notify_one();
        }
    }
}

impl LiveAttempts {
    fn wake(&self) {
        let mut state = self.lock();
        if std::mem::take(&mut state.asleep) {
            self.changed.notify_one();
        }
    }

    fn tick_until_ended(&self, mut look: Option<Look>) {
        let (mut idle_ticks, mut ticks) = (0, 0_u32);
        loop {
            thread::sleep(TICK);
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(TICKS_BETWEEN_LOOKS) && look.as_mut().is_some_and(|look| look()) {
                self.room.notify_waiters();
            }
            let mut state = self.lock();
            self.rhythm.tick();
            state.engines.iter().for_each(wasmtime::Engine::increment_epoch);
            idle_ticks = if self.live.load(Ordering::SeqCst) == 0 { idle_ticks + 1 } else { 0 };
            if idle_ticks >= IDLE_TICKS {
                state.asleep = true;
                // `live` is read again below: an attempt that began before `asleep` was set did not wake us.
                while state.asleep && !state.ended && self.live.load(Ordering::SeqCst) == 0 {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.asleep = false;
                idle_ticks = 0;
            }
            if state.ended {
                return;
            }
        }
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn lock(&self) -> MutexGuard<'_, TickState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
