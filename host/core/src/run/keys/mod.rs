//! The options of a task by name: what each is called, which values it takes, and how its text is read.
//!
//! A new option is a field of [`TaskSpec`], with its place in the encoding, and an entry in the table. The command line, its
//! help and `hostel.toml` follow from the entry.

mod table;

use self::table::{CLOCK, DETERMINISTIC, KEYS, RANDOM};
use super::TaskSpec;
use crate::grammar::Read;
use crate::value::excerpt;
use crate::{ErrorKind, Name, UnknownName};

/// An option of a task: its name, and the description of its values.
#[derive(Clone, Copy, Debug)]
pub struct OptionKey {
    /// The name, as in `hostel.toml`, and on the command line after two dashes.
    pub name: &'static str,
    /// The placeholder for its value: `TIME`, `N`, `HOST`.
    pub value: &'static str,
    /// The form of its value.
    pub form: ValueForm,
    /// The heading under which help lists it.
    pub section: &'static str,
    /// Its help in one line, without the default.
    pub help: &'static str,
    /// The value that a task has without the option, as text or in words; `None` if there is nothing to say about it.
    pub default: Option<&'static str>,
    /// Whether further values are added to the first, instead of replacing it.
    pub repeats: bool,
    read: fn(&mut TaskSpec, &str) -> Read<()>,
}

/// The form of an option's value, where it is not written as text: in TOML or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueForm {
    /// True or false. On a command line the option alone means true.
    Flag,
    /// A number; or a text, for numbers with a unit: `64MiB`, `1.5s`.
    Number,
    /// A text.
    Text,
    /// A text, or a list of texts, which are joined by commas.
    List,
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
        /// The value, shortened; `None` if it may be a secret.
        value: Option<String>,
        /// The expected values: `expected true or false`.
        expected: String,
    },
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
    pub const KEYS: &[OptionKey] = KEYS;

    /// The option of this name.
    pub fn key(name: &str) -> Option<&'static OptionKey> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Sets the option of this name to the value of a text.
    ///
    /// An option that [repeats](OptionKey::repeats) gets one more value, any other one a new value. `deterministic` sets
    /// clock and randomness, so `clock` and `random` must be set after it. [`TaskSpec::set_all`] does so.
    ///
    /// # Errors
    ///
    /// [`SetError`] if there is no such option, or the text is not one of its values. Nothing has changed then.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SetError> {
        let Some(key) = Self::key(name) else { return Err(unknown(name)) };
        (key.read)(self, text).map_err(|error| {
            let value = (!key.is_secret()).then(|| excerpt(text));
            SetError::Value { key: key.name, value, expected: error.into() }
        })
    }

    /// Sets many options. Their order only matters among options of the same name.
    ///
    /// # Errors
    ///
    /// [`SetError`] for the first that cannot be set. Nothing has changed then.
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
    /// Checks that a text is a value of the option.
    ///
    /// # Errors
    ///
    /// [`OptionTextError`](crate::grammar::OptionTextError) with the expected values.
    pub fn check(&self, text: &str) -> Read<()> {
        (self.read)(&mut TaskSpec::default(), text)
    }

    /// Whether its value may be a secret, which no message shows.
    pub fn is_secret(&self) -> bool {
        self.name == "env"
    }

    /// Whether it grants the guest something.
    pub fn is_grant(&self) -> bool {
        crate::GrantKind::ALL.into_iter().any(|kind| kind.name() == self.name)
    }

    /// Whether a value of this option, given in a place that takes precedence, replaces values of the `other` one.
    pub fn replaces(&self, other: &Self) -> bool {
        let is_part = self.name == DETERMINISTIC && [CLOCK, RANDOM].contains(&other.name);
        is_part || self.name == other.name && !self.repeats
    }
}

fn unknown(name: &str) -> SetError {
    let known: Vec<Name> = KEYS.iter().map(|key| Name::from(key.name)).collect();
    let near = UnknownName::new("option", name, &known);
    let nearest = near.near().into_iter().filter_map(|name| TaskSpec::key(name)).map(|key| key.name);
    SetError::UnknownKey { key: name.to_owned(), nearest: nearest.take(MAX_SUGGESTIONS).collect() }
}

/// How many names an error suggests.
const MAX_SUGGESTIONS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Determinism, Tags};

    /// Each option with a value that is not its default, and one that it cannot have.
    const VALUES: &[(&str, &str, Option<&str>)] = &[
        ("retries", "3", Some("many")),
        ("retry-delay", "exp:1s", Some("1")),
        ("retry-jitter", "0.3", Some("11")),
        ("retry-on", "trap,exit", Some("tarp")),
        ("timeout", "1.5s", Some("0s")),
        ("idle-timeout", "1m", Some("1")),
        ("run-timeout", "30d", Some("367d")),
        ("max-fuel", "1,000,000", Some("-1")),
        ("max-memory", "64MiB", Some("5GiB")),
        ("max-log", "1KiB", Some("2GiB")),
        ("max-log-lines", "5", Some("0")),
        ("max-input", "1MB", Some("")),
        ("max-result", "1MB", Some("3GiB")),
        ("max-open-files", "5", Some("10,001")),
        ("max-written", "5", Some("2TiB")),
        ("max-sockets", "5", Some("1,001")),
        ("max-network", "5", Some("2TiB")),
        ("max-handles", "5", Some("1,000,001")),
        ("max-subtasks", "5", Some("10,001")),
        ("name", "train {dataset.name}", None),
        ("tag", "a b", Some("a,b")),
        ("tags", "b,a", Some("a,,b")),
        ("priority", "-3", Some("3.5")),
        ("version", "2", None),
        ("description", "adds", None),
        ("http", "GET https://example.org", Some("a b c")),
        ("net", "10.0.0.0/8:*", Some("example.org")),
        ("lookup", "*.example.org", Some("a b")),
        ("env", "A=secret", Some("A")),
        ("dir", "data::/data:rw", Some("")),
        ("unknown-imports", "trap", Some("Trap")),
        ("deterministic", "true", Some("yes")),
        ("clock", "virtual", Some("2026")),
        ("random", "seed:7", Some("7")),
        ("cache", "inputs - input:a", Some("imputs")),
        ("cache-expiration", "30d", Some("0s")),
        ("refresh-cache", "true", Some("1")),
    ];

    #[test]
    fn every_option_is_set_by_its_name_and_refuses_other_values() {
        let names = VALUES.iter().map(|(name, ..)| *name);
        assert!(names.eq(KEYS.iter().map(|key| key.name)), "in the order of KEYS");
        for &(name, right, wrong) in VALUES {
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
    fn every_option_has_help() {
        for key in KEYS {
            let OptionKey { name, value, help, section, .. } = key;
            let texts = [value, help, section];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('\n')), "{name}");
            assert!(!help.ends_with('.') && !help.contains("[default"), "{name}");
            let is_limit = crate::LimitKind::ALL.iter().any(|kind| kind.option() == Some(name));
            assert_eq!(is_limit, *section == "Limits" && *name != "run-timeout", "{name}");
            assert!(!key.is_grant() || *section == "Grants" && key.repeats, "{name}");
        }
        let grants: Vec<_> = KEYS.iter().filter(|key| key.is_grant()).map(|key| key.name).collect();
        assert_eq!(grants, ["http", "net", "lookup", "env", "dir"]);
    }

    #[test]
    fn defaults_are_those_of_a_task_without_options() {
        let in_words = ["retry-on", "cache-expiration"];
        for OptionKey { name, default, .. } in KEYS.iter().filter(|key| !in_words.contains(&key.name)) {
            let mut spec = TaskSpec::default();
            assert_eq!(default.map_or(Ok(()), |default| spec.set(name, default)), Ok(()));
            assert_eq!(spec, TaskSpec::default(), "{name}");
        }
    }

    #[test]
    fn an_option_replaces_itself_unless_it_repeats() {
        let replaced = |name: &str| {
            let key = TaskSpec::key(name).unwrap();
            KEYS.iter().filter(|other| key.replaces(other)).map(|other| other.name).collect::<Vec<_>>()
        };
        assert_eq!(replaced("retries"), ["retries"]);
        assert_eq!(replaced("deterministic"), ["deterministic", "clock", "random"]);
        assert_eq!(replaced("clock"), ["clock"]);
        assert!(["tag", "env", "dir"].iter().all(|name| replaced(name).is_empty()));
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let check = |name: &str, text: &str, expected: &str| {
            let error = TaskSpec::default().set(name, text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check("retries", "many", "retries cannot be \"many\": expected a whole number from 0 to 10000");
        check(
            "max-memory",
            "5GiB",
            "max-memory cannot be \"5GiB\": expected more than zero and at most 4 GiB",
        );
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
    fn a_task_has_a_bounded_number_of_tags() {
        let names: Vec<String> = (0..=Tags::MAX).map(|number| format!("t{number}")).collect();
        let (all_but_one, last) = (&names[..Tags::MAX], names[Tags::MAX].as_str());
        let expected = "expected at most 256 tags for each task, found 257";
        let mut spec = TaskSpec::default();
        spec.set_all(all_but_one.iter().map(|name| ("tag", name.as_str()))).unwrap();
        spec.set("tag", "t0").unwrap();
        let error = spec.set("tag", last).unwrap_err();
        assert_eq!(error.to_string(), format!("tag cannot be \"t256\": {expected}"));
        assert_eq!(spec.tags.len(), Tags::MAX);
        let mut spec = TaskSpec::default();
        spec.set("tags", &all_but_one.join(",")).unwrap();
        let error = spec.set("tags", &names.join(",")).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
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
