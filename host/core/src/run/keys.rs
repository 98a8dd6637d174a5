//! The options of a task by name: what each is called, which values it takes, and how its text is read.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::TaskSpec;
use crate::grammar::{self, OptionTextError, Read};
use crate::value::excerpt;
use crate::{Determinism, ErrorKind, Grants, Limits, LimitsError, Name, Tags, UnknownName};

/// An option of a task: its name, and what is known of its values.
#[derive(Clone, Copy, Debug)]
pub struct OptionKey {
    /// The name, as on the command line without the dashes, and in `hostel.toml`.
    pub name: &'static str,
    /// The form of its value: `TIME`, `N`, `HOST`.
    pub value: &'static str,
    /// What it is for, in one line.
    pub help: &'static str,
    /// Whether a second value is added to the first, instead of replacing it.
    pub repeats: bool,
    read: fn(&mut TaskSpec, &str) -> Result<(), Wrong>,
}

/// An option cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// There is no option of this name.
    #[error("unknown option {:?}{}", excerpt(key), suggestion(nearest))]
    UnknownKey {
        /// The name.
        key: String,
        /// The names that are a few keystrokes away, the nearest first.
        nearest: Vec<&'static str>,
    },
    /// The option cannot have this value.
    #[error("{key}{}: {expected}", value.as_ref().map(|value| format!(" cannot be {value:?}")).unwrap_or_default())]
    Value {
        /// The name of the option.
        key: &'static str,
        /// The value, shortened; `None` where it may be a secret.
        value: Option<String>,
        /// What was expected: `expected true or false`.
        expected: String,
    },
    /// A limit is zero or over its upper bound.
    #[error("{}", error.named(key))]
    Limit {
        /// The name of the option.
        key: &'static str,
        /// What the limit can be.
        error: LimitsError,
    },
}

/// What can be wrong with the text of an option.
#[derive(Debug)]
enum Wrong {
    Text(OptionTextError),
    Limit(LimitsError),
}

impl From<OptionTextError> for Wrong {
    fn from(error: OptionTextError) -> Self {
        Self::Text(error)
    }
}

fn suggestion(nearest: &[&'static str]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!(": did you mean {one:?}?"),
        several => format!(": did you mean one of {}?", several.join(", ")),
    }
}

impl SetError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TaskSpec {
    /// Every option that has a name, in the order in which help shows them.
    pub const KEYS: [OptionKey; 37] = KEYS;

    /// The option of this name.
    pub fn key(name: &str) -> Option<&'static OptionKey> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Sets the option of this name to the value that a text says.
    ///
    /// An option that [repeats](OptionKey::repeats) gets one more value, any other one a new value. `deterministic` sets
    /// clock and randomness, so `clock` and `random` come after it; [`TaskSpec::set_all`] sees to that.
    ///
    /// # Errors
    ///
    /// [`SetError`] if there is no such option, or the text is no value of it. Then nothing has changed.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SetError> {
        let Some(key) = Self::key(name) else { return Err(unknown(name)) };
        let OptionKey { name, .. } = *key;
        (key.read)(self, text).map_err(|wrong| match wrong {
            Wrong::Text(error) => {
                let value = (!key.is_secret()).then(|| excerpt(text));
                SetError::Value { key: name, value, expected: error.into() }
            }
            Wrong::Limit(error) => SetError::Limit { key: name, error },
        })
    }

    /// Sets many options, of which the order counts only among those of one name.
    ///
    /// # Errors
    ///
    /// [`SetError`] for the first that cannot be set. Then nothing has changed.
    pub fn set_all<'a>(
        &mut self,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), SetError> {
        let (first, then): (Vec<_>, Vec<_>) =
            options.into_iter().partition(|(name, _)| *name == DETERMINISTIC);
        let mut changed = self.clone();
        first.into_iter().chain(then).try_for_each(|(name, text)| changed.set(name, text))?;
        *self = changed;
        Ok(())
    }
}

impl OptionKey {
    /// Whether its value may be a secret, which no message shows.
    pub fn is_secret(&self) -> bool {
        self.name == "env"
    }

    /// Whether it permits the guest something.
    pub fn is_grant(&self) -> bool {
        crate::GrantKind::ALL.into_iter().any(|kind| kind.name() == self.name)
    }
}

fn unknown(name: &str) -> SetError {
    let known: Vec<Name> = KEYS.iter().map(|key| Name::from(key.name)).collect();
    let near = UnknownName::new("option", name, &known);
    let nearest = near.near().into_iter().filter_map(|name| TaskSpec::key(name)).map(|key| key.name);
    SetError::UnknownKey { key: name.to_owned(), nearest: nearest.take(MAX_SUGGESTIONS).collect() }
}

/// The option that stands for two others.
const DETERMINISTIC: &str = "deterministic";

/// How many names an error suggests.
const MAX_SUGGESTIONS: usize = 3;

/// An option whose later value replaces the earlier one.
const fn one(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    read: fn(&mut TaskSpec, &str) -> Result<(), Wrong>,
) -> OptionKey {
    OptionKey { name, value, help, repeats: false, read }
}

/// An option of which each value is added to those before.
const fn many(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    read: fn(&mut TaskSpec, &str) -> Result<(), Wrong>,
) -> OptionKey {
    OptionKey { name, value, help, repeats: true, read }
}

const KEYS: [OptionKey; 37] = [
    one("retries", "N", "how many attempts may follow the first", |spec, text| {
        put(&mut spec.retry.retries, grammar::retries(text))
    }),
    one("retry-delay", "TIME", "the wait before each retry: 1s; 1s,10s; exp:1s", |spec, text| {
        put(&mut spec.retry.delay, grammar::retry_delay(text))
    }),
    one("retry-jitter", "FACTOR", "how far waits vary, as a part of them", |spec, text| {
        put(&mut spec.retry.jitter, grammar::retry_jitter(text))
    }),
    one("retry-on", "KINDS", "which failures are retried, joined by commas", |spec, text| {
        put(&mut spec.retry.on, parsed(text))
    }),
    one("timeout", "TIME", "how long an attempt may take", |spec, text| {
        limit(spec, grammar::timeout(text), |limits, time| limits.timeout = Some(time))
    }),
    one("run-timeout", "TIME", "how long a run may take, all its attempts together", |spec, text| {
        put(&mut spec.run_timeout, grammar::run_timeout(text).map(Some))
    }),
    one("max-memory", "SIZE", "memory of an attempt", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.memory_bytes = bytes)
    }),
    one("max-log", "SIZE", "log kept of a run", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.log_bytes = bytes)
    }),
    one("max-input", "SIZE", "size of a run's arguments", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.input_bytes = bytes)
    }),
    one("max-result", "SIZE", "size of an attempt's result", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.result_bytes = bytes)
    }),
    one("idle-timeout", "TIME", "how long an attempt may wait at a stretch", |spec, text| {
        limit(spec, grammar::timeout(text), |limits, time| limits.idle_timeout = Some(time))
    }),
    one("max-fuel", "FUEL", "how much an attempt may compute, in fuel", |spec, text| {
        limit(spec, grammar::number(text), |limits, fuel| limits.fuel = Some(fuel))
    }),
    one("max-log-lines", "N", "lines of log kept of a run", |spec, text| {
        limit(spec, grammar::number(text), |limits, lines| limits.log_lines = lines)
    }),
    one("max-open-files", "N", "files open at once", |spec, text| {
        limit(spec, grammar::number(text), |limits, files| limits.open_files = files)
    }),
    one("max-written", "SIZE", "bytes written to files", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.written_bytes = bytes)
    }),
    one("max-sockets", "N", "sockets and HTTP requests open at once", |spec, text| {
        limit(spec, grammar::number(text), |limits, sockets| limits.sockets = sockets)
    }),
    one("max-network", "SIZE", "bytes sent and received", |spec, text| {
        limit(spec, grammar::bytes(text), |limits, bytes| limits.network_bytes = bytes)
    }),
    one("max-handles", "N", "handles of resources at once", |spec, text| {
        limit(spec, grammar::number(text), |limits, handles| limits.handles = handles)
    }),
    one("max-subtasks", "N", "async calls, streams and futures at once", |spec, text| {
        limit(spec, grammar::number(text), |limits, subtasks| limits.subtasks = subtasks)
    }),
    one("name", "TEMPLATE", "the name of each run, from its arguments", |spec, text| {
        put(&mut spec.name, shared(text))
    }),
    many("tag", "TAG", "a label of each run", |spec, text| {
        let tags = grammar::tag(text).map(|tag| spec.tags.with([tag]));
        put(&mut spec.tags, tags)
    }),
    one("tags", "TAGS", "the labels of each run, joined by commas", |spec, text| {
        let tags = text.split(',').filter(|_| !text.is_empty()).map(|tag| grammar::tag(tag.trim()));
        put(&mut spec.tags, tags.collect::<Read<Vec<_>>>().map(Tags::from_iter))
    }),
    one("cache", "POLICY", "which facts runs must share to share a result", |spec, text| {
        put(&mut spec.cache, parsed(text))
    }),
    one("cache-expiration", "TIME", "the age at which results expire", |spec, text| {
        put(&mut spec.cache_expiration, grammar::cache_expiration(text).map(Some))
    }),
    one("refresh-cache", "BOOL", "run although the cache has a result", |spec, text| {
        put(&mut spec.refresh, grammar::flag(text))
    }),
    one("clock", "CLOCK", "real, virtual or fixed:INSTANT", |spec, text| {
        put(&mut spec.determinism.clock, parsed(text))
    }),
    one("random", "SOURCE", "real, key or seed:NUMBER", |spec, text| {
        put(&mut spec.determinism.randomness, parsed(text))
    }),
    one(DETERMINISTIC, "BOOL", "a virtual clock, and randomness from the cache key", |spec, text| {
        let choice = |both| if both { Determinism::DETERMINISTIC } else { Determinism::default() };
        put(&mut spec.determinism, grammar::flag(text).map(choice))
    }),
    one("unknown-imports", "WHAT", "refuse, or trap when the guest calls one", |spec, text| {
        put(&mut spec.unknown_imports, parsed(text))
    }),
    one("priority", "N", "runs of a higher priority start first", |spec, text| {
        put(&mut spec.priority, grammar::priority(text))
    }),
    one("version", "TEXT", "the version of the task, for people", |spec, text| {
        put(&mut spec.version, shared(text))
    }),
    one("description", "TEXT", "what the task is for, for people", |spec, text| {
        put(&mut spec.description, shared(text))
    }),
    many("dir", "DIR", "reading a directory, or with :rw also writing", |spec, text| {
        push(&mut grants(spec).dirs, grammar::dir(text))
    }),
    many("env", "NAME=VALUE", "an environment variable", |spec, text| {
        push(&mut grants(spec).env, parsed(text))
    }),
    many("http", "HOST", "outgoing HTTP to a host", |spec, text| push(&mut grants(spec).http, parsed(text))),
    many("net", "HOST:PORT", "TCP and UDP to a place", |spec, text| {
        push(&mut grants(spec).net, parsed(text))
    }),
    many("lookup", "NAME", "looking up a name", |spec, text| push(&mut grants(spec).lookup, parsed(text))),
];

fn grants(spec: &mut TaskSpec) -> &mut Grants {
    Arc::make_mut(&mut spec.grants)
}

fn put<T>(place: &mut T, value: Read<T>) -> Result<(), Wrong> {
    *place = value?;
    Ok(())
}

fn push<T>(list: &mut Vec<T>, value: Read<T>) -> Result<(), Wrong> {
    list.push(value?);
    Ok(())
}

/// Sets a limit, unless that puts it out of its bounds.
fn limit<T>(spec: &mut TaskSpec, value: Read<T>, set: fn(&mut Limits, T)) -> Result<(), Wrong> {
    let mut limits = spec.limits;
    set(&mut limits, value?);
    limits.validate().map_err(Wrong::Limit)?;
    spec.limits = limits;
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Read<T> {
    text.parse().map_err(|error: T::Err| OptionTextError::new(error.to_string()))
}

fn shared(text: &str) -> Read<Option<Arc<str>>> {
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each option with a value that is not its default, and one that it cannot have.
    const VALUES: [(&str, &str, Option<&str>); 37] = [
        ("retries", "3", Some("many")),
        ("retry-delay", "exp:1s", Some("1")),
        ("retry-jitter", "0.3", Some("11")),
        ("retry-on", "trap,exit", Some("tarp")),
        ("timeout", "1.5s", Some("0s")),
        ("run-timeout", "30d", Some("367d")),
        ("max-memory", "64MiB", Some("5GiB")),
        ("max-log", "1KiB", Some("2GiB")),
        ("max-input", "1MB", Some("")),
        ("max-result", "1MB", Some("3GiB")),
        ("idle-timeout", "1m", Some("1")),
        ("max-fuel", "1,000,000", Some("-1")),
        ("max-log-lines", "5", Some("0")),
        ("max-open-files", "5", Some("10,001")),
        ("max-written", "5", Some("2TiB")),
        ("max-sockets", "5", Some("1,001")),
        ("max-network", "5", Some("2TiB")),
        ("max-handles", "5", Some("1,000,001")),
        ("max-subtasks", "5", Some("10,001")),
        ("name", "train {dataset.name}", None),
        ("tag", "a b", Some("a,b")),
        ("tags", "b,a", Some("a,,b")),
        ("cache", "inputs - input:a", Some("imputs")),
        ("cache-expiration", "30d", Some("0s")),
        ("refresh-cache", "true", Some("1")),
        ("clock", "virtual", Some("2026")),
        ("random", "seed:7", Some("7")),
        ("deterministic", "true", Some("yes")),
        ("unknown-imports", "trap", Some("Trap")),
        ("priority", "-3", Some("3.5")),
        ("version", "2", None),
        ("description", "adds", None),
        ("dir", "data::/data:rw", Some("")),
        ("env", "A=secret", Some("A")),
        ("http", "GET https://example.org", Some("a b c")),
        ("net", "10.0.0.0/8:*", Some("example.org")),
        ("lookup", "*.example.org", Some("a b")),
    ];

    #[test]
    fn every_option_is_set_by_its_name_and_refuses_what_it_cannot_have() {
        assert_eq!(VALUES.map(|(name, ..)| name), KEYS.map(|key| key.name));
        for (name, right, wrong) in VALUES {
            let mut spec = TaskSpec::default();
            assert_eq!(spec.set(name, right), Ok(()), "{name}");
            assert_ne!(spec, TaskSpec::default(), "{name} changes nothing");
            assert_eq!(spec.check(), Ok(()), "{name}");
            let before = spec.clone();
            assert!(wrong.is_none_or(|wrong| spec.set(name, wrong).is_err()), "{name} {wrong:?}");
            assert_eq!(spec, before, "{name}");
            assert_eq!(spec.set(name, right), Ok(()));
            let adds = TaskSpec::key(name).unwrap().repeats && name != "tag";
            assert_eq!(spec != before, adds, "{name}: only what repeats adds up");
        }
    }

    #[test]
    fn help_is_there_for_every_option() {
        for key in KEYS {
            assert!(
                !key.value.is_empty() && !key.help.is_empty() && !key.help.contains('\n'),
                "{}",
                key.name
            );
            let is_listed = crate::LimitKind::ALL.iter().any(|kind| kind.option() == Some(key.name));
            assert_eq!(
                is_listed,
                key.name.starts_with("max-") || key.name.ends_with("timeout") && key.name != "run-timeout"
            );
        }
        assert!(
            KEYS.iter()
                .filter(|key| key.is_grant())
                .map(|key| key.name)
                .eq(["dir", "env", "http", "net", "lookup"])
        );
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let check = |name: &str, text: &str, expected: &str| {
            let error = TaskSpec::default().set(name, text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check("retries", "many", "retries cannot be \"many\": expected a whole number from 0 to 10000");
        check("max-memory", "5GiB", "max-memory cannot be 5 GiB: expected more than zero and at most 4 GiB");
        check(
            "env",
            "SECRET",
            "env: invalid environment variable `SECRET`: the value is missing; expected NAME=VALUE",
        );
        check("retrys", "1", "unknown option \"retrys\": did you mean \"retries\"?");
        check("max-lo", "1", "unknown option \"max-lo\": did you mean \"max-log\"?");
        check("tas", "1", "unknown option \"tas\": did you mean one of tag, tags?");
        check("colour", "1", "unknown option \"colour\"");
        check("retry_delay", "1s", "unknown option \"retry_delay\": did you mean \"retry-delay\"?");
    }

    #[test]
    fn the_order_of_names_does_not_count() {
        let mut spec = TaskSpec::default();
        spec.set_all([("clock", "real"), ("deterministic", "true"), ("tag", "b"), ("tag", "a")]).unwrap();
        assert_eq!(spec.determinism, Determinism { clock: crate::Clock::Real, ..Determinism::DETERMINISTIC });
        assert_eq!(spec.tags, ["a", "b"].into_iter().collect());
        let before = spec.clone();
        assert!(spec.set_all([("retries", "3"), ("retrys", "3")]).is_err());
        assert_eq!(spec, before);
    }

    #[test]
    fn tags_replace_each_other_together() {
        let mut spec = TaskSpec::default();
        for (text, expected) in [("b, a", &["a", "b"][..]), ("c", &["c"]), ("", &[])] {
            spec.set("tags", text).unwrap();
            assert_eq!(spec.tags, expected.iter().copied().collect(), "{text}");
        }
    }
}
