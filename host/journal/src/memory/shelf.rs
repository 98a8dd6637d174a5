//! The runs of a journal in memory, with the orders in which they are found.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use std::sync::Arc;

use hostel_core::journal::{
    Applied, ClaimOrder, ClaimRequest, Fence, JournalEntry, JournalEvent, LeaseEnds, LimitUse, Prune,
    Retention, WorkerId, minute_of,
};
use hostel_core::{QueueName, RunCounts, RunId, RunSpec, State, Timestamp};

use super::gates::Gates;

/// All runs, and their indexes. Every index follows from the entries; `put` and `take` are the only places that change
/// them.
#[derive(Default)]
pub(super) struct Shelf {
    runs: HashMap<RunId, Stored>,
    /// By their numbers: the order of arrival.
    arrivals: BTreeMap<u64, RunId>,
    /// Those that a worker can claim now, whatever the clock says.
    waiting: BTreeSet<(ClaimOrder, u64)>,
    /// Those that a worker can claim at their due time.
    timed: BTreeSet<(Timestamp, u64)>,
    /// Those that are claimed, by the end of the lease.
    leases: BTreeSet<(Timestamp, u64)>,
    /// Those that have ended.
    ended: BTreeSet<(Timestamp, u64)>,
    /// The unfinished runs that have a key in a queue.
    holders: HashMap<(QueueName, Arc<str>), RunId>,
    changes: u64,
    gates: Gates,
    /// The workers that claim no other run, to get one that executes alone.
    drainers: HashMap<RunId, WorkerId>,
    ended_bytes: usize,
    events: BTreeMap<u64, JournalEvent>,
    counts: RunCounts,
    /// By the minute of creation and the code of the state.
    minutes: BTreeMap<(u64, i64), u64>,
    /// When old runs were last removed.
    pub(super) upkeep: Option<Timestamp>,
    last_number: u64,
    last_fence: u64,
    pub(super) last_event: u64,
    /// When leases were last looked at.
    pub(super) beat: Option<Timestamp>,
}

/// A run that a claim may have: its order, its number and its id.
type Fitting = (ClaimOrder, u64, RunId);

struct Stored {
    number: u64,
    entry: JournalEntry,
    /// The numbers of its events.
    events: Vec<u64>,
    /// The length of its encoded record, once it has ended.
    bytes: usize,
}

impl Shelf {
    pub(super) fn get(&self, run: RunId) -> Option<&JournalEntry> {
        self.runs.get(&run).map(|stored| &stored.entry)
    }

    pub(super) fn counts(&self) -> &RunCounts {
        &self.counts
    }

    /// Adds a run that is not there, with all that was applied to it.
    pub(super) fn add(&mut self, entry: JournalEntry, applied: &[Applied]) {
        self.last_number += 1;
        let number = self.last_number;
        self.arrivals.insert(number, entry.run());
        self.put(Stored { number, entry, events: Vec::new(), bytes: 0 }, applied);
    }

    /// Replaces a run that is there by what it has become.
    pub(super) fn replace(&mut self, entry: JournalEntry, applied: &[Applied]) {
        if let Some(stored) = self.take(entry.run()) {
            self.put(Stored { entry, ..stored }, applied);
        }
    }

    /// How often anything has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The unfinished run that has the key of this one.
    pub(super) fn holder(&self, spec: &RunSpec) -> Option<RunId> {
        self.holders.get(&key(spec)?).copied()
    }

    /// The next run that a claim gets after some others, if any. A run that executes alone comes alone.
    pub(super) fn next_for(&mut self, claim: &ClaimRequest, claimed: &[JournalEntry]) -> Option<RunId> {
        let is_first = claimed.is_empty();
        if claimed.len() >= claim.limit || claimed.first().is_some_and(JournalEntry::is_solo) {
            return None;
        }
        let wants_solo = claim.gets_solo() && is_first;
        let most = if self.gates.is_empty() && self.drainers.is_empty() { 1 } else { usize::MAX };
        for (.., run) in self.due(claim, most) {
            let is_bar = !wants_solo && self.is_solo(run);
            if is_bar && self.drains_elsewhere(run, &claim.worker) || self.keeps_back(run, claim.now) {
                continue;
            }
            if is_bar {
                self.drainers.insert(run, claim.worker.clone());
                return None;
            }
            return Some(run);
        }
        None
    }

    fn is_solo(&self, run: RunId) -> bool {
        self.get(run).is_some_and(JournalEntry::is_solo)
    }

    /// Whether another worker drains for a run. A worker that has no claims any more does not: it has ended, or takes the run.
    fn drains_elsewhere(&self, run: RunId, worker: &WorkerId) -> bool {
        let Some(drainer) = self.drainers.get(&run).filter(|drainer| *drainer != worker) else {
            return false;
        };
        let mut claims =
            self.leases.iter().filter_map(|(_, number)| self.get(*self.arrivals.get(number)?)?.claim());
        claims.any(|claim| claim.worker == *drainer)
    }

    /// The first runs that are due in order, so many that execute alone and so many others.
    fn due(&self, claim: &ClaimRequest, limit: usize) -> Vec<Fitting> {
        let idle = ClaimRequest { is_idle: true, ..claim.clone() };
        let mut due = self.fitting(&idle, false, limit);
        due.extend(self.fitting(&idle, true, limit));
        due.sort_unstable();
        due
    }

    /// Whether a limit keeps a run back.
    fn keeps_back(&mut self, run: RunId, now: Timestamp) -> bool {
        let stored = self.runs.get(&run);
        stored.is_some_and(|stored| self.gates.keeps_back(stored.entry.record().spec(), now))
    }

    pub(super) fn gates(&mut self) -> &mut Gates {
        self.changes += 1;
        &mut self.gates
    }

    pub(super) fn limits(&self) -> Vec<LimitUse> {
        self.gates.uses()
    }

    /// The gates, and the runs that are claimed.
    pub(super) fn gates_and_claimed(&mut self) -> (&mut Gates, impl Iterator<Item = &RunSpec>) {
        self.changes += 1;
        let runs = &self.runs;
        let arrivals = &self.arrivals;
        let claimed = self.leases.iter().filter_map(|(_, number)| runs.get(arrivals.get(number)?));
        (&mut self.gates, claimed.map(|stored| stored.entry.record().spec()))
    }

    /// The first runs that a claim may have, in order: those that execute alone, or the others.
    fn fitting(&self, claim: &ClaimRequest, is_solo: bool, limit: usize) -> Vec<Fitting> {
        let fits = |number: &u64| {
            let run = *self.arrivals.get(number)?;
            let entry = self.get(run).filter(|entry| entry.is_solo() == is_solo && entry.fits(claim))?;
            Some((entry.claim_order(), *number, run))
        };
        let waiting = self.waiting.iter().filter_map(|(_, number)| fits(number)).take(limit);
        let timed = self.timed.range(..=(claim.now, u64::MAX)).filter_map(|(_, number)| fits(number));
        let mut due: Vec<_> = waiting.chain(timed).collect();
        due.sort_unstable();
        due.truncate(limit);
        due
    }

    /// When a claim could next have an answer.
    pub(super) fn next_due(&self, claim: &ClaimRequest) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for (.., run) in self.due(claim, usize::MAX) {
            let is_bar = !claim.gets_solo() && self.is_solo(run);
            let spec = self.get(run)?.record().spec();
            let opening = self.gates.opening(spec, claim.now);
            if !is_bar {
                next = next.into_iter().chain(opening).min();
            } else if opening == Some(claim.now) && !self.drains_elsewhere(run, &claim.worker) {
                break;
            }
        }
        let fits = |due: Timestamp, number: &u64| {
            let entry = self.get(*self.arrivals.get(number)?)?;
            let later = ClaimRequest { now: due, ..claim.clone() };
            entry.fits(&later).then_some(due.max(claim.now))
        };
        let timed = self.timed.range((claim.now, u64::MAX)..).find_map(|(due, number)| fits(*due, number));
        next.into_iter().chain(timed).min()
    }

    /// Marks the earlier runs of a schedule as seen, if this run of it has a value.
    pub(super) fn mark_recovered(&mut self, run: RunId) {
        let Some((number, schedule)) = self
            .runs
            .get(&run)
            .and_then(|stored| Some((stored.number, Arc::<str>::from(stored.entry.recovered_schedule()?))))
        else {
            return;
        };
        for earlier in self.runs.values_mut().filter(|earlier| earlier.number < number) {
            let slot = earlier.entry.record().spec().schedule.as_ref();
            if slot.is_some_and(|slot| slot.schedule == schedule) {
                earlier.entry.mark_seen();
            }
        }
    }

    /// Whether a run is claimed.
    pub(super) fn has_leases(&self) -> bool {
        !self.leases.is_empty()
    }

    /// When the leases of all claims end.
    pub(super) fn lease_ends(&self) -> Option<LeaseEnds> {
        let ((first, _), (last, _)) = self.leases.first().zip(self.leases.last())?;
        Some(LeaseEnds { first: *first, last: *last })
    }

    /// Up to so many runs whose leases end at `now` or before, in the order of these ends.
    pub(super) fn leases_until(&self, now: Timestamp, limit: usize) -> Vec<RunId> {
        let over = self.leases.iter().take_while(|(until, _)| *until <= now);
        over.filter_map(|(_, number)| self.arrivals.get(number)).take(limit).copied().collect()
    }

    /// The runs with numbers below this one, newest first.
    pub(super) fn newest_before(&self, number: u64) -> impl Iterator<Item = (u64, &JournalEntry)> {
        let runs = self.arrivals.range(..number).rev();
        runs.filter_map(|(number, run)| Some((*number, self.get(*run)?)))
    }

    /// The runs with numbers above this one, oldest first.
    pub(super) fn oldest_after(&self, number: u64) -> impl Iterator<Item = (u64, &JournalEntry)> {
        let runs = self.arrivals.range(number.saturating_add(1)..);
        runs.filter_map(|(number, run)| Some((*number, self.get(*run)?)))
    }

    pub(super) fn events_after(&self, after: u64, limit: usize) -> Vec<JournalEvent> {
        let Some(from) = after.checked_add(1) else { return Vec::new() };
        self.events.range(from..).take(limit).map(|(_, event)| event.clone()).collect()
    }

    /// The number that the next run gets.
    pub(super) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    pub(super) fn next_fence(&mut self) -> Fence {
        self.last_fence += 1;
        Fence::new(self.last_fence)
    }

    pub(super) fn has_to_prune(&self, prune: Prune) -> bool {
        let is_old = |before| self.ended.first().is_some_and(|(ended, _)| *ended < before);
        prune.ended_before.is_some_and(is_old)
            || prune.keep.is_some_and(|keep| self.ended.len() as u64 > keep)
    }

    /// How many runs were created in each of some minutes, by state.
    pub(super) fn minutes(&self, first: u64, before: u64) -> impl Iterator<Item = (u64, State, u64)> {
        let minutes = self.minutes.range((first, 0)..(before.max(first), 0));
        minutes.filter_map(|((minute, code), count)| {
            let state = State::ALL.into_iter().find(|state| *state as i64 == *code)?;
            Some((*minute, state, *count))
        })
    }

    /// Up to so many runs that need not stay, those that ended first first.
    pub(super) fn over(&self, retention: &Retention, now: Timestamp, limit: usize) -> Vec<RunId> {
        let is_over = |(ended, number): &(Timestamp, u64)| {
            let entry = self.get(*self.arrivals.get(number)?)?;
            retention.is_over(now, entry.state(), *ended).then(|| entry.run())
        };
        self.ended.iter().filter_map(is_over).take(limit).collect()
    }

    /// Drops ended runs until there are no more than so many, with no more than so many bytes.
    pub(super) fn drop_above(&mut self, ended: usize, ended_bytes: usize) {
        while self.ended.len() > ended || self.ended_bytes > ended_bytes {
            self.drop_first_ended();
        }
    }

    /// Drops the run that ended first, with its events.
    pub(super) fn drop_first_ended(&mut self) {
        let first = self.ended.first().and_then(|(_, number)| self.arrivals.get(number)).copied();
        first.into_iter().for_each(|run| self.drop_run(run));
    }

    /// Drops a run with its events.
    pub(super) fn drop_run(&mut self, run: RunId) {
        if let Some(stored) = self.take(run) {
            self.arrivals.remove(&stored.number);
            self.gates.changed(run, false);
            self.drainers.remove(&run);
            stored.events.iter().for_each(|seq| _ = self.events.remove(seq));
            self.counts.removed += 1;
        }
    }

    /// Takes a run out of all indexes but that of arrivals.
    fn take(&mut self, run: RunId) -> Option<Stored> {
        let stored = self.runs.remove(&run)?;
        self.changes += 1;
        let Stored { number, entry, bytes, .. } = &stored;
        self.waiting.remove(&(entry.claim_order(), *number));
        self.timed.remove(&(entry.due(), *number));
        if let Some(claim) = entry.claim() {
            self.leases.remove(&(claim.until, *number));
        }
        if let Some(ended) = entry.ended() {
            self.ended.remove(&(ended, *number));
            self.ended_bytes -= bytes;
        }
        self.counts.leave(entry.state());
        let minute = (minute_of(entry.record().spec().created), entry.state() as i64);
        if let Some(count) = self.minutes.get_mut(&minute) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.minutes.remove(&minute);
            }
        }
        if let Some(key) = key(entry.record().spec()).filter(|_| !entry.state().is_terminal()) {
            self.holders.remove(&key);
        }
        Some(stored)
    }

    /// Puts a run into all indexes but that of arrivals, with the events that happened to it.
    fn put(&mut self, mut stored: Stored, applied: &[Applied]) {
        for &Applied { at, change, version, state, .. } in applied {
            self.last_event += 1;
            let (seq, run) = (self.last_event, stored.entry.run());
            self.events.insert(seq, JournalEvent { seq, run, version, state, at, change });
            stored.events.push(seq);
        }
        let Stored { number, entry, .. } = &stored;
        self.gates.changed(entry.run(), entry.claim().is_some());
        self.drainers.remove(&entry.run());
        if entry.is_waiting() && entry.waits_for_time() {
            self.timed.insert((entry.due(), *number));
        } else if entry.is_waiting() {
            self.waiting.insert((entry.claim_order(), *number));
        }
        if let Some(claim) = entry.claim() {
            self.leases.insert((claim.until, *number));
        }
        self.changes += 1;
        self.counts.enter(entry.state());
        let minute = (minute_of(entry.record().spec().created), entry.state() as i64);
        *self.minutes.entry(minute).or_default() += 1;
        if let Some(key) = key(entry.record().spec()).filter(|_| !entry.state().is_terminal()) {
            self.holders.insert(key, entry.run());
        }
        if let Some(ended) = entry.ended() {
            self.ended.insert((ended, *number));
            stored.bytes = stored.entry.record().encode().len();
            self.ended_bytes += stored.bytes;
        }
        self.runs.insert(stored.entry.run(), stored);
    }
}

/// The queue and the key of a run that has one.
fn key(spec: &RunSpec) -> Option<(QueueName, Arc<str>)> {
    spec.unique.as_ref().map(|unique| (spec.queue.clone(), Arc::clone(&unique.key)))
}
