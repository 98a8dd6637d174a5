//! The options of a task in a file: their names, and the forms of their values.

use hostel::grammar::OptionTextError;
use hostel::{OptionKey, TaskSpec, ValueForm};
use toml::de::DeValue;

use crate::options::task::{Place, TaskOptions};

/// The option of a file that is no option of a task: whether the log is written while the run executes.
const LOG_PRINTS: &str = "log-prints";

/// Options of a task that a file does not have: it has all tags at once, and `refresh-cache` is for a single command.
const NOT_IN_FILES: [&str; 2] = [TAG, "refresh-cache"];

/// The list of tags in a file, and the option for each of them.
const TAGS: &str = "tags";
const TAG: &str = "tag";

/// An option of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    name: &'static str,
    /// The option of a task that it sets; `None` for [`LOG_PRINTS`].
    sets: Option<&'static OptionKey>,
}

impl Key {
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = Self::names().into_iter().find(|known| *known == name)?;
        Some(Self { name, sets: TaskSpec::key(if name == TAGS { TAG } else { name }) })
    }

    /// All of them, as on the command line, without the dashes.
    pub(super) fn names() -> Vec<&'static str> {
        let names = TaskSpec::KEYS.iter().map(|key| key.name).filter(|name| !NOT_IN_FILES.contains(name));
        names.chain([LOG_PRINTS]).collect()
    }

    pub(super) const fn name(self) -> &'static str {
        self.name
    }

    /// Whether the option is a grant.
    pub(super) fn is_grant(self) -> bool {
        self.sets.is_some_and(OptionKey::is_grant)
    }

    /// Whether the value may be a secret, which no output may show.
    pub(super) fn is_secret(self) -> bool {
        self.sets.is_some_and(OptionKey::is_secret)
    }

    /// Sets the option to a value, given in `place`. The error is what was expected instead.
    pub(super) fn set(self, to: &mut TaskOptions, value: &DeValue<'_>, place: &Place) -> Result<(), String> {
        let Some(key) = self.sets else {
            to.log_prints = Some(flag(value)?);
            return Ok(());
        };
        let give = |text: String| to.give(key, text, place.clone()).map_err(OptionTextError::into);
        typed(key, value)?.into_iter().try_for_each(give)
    }
}

/// The value as it would be typed: several texts if an option can be given several times.
fn typed(key: &OptionKey, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    Ok(match key.form {
        ValueForm::Flag => vec![flag(value)?.to_string()],
        ValueForm::List => vec![texts(value)?.join(",")],
        ValueForm::Text if key.repeats => texts(value)?.into_iter().map(str::to_owned).collect(),
        ValueForm::Text => vec![text(value)?.to_owned()],
        ValueForm::Number | _ => vec![plain(value)],
    })
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

fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "expected true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hostel::RetryDelay;

    use super::*;

    fn set(key: &str, value: &str) -> Result<TaskSpec, String> {
        let mut options = TaskOptions::default();
        let place = Place { name: "here".to_owned(), base: None };
        Key::named(key).unwrap().set(&mut options, DeValue::parse(value).unwrap().get_ref(), &place)?;
        options.spec().map_err(|problem| problem.to_string())
    }

    #[test]
    fn every_key_is_found_by_its_name() {
        for name in Key::names() {
            let key = Key::named(name).unwrap();
            assert_eq!((key.name(), key.sets.is_none()), (name, name == LOG_PRINTS));
        }
        for name in NOT_IN_FILES.into_iter().chain(["retry_delay"]) {
            assert!(Key::named(name).is_none());
        }
    }

    #[test]
    fn values_may_have_the_forms_that_suit_them() {
        let delay = |value| set("retry-delay", value).map(|spec| spec.retry.delay).ok();
        let second = Duration::from_secs(1);
        assert_eq!(delay("\"1s\""), Some(second.into()));
        assert_eq!(delay("\"1s,2s\""), delay("[\"1s\", \"2s\"]"));
        assert_eq!(delay("\"exp:1s\""), Some(RetryDelay::Exponential(second)));
        assert!(delay("1").is_none() && delay("[1]").is_none() && delay("[]").is_none());

        let bytes = |value| set("max-memory", value).map(|spec| spec.limits.memory_bytes).ok();
        assert_eq!([bytes("1_000"), bytes("0x10"), bytes("\"1KiB\"")], [Some(1_000), Some(16), Some(1_024)]);
        assert!(bytes("-1").is_none() && bytes("1.5").is_none() && bytes("{}").is_none());

        let priority = |value| set("priority", value).map(|spec| spec.priority).ok();
        assert_eq!([priority("-3"), priority("+3"), priority("\"3\"")], [Some(-3), Some(3), Some(3)]);
        assert!(priority("3000000000").is_none() && priority("1.5").is_none());

        let tags = |value| set("tags", value).map(|spec| spec.tags.len()).ok();
        assert_eq!([tags("'a'"), tags("['a', 'b']"), tags("[]")], [Some(1), Some(2), Some(0)]);
        assert!(tags("'a,b'").is_none() && tags("1").is_none());
    }
}
