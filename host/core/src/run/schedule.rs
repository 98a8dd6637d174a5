//! Schedules as data: which task is submitted again and again, when, and what happens to missed and overlapping runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{InputSpec, OptionError, QueueName, RunSpec, ScheduleSlot, StoredValue, TaskSpec};
use crate::grammar::DAY;
use crate::{Digest, ErrorKind, Name, RunId, TagError, Tags, TaskKey, Timestamp, check_tags};

/// A task that is submitted again and again. Each time at which it is due is a *slot*; a slot leads to one run at most.
///
/// This is the schedule as it was asked for. `hostel-schedule` computes the slots, and a journal stores which of them have fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its name, unique in a journal.
    pub name: ScheduleName,
    /// The reference to the task, as written: `SOURCE#EXPORT`. It is resolved whenever the schedule fires, so that a name
    /// without a version stands for the newest version of that time. 1 to [`Schedule::MAX_TASK_BYTES`] bytes.
    pub task: Arc<str>,
    /// The options of its runs.
    pub spec: Arc<TaskSpec>,
    /// The arguments of its runs, by parameter name. They carry their types, and are checked against the task's signature
    /// whenever the schedule fires. At most [`Schedule::MAX_ARGUMENTS`].
    pub arguments: Vec<(Name, StoredValue)>,
    /// Labels of its runs beside those of the options.
    pub tags: Tags,
    /// The queue that its runs wait in.
    pub queue: QueueName,
    /// When it is due.
    pub when: When,
    /// What happens to slots that passed while nothing fired them.
    pub missed: Missed,
    /// What happens if an earlier run has not ended.
    pub overlap: Overlap,
    /// The longest delay of a run after its slot. Every slot has a delay of its own between zero and this, so that the runs of
    /// many schedules do not start at the same moment. Less than a day; zero for no delay.
    pub spread: Duration,
    /// Whether it is paused: its slots pass without a run, and are not made up for later.
    pub paused: bool,
}

/// The name of a schedule: 1 to 64 characters `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleName(Arc<str>);

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// At times of the clock on the wall.
    Cron {
        /// The cron expression, as written.
        expression: Arc<str>,
        /// The time zone's name in the IANA database, such as `Europe/Berlin`.
        zone: Arc<str>,
    },
    /// At regular intervals, independent of time zones and changes of the clock.
    Every {
        /// The time between two slots: a second to 366 days.
        interval: Duration,
        /// An instant that is a slot; the others are whole intervals before and after it.
        anchor: Timestamp,
    },
}

/// What happens to slots that passed while nothing fired them. As text: `last`, `all` or `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missed {
    /// The newest of them fires.
    #[default]
    Last,
    /// All of them fire, the oldest first.
    All,
    /// None fires, except one that passed less than ten seconds ago: so much later than its slot may a busy program look.
    None,
}

/// What happens if a schedule is due and an earlier run of it has not ended. As text: `allow`, `skip`, `queue-one` or
/// `cancel-running`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// The slot passes without a run.
    Skip,
    /// The slot waits until the earlier run has ended. Of several slots that pass meanwhile the newest fires, once, whatever the
    /// policy for [missed](Missed) ones says.
    QueueOne,
    /// The earlier run is cancelled.
    CancelRunning,
}

/// What to do about a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firing {
    /// Submit a run.
    Submit {
        /// The runs to cancel first.
        cancel: Vec<RunId>,
    },
    /// Let the slot wait until the earlier runs have ended.
    Wait,
    /// Let the slot pass.
    Skip,
}

/// A text that cannot be the name of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid schedule name {text:?}: expected 1 to {} characters a-z, 0-9, '.', '_' and '-', the first a letter or a digit",
    ScheduleName::MAX_BYTES
)]
pub struct ScheduleNameError {
    text: String,
}

/// A text that is no policy of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: expected {expected}")]
pub struct SchedulePolicyError {
    text: String,
    expected: &'static str,
}

/// A part of a schedule is out of range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The reference to the task.
    #[error("the task of the schedule has {len} bytes: expected 1 to {}", Schedule::MAX_TASK_BYTES)]
    Task {
        /// Its length in bytes.
        len: usize,
    },
    /// The arguments.
    #[error("{count} arguments: expected at most {}", Schedule::MAX_ARGUMENTS)]
    Arguments {
        /// How many there are.
        count: usize,
    },
    /// The interval.
    #[error("the interval cannot be {interval:?}: expected 1s to 366d")]
    Interval {
        /// The value.
        interval: Duration,
    },
    /// The longest delay.
    #[error("the spread cannot be {spread:?}: expected less than 1d")]
    Spread {
        /// The value.
        spread: Duration,
    },
    /// An option of the task.
    #[error(transparent)]
    Spec(#[from] OptionError),
    /// A tag.
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl Schedule {
    /// The longest reference to a task, in bytes.
    pub const MAX_TASK_BYTES: usize = 4_096;

    /// The most arguments.
    pub const MAX_ARGUMENTS: usize = 1_000;

    /// The shortest interval.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(1);

    /// The longest interval.
    pub const MAX_INTERVAL: Duration = Duration::from_hours(366 * 24);

    /// A schedule in the queue `default`, without options, arguments, tags and spread, and with the default policies.
    pub fn new(name: ScheduleName, task: impl Into<Arc<str>>, when: When) -> Self {
        Self {
            name,
            task: task.into(),
            spec: Arc::default(),
            arguments: Vec::new(),
            tags: Tags::default(),
            queue: QueueName::default(),
            when,
            missed: Missed::default(),
            overlap: Overlap::default(),
            spread: Duration::ZERO,
            paused: false,
        }
    }

    /// Checks every part against its range. Whether the cron expression and the time zone are valid is not checked:
    /// `hostel-schedule` reads them.
    ///
    /// # Errors
    ///
    /// The first part that is out of its range.
    pub fn check(&self) -> Result<(), ScheduleError> {
        self.spec.check()?;
        check_tags(&self.spec.tags.with(self.tags.iter().cloned()))?;
        self.when.check()?;
        let (len, count) = (self.task.len(), self.arguments.len());
        if len == 0 || len > Self::MAX_TASK_BYTES {
            return Err(ScheduleError::Task { len });
        }
        if count > Self::MAX_ARGUMENTS {
            return Err(ScheduleError::Arguments { count });
        }
        let spread = self.spread;
        if spread < DAY { Ok(()) } else { Err(ScheduleError::Spread { spread }) }
    }

    /// The run of a slot: of the task that the reference stands for now, with its inputs in the order of the task's parameters.
    pub fn run(
        &self,
        slot: Timestamp,
        id: RunId,
        (task, inputs): (TaskKey, Vec<InputSpec>),
        created: Timestamp,
    ) -> RunSpec {
        RunSpec {
            inputs,
            tags: self.tags.clone(),
            due: Some(self.due_at(slot)),
            queue: self.queue.clone(),
            schedule: Some(ScheduleSlot { schedule: Arc::clone(&self.name.0), slot }),
            ..RunSpec::new(id, task, Arc::clone(&self.spec), created)
        }
    }

    /// When the run of a slot is due: the slot, and a delay of less than [`Schedule::spread`], in whole milliseconds. The delay
    /// depends on the name and the slot alone, so every process computes the same.
    pub fn due_at(&self, slot: Timestamp) -> Timestamp {
        let millis = u64::try_from(self.spread.as_millis()).unwrap_or(u64::MAX);
        let text = format!("{} {}", self.name, slot.unix_nanos());
        let [first, second, third, fourth, ..] = *Digest::of(text.as_bytes()).as_bytes();
        let number = u64::from(u32::from_le_bytes([first, second, third, fourth]));
        slot.after(Duration::from_millis(number.checked_rem(millis).unwrap_or(0)))
    }
}

impl When {
    fn check(&self) -> Result<(), ScheduleError> {
        match self {
            Self::Every { interval, .. }
                if !(Schedule::MIN_INTERVAL..=Schedule::MAX_INTERVAL).contains(interval) =>
            {
                Err(ScheduleError::Interval { interval: *interval })
            }
            Self::Every { .. } | Self::Cron { .. } => Ok(()),
        }
    }
}

impl ScheduleName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScheduleName {
    type Err = ScheduleNameError;

    fn from_str(text: &str) -> Result<Self, ScheduleNameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= Self::MAX_BYTES
            && text.bytes().next().is_some_and(is_plain)
            && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte));
        if fits {
            return Ok(Self(text.into()));
        }
        // A little longer than the longest name, so that the text shows what is wrong with it.
        Err(ScheduleNameError { text: text.chars().take(Self::MAX_BYTES + 1).collect() })
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Missed {
    /// All policies, in the order of their encoding.
    pub const ALL: [Self; 3] = [Self::Last, Self::All, Self::None];

    /// `last`, `all` or `none`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

impl Overlap {
    /// All policies, in the order of their encoding.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Skip, Self::QueueOne, Self::CancelRunning];

    /// `allow`, `skip`, `queue-one` or `cancel-running`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::QueueOne => "queue-one",
            Self::CancelRunning => "cancel-running",
        }
    }

    /// What to do about a slot, given the unfinished runs of the schedule in the order of their slots.
    pub fn decide(self, unfinished: &[RunId]) -> Firing {
        match (self, unfinished) {
            (Self::Allow, _) | (_, []) => Firing::Submit { cancel: Vec::new() },
            (Self::CancelRunning, running) => Firing::Submit { cancel: running.to_vec() },
            (Self::QueueOne, _) => Firing::Wait,
            (Self::Skip, _) => Firing::Skip,
        }
    }
}

impl FromStr for Missed {
    type Err = SchedulePolicyError;

    fn from_str(text: &str) -> Result<Self, SchedulePolicyError> {
        let found = Self::ALL.into_iter().find(|policy| policy.name() == text);
        found
            .ok_or_else(|| SchedulePolicyError { text: text.to_owned(), expected: "`last`, `all` or `none`" })
    }
}

impl FromStr for Overlap {
    type Err = SchedulePolicyError;

    fn from_str(text: &str) -> Result<Self, SchedulePolicyError> {
        let found = Self::ALL.into_iter().find(|policy| policy.name() == text);
        let expected = "`allow`, `skip`, `queue-one` or `cancel-running`";
        found.ok_or_else(|| SchedulePolicyError { text: text.to_owned(), expected })
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ScheduleNameError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl SchedulePolicyError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl ScheduleError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(interval: Duration) -> Schedule {
        let when = When::Every { interval, anchor: Timestamp::from_unix_nanos(0) };
        Schedule::new("nightly".parse().unwrap(), "math.wasm#add", when)
    }

    fn runs(count: u8) -> Vec<RunId> {
        (1..=count).map(|byte| RunId::from_bytes([byte; 16])).collect()
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "0", "nightly-2", "a.b_c-d", &"x".repeat(64)] {
            assert_eq!(name.parse::<ScheduleName>().unwrap().as_str(), name);
        }
        for wrong in ["", "-a", ".a", "A", "a b", "ä", "a/b", &"x".repeat(65)] {
            let error = wrong.parse::<ScheduleName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        }
        assert_eq!(
            "Nightly".parse::<ScheduleName>().unwrap_err().to_string(),
            "invalid schedule name \"Nightly\": expected 1 to 64 characters a-z, 0-9, '.', '_' and '-', the first a letter or \
             a digit"
        );
    }

    #[test]
    fn policies_are_read_and_written() {
        for policy in Missed::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        for policy in Overlap::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        let error = "first".parse::<Missed>().unwrap_err();
        assert_eq!(error.to_string(), "`first`: expected `last`, `all` or `none`");
        assert!("queue".parse::<Overlap>().is_err());
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let hour = Duration::from_hours(1);
        let check = |change: fn(&mut Schedule), expected: Option<&str>| {
            let mut schedule = every(hour);
            change(&mut schedule);
            let error = schedule.check().err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected);
        };
        check(|_| (), None);
        check(
            |schedule| schedule.task = "".into(),
            Some("the task of the schedule has 0 bytes: expected 1 to 4096"),
        );
        check(|schedule| schedule.spread = DAY, Some("the spread cannot be 86400s: expected less than 1d"));
        check(|schedule| schedule.spread = DAY - Duration::from_nanos(1), None);
        for (interval, fits) in [(1, true), (0, false), (366 * 86_400, true), (366 * 86_400 + 1, false)] {
            assert_eq!(every(Duration::from_secs(interval)).check().is_ok(), fits, "{interval}");
        }
        let mut schedule = every(hour);
        schedule.tags = ["a,b"].into_iter().collect();
        assert!(matches!(schedule.check(), Err(ScheduleError::Tag(_))));
    }

    #[test]
    fn the_delays_of_slots_differ_and_stay_below_the_spread() {
        let mut schedule = every(Duration::from_secs(1));
        let slot = Timestamp::from_unix_nanos(1_000_000_000);
        assert_eq!(schedule.due_at(slot), slot);
        schedule.spread = Duration::from_secs(10);
        let slots = (0..1_000).map(|second| slot.after(Duration::from_secs(second)));
        let delays: Vec<_> = slots.map(|slot| schedule.due_at(slot).since(slot)).collect();
        assert!(delays.iter().all(|delay| *delay < schedule.spread));
        assert!(delays.iter().filter(|delay| **delay < Duration::from_secs(5)).count() > 300);
        assert!(delays.iter().filter(|delay| **delay >= Duration::from_secs(5)).count() > 300);
    }

    #[test]
    fn unfinished_runs_decide_about_the_next() {
        let submit = |cancel| Firing::Submit { cancel };
        let check = |overlap: Overlap, expected: [Firing; 3]| {
            let actual = [0, 1, 2].map(|count| overlap.decide(&runs(count)));
            assert_eq!(actual, expected, "{overlap}");
        };
        let free = || submit(vec![]);
        check(Overlap::Allow, [free(), free(), free()]);
        check(Overlap::Skip, [free(), Firing::Skip, Firing::Skip]);
        check(Overlap::QueueOne, [free(), Firing::Wait, Firing::Wait]);
        check(Overlap::CancelRunning, [free(), submit(runs(1)), submit(runs(2))]);
    }
}
