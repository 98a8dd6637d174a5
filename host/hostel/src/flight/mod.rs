//! Single flight: among runs with the same cache key one executes, and the others wait for its result.
//!
//! A run takes its key before the look-up in the cache. Other runs of this process with the same key then wait, without
//! a worker. Runs of other processes on the same data directory find the key locked, and try again a little later. If
//! the owner of the key ends with a stored value, all the others find that value. If it ends otherwise, the next run
//! takes the key and tries. A waiting run can be cancelled without affecting the others.
//!
//! If a process is killed, the system releases its locks, and the next run gets the key at its next try. If a process
//! is frozen, it keeps its locks but its pulse stops: after [`LEASE`], another run goes on without the key. Single
//! execution is an optimisation only; correct results do not depend on it.

#[cfg_attr(not(target_os = "linux"), path = "no_locks.rs")]
mod locks;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hostel_core::{CacheKey, RunId};

use self::locks::{Grab, Held, KeyLocks};
use crate::ids::IdHasher;

/// How long another process may show no pulse before its keys are ignored.
const LEASE: Duration = Duration::from_secs(30);

/// How often a process writes its pulse.
pub(crate) const PULSE: Duration = Duration::from_secs(10);

/// How long a run waits before it checks again whether another process has released a key.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The number of shards of the map of keys, each with its own lock.
const SHARDS: usize = 16;

/// A run, as single flight uses it.
pub(crate) trait Waiter: Send + Sync + Sized + 'static {
    /// Its id.
    fn id(&self) -> RunId;

    /// It owns its key from now on, until it ends. `false` if it has ended.
    fn takes_key(&self) -> bool;

    /// Parks it until it is resumed, or for at most `look_again`. `false` if it has ended, or the host no longer parks
    /// runs.
    fn park(self: &Arc<Self>, look_again: Option<Duration>) -> bool;

    /// Puts it back into the queue, if it is parked.
    fn resume(&self);

    /// Cancels it, because it cannot be parked.
    fn withdraw(self: &Arc<Self>);
}

/// The owned keys, and the runs that wait for them.
pub(crate) struct Flights<W> {
    shards: [Mutex<HashMap<CacheKey, Flight<W>, IdHasher>>; SHARDS],
    /// Locks between processes, if they share a directory.
    locks: Option<KeyLocks>,
}

/// One owned key.
struct Flight<W> {
    owner: RunId,
    waiting: VecDeque<Weak<W>>,
    hold: Hold,
}

/// How other processes are excluded from the key.
enum Hold {
    /// Not at all: there are no locks, or they are not used.
    Alone,
    /// By its lock.
    Locked(Held),
    /// Another process holds the lock: the last change of its pulse, and the time of that change.
    Elsewhere { pulse: u64, since: Instant },
}

/// Whether a run may go on with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeoff {
    /// It owns the key.
    Owner,
    /// It waits for the owner of the key.
    Waits,
    /// It has ended.
    Ended,
}

/// How a waiting run finds out that its key is free.
enum Wait {
    /// It is notified.
    Notified,
    /// It tries again after a while.
    Look,
}

impl<W: Waiter> Flights<W> {
    /// Keys are shared with the other processes that use `dir`, if one is given.
    pub(crate) fn new(dir: Option<PathBuf>) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), locks: dir.map(KeyLocks::new) }
    }

    /// Takes the key for a run that a worker has picked up, or makes the run wait for the key.
    pub(crate) fn join(&self, key: &CacheKey, run: &Arc<W>) -> Takeoff {
        let mut shard = self.shard(key);
        let taken = self.take(&mut shard, key, run.id(), Instant::now());
        if let Err(Wait::Notified) = taken {
            // Under the lock of the shard, so that the end is not signalled before the run is registered.
            let parked = run.park(None);
            if let Some(flight) = shard.get_mut(key).filter(|_| parked) {
                flight.wait(run);
            }
            drop(shard);
            return waits(run, parked);
        }
        drop(shard);
        // From now on the end of the run releases the key. If it has already ended, the key is released here.
        if !run.takes_key() {
            drop(self.land(key, run.id(), false));
            return Takeoff::Ended;
        }
        match taken {
            Ok(()) => Takeoff::Owner,
            Err(Wait::Notified | Wait::Look) => waits(run, run.park(Some(LOOK_AGAIN))),
        }
    }

    /// The owner of the key has ended, with or without a stored value. Has no effect for any other run.
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

    /// The owner of the key will end without a value that can be stored, so it loses the key, and no run waits for it.
    pub(crate) fn give_up(&self, key: &CacheKey, owner: RunId) {
        // As after a value: all waiting runs go on at once.
        drop(self.land(key, owner, true));
    }

    /// Writes a pulse for all keys that this process holds.
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
        shard: &mut HashMap<CacheKey, Flight<W>, IdHasher>,
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
            return Err(Wait::Notified);
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

    fn shard(&self, key: &CacheKey) -> MutexGuard<'_, HashMap<CacheKey, Flight<W>, IdHasher>> {
        let [first, ..] = key.as_bytes();
        let [fallback, ..] = &self.shards;
        let shard = self.shards.get(usize::from(*first) % SHARDS).unwrap_or(fallback);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Flight<W> {
    fn wait(&mut self, run: &Arc<W>) {
        // Removes cancelled runs before the list doubles.
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.retain(|waiting| waiting.strong_count() > 0);
        }
        self.waiting.push_back(Arc::downgrade(run));
    }
}

/// A job waits if it is parked. If it cannot be parked, it has ended, or the host no longer parks jobs.
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

    /// These tests do not wait.
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

    /// Whether the run gets the key, at this time in seconds.
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
