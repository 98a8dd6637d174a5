//! Single flight: of runs with the same cache key one executes, and the others wait for its result.
//!
//! A run that is about to look into the cache first takes its key. Others of this process that want it then wait,
//! holding no worker; those of other processes on the same data directory see the key's lock, and look again a little
//! later. When the one that has the key ends with a value that is kept, all the others find it; when it ends otherwise,
//! the next one takes the key and tries. One that waits can be cancelled without the others hearing of it.
//!
//! A process that is killed loses its locks with its life, and the next one has the key as soon as it looks. One that
//! is frozen keeps them, but its pulse stops: after [`LEASE`] another goes on without the key. That the body runs once is a
//! courtesy: that the result is right does not hang on it.

#[cfg_attr(not(target_os = "linux"), path = "no_locks.rs")]
mod locks;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hostel_core::{CacheKey, RunId};

use self::locks::{Grab, Held, KeyLocks};

/// How long another process may show no sign of life before its keys are nobody's.
const LEASE: Duration = Duration::from_secs(30);

/// How often a process shows that it lives.
pub(crate) const PULSE: Duration = Duration::from_secs(10);

/// How long a run waits before it looks again whether another process has let go of a key.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The map of keys is in so many parts, each under a lock of its own.
const SHARDS: usize = 16;

/// A run, as far as single flight has to do with it.
pub(crate) trait Waiter: Send + Sync + Sized + 'static {
    /// Its identity.
    fn id(&self) -> RunId;

    /// It owns its key from now on, until it ends. `false` if it has ended.
    fn takes_key(&self) -> bool;

    /// Parks it until it is resumed, or for no longer than `look_again`. `false` if it has ended, or the host parks nothing
    /// any more.
    fn park(self: &Arc<Self>, look_again: Option<Duration>) -> bool;

    /// Puts it back into the queue, if it is parked.
    fn resume(&self);

    /// Cancels it, because it cannot be parked.
    fn withdraw(self: &Arc<Self>);
}

/// Which keys are taken, and who waits for them.
pub(crate) struct Flights<W> {
    shards: [Mutex<HashMap<CacheKey, Flight<W>>>; SHARDS],
    /// Between processes, if they share a directory.
    locks: Option<KeyLocks>,
}

/// One key that is taken.
struct Flight<W> {
    owner: RunId,
    waiting: VecDeque<Weak<W>>,
    hold: Hold,
}

/// What keeps other processes from the key.
enum Hold {
    /// Nothing: there are none, or they are not waited for.
    Alone,
    /// Its lock.
    Locked(Held),
    /// Another process has the lock: what its pulse was when it last changed, and when that was.
    Elsewhere { pulse: u64, since: Instant },
}

/// Whether a run may go on with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeoff {
    /// It has the key.
    Owner,
    /// It waits for the one that has it.
    Waits,
    /// It has ended.
    Ended,
}

/// What a run does that cannot have its key at once.
enum Wait {
    /// It is told.
    Told,
    /// It looks again.
    Look,
}

impl<W: Waiter> Flights<W> {
    /// Keys are shared with the other processes that use `dir`, if one is given.
    pub(crate) fn new(dir: Option<PathBuf>) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), locks: dir.map(KeyLocks::new) }
    }

    /// Takes the key for a run that a worker has picked up, or has the run wait for it.
    pub(crate) fn join(&self, key: &CacheKey, run: &Arc<W>) -> Takeoff {
        let mut shard = self.shard(key);
        let taken = self.take(&mut shard, key, run.id(), Instant::now());
        if let Err(Wait::Told) = taken {
            // Under the shard's lock, so that nobody tells of the end before the run is where it can be told.
            let parked = run.park(None);
            if let Some(flight) = shard.get_mut(key).filter(|_| parked) {
                flight.wait(run);
            }
            drop(shard);
            return waits(run, parked);
        }
        drop(shard);
        // From now on its end lets go of the key; if it has ended before, that is done here.
        if !run.takes_key() {
            drop(self.land(key, run.id(), false));
            return Takeoff::Ended;
        }
        match taken {
            Ok(()) => Takeoff::Owner,
            Err(Wait::Told | Wait::Look) => waits(run, run.park(Some(LOOK_AGAIN))),
        }
    }

    /// The run that had the key has ended, with a value that is kept or without. Does nothing for any other run.
    pub(crate) fn land(&self, key: &CacheKey, owner: RunId, kept: bool) -> Option<impl Send + use<W>> {
        let mut shard = self.shard(key);
        let flight = shard.get_mut(key).filter(|flight| flight.owner == owner)?;
        if !kept {
            while let Some(next) = flight.waiting.pop_front() {
                if let Some(next) = next.upgrade().filter(|next| next.takes_key()) {
                    flight.owner = next.id();
                    drop(shard);
                    next.resume();
                    return None;
                }
            }
        }
        let flight = shard.remove(key)?;
        drop(shard);
        release(flight.waiting);
        Some(flight.hold)
    }

    /// The run that has the key will end without a value that can be kept: it has the key no longer, and nobody waits.
    pub(crate) fn give_up(&self, key: &CacheKey, owner: RunId) {
        // As after a value: all go on at once.
        drop(self.land(key, owner, true));
    }

    /// Shows other processes that this one lives, for all keys that it has.
    pub(crate) fn pulse(&self) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().for_each(|flight| {
                if let Hold::Locked(held) = &flight.hold {
                    held.pulse();
                }
            });
        }
    }

    /// Whether keys are shared with other processes.
    pub(crate) fn has_others(&self) -> bool {
        self.locks.is_some()
    }

    fn take(
        &self,
        shard: &mut HashMap<CacheKey, Flight<W>>,
        key: &CacheKey,
        run: RunId,
        now: Instant,
    ) -> Result<(), Wait> {
        let Some(flight) = shard.get_mut(key) else {
            let (hold, taken) = match self.grab(key) {
                Grab::Taken(held) => (Hold::Locked(held), Ok(())),
                Grab::Busy { pulse } => (Hold::Elsewhere { pulse, since: now }, Err(Wait::Look)),
                Grab::Unusable => (Hold::Alone, Ok(())),
            };
            shard.insert(*key, Flight { owner: run, waiting: VecDeque::new(), hold });
            return taken;
        };
        if flight.owner != run {
            return Err(Wait::Told);
        }
        let Hold::Elsewhere { pulse, since } = flight.hold else { return Ok(()) };
        let (hold, taken) = match self.grab(key) {
            Grab::Taken(held) => (Hold::Locked(held), Ok(())),
            Grab::Busy { pulse: now_at } if now_at != pulse => {
                (Hold::Elsewhere { pulse: now_at, since: now }, Err(Wait::Look))
            }
            Grab::Busy { .. } if now.saturating_duration_since(since) < LEASE => return Err(Wait::Look),
            Grab::Busy { .. } | Grab::Unusable => (Hold::Alone, Ok(())),
        };
        flight.hold = hold;
        taken
    }

    fn grab(&self, key: &CacheKey) -> Grab {
        self.locks.as_ref().map_or(Grab::Unusable, |locks| locks.grab(key))
    }

    fn shard(&self, key: &CacheKey) -> MutexGuard<'_, HashMap<CacheKey, Flight<W>>> {
        let [first, ..] = key.as_bytes();
        let [fallback, ..] = &self.shards;
        let shard = self.shards.get(usize::from(*first) % SHARDS).unwrap_or(fallback);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Flight<W> {
    fn wait(&mut self, run: &Arc<W>) {
        // Those that were cancelled meanwhile, before there are twice as many places.
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.retain(|waiting| waiting.strong_count() > 0);
        }
        self.waiting.push_back(Arc::downgrade(run));
    }
}

/// A job waits if it is parked; if it cannot be, it has ended, or the host lets nothing wait any more.
fn waits<W: Waiter>(run: &Arc<W>, parked: bool) -> Takeoff {
    if parked {
        return Takeoff::Waits;
    }
    run.withdraw();
    Takeoff::Ended
}

fn release<W: Waiter>(waiting: VecDeque<Weak<W>>) {
    waiting.iter().filter_map(Weak::upgrade).for_each(|run| run.resume());
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey::from_bytes([7; 32]);

    type Flights = super::Flights<Nobody>;

    /// Nobody waits in these tests.
    struct Nobody;

    impl Waiter for Nobody {
        fn id(&self) -> RunId {
            run(0)
        }

        fn takes_key(&self) -> bool {
            false
        }

        fn park(self: &Arc<Self>, _: Option<Duration>) -> bool {
            false
        }

        fn resume(&self) {}

        fn withdraw(self: &Arc<Self>) {}
    }

    fn run(number: u8) -> RunId {
        RunId::from_bytes([number; 16])
    }

    /// Whether the run gets the key, at so many seconds.
    fn takes(flights: &Flights, run: RunId, now: Instant) -> bool {
        flights.take(&mut flights.shard(&KEY), &KEY, run, now).is_ok()
    }

    #[test]
    fn a_key_is_one_runs_until_it_ends() {
        let flights = Flights::new(None);
        let now = Instant::now();
        assert!(takes(&flights, run(1), now));
        assert!(!takes(&flights, run(2), now));
        assert!(takes(&flights, run(1), now), "it has it already");
        assert!(flights.land(&KEY, run(2), true).is_none(), "it is not its own");
        assert!(!takes(&flights, run(2), now));
        drop(flights.land(&KEY, run(1), true));
        assert!(takes(&flights, run(2), now));
    }

    #[test]
    fn a_key_is_one_processes_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Flights::new(Some(dir.path().join("flights"))));
        let now = Instant::now();
        assert!(takes(&one, run(1), now));
        assert!(!takes(&two, run(2), now));
        assert!(!takes(&two, run(3), now), "it waits for the one that looks");
        let lock = one.land(&KEY, run(1), true);
        assert!(!takes(&two, run(2), now), "the result is not written yet");
        drop(lock);
        assert!(takes(&two, run(2), now));
        assert!(!takes(&one, run(1), now));
    }

    #[test]
    fn a_lock_that_is_let_go_of_late_takes_nothing_from_the_next_owner() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Flights::new(Some(dir.path().join("flights"))));
        let now = Instant::now();
        assert!(takes(&one, run(1), now));
        let late = one.land(&KEY, run(1), true);
        assert!(takes(&one, run(2), now));
        drop(late);
        assert!(!takes(&two, run(3), now));
        drop(one.land(&KEY, run(2), true));
        assert!(takes(&two, run(3), now));
    }

    #[test]
    fn a_key_that_is_given_up_is_anybodys() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Flights::new(Some(dir.path().join("flights"))));
        let now = Instant::now();
        assert!(takes(&one, run(1), now));
        one.give_up(&KEY, run(2));
        assert!(!takes(&two, run(3), now), "it was not its own to give up");
        one.give_up(&KEY, run(1));
        assert!(takes(&two, run(3), now));
        assert!(one.land(&KEY, run(1), false).is_none());
    }

    #[test]
    fn one_without_a_pulse_is_not_waited_for_longer_than_its_lease() {
        let dir = tempfile::tempdir().unwrap();
        let [frozen, two] = [(); 2].map(|()| Flights::new(Some(dir.path().to_owned())));
        let begin = Instant::now();
        assert!(takes(&frozen, run(1), begin));
        assert!(!takes(&two, run(2), begin));
        assert!(!takes(&two, run(2), begin + LEASE - PULSE));
        frozen.pulse();
        assert!(!takes(&two, run(2), begin + LEASE));
        assert!(!takes(&two, run(2), begin + LEASE * 2 - Duration::from_millis(1)));
        assert!(takes(&two, run(2), begin + LEASE * 2));
    }

    #[test]
    fn a_directory_that_cannot_be_used_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let [one, two] = [(); 2].map(|()| Flights::new(Some(file.join("flights"))));
        assert!(takes(&one, run(1), Instant::now()));
        assert!(takes(&two, run(2), Instant::now()));
    }
}
