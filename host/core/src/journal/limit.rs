//! Limits of queues and tags: how many of their runs are claimed at once, how often, and whether they are paused.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{ErrorKind, QueueName, RunId, RunSpec, Tag, Timestamp};

/// The most holders of a limit that [`Journal::limits`](super::Journal::limits) names.
pub const MAX_HOLDERS: usize = 100;

/// The runs that a limit is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitScope {
    /// Those of a queue.
    Queue(QueueName),
    /// Those with a tag, their own or their task's.
    Tag(Tag),
}

/// How many runs may be claimed at once, and how often. The default is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLimit {
    /// The most runs that are claimed at once. With 0 none is claimed.
    pub max_running: Option<u32>,
    /// How often runs are claimed.
    pub rate: Option<Rate>,
}

/// So many claims in a time: all of them at once after a pause, and then evenly. In any time `t` there are never more than
/// `starts + starts * t / per`: in a window of the length `per`, twice as many if the first half came at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many: more than 0.
    pub starts: u32,
    /// In which time: more than zero, and at most [`Rate::MAX_PER`].
    pub per: Duration,
}

/// A queue or a tag is paused: none of its runs is claimed. Runs that are claimed go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Until when; `None` until it is resumed.
    pub until: Option<Timestamp>,
    /// Why, for people.
    pub reason: Arc<str>,
}

/// A limit, and who uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitUse {
    /// The runs that it is for.
    pub scope: LimitScope,
    /// The limit.
    pub limit: RunLimit,
    /// Whether the runs are paused. A pause that is over is shown until it is resumed, or another claim comes.
    pub pause: Option<Pause>,
    /// How many of its runs are claimed.
    pub held: u64,
    /// Some of these runs, at most [`MAX_HOLDERS`].
    pub holders: Vec<RunId>,
    /// How many runs are due, and were kept back by it when they were last looked at for a claim.
    pub waiting: u64,
}

/// A limit that no journal takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rate of {starts} in {per:?} cannot be: expected 1 or more in a time of more than zero, at most {most:?}",
    most = Rate::MAX_PER
)]
pub struct RateError {
    starts: u32,
    per: Duration,
}

/// A limit with what it depends on: the rules of claims for drivers, which store the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The limit.
    pub limit: RunLimit,
    /// Whether it is paused.
    pub pause: Option<Pause>,
    /// How many runs that are claimed hold a slot.
    pub held: u64,
    /// The time at which the next claim would come if all came evenly; zero if there was none.
    ///
    /// Source: the generic cell rate algorithm, ITU-T I.371, annex A.
    pub even_at: Timestamp,
}

/// When a gate is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Now.
    Now,
    /// At this time.
    At(Timestamp),
    /// When something else happens: a run ends, or it is resumed.
    Later,
}

impl LimitScope {
    /// Whether it has this run.
    pub fn has(&self, run: &RunSpec) -> bool {
        match self {
            Self::Queue(queue) => *queue == run.queue,
            Self::Tag(tag) => run.tags.contains(tag) || run.spec.tags.contains(tag),
        }
    }

    /// Every scope that has this run, the queue first.
    pub fn all_of(run: &RunSpec) -> BTreeSet<Self> {
        let tags = run.all_tags();
        let tags = tags.iter().cloned().map(Self::Tag);
        tags.chain([Self::Queue(run.queue.clone())]).collect()
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {queue}"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
        }
    }
}

impl Rate {
    /// The longest time of a rate: a day.
    pub const MAX_PER: Duration = Duration::from_secs(24 * 60 * 60);

    /// The time from one claim to the next, if they come evenly: rounded up, so that the rate is kept however long it lasts.
    fn interval(self) -> Duration {
        let nanos = self.per.as_nanos().div_ceil(u128::from(self.starts.max(1))).max(1);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl RunLimit {
    /// Checks the rate.
    ///
    /// # Errors
    ///
    /// [`RateError`] if the rate is out of range.
    pub fn check(&self) -> Result<(), RateError> {
        match self.rate {
            Some(Rate { starts, per }) if starts == 0 || per.is_zero() || per > Rate::MAX_PER => {
                Err(RateError { starts, per })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl RateError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Default for Gate {
    /// No limit, and no pause.
    fn default() -> Self {
        Self { limit: RunLimit::default(), pause: None, held: 0, even_at: Timestamp::from_unix_nanos(0) }
    }
}

impl Gate {
    /// When the next run may be claimed.
    pub fn opening(&self, now: Timestamp) -> Opening {
        if self.limit.max_running.is_some_and(|most| self.held >= u64::from(most)) {
            return Opening::Later;
        }
        let paused_until = match &self.pause {
            Some(Pause { until: None, .. }) => return Opening::Later,
            Some(Pause { until: Some(until), .. }) => *until,
            None => now,
        };
        let opens = paused_until.max(self.limit.rate.map_or(now, |rate| self.next_token(now, rate)));
        if opens <= now { Opening::Now } else { Opening::At(opens) }
    }

    /// Whether a run may be claimed now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.opening(now) == Opening::Now
    }

    /// A run was claimed.
    pub fn take(&mut self, now: Timestamp) {
        self.held += 1;
        if let Some(rate) = self.limit.rate {
            self.even_at = self.even_at(now, rate).max(now).after(rate.interval());
        }
    }

    /// The stored time. If it is further ahead than any claim leads to, the clock was set back or the rate has changed, and counting
    /// starts anew.
    fn even_at(&self, now: Timestamp, rate: Rate) -> Timestamp {
        if self.even_at <= now.after(rate.interval() * rate.starts) { self.even_at } else { now }
    }

    fn next_token(&self, now: Timestamp, rate: Rate) -> Timestamp {
        // So far ahead of even times may claims come.
        let ahead = rate.interval() * (rate.starts - 1);
        let even_at = self.even_at(now, rate).unix_nanos();
        let ahead = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_unix_nanos(even_at.saturating_sub(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Timestamp {
        Timestamp::from_unix_nanos(nanos)
    }

    fn rate(starts: u32, per: u64) -> Gate {
        let rate = Some(Rate { starts, per: Duration::from_nanos(per) });
        Gate { limit: RunLimit { rate, max_running: None }, ..Gate::default() }
    }

    /// How many are claimed at a time.
    fn take_all(gate: &mut Gate, now: u64) -> u32 {
        let mut count = 0;
        while gate.is_open(at(now)) && count < 1_000 {
            gate.take(at(now));
            count += 1;
        }
        count
    }

    #[test]
    fn a_rate_allows_all_at_once_and_then_evenly() {
        let mut gate = rate(5, 100);
        let taken: Vec<_> = [1_000, 1_019, 1_020, 1_059, 1_060, 2_000, 2_001]
            .into_iter()
            .map(|now| take_all(&mut gate, now))
            .collect();
        assert_eq!(taken, [5, 0, 1, 1, 1, 5, 0]);
        assert_eq!(gate.opening(at(2_001)), Opening::At(at(2_020)));
    }

    #[test]
    fn no_window_has_more_than_the_rate_promises() {
        for (starts, per) in [(1, 1), (3, 100), (7, 1_000), (10, 9), (10, 33), (100, 1_001), (2, 50_000)] {
            let mut gate = rate(starts, per);
            // Steps of many lengths, which repeat for each rate: a linear congruential generator, as in ANSI C.
            let (mut now, mut random) = (1_000_000_u64, 12_345_u32);
            let mut claims: Vec<u64> = Vec::new();
            for _ in 0..400 {
                random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                now += u64::from(random >> 16) % (2 * per / u64::from(starts) + 2);
                claims.extend((0..take_all(&mut gate, now)).map(|_| now));
            }
            assert!(claims.len() > 50);
            for (first, from) in claims.iter().enumerate() {
                for (last, to) in claims.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as u64;
                    let most = u64::from(starts) + u64::from(starts) * (to - from) / per;
                    assert!(count <= most, "{starts} in {per}: {count} from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_closes_no_gate() {
        let mut gate = rate(2, 100);
        assert_eq!(take_all(&mut gate, 1_000_000), 2);
        assert_eq!((take_all(&mut gate, 600), take_all(&mut gate, 620), take_all(&mut gate, 700)), (2, 0, 2));
    }

    #[test]
    fn a_gate_is_closed_by_its_slots_and_by_a_pause() {
        let mut gate = Gate { limit: RunLimit { max_running: Some(2), rate: None }, ..Gate::default() };
        assert_eq!((take_all(&mut gate, 5), gate.opening(at(5))), (2, Opening::Later));
        gate.held = 1;
        gate.pause = Some(Pause { until: Some(at(9)), reason: "".into() });
        assert_eq!((gate.opening(at(8)), gate.opening(at(9))), (Opening::At(at(9)), Opening::Now));
        gate.pause = Some(Pause { until: None, reason: "".into() });
        assert_eq!(gate.opening(at(99)), Opening::Later);
        let none = RunLimit { max_running: Some(0), rate: None };
        assert!(!Gate { limit: none, ..Gate::default() }.is_open(at(1)));
    }

    #[test]
    fn a_rate_is_in_range() {
        let check = |starts, per| RunLimit { rate: Some(Rate { starts, per }), max_running: None }.check();
        assert_eq!(check(1, Rate::MAX_PER), Ok(()));
        assert!(check(0, Duration::from_secs(1)).is_err() && check(1, Rate::MAX_PER * 2).is_err());
        let error = check(3, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let expected = "expected 1 or more in a time of more than zero, at most 86400s";
        assert_eq!(error.to_string(), format!("a rate of 3 in 0ns cannot be: {expected}"));
    }
}
