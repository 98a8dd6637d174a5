//! What can be written down of a task's options and of a run.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    CachePolicy, Determinism, ErrorKind, FlowRun, Grants, GrantsError, Limits, LimitsError, Name, QueueName,
    RetryError, RetryPolicy, RunId, ScheduleSlot, StoredValue, TagError, Tags, TaskKey, Timestamp, Unique,
    UnknownImports, check_tag,
};

/// The options of a task, as far as they can be written down: everything except functions of the program, such as hooks.
///
/// The default is a task without any option. [`TaskSpec::set`] reads an option from its text, and [`TaskSpec::encode`]
/// writes all of them as bytes.
///
/// ```
/// # use hostel_core::TaskSpec;
/// # use std::time::Duration;
/// let mut spec = TaskSpec::default();
/// spec.set("retries", "3")?;
/// spec.set("timeout", "1.5s")?;
/// spec.set("http", "api.example.org")?;
/// assert_eq!(spec.limits.timeout, Some(Duration::from_millis(1_500)));
/// assert_eq!(
///     spec.set("retrys", "3").unwrap_err().to_string(),
///     r#"unknown option "retrys": did you mean "retries"?"#
/// );
/// # Ok::<(), hostel_core::SetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSpec {
    /// What one attempt may use up.
    pub limits: Limits,
    /// How long the whole run may take, all attempts and the waits between them. More than zero, at most a year; `None` for
    /// no limit.
    pub run_timeout: Option<Duration>,
    /// Whether another attempt follows one that failed.
    pub retry: RetryPolicy,
    /// Which facts count when the cache is asked for a result.
    pub cache: CachePolicy,
    /// The age at which cached results expire, more than zero; `None` for never.
    pub cache_expiration: Option<Duration>,
    /// Whether the run executes although the cache has a result, which the new one replaces.
    pub refresh: bool,
    /// What the guest is permitted. The values of environment variables are part of it, and may be secrets.
    pub grants: Grants,
    /// Which clock and which randomness the guest gets.
    pub determinism: Determinism,
    /// What happens to a component that imports what the host does not provide.
    pub unknown_imports: UnknownImports,
    /// The text of the [`NameTemplate`](crate::NameTemplate) that names each run. Only the task's signature tells whether
    /// the text is one.
    pub name: Option<Arc<str>>,
    /// The labels of each run.
    pub tags: Tags,
    /// Runs of a higher priority start first. Default 0.
    pub priority: i32,
    /// The version of the task, for people.
    pub version: Option<Arc<str>>,
    /// What the task is for, for people.
    pub description: Option<Arc<str>>,
    /// The flow run that its runs belong to.
    pub flow: Option<FlowRun>,
}

/// An option of a [`TaskSpec`] is out of range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskSpecError {
    /// A limit.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Something about retries.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// The time for the whole run.
    #[error("the run timeout cannot be {timeout:?}: expected more than zero and at most {most:?}")]
    RunTimeout {
        /// The value.
        timeout: Duration,
        /// The largest one.
        most: Duration,
    },
    /// The grants.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The age at which results expire.
    #[error(
        "the cache expiration cannot be zero: expected more, or the cache policy `none` to cache nothing"
    )]
    CacheExpiration,
    /// A tag.
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl TaskSpecError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TaskSpec {
    /// Checks every option against its range. What depends on the task's signature (the name template and the inputs in
    /// the cache policy) is not checked.
    ///
    /// # Errors
    ///
    /// The first option that is out of its range.
    pub fn check(&self) -> Result<(), TaskSpecError> {
        self.limits.validate()?;
        self.retry.validate()?;
        self.grants.check()?;
        self.tags.iter().try_for_each(|tag| check_tag(tag))?;
        if self.cache_expiration.is_some_and(|expiration| expiration.is_zero()) {
            return Err(TaskSpecError::CacheExpiration);
        }
        let most = Limits::MAX.timeout.unwrap_or(Duration::MAX);
        match self.run_timeout {
            Some(timeout) if timeout.is_zero() || timeout > most => {
                Err(TaskSpecError::RunTimeout { timeout, most })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// One request to run a task with inputs, as it was made. Nothing in it changes during the run's life.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    /// The run's id, chosen by the submitter.
    pub id: RunId,
    /// The component and the export.
    pub task: TaskKey,
    /// The task's options. Shared by all runs of one task.
    pub spec: Arc<TaskSpec>,
    /// One input for each parameter, in order.
    pub inputs: Vec<InputSpec>,
    /// The runs that it waits for without taking a value from them.
    pub wait_for: Vec<WaitFor>,
    /// Labels of this run beside those of the task.
    pub tags: Tags,
    /// When it is due, on the wall clock: a run with a due time is born [`Scheduled`](crate::State::Scheduled), and any
    /// other one [`Pending`](crate::State::Pending).
    pub due: Option<Timestamp>,
    /// The run that submitted it.
    pub parent: Option<RunId>,
    /// When it was submitted.
    pub created: Timestamp,
    /// The queue that it waits in.
    pub queue: QueueName,
    /// The key that no other unfinished run of the queue may have.
    pub unique: Option<Unique>,
    /// For a run that a journal debounced, when the first of the submissions that it replaces came. The journal sets it, and
    /// the due time with it.
    pub debounced: Option<Timestamp>,
    /// The time of a schedule for which it was submitted.
    pub schedule: Option<ScheduleSlot>,
}

impl RunSpec {
    /// A run in the queue `default` without inputs, dependencies, tags, due time, parent, key and schedule.
    pub fn new(id: RunId, task: TaskKey, spec: Arc<TaskSpec>, created: Timestamp) -> Self {
        Self {
            id,
            task,
            spec,
            inputs: Vec::new(),
            wait_for: Vec::new(),
            tags: Tags::default(),
            due: None,
            parent: None,
            created,
            queue: QueueName::default(),
            unique: None,
            debounced: None,
            schedule: None,
        }
    }

    /// All labels of the run: those of the task and its own.
    pub fn all_tags(&self) -> Tags {
        self.spec.tags.with(self.tags.iter().cloned())
    }
}

/// An input of a run: a value, what another run ends with, or a list, tuple, record or other type with such inputs inside.
#[derive(Clone, Debug, PartialEq)]
pub enum InputSpec {
    /// A value.
    Value(StoredValue),
    /// The value that a run completes with. If it does not complete, this run never starts.
    Result(RunId),
    /// How a run ends, as `result<T, string>`.
    Outcome(RunId),
    /// A present option.
    Some(Box<Self>),
    /// A case of a variant, with its payload.
    Variant(Name, Box<Self>),
    /// The `ok` side of a result.
    Ok(Box<Self>),
    /// The `err` side of a result.
    Err(Box<Self>),
    /// A list.
    List(Vec<Self>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// A record, by the names of its fields.
    Record(Vec<(Name, Self)>),
}

impl RunSpec {
    /// Calls a function with every value in the inputs, in order.
    pub fn for_each_value_mut(&mut self, mut call: impl FnMut(&mut StoredValue)) {
        self.inputs.iter_mut().for_each(|input| input.for_each_value_mut(&mut call));
    }
}

impl InputSpec {
    fn for_each_value_mut(&mut self, call: &mut impl FnMut(&mut StoredValue)) {
        match self {
            Self::Value(value) => call(value),
            Self::Result(_) | Self::Outcome(_) => {}
            Self::Some(inner) | Self::Variant(_, inner) | Self::Ok(inner) | Self::Err(inner) => {
                inner.for_each_value_mut(call);
            }
            Self::List(items) | Self::Tuple(items) => {
                items.iter_mut().for_each(|item| item.for_each_value_mut(call));
            }
            Self::Record(fields) => fields.iter_mut().for_each(|(_, field)| field.for_each_value_mut(call)),
        }
    }

    /// How deep inputs may nest; encoded ones that nest deeper are not read.
    pub const MAX_DEPTH: usize = 128;
}

/// A run that another one waits for without taking its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitFor {
    /// It has to complete; if it does not, the waiting run never starts.
    Completed(RunId),
    /// It has to end, whatever its outcome.
    Ended(RunId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_task_without_options() {
        let spec = TaskSpec::default();
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.limits, spec.retry.retries, spec.priority), (Limits::default(), 0, 0));
        assert_eq!((spec.cache, spec.grants.is_empty()), (CachePolicy::AUTO, true));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let check = |change: fn(&mut TaskSpec), expected: &str| {
            let mut spec = TaskSpec::default();
            change(&mut spec);
            let error = spec.check().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check(
            |spec| spec.limits.memory_bytes = 0,
            "the limit `memory` cannot be 0 bytes: expected more than zero and at most 4 GiB",
        );
        check(|spec| spec.retry.retries = 10_001, "retries cannot be 10001: expected at most 10000");
        let zero = "the run timeout cannot be 0ns: expected more than zero and at most 31622400s";
        check(|spec| spec.run_timeout = Some(Duration::ZERO), zero);
        let long = "the run timeout cannot be 31622401s: expected more than zero and at most 31622400s";
        check(|spec| spec.run_timeout = Some(Duration::from_secs(31_622_401)), long);
        check(
            |spec| spec.cache_expiration = Some(Duration::ZERO),
            "the cache expiration cannot be zero: expected more, or the cache policy `none` to cache nothing",
        );
        let two = "the environment variable `A` cannot have two values (give it once)";
        check(|spec| spec.grants.env = ["A=1", "A=2"].map(|text| text.parse().unwrap()).into(), two);
        let tag = "the tag \"a,b\" cannot be: expected 1 to 100 bytes without commas, blanks at the ends and \
                   control characters";
        check(|spec| spec.tags = ["a,b"].into_iter().collect(), tag);
    }

    #[test]
    fn every_value_of_the_inputs_is_visited() {
        let value = |byte: u8| InputSpec::Value(StoredValue::Bytes([byte].into()));
        let result = || InputSpec::Result(RunId::from_bytes([2; 16]));
        let task = TaskKey { component: crate::Digest::of(b""), export: crate::ExportPath::top_level("add") };
        let at = Timestamp::from_unix_nanos(1);
        let mut run = RunSpec::new(RunId::from_bytes([1; 16]), task, Arc::default(), at);
        run.inputs = vec![
            value(1),
            InputSpec::Some(InputSpec::List(vec![value(2), result()]).into()),
            InputSpec::Record(vec![("f".into(), InputSpec::Tuple(vec![result(), value(3)]))]),
            InputSpec::Variant("v".into(), InputSpec::Ok(InputSpec::Err(value(4).into()).into()).into()),
        ];
        let mut seen = Vec::new();
        run.for_each_value_mut(|value| seen.push(value.clone()));
        assert_eq!(seen, [1, 2, 3, 4].map(|byte| StoredValue::Bytes([byte].into())));
    }

    #[test]
    fn a_run_has_its_own_tags_and_those_of_its_task() {
        let spec = TaskSpec { tags: ["b", "c"].into_iter().collect(), ..TaskSpec::default() };
        let task = TaskKey { component: crate::Digest::of(b""), export: crate::ExportPath::top_level("add") };
        let mut run =
            RunSpec::new(RunId::from_bytes([1; 16]), task, spec.into(), Timestamp::from_unix_nanos(1));
        run.tags = ["a", "b"].into_iter().collect();
        assert_eq!(run.all_tags(), ["a", "b", "c"].into_iter().collect());
    }
}
