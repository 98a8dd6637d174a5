//! Limits by tag: how many runs with a tag may execute at once, and how many may begin within a time.
//!
//! A run passes the gates of all its tags at once, or waits and holds none of them, so two runs never wait for each
//! other. Among the runs that can pass, the one with the highest priority goes first, and among those the one that has
//! waited longest. The code is pure: callers pass the current time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hostel_core::Tag;

/// A limit on how often runs with a tag may begin: a burst of `runs`, and then `runs` more in each `per`, evenly
/// spaced.
///
/// Implemented as a token bucket: the bucket holds `runs` tokens, each run takes one, and they refill at the rate of
/// `runs / per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The maximum burst, and the number of runs in each `per`; at least 1.
    pub runs: u32,
    /// The time in which the bucket fills; more than zero.
    pub per: Duration,
}

/// The limits of one tag.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TagLimit {
    pub(crate) concurrency: Option<usize>,
    pub(crate) rate: Option<RateLimit>,
}

/// The gates, and the runs waiting at them.
pub(crate) struct Gates<J> {
    gates: HashMap<Tag, Gate>,
    /// By the limited tags of the waiting runs.
    waiting: BTreeMap<Arc<[Tag]>, BTreeMap<Ticket, J>>,
    tickets: u64,
}

/// The position of a waiting run: highest priority first, then the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Reverse<i32>, u64);

struct Gate {
    limit: TagLimit,
    inside: usize,
    /// Tokens in the bucket at `filled_at`, in millionths.
    tokens: u64,
    filled_at: Duration,
}

/// One token, in the unit of [`Gate::tokens`].
const TOKEN: u64 = 1_000_000;

impl<J> Gates<J> {
    pub(crate) fn new(limits: &HashMap<Tag, TagLimit>) -> Self {
        let gates = limits.iter().map(|(tag, &limit)| (Arc::clone(tag), Gate::new(limit)));
        Self { gates: gates.collect(), waiting: BTreeMap::new(), tickets: 0 }
    }

    /// Whether any of the tags has a limit.
    pub(crate) fn concern(&self, tags: &[Tag]) -> bool {
        !self.gates.is_empty() && tags.iter().any(|tag| self.gates.contains_key(tag))
    }

    /// Whether any run waits.
    pub(crate) fn have_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Passes the gates of all tags, unless one is full or a run with the same tags is already waiting.
    pub(crate) fn enter(&mut self, tags: &[Tag], now: Duration) -> bool {
        !self.waiting.contains_key(&self.limited(tags)) && self.pass(tags, now)
    }

    /// Waits at the gates of the tags.
    pub(crate) fn wait(&mut self, tags: &[Tag], priority: i32, job: J) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(Reverse(priority), self.tickets);
        let tags = self.limited(tags);
        self.waiting.entry(tags).or_default().insert(ticket, job);
        ticket
    }

    /// Stops waiting.
    pub(crate) fn withdraw(&mut self, tags: &[Tag], ticket: Ticket) {
        let tags = self.limited(tags);
        if let Some(waiting) = self.waiting.get_mut(&tags) {
            waiting.remove(&ticket);
            if waiting.is_empty() {
                self.waiting.remove(&tags);
            }
        }
    }

    /// Returns the slots of a run that had passed.
    pub(crate) fn leave(&mut self, tags: &[Tag]) {
        for tag in tags {
            if let Some(gate) = self.gates.get_mut(tag) {
                gate.inside = gate.inside.saturating_sub(1);
            }
        }
    }

    /// Takes the next waiting run that can pass at `now`, and passes it.
    pub(crate) fn admit(&mut self, now: Duration) -> Option<J> {
        let (tags, ticket) = self.first_that_fits(now)?;
        self.pass(&tags, now);
        let job = self.waiting.get_mut(&tags)?.remove(&ticket);
        self.withdraw(&tags, ticket);
        job
    }

    /// The time at which a waiting run may be able to pass, if that depends on time alone.
    pub(crate) fn next_at(&self, now: Duration) -> Option<Duration> {
        let times = self.waiting.keys().filter_map(|tags| {
            let mut gates = tags.iter().filter_map(|tag| self.gates.get(tag));
            gates.try_fold(now, |latest, gate| Some(gate.opens_at(now)?.max(latest)))
        });
        times.min()
    }

    /// The tags that have a limit; the others are irrelevant.
    fn limited(&self, tags: &[Tag]) -> Arc<[Tag]> {
        tags.iter().filter(|tag| self.gates.contains_key(*tag)).cloned().collect()
    }

    fn first_that_fits(&self, now: Duration) -> Option<(Arc<[Tag]>, Ticket)> {
        let first = self.waiting.iter().filter_map(|(tags, waiting)| {
            let (&ticket, _) = waiting.first_key_value()?;
            self.has_room(tags, now).then_some((ticket, tags))
        });
        first.min_by_key(|(ticket, _)| *ticket).map(|(ticket, tags)| (Arc::clone(tags), ticket))
    }

    fn has_room(&self, tags: &[Tag], now: Duration) -> bool {
        tags.iter().filter_map(|tag| self.gates.get(tag)).all(|gate| gate.opens_at(now) == Some(now))
    }

    fn pass(&mut self, tags: &[Tag], now: Duration) -> bool {
        if !self.has_room(tags, now) {
            return false;
        }
        for tag in tags {
            if let Some(gate) = self.gates.get_mut(tag) {
                gate.take(now);
            }
        }
        true
    }
}

impl Gate {
    fn new(limit: TagLimit) -> Self {
        let tokens = limit.rate.map_or(0, |rate| u64::from(rate.runs) * TOKEN);
        Self { limit, inside: 0, tokens, filled_at: Duration::ZERO }
    }

    /// `now` if a run can pass now, a later time if a token must refill first, `None` if another run must end first.
    fn opens_at(&self, now: Duration) -> Option<Duration> {
        if self.limit.concurrency.is_some_and(|limit| self.inside >= limit) {
            return None;
        }
        let Some(rate) = self.limit.rate else { return Some(now) };
        let missing = TOKEN.saturating_sub(self.tokens_at(rate, now));
        if missing == 0 {
            return Some(now);
        }
        let nanos = u128::from(missing) * rate.per.as_nanos() / (u128::from(rate.runs) * u128::from(TOKEN));
        // One nanosecond more, because the division rounds down.
        Some(now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX).saturating_add(1)))
    }

    fn tokens_at(&self, rate: RateLimit, now: Duration) -> u64 {
        let full = u64::from(rate.runs) * TOKEN;
        let passed = now.saturating_sub(self.filled_at).as_nanos();
        let come = passed.saturating_mul(u128::from(full)) / rate.per.as_nanos().max(1);
        full.min(self.tokens.saturating_add(u64::try_from(come).unwrap_or(u64::MAX)))
    }

    fn take(&mut self, now: Duration) {
        self.inside += 1;
        if let Some(rate) = self.limit.rate {
            self.tokens = self.tokens_at(rate, now).saturating_sub(TOKEN);
            self.filled_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tags(tags: &[&str]) -> Arc<[Tag]> {
        hostel_core::Tags::from_iter(tags.iter().copied()).iter().cloned().collect()
    }

    fn gates(limits: &[(&str, Option<usize>, Option<RateLimit>)]) -> Gates<u32> {
        let limits =
            limits.iter().map(|&(tag, concurrency, rate)| (tag.into(), TagLimit { concurrency, rate }));
        Gates::new(&limits.collect())
    }

    #[test]
    fn runs_without_limited_tags_are_no_concern() {
        let gates = gates(&[("db", Some(1), None)]);
        assert!(!gates.concern(&tags(&[])) && !gates.concern(&tags(&["web"])));
        assert!(gates.concern(&tags(&["db", "web"])));
    }

    #[test]
    fn a_slot_that_is_left_goes_to_who_has_waited_longest() {
        let mut gates = gates(&[("db", Some(1), None)]);
        let db = tags(&["db"]);
        assert!(gates.enter(&db, SECOND) && !gates.enter(&db, SECOND));
        gates.wait(&db, 0, 1);
        gates.wait(&db, 0, 2);
        gates.wait(&db, 5, 3);
        assert_eq!(gates.admit(SECOND), None);
        for expected in [3, 1, 2] {
            gates.leave(&db);
            assert!(!gates.enter(&db, SECOND) || expected == 2, "nobody overtakes those who wait");
            assert_eq!(gates.admit(SECOND), Some(expected));
            assert_eq!(gates.admit(SECOND), None);
        }
    }

    #[test]
    fn tags_without_a_limit_give_no_advantage() {
        let mut gates = gates(&[("db", Some(1), None)]);
        let (first, second) = (tags(&["db", "x"]), tags(&["db", "y"]));
        assert!(gates.enter(&first, SECOND));
        let ticket = gates.wait(&first, 0, 1);
        gates.leave(&first);
        assert!(!gates.enter(&second, SECOND), "someone has waited longer");
        gates.withdraw(&first, ticket);
        assert!(gates.enter(&second, SECOND));
    }

    #[test]
    fn one_with_several_tags_takes_all_or_none() {
        let mut gates = gates(&[("a", Some(1), None), ("b", Some(1), None)]);
        let (a, both) = (tags(&["a"]), tags(&["a", "b"]));
        assert!(gates.enter(&a, SECOND));
        assert!(!gates.enter(&both, SECOND));
        gates.wait(&both, 0, 1);
        assert!(gates.enter(&tags(&["b"]), SECOND), "the waiting one holds nothing");
        gates.leave(&a);
        assert_eq!(gates.admit(SECOND), None);
        gates.leave(&tags(&["b"]));
        assert_eq!(gates.admit(SECOND), Some(1));
    }

    #[test]
    fn who_withdraws_is_forgotten() {
        let mut gates = gates(&[("db", Some(1), None)]);
        let db = tags(&["db"]);
        assert!(gates.enter(&db, SECOND));
        let ticket = gates.wait(&db, 0, 1);
        gates.withdraw(&db, ticket);
        gates.leave(&db);
        assert_eq!(gates.admit(SECOND), None);
        assert!(gates.enter(&db, SECOND));
    }

    #[test]
    fn tokens_come_back_evenly() {
        let mut gates = gates(&[("api", None, Some(RateLimit { runs: 2, per: SECOND }))]);
        let api = tags(&["api"]);
        assert!(gates.enter(&api, Duration::ZERO) && gates.enter(&api, Duration::ZERO));
        assert!(!gates.enter(&api, Duration::ZERO));
        gates.wait(&api, 0, 1);
        let next = gates.next_at(Duration::ZERO).unwrap();
        assert!(next >= SECOND / 2 && next < SECOND * 51 / 100, "{next:?}");
        assert_eq!(gates.admit(SECOND * 49 / 100), None);
        assert_eq!(gates.admit(next), Some(1));
        // After a long pause the bucket holds no more than `runs` tokens.
        let later = SECOND * 1_000;
        assert_eq!((0..5).filter(|_| gates.enter(&api, later)).count(), 2);
    }

    #[test]
    fn time_alone_does_not_open_a_full_gate() {
        let mut gates = gates(&[("db", Some(1), Some(RateLimit { runs: 1, per: SECOND }))]);
        let db = tags(&["db"]);
        assert!(gates.enter(&db, SECOND));
        gates.wait(&db, 0, 1);
        assert_eq!(gates.next_at(SECOND), None);
        gates.leave(&db);
        assert_eq!(gates.next_at(SECOND), Some(SECOND * 2 + Duration::from_nanos(1)));
    }
}
