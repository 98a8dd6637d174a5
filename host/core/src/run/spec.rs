//! What can be written down of a task's options and of a run.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    CachePolicy, Determinism, FlowRun, Grants, Limits, Name, NameTemplate, OptionError, QueueName,
    RetryPolicy, RunId, ScheduleSlot, Signature, StoredValue, Tags, TaskKey, Timestamp, TraceParent, Unique,
    UnknownImports, check_tags,
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
    /// The resources that one attempt may use.
    pub limits: Limits,
    /// How long the whole run may take, with all attempts and the waits between them. More than zero, at most a year;
    /// `None` for no limit.
    pub run_timeout: Option<Duration>,
    /// Whether another attempt follows one that failed.
    pub retry: RetryPolicy,
    /// The facts that two runs must share for one's result to replace the other's.
    pub cache: CachePolicy,
    /// The age at which cached results expire, more than zero; `None` for never.
    pub cache_expiration: Option<Duration>,
    /// Whether the run executes although the cache has a result, which the new one replaces.
    pub refresh: bool,
    /// The permissions of the guest. They contain the values of environment variables, which may be secrets. Shared with
    /// the attempts.
    pub grants: Arc<Grants>,
    /// The guest's clock and source of random numbers.
    pub determinism: Determinism,
    /// How to treat a component with imports that the host does not provide.
    pub unknown_imports: UnknownImports,
    /// The text of the [`NameTemplate`] that names each run. [`TaskSpec::check_for`] parses it.
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

/// The options of a task that depend on its signature, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskTemplates {
    /// The name of each run: [`TaskSpec::name`].
    pub name: Option<NameTemplate>,
    /// The user's key in the cache policy.
    pub user_key: Option<NameTemplate>,
}

impl TaskSpec {
    /// Checks every option that does not depend on the task's signature.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn check(&self) -> Result<(), OptionError> {
        self.limits.validate()?;
        self.retry.validate()?;
        self.grants.check()?;
        check_tags(&self.tags)?;
        if self.cache_expiration.is_some_and(|expiration| expiration.is_zero()) {
            return Err(OptionError::CacheExpiration);
        }
        let most = Limits::MAX.timeout.unwrap_or(Duration::MAX);
        match self.run_timeout {
            Some(timeout) if timeout.is_zero() || timeout > most => {
                Err(OptionError::RunTimeout { timeout, most })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks every option for a task with this signature, and returns the parsed templates.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or refers to a parameter that the task does not have.
    pub fn check_for(&self, signature: &Signature) -> Result<TaskTemplates, OptionError> {
        let user_key = self.cache.check(signature, self.flow.is_some())?;
        self.check()?;
        let name = self.name.as_deref().map(|text| NameTemplate::parse(text, signature)).transpose()?;
        Ok(TaskTemplates { name, user_key })
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
    /// The trace of the request that submitted it. It means nothing to the run: a repeated submission may come with another one.
    pub trace: Option<TraceParent>,
}

impl RunSpec {
    /// A run in the queue `default` without inputs, dependencies, tags, due time, parent, key, schedule and trace.
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
            trace: None,
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
    /// The value, if it is one by itself.
    pub const fn as_value(&self) -> Option<&StoredValue> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

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
    use crate::{ErrorKind, Type};

    #[test]
    fn the_default_is_a_task_without_options() {
        let spec = TaskSpec::default();
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.limits, spec.retry.retries, spec.priority), (Limits::default(), 0, 0));
        assert_eq!((spec.cache, spec.grants.is_empty()), (CachePolicy::AUTO, true));
    }

    #[test]
    fn options_out_of_range_are_refused() {
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
            "the cache expiration cannot be zero: expected a longer time, or the cache policy `none` to disable caching",
        );
        let two = "the environment variable `A` cannot have two values (give it once)";
        check(|spec| spec.set_all([("env", "A=1"), ("env", "A=2")]).unwrap(), two);
        let tag = "invalid tag \"a,b\": expected 1 to 100 bytes without commas, control characters, or leading or \
                   trailing blanks";
        check(|spec| spec.tags = ["a,b"].into_iter().collect(), tag);
    }

    #[test]
    fn templates_are_parsed_for_a_signature() {
        let signature = Signature::new([("a", Type::U8)], None);
        let check = |options: &[(&str, &str)], expected: &str| {
            let mut spec = TaskSpec::default();
            spec.set_all(options.iter().copied()).unwrap();
            assert_eq!(spec.check(), Ok(()), "they are in range");
            let found = spec.check_for(&signature).map_err(|error| error.to_string());
            let found = found.map(|TaskTemplates { name, user_key }| (name.is_some(), user_key.is_some()));
            assert_eq!(format!("{found:?}"), expected);
        };
        check(&[], "Ok((false, false))");
        check(&[("name", "add {a}"), ("cache", "key:\"{a}\"")], "Ok((true, true))");
        let unknown = r#"column 2: unknown parameter "b" (parameters: a)"#;
        check(&[("name", "{b}")], &format!("Err({:?})", format!("invalid run name: {unknown}")));
        let policy = "the cache policy leaves out an input that the task does not have: unknown argument";
        check(
            &[("cache", "inputs - input:b")],
            &format!("Err({:?})", format!("{policy} \"b\" (arguments: a)")),
        );
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
