//! The options of a task in a file: their names, and the forms of their values.

use std::str::FromStr;

use hostel::grammar::{self, retries, retry_delay, retry_jitter, run_timeout, tag};
use toml::de::DeValue;

use crate::options::TaskOptions;
use crate::options::dir::Dir;
use crate::options::env::Variable;
use crate::options::labels::Template;

/// An option of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Retries,
    RetryDelay,
    RetryJitter,
    RetryOn,
    Timeout,
    RunTimeout,
    MaxMemory,
    MaxLog,
    MaxInput,
    MaxResult,
    IdleTimeout,
    MaxFuel,
    MaxLogLines,
    MaxOpenFiles,
    MaxWritten,
    MaxSockets,
    MaxNetwork,
    MaxHandles,
    MaxSubtasks,
    Name,
    Tags,
    Cache,
    CacheExpiration,
    Clock,
    Random,
    Deterministic,
    UnknownImports,
    Priority,
    Version,
    Description,
    LogPrints,
    Dir,
    Env,
    Http,
    Net,
    Lookup,
}

impl Key {
    const ALL: [Self; 36] = [
        Self::Retries,
        Self::RetryDelay,
        Self::RetryJitter,
        Self::RetryOn,
        Self::Timeout,
        Self::RunTimeout,
        Self::MaxMemory,
        Self::MaxLog,
        Self::MaxInput,
        Self::MaxResult,
        Self::IdleTimeout,
        Self::MaxFuel,
        Self::MaxLogLines,
        Self::MaxOpenFiles,
        Self::MaxWritten,
        Self::MaxSockets,
        Self::MaxNetwork,
        Self::MaxHandles,
        Self::MaxSubtasks,
        Self::Name,
        Self::Tags,
        Self::Cache,
        Self::CacheExpiration,
        Self::Clock,
        Self::Random,
        Self::Deterministic,
        Self::UnknownImports,
        Self::Priority,
        Self::Version,
        Self::Description,
        Self::LogPrints,
        Self::Dir,
        Self::Env,
        Self::Http,
        Self::Net,
        Self::Lookup,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    pub(super) fn names() -> [&'static str; Self::ALL.len()] {
        Self::ALL.map(Self::name)
    }

    /// The name on the command line, without the dashes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Retries => "retries",
            Self::RetryDelay => "retry-delay",
            Self::RetryJitter => "retry-jitter",
            Self::RetryOn => "retry-on",
            Self::Timeout => "timeout",
            Self::RunTimeout => "run-timeout",
            Self::MaxMemory => "max-memory",
            Self::MaxLog => "max-log",
            Self::MaxInput => "max-input",
            Self::MaxResult => "max-result",
            Self::IdleTimeout => "idle-timeout",
            Self::MaxFuel => "max-fuel",
            Self::MaxLogLines => "max-log-lines",
            Self::MaxOpenFiles => "max-open-files",
            Self::MaxWritten => "max-written",
            Self::MaxSockets => "max-sockets",
            Self::MaxNetwork => "max-network",
            Self::MaxHandles => "max-handles",
            Self::MaxSubtasks => "max-subtasks",
            Self::Name => "name",
            Self::Tags => "tags",
            Self::Cache => "cache",
            Self::CacheExpiration => "cache-expiration",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Deterministic => "deterministic",
            Self::UnknownImports => "unknown-imports",
            Self::Priority => "priority",
            Self::Version => "version",
            Self::Description => "description",
            Self::LogPrints => "log-prints",
            Self::Dir => "dir",
            Self::Env => "env",
            Self::Http => "http",
            Self::Net => "net",
            Self::Lookup => "lookup",
        }
    }

    /// Whether the option is a grant.
    pub(super) const fn is_grant(self) -> bool {
        matches!(self, Self::Dir | Self::Env | Self::Http | Self::Net | Self::Lookup)
    }

    /// Whether the value may contain a secret, which no output may show.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Self::Env)
    }

    /// Sets the option to a value, given in `place`. The error is the expectation.
    pub(super) fn set(self, to: &mut TaskOptions, value: &DeValue<'_>, place: String) -> Result<(), String> {
        match self {
            Self::Retries => to.retries.retries = Some(retries(&plain(value))?),
            Self::RetryDelay => to.retries.retry_delay = Some(retry_delay(&texts(value)?.join(","))?),
            Self::RetryJitter => to.retries.retry_jitter = Some(retry_jitter(&plain(value))?),
            Self::RetryOn => {
                let kinds = texts(value)?.join(",").parse();
                to.retries.retry_on =
                    Some(kinds.map_err(|error: hostel::ParseRetryOnError| error.to_string())?);
            }
            Self::Timeout => to.limits.timeout = Some(grammar::timeout(&plain(value))?),
            Self::RunTimeout => to.run_timeout = Some(run_timeout(&plain(value))?),
            Self::MaxMemory => to.limits.max_memory = Some(grammar::bytes(&plain(value))?),
            Self::MaxLog => to.limits.max_log = Some(grammar::bytes(&plain(value))?),
            Self::MaxInput => to.limits.max_input = Some(grammar::bytes(&plain(value))?),
            Self::MaxResult => to.limits.max_result = Some(grammar::bytes(&plain(value))?),
            Self::IdleTimeout => to.limits.idle_timeout = Some(grammar::timeout(&plain(value))?),
            Self::MaxFuel => to.limits.max_fuel = Some(grammar::number(&plain(value))?),
            Self::MaxLogLines => to.limits.max_log_lines = Some(grammar::number(&plain(value))?),
            Self::MaxOpenFiles => to.limits.max_open_files = Some(grammar::number(&plain(value))?),
            Self::MaxWritten => to.limits.max_written = Some(grammar::bytes(&plain(value))?),
            Self::MaxSockets => to.limits.max_sockets = Some(grammar::number(&plain(value))?),
            Self::MaxNetwork => to.limits.max_network = Some(grammar::bytes(&plain(value))?),
            Self::MaxHandles => to.limits.max_handles = Some(grammar::number(&plain(value))?),
            Self::MaxSubtasks => to.limits.max_subtasks = Some(grammar::number(&plain(value))?),
            Self::Name => to.labels.name = Some(Template { text: text(value)?.to_owned(), place }),
            Self::Tags => to.labels.tags = texts(value)?.into_iter().map(tag).collect::<Result<_, _>>()?,
            Self::Cache => {
                let policy = text(value)?.parse();
                to.cache = Some(policy.map_err(|error: hostel::ParsePolicyError| error.to_string())?);
            }
            Self::CacheExpiration => to.cache_expiration = Some(grammar::cache_expiration(&plain(value))?),
            Self::Clock => {
                let clock = text(value)?.parse();
                to.clock = Some(clock.map_err(|error: hostel::ParseDeterminismError| error.to_string())?);
            }
            Self::Random => {
                let random = text(value)?.parse();
                to.random = Some(random.map_err(|error: hostel::ParseDeterminismError| error.to_string())?);
            }
            Self::Deterministic => to.deterministic = Some(yes_or_no(value)?),
            Self::UnknownImports => {
                let choice = text(value)?.parse();
                to.unknown_imports =
                    Some(choice.map_err(|error: hostel::ParseUnknownImportsError| error.to_string())?);
            }
            Self::Priority => to.labels.priority = Some(priority(value)?),
            Self::Version => to.labels.version = Some(text(value)?.to_owned()),
            Self::Description => to.labels.description = Some(text(value)?.to_owned()),
            Self::LogPrints => to.log_prints = Some(yes_or_no(value)?),
            Self::Dir => to.dir = dirs(value, &place)?,
            Self::Env => to.env = variables(value, &place)?,
            Self::Http => to.http = grants(value)?,
            Self::Net => to.net = grants(value)?,
            Self::Lookup => to.lookup = grants(value)?,
        }
        Ok(())
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

/// One grant, or a list of them.
fn grants<T: FromStr<Err: ToString>>(value: &DeValue<'_>) -> Result<Vec<T>, String> {
    texts(value)?.into_iter().map(|text| text.parse().map_err(|error: T::Err| error.to_string())).collect()
}

/// One directory, or a list of them.
fn dirs(value: &DeValue<'_>, place: &str) -> Result<Vec<Dir>, String> {
    let dirs = texts(value)?.into_iter().map(|text| Dir::new(text, place.to_owned()));
    Ok(dirs.collect::<Result<_, _>>()?)
}

/// One variable, or a list of them.
fn variables(value: &DeValue<'_>, place: &str) -> Result<Vec<Variable>, String> {
    Ok(texts(value)?.into_iter().map(|text| Variable::new(text, place.to_owned())).collect())
}

fn priority(value: &DeValue<'_>) -> Result<i32, String> {
    let expected = || format!("expected a whole number from {} to {}", i32::MIN, i32::MAX);
    value.as_integer().and_then(|_| plain(value).parse().ok()).ok_or_else(expected)
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

    fn set(key: Key, value: &str) -> Result<TaskOptions, String> {
        let mut options = TaskOptions::default();
        key.set(&mut options, DeValue::parse(value).unwrap().get_ref(), "here".to_owned())?;
        Ok(options)
    }

    #[test]
    fn every_key_is_found_by_its_name() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.name()), Some(key));
        }
        assert_eq!(Key::named("retry_delay"), None);
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
        let delay = |value| set(Key::RetryDelay, value).map(|options| options.retries.retry_delay.unwrap());
        let second = Duration::from_secs(1);
        assert_eq!(delay("\"1s\""), Ok(second.into()));
        assert_eq!(delay("\"1s,2s\""), delay("[\"1s\", \"2s\"]"));
        assert_eq!(delay("\"exp:1s\""), Ok(RetryDelay::Exponential(second)));
        assert!(delay("1").is_err() && delay("[1]").is_err() && delay("[]").is_err());

        let bytes = |value| set(Key::MaxMemory, value).map(|options| options.limits.max_memory.unwrap());
        assert_eq!([bytes("1_000"), bytes("0x10"), bytes("\"1KiB\"")], [Ok(1_000), Ok(16), Ok(1_024)]);
        assert!(bytes("-1").is_err() && bytes("1.5").is_err() && bytes("{}").is_err());

        let priority = |value| set(Key::Priority, value).map(|options| options.labels.priority.unwrap());
        assert_eq!([priority("-3"), priority("+3")], [Ok(-3), Ok(3)]);
        assert!(priority("\"3\"").is_err() && priority("3000000000").is_err());
    }
}
