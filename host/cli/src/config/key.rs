//! The options of a task in a file: their names, and the forms of their values.

use hostel::{Determinism, LimitsError, SetError, TaskSpec};
use toml::de::DeValue;

use crate::options::TaskOptions;
use crate::options::dir::Dir;
use crate::options::env::Variable;
use crate::options::labels::Template;

/// The option of a file that is no option of a task's: whether the log is written as it comes.
const LOG_PRINTS: &str = "log-prints";

/// Options of a task that a file does not have: it has all tags at once, and `refresh-cache` is for a single command.
const NOT_IN_FILES: [&str; 2] = ["tag", "refresh-cache"];

/// An option of a task, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(&'static str);

/// A value that an option cannot have.
#[derive(Debug)]
pub(super) enum Wrong {
    /// What was expected instead.
    Expected(String),
    /// The limit that is out of its bounds.
    Limit(LimitsError),
}

impl From<String> for Wrong {
    fn from(expected: String) -> Self {
        Self::Expected(expected)
    }
}

impl From<SetError> for Wrong {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Value { expected, .. } => Self::Expected(expected),
            SetError::Limit { error, .. } => Self::Limit(error),
            SetError::UnknownKey { .. } | _ => Self::Expected(error.to_string()),
        }
    }
}

impl Key {
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::names().into_iter().find(|known| *known == name).map(Self)
    }

    /// All of them, as on the command line, without the dashes.
    pub(super) fn names() -> Vec<&'static str> {
        let names = TaskSpec::KEYS.into_iter().flat_map(|key| {
            // It stands before the grants.
            let log_prints = (key.name == "dir").then_some(LOG_PRINTS);
            log_prints.into_iter().chain([key.name])
        });
        names.filter(|name| !NOT_IN_FILES.contains(name)).collect()
    }

    pub(super) const fn name(self) -> &'static str {
        self.0
    }

    /// Whether the option is a grant.
    pub(super) fn is_grant(self) -> bool {
        TaskSpec::key(self.0).is_some_and(|key| key.is_grant())
    }

    /// Whether the value may contain a secret, which no output may show.
    pub(super) fn is_secret(self) -> bool {
        TaskSpec::key(self.0).is_some_and(|key| key.is_secret())
    }

    /// Sets the option to a value, given in `place`.
    pub(super) fn set(self, to: &mut TaskOptions, value: &DeValue<'_>, place: String) -> Result<(), Wrong> {
        let texts = self.texts(value)?;
        match self.0 {
            // What these say is checked later, when a place is needed for the error.
            "name" => to.labels.name = texts.into_iter().next().map(|text| Template { text, place }),
            "dir" => {
                let dirs = texts.iter().map(|text| Dir::new(text, place.clone()));
                to.dir = dirs.collect::<Result<_, _>>().map_err(String::from)?;
            }
            "env" => to.env = texts.iter().map(|text| Variable::new(text, place.clone())).collect(),
            LOG_PRINTS => to.log_prints = Some(yes_or_no(value)?),
            name => {
                let mut spec = TaskSpec::default();
                let name_of_one = if name == "tags" { "tag" } else { name };
                texts.iter().try_for_each(|text| spec.set(name_of_one, text))?;
                take(name, spec, to);
            }
        }
        Ok(())
    }

    /// The value as it would be typed: several texts where an option can be given several times.
    fn texts(self, value: &DeValue<'_>) -> Result<Vec<String>, String> {
        Ok(match self.0 {
            "name" | "cache" | "clock" | "random" | "unknown-imports" | "version" | "description" => {
                vec![text(value)?.to_owned()]
            }
            "retry-delay" | "retry-on" => vec![texts(value)?.join(",")],
            "tags" | "dir" | "env" | "http" | "net" | "lookup" => {
                texts(value)?.into_iter().map(str::to_owned).collect()
            }
            "deterministic" | LOG_PRINTS => vec![yes_or_no(value)?.to_string()],
            "priority" => vec![value.as_integer().map(|_| plain(value)).unwrap_or_default()],
            _ => vec![plain(value)],
        })
    }
}

/// Takes the option of this name from `spec`.
fn take(name: &str, spec: TaskSpec, to: &mut TaskOptions) {
    let TaskSpec { limits, retry, grants, determinism, .. } = spec;
    match name {
        "retries" => to.retries.retries = Some(retry.retries),
        "retry-delay" => to.retries.retry_delay = Some(retry.delay),
        "retry-jitter" => to.retries.retry_jitter = Some(retry.jitter),
        "retry-on" => to.retries.retry_on = Some(retry.on),
        "timeout" => to.limits.timeout = limits.timeout,
        "run-timeout" => to.run_timeout = spec.run_timeout,
        "idle-timeout" => to.limits.idle_timeout = limits.idle_timeout,
        "max-fuel" => to.limits.max_fuel = limits.fuel,
        "max-memory" => to.limits.max_memory = Some(limits.memory_bytes),
        "max-log" => to.limits.max_log = Some(limits.log_bytes),
        "max-log-lines" => to.limits.max_log_lines = Some(limits.log_lines),
        "max-input" => to.limits.max_input = Some(limits.input_bytes),
        "max-result" => to.limits.max_result = Some(limits.result_bytes),
        "max-open-files" => to.limits.max_open_files = Some(limits.open_files),
        "max-written" => to.limits.max_written = Some(limits.written_bytes),
        "max-sockets" => to.limits.max_sockets = Some(limits.sockets),
        "max-network" => to.limits.max_network = Some(limits.network_bytes),
        "max-handles" => to.limits.max_handles = Some(limits.handles),
        "max-subtasks" => to.limits.max_subtasks = Some(limits.subtasks),
        "tags" => to.labels.tags = spec.tags.to_vec(),
        "cache" => to.cache = Some(spec.cache),
        "cache-expiration" => to.cache_expiration = spec.cache_expiration,
        "clock" => to.clock = Some(determinism.clock),
        "random" => to.random = Some(determinism.randomness),
        "deterministic" => to.deterministic = Some(determinism == Determinism::DETERMINISTIC),
        "unknown-imports" => to.unknown_imports = Some(spec.unknown_imports),
        "priority" => to.labels.priority = Some(spec.priority),
        "version" => to.labels.version = spec.version.as_deref().map(str::to_owned),
        "description" => to.labels.description = spec.description.as_deref().map(str::to_owned),
        "http" => to.http = grants.http.clone(),
        "net" => to.net = grants.net.clone(),
        "lookup" => to.lookup = grants.lookup.clone(),
        // A test sees to it that there is no other.
        _ => {}
    }
}

/// A text or a number as on the command line; empty for anything else, which is invalid for every option.
pub(super) fn plain(value: &DeValue<'_>) -> String {
    let integer =
        value.as_integer().and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
    let number = integer.map(|number| number.to_string());
    let number = number.or_else(|| value.as_float().map(|number| number.as_str().to_owned()));
    number.or_else(|| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("expected a string, found {}", value.type_str()))
}

/// One text, or a list of them.
fn texts<'v>(value: &'v DeValue<'_>) -> Result<Vec<&'v str>, String> {
    match value.as_array() {
        Some(array) => array.iter().map(|text_of| text(text_of.get_ref())).collect(),
        None => Ok(vec![text(value)?]),
    }
}

fn yes_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "expected true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{Args, Command};
    use hostel::RetryDelay;

    use super::*;

    fn set(key: &str, value: &str) -> Result<TaskOptions, Wrong> {
        let mut options = TaskOptions::default();
        Key::named(key).unwrap().set(
            &mut options,
            DeValue::parse(value).unwrap().get_ref(),
            "here".to_owned(),
        )?;
        Ok(options)
    }

    #[test]
    fn every_key_is_found_by_its_name() {
        for name in Key::names() {
            assert_eq!(Key::named(name).map(Key::name), Some(name));
        }
        for name in NOT_IN_FILES.into_iter().chain(["retry_delay"]) {
            assert_eq!(Key::named(name), None);
        }
    }

    #[test]
    fn every_key_sets_something() {
        let value = |name: &str| match name {
            "retry-delay" | "timeout" | "run-timeout" | "idle-timeout" | "cache-expiration" => "'1s'",
            "retry-on" => "['trap', 'exit']",
            "cache" => "'inputs'",
            "clock" => "'virtual'",
            "random" => "'key'",
            "deterministic" | LOG_PRINTS => "true",
            "unknown-imports" => "'trap'",
            "http" | "lookup" => "'example.org'",
            "net" => "'example.org:80'",
            "tags" | "dir" | "name" | "version" | "description" => "'a'",
            "env" => "'A=1'",
            _ => "1",
        };
        let nothing = format!("{:?}", TaskOptions::default());
        for name in Key::names() {
            let options = set(name, value(name)).unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"));
            assert_ne!(format!("{options:?}"), nothing, "{name}");
        }
    }

    #[test]
    fn every_option_of_the_command_line_is_one_of_a_task() {
        let command = TaskOptions::augment_args(Command::new("hostel"));
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(TaskSpec::key(option).is_some(), "{option}");
        }
    }

    #[test]
    fn every_option_of_the_command_line_can_be_written_down() {
        let command = TaskOptions::augment_args(Command::new("hostel"));
        let options = command.get_arguments().filter_map(|argument| argument.get_long());
        // `refresh-cache` is for a single command.
        for option in options.filter(|option| *option != "refresh-cache") {
            let option = if option == "tag" { "tags" } else { option };
            assert!(Key::named(option).is_some(), "{option}");
        }
    }

    #[test]
    fn values_may_have_the_forms_that_suit_them() {
        let delay =
            |value| set("retry-delay", value).map(|options| options.retries.retry_delay.unwrap()).ok();
        let second = Duration::from_secs(1);
        assert_eq!(delay("\"1s\""), Some(second.into()));
        assert_eq!(delay("\"1s,2s\""), delay("[\"1s\", \"2s\"]"));
        assert_eq!(delay("\"exp:1s\""), Some(RetryDelay::Exponential(second)));
        assert!(delay("1").is_none() && delay("[1]").is_none() && delay("[]").is_none());

        let bytes = |value| set("max-memory", value).map(|options| options.limits.max_memory.unwrap()).ok();
        assert_eq!([bytes("1_000"), bytes("0x10"), bytes("\"1KiB\"")], [Some(1_000), Some(16), Some(1_024)]);
        assert!(bytes("-1").is_none() && bytes("1.5").is_none() && bytes("{}").is_none());

        let priority = |value| set("priority", value).map(|options| options.labels.priority.unwrap()).ok();
        assert_eq!([priority("-3"), priority("+3")], [Some(-3), Some(3)]);
        assert!(priority("\"3\"").is_none() && priority("3000000000").is_none());
    }
}
