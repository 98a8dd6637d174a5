//! Whether an attempt that did not complete is followed by another one, and after which delay.

use std::f64::consts::LN_2;
use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

use crate::{ErrorKind, FailureKind, Name, Outcome, UnknownName};

/// The policy for retries of a run. The default is none.
///
/// ```
/// # use hostel_core::{RetryDelay, RetryOn, RetryPolicy};
/// # use std::time::Duration;
/// let policy = RetryPolicy {
///     retries: 5,
///     delay: RetryDelay::Exponential(Duration::from_secs(10)),
///     on: RetryOn::TRAP + RetryOn::TIMEOUT,
///     ..RetryPolicy::default()
/// };
/// policy.validate()?;
/// assert_eq!(policy.delay_before(3, 0.0), Duration::from_secs(40));
/// # Ok::<(), hostel_core::RetryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The number of attempts that may follow the first. Default 0, at most [`RetryPolicy::MAX_RETRIES`].
    pub retries: u32,
    /// The delay before each of them. Default none, at most [`RetryPolicy::MAX_DELAY`].
    pub delay: RetryDelay,
    /// The maximum deviation of the wait from the delay, as a fraction: with 0.3 it is at most 1.3 times as long. Default 0,
    /// at most [`RetryPolicy::MAX_JITTER`].
    pub jitter: f64,
    /// The failures that are retried. Default [`RetryOn::FAILURES`].
    pub on: RetryOn,
}

/// The delay before each retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryDelay {
    /// The same time before each.
    Fixed(Duration),
    /// One time for each, the last of which repeats.
    List(Vec<Duration>),
    /// This time before the first, doubled before each further one: 10, 20, 40, 80, 160.
    Exponential(Duration),
}

/// The set of failures after which a run is retried.
///
/// Sets can be added: `RetryOn::ERROR + RetryOn::TIMEOUT`, or as text `error,timeout`. A run that completed, was cancelled
/// or never started because of another run is never retried, whatever the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryOn {
    kinds: u8,
}

/// A retry policy with a value out of its bounds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// There are too many retries.
    #[error("retries cannot be {retries}: expected at most {}", RetryPolicy::MAX_RETRIES)]
    Retries {
        /// The requested number.
        retries: u32,
    },
    /// A delay is too long.
    #[error("a retry delay cannot be {delay:?}: expected at most {:?}", RetryPolicy::MAX_DELAY)]
    Delay {
        /// The requested delay.
        delay: Duration,
    },
    /// The list of delays is empty.
    #[error(
        "the list of retry delays cannot be empty: expected one delay or more, the last of which repeats"
    )]
    NoDelays,
    /// The jitter is negative, too large or not a number.
    #[error("the retry jitter cannot be {jitter}: expected 0 to {}", RetryPolicy::MAX_JITTER)]
    Jitter {
        /// The requested jitter.
        jitter: f64,
    },
}

/// The error for a text that is not a set of kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRetryOnError {
    /// A word is not a kind of failure.
    #[error("{0}")]
    Unknown(UnknownName),
    /// `none` is combined with other words.
    #[error("`{text}` combines `none` with others: expected `none` alone, or kinds of failure joined by `,`")]
    NoneAndOthers {
        /// The whole text.
        text: String,
    },
}

impl RetryPolicy {
    /// The maximum number of retries: every attempt stores its outcome and its lines in the run.
    pub const MAX_RETRIES: u32 = 10_000;
    /// The maximum delay, with or without jitter: a year.
    pub const MAX_DELAY: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    /// The largest jitter.
    pub const MAX_JITTER: f64 = 10.0;

    /// Checks every value against its bounds.
    ///
    /// # Errors
    ///
    /// Returns the first value out of its bounds.
    pub fn validate(&self) -> Result<(), RetryError> {
        if self.retries > Self::MAX_RETRIES {
            return Err(RetryError::Retries { retries: self.retries });
        }
        let delays = self.delay.named();
        if delays.is_empty() {
            return Err(RetryError::NoDelays);
        }
        if let Some(&delay) = delays.iter().find(|delay| **delay > Self::MAX_DELAY) {
            return Err(RetryError::Delay { delay });
        }
        if !(0.0..=Self::MAX_JITTER).contains(&self.jitter) {
            return Err(RetryError::Jitter { jitter: self.jitter });
        }
        Ok(())
    }

    /// Returns the wait before a retry, at most [`RetryPolicy::MAX_DELAY`].
    ///
    /// Retries are counted from 1. `random` is uniform from 0 up to, but not including, 1.
    ///
    /// Without jitter this is the delay `d` itself. With a jitter `j` it is drawn from the exponential distribution of
    /// mean `d`, truncated to `d·m ..= d·(1 + j)`: the inverse of the distribution's cumulative function, at a point
    /// that `random` chooses between its values at the two bounds (inverse transform sampling; Devroye, Non-Uniform
    /// Random Variate Generation, 1986, chapter II.2). `m = log2(2^(1 + j) / (2^(1 + j) - 1))` balances the bounds: of an
    /// exponential distribution of median `d`, as much lies from `d·m` to `d` as from `d` to `d·(1 + j)`. So the mean
    /// stays at `d`, to 1.4 % in the worst case.
    pub fn delay_before(&self, retry: u32, random: f64) -> Duration {
        let delay = self.delay.before(retry);
        if self.jitter > 0.0 { jittered(delay, self.jitter.min(Self::MAX_JITTER), random) } else { delay }
    }

    /// Returns whether another attempt follows an attempt with this outcome. Attempts are counted from 1.
    pub fn retries_after(&self, attempt: u32, outcome: &Outcome) -> bool {
        attempt <= self.retries && RetryOn::kind_of(outcome).is_some_and(|kind| self.on.includes(kind))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 0, delay: RetryDelay::Fixed(Duration::ZERO), jitter: 0.0, on: RetryOn::FAILURES }
    }
}

impl RetryDelay {
    /// Returns the delays as they were set.
    fn named(&self) -> &[Duration] {
        match self {
            Self::Fixed(delay) | Self::Exponential(delay) => std::slice::from_ref(delay),
            Self::List(delays) => delays,
        }
    }

    /// Returns the delay before a retry, counted from 1, without jitter.
    fn before(&self, retry: u32) -> Duration {
        let earlier = retry.saturating_sub(1);
        let delay = match self {
            Self::Fixed(delay) => *delay,
            Self::List(delays) => delays.get(earlier as usize).or(delays.last()).copied().unwrap_or_default(),
            Self::Exponential(first) => doubled(*first, earlier),
        };
        delay.min(RetryPolicy::MAX_DELAY)
    }
}

impl From<Duration> for RetryDelay {
    fn from(delay: Duration) -> Self {
        Self::Fixed(delay)
    }
}

impl From<Vec<Duration>> for RetryDelay {
    fn from(delays: Vec<Duration>) -> Self {
        Self::List(delays)
    }
}

impl<const N: usize> From<[Duration; N]> for RetryDelay {
    fn from(delays: [Duration; N]) -> Self {
        Self::List(delays.into())
    }
}

impl RetryOn {
    /// No kind.
    pub const NONE: Self = Self { kinds: 0 };
    /// The guest returned an error.
    pub const ERROR: Self = Self { kinds: 1 };
    /// The guest trapped.
    pub const TRAP: Self = Self { kinds: 1 << 1 };
    /// The guest exited with a code other than zero.
    pub const EXIT: Self = Self { kinds: 1 << 2 };
    /// The guest reached a limit.
    pub const LIMIT: Self = Self { kinds: 1 << 3 };
    /// The attempt timed out.
    pub const TIMEOUT: Self = Self { kinds: 1 << 4 };
    /// The host, a worker or the machine was lost.
    pub const CRASH: Self = Self { kinds: 1 << 5 };
    /// Every failure of the guest: all except [`RetryOn::CRASH`].
    pub const FAILURES: Self = Self { kinds: Self::CRASH.kinds - 1 };

    /// Every kind with its word, in the order of a set's text.
    const KINDS: [(&'static str, Self); 6] = [
        ("error", Self::ERROR),
        ("trap", Self::TRAP),
        ("exit", Self::EXIT),
        ("limit", Self::LIMIT),
        ("timeout", Self::TIMEOUT),
        ("crash", Self::CRASH),
    ];

    /// Returns whether the set is empty.
    pub const fn is_none(self) -> bool {
        self.kinds == 0
    }

    /// Returns whether all kinds of `other` are in the set.
    pub const fn includes(self, other: Self) -> bool {
        self.kinds & other.kinds == other.kinds
    }

    /// Returns one bit for each kind, in the order of a set's text, the first one lowest.
    pub(crate) const fn bits(self) -> u8 {
        self.kinds
    }

    /// Returns the set with these bits, if all of them are kinds.
    pub(crate) fn of_bits(kinds: u8) -> Option<Self> {
        let all = Self::FAILURES + Self::CRASH;
        (kinds & !all.kinds == 0).then_some(Self { kinds })
    }

    /// Returns the kind of an outcome, if a set can contain it.
    const fn kind_of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Failed(failure) => match failure.kind() {
                FailureKind::Error => Some(Self::ERROR),
                FailureKind::Trap => Some(Self::TRAP),
                FailureKind::Exit => Some(Self::EXIT),
                FailureKind::Limit => Some(Self::LIMIT),
                FailureKind::Timeout => Some(Self::TIMEOUT),
                FailureKind::Upstream => None,
            },
            Outcome::Crashed { .. } => Some(Self::CRASH),
            Outcome::Completed(_) | Outcome::Cancelled => None,
        }
    }

    fn named(word: &str) -> Result<Self, ParseRetryOnError> {
        let kind = Self::KINDS.into_iter().find(|&(name, _)| name == word).map(|(_, kind)| kind);
        kind.ok_or_else(|| {
            let known = Self::KINDS.map(|(name, _)| Name::from(name));
            ParseRetryOnError::Unknown(UnknownName::new("kind of failure", word, &known))
        })
    }
}

impl Default for RetryOn {
    /// Returns [`RetryOn::FAILURES`].
    fn default() -> Self {
        Self::FAILURES
    }
}

impl Add for RetryOn {
    type Output = Self;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "a set of kinds is a union of bits")]
    fn add(self, other: Self) -> Self {
        Self { kinds: self.kinds | other.kinds }
    }
}

impl FromStr for RetryOn {
    type Err = ParseRetryOnError;

    /// Parses words joined by `,`, such as `error,trap,timeout`, or `none`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(',').map(str::trim);
        if text.trim() == "none" {
            return Ok(Self::NONE);
        }
        if words.clone().any(|word| word == "none") {
            return Err(ParseRetryOnError::NoneAndOthers { text: text.to_owned() });
        }
        words.map(Self::named).try_fold(Self::NONE, |set, kind| Ok(set + kind?))
    }
}

impl fmt::Display for RetryOn {
    /// Writes the words joined by `,`, in the form that is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::KINDS.into_iter().filter(|&(_, kind)| self.includes(kind)).map(|(name, _)| name);
        let named: Vec<_> = named.collect();
        f.write_str(if named.is_empty() { "none" } else { "" })?;
        f.write_str(&named.join(","))
    }
}

impl RetryError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl ParseRetryOnError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Returns the time doubled this many times, or the maximum delay if that is shorter.
fn doubled(first: Duration, times: u32) -> Duration {
    let first = first.min(RetryPolicy::MAX_DELAY).as_nanos();
    let factor = 1_u128.checked_shl(times).unwrap_or(u128::MAX);
    let nanos = u64::try_from(first.saturating_mul(factor)).unwrap_or(u64::MAX);
    Duration::from_nanos(nanos).min(RetryPolicy::MAX_DELAY)
}

/// Draws a time around `mean` as [`RetryPolicy::delay_before`] describes; `jitter` is above zero.
fn jittered(mean: Duration, jitter: f64, random: f64) -> Duration {
    // Everything in multiples of the mean.
    let most = 1.0 + jitter;
    let least = -(-(-most).exp2()).ln_1p() / LN_2;
    let share_below = |time: f64| -(-time).exp_m1();
    let (low, high) = (share_below(least), share_below(most));
    let share = low + random.clamp(0.0, 1.0) * (high - low);
    let time = (-(-share).ln_1p()).clamp(least, most);
    // Only a `random` that is not a number gives no time.
    Duration::try_from_secs_f64(mean.as_secs_f64() * time).unwrap_or(mean).min(RetryPolicy::MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Limit, LimitKind, RunId, Trap, UpstreamChain, UpstreamRun, Value};

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Returns numbers from 0 to 1 that look random (SplitMix64; Steele, Lea and Flood, 2014).
    fn randoms(seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    fn delayed(delay: impl Into<RetryDelay>, jitter: f64) -> RetryPolicy {
        RetryPolicy { delay: delay.into(), jitter, ..RetryPolicy::default() }
    }

    #[test]
    fn r02_delays_are_fixed_listed_or_doubled() {
        let check = |delay: RetryDelay, expected: [u64; 5]| {
            let policy = delayed(delay, 0.0);
            let delays = [1, 2, 3, 4, 5].map(|retry| policy.delay_before(retry, 0.5));
            assert_eq!(delays, expected.map(secs), "{:?}", policy.delay);
        };
        check(secs(3).into(), [3, 3, 3, 3, 3]);
        check([secs(1), secs(10)].into(), [1, 10, 10, 10, 10]);
        check(vec![secs(7)].into(), [7, 7, 7, 7, 7]);
        check(vec![].into(), [0, 0, 0, 0, 0]);
        check(RetryDelay::Exponential(secs(10)), [10, 20, 40, 80, 160]);
        check(RetryDelay::Exponential(secs(0)), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn delays_end_at_the_longest() {
        let check = |delay: RetryDelay, retry: u32, jitter: f64, expected: Duration| {
            assert_eq!(delayed(delay, jitter).delay_before(retry, 0.999), expected);
        };
        let longest = RetryPolicy::MAX_DELAY;
        let doubled = |first| RetryDelay::Exponential(first);
        check(doubled(secs(1)), 24, 0.0, secs(1 << 23));
        check(doubled(secs(1)), 26, 0.0, longest);
        check(doubled(Duration::from_nanos(1)), 55, 0.0, Duration::from_nanos(1 << 54));
        check(doubled(Duration::from_nanos(1)), 56, 0.0, longest);
        check(doubled(Duration::MAX), u32::MAX, 1.0, longest);
        check(doubled(Duration::ZERO), u32::MAX, 1.0, Duration::ZERO);
        check(Duration::MAX.into(), 0, 0.0, longest);
        check(longest.into(), 1, 10.0, longest);
    }

    #[test]
    fn r03_jitter_stays_in_its_bounds_and_keeps_the_mean() {
        let check = |jitter: f64, bounds: [f64; 2]| {
            let policy = delayed(secs(10), jitter);
            let draws = randoms(7).take(20_000).map(|random| policy.delay_before(1, random).as_secs_f64());
            let draws: Vec<f64> = draws.collect();
            let least = draws.iter().copied().fold(f64::INFINITY, f64::min);
            let most = draws.iter().copied().fold(0.0, f64::max);
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let near = |a: f64, b: f64, by: f64| assert!((a - b).abs() < by, "jitter {jitter}: {a}, not {b}");
            near(least, bounds[0], 0.01);
            // Long times are rare.
            near(most, bounds[1], 0.05);
            near(mean, 10.0, 0.2);
            assert!(least > bounds[0] - 0.0001 && most <= bounds[1], "jitter {jitter}: {least} to {most}");
        };
        check(0.1, [9.0648, 11.0]);
        check(0.3, [7.5177, 13.0]);
        check(1.0, [4.1504, 20.0]);
        check(2.0, [1.9265, 30.0]);
    }

    #[test]
    fn without_jitter_the_delay_is_exact() {
        let odd = Duration::new(3, 141_592_653);
        assert!(randoms(1).take(100).all(|random| delayed(odd, 0.0).delay_before(1, random) == odd));
    }

    #[test]
    fn odd_numbers_give_a_delay_too() {
        for jitter in [f64::NAN, -1.0, 0.3, 1e300, f64::INFINITY] {
            for random in [f64::NAN, -1.0, 0.0, 1.0, 2.0, f64::INFINITY] {
                let delay = delayed(secs(10), jitter).delay_before(1, random);
                assert!(delay <= secs(110), "{jitter} {random} {delay:?}");
            }
        }
    }

    #[test]
    fn r05_only_what_is_named_is_retried_while_retries_are_left() {
        let failed = |failure| Outcome::Failed(failure);
        let stderr_tail = Vec::new;
        let trap = Trap { message: String::new(), backtrace: vec![], stderr_tail: vec![] };
        let limit = Limit { kind: LimitKind::Memory, allowed: 1 };
        let outcomes = [
            ("error", failed(Failure::Error(Value::UNIT))),
            ("trap", failed(Failure::Trap(trap))),
            ("exit", failed(Failure::Exit { code: 1, stderr_tail: stderr_tail() })),
            ("limit", failed(Failure::Limit { limit, stderr_tail: stderr_tail() })),
            ("timeout", failed(Failure::TimedOut { after: secs(1) })),
            ("crash", Outcome::Crashed { reason: String::new() }),
        ];
        let policy = |on: RetryOn| RetryPolicy { retries: 3, on, ..RetryPolicy::default() };
        let everything = RetryOn::FAILURES + RetryOn::CRASH;
        for (word, outcome) in &outcomes {
            let on: RetryOn = word.parse().unwrap();
            let attempts = [1, 3, 4, u32::MAX].map(|attempt| policy(on).retries_after(attempt, outcome));
            assert_eq!(attempts, [true, true, false, false], "{word}");
            for (other, _) in outcomes.iter().filter(|(other, _)| other != word) {
                assert!(!policy(other.parse().unwrap()).retries_after(1, outcome), "{word} on {other}");
            }
            assert!(!policy(RetryOn::NONE).retries_after(1, outcome), "{word}");
            assert_eq!(policy(RetryOn::FAILURES).retries_after(1, outcome), *word != "crash");
            assert!(!RetryPolicy::default().retries_after(1, outcome), "{word}");
        }
        let run = UpstreamRun { run: RunId::from_bytes([0; 16]), name: "a-771".into() };
        let upstream = Failure::Upstream { chain: UpstreamChain::root(run, "was cancelled") };
        for never in [Outcome::Completed(Value::UNIT), Outcome::Cancelled, failed(upstream)] {
            assert!(!policy(everything).retries_after(1, &never), "{never}");
        }
    }

    #[test]
    fn r07_what_is_out_of_bounds_is_refused() {
        let allowed = RetryPolicy {
            retries: RetryPolicy::MAX_RETRIES,
            delay: [Duration::ZERO, RetryPolicy::MAX_DELAY].into(),
            jitter: RetryPolicy::MAX_JITTER,
            on: RetryOn::NONE,
        };
        assert_eq!(RetryPolicy::default().validate(), Ok(()));
        assert_eq!(allowed.validate(), Ok(()));
        let check = |change: fn(&mut RetryPolicy), expected: &str| {
            let mut policy = allowed.clone();
            change(&mut policy);
            let error = policy.validate().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check(|p| p.retries += 1, "retries cannot be 10001: expected at most 10000");
        let long = "a retry delay cannot be 31622401s: expected at most 31622400s";
        check(|p| p.delay = secs(31_622_401).into(), long);
        check(|p| p.delay = [secs(1), secs(31_622_401)].into(), long);
        check(|p| p.delay = RetryDelay::Exponential(secs(31_622_401)), long);
        check(
            |p| p.delay = [].into(),
            "the list of retry delays cannot be empty: expected one delay or more, the last of which repeats",
        );
        check(|p| p.jitter = -0.1, "the retry jitter cannot be -0.1: expected 0 to 10");
        check(|p| p.jitter = 10.5, "the retry jitter cannot be 10.5: expected 0 to 10");
        check(|p| p.jitter = f64::NAN, "the retry jitter cannot be NaN: expected 0 to 10");
    }

    #[test]
    fn a_set_is_read_and_written() {
        let check = |text: &str, set: RetryOn, written: &str| {
            assert_eq!(text.parse(), Ok(set), "{text}");
            assert_eq!(set.to_string(), written);
        };
        check("none", RetryOn::NONE, "none");
        check("error", RetryOn::ERROR, "error");
        check("timeout, error,trap", RetryOn::ERROR + RetryOn::TRAP + RetryOn::TIMEOUT, "error,trap,timeout");
        check("crash,crash", RetryOn::CRASH, "crash");
        check("error,trap,exit,limit,timeout", RetryOn::FAILURES, "error,trap,exit,limit,timeout");
        assert!(RetryOn::NONE.is_none() && !RetryOn::FAILURES.is_none());
        assert_eq!(RetryOn::default(), RetryOn::FAILURES);
    }

    #[test]
    fn an_unknown_word_is_named() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<RetryOn>().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        let known = "(kinds of failure: error, trap, exit, limit, timeout, crash)";
        check("error,tarp", &format!(r#"unknown kind of failure "tarp", did you mean "trap"? {known}"#));
        check("time out", &format!(r#"unknown kind of failure "time out", did you mean "timeout"? {known}"#));
        check("", &format!(r#"unknown kind of failure "" {known}"#));
        check("upstream", &format!(r#"unknown kind of failure "upstream" {known}"#));
        check(
            "error, none",
            "`error, none` combines `none` with others: expected `none` alone, or kinds of failure joined by `,`",
        );
    }
}
