//! Which facts count when the cache is asked for a result.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;

use crate::{ArgumentError, ErrorKind, Name, Signature};

/// The facts that two runs must have in common for one's result to stand for the other's.
///
/// Policies are added, and inputs taken from them by name: `CachePolicy::INPUTS + CachePolicy::TASK_SOURCE - "debug"`, or
/// as text `inputs + task-source - input:debug`. The component's digest and the export path are part of every key, whether
/// or not `TASK_SOURCE` is named: a task never gets another task's result. Cheap to clone.
///
/// ```
/// # use hostel_core::CachePolicy;
/// let policy: CachePolicy = "inputs - input:debug".parse()?;
/// assert_eq!(policy, CachePolicy::INPUTS - "debug");
/// assert!(policy.leaves_out("debug"));
/// # Ok::<(), hostel_core::ParsePolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachePolicy {
    facts: u8,
    /// The inputs that do not count, sorted, each once; `None` stands for the usual none.
    left_out: Option<Arc<[Name]>>,
}

impl CachePolicy {
    /// Nothing is cached.
    pub const NONE: Self = Self { facts: 0, left_out: None };
    /// The arguments, in canonical form.
    pub const INPUTS: Self = Self { facts: 1, left_out: None };
    /// The component's digest and the export path: all of the guest's code.
    pub const TASK_SOURCE: Self = Self { facts: 2, left_out: None };

    /// Every fact with the word that names it, in the order of a policy's text.
    const FACTS: [(&'static str, Self); 2] = [("inputs", Self::INPUTS), ("task-source", Self::TASK_SOURCE)];

    /// Whether results are cached at all.
    pub const fn is_none(&self) -> bool {
        self.facts == 0
    }

    /// Whether all facts of `other` count.
    pub const fn includes(&self, other: &Self) -> bool {
        self.facts & other.facts == other.facts
    }

    /// Whether the input of this name does not count, though others may.
    pub fn leaves_out(&self, input: &str) -> bool {
        self.left_out().iter().any(|name| **name == *input)
    }

    /// Checks that a task has the inputs that are left out.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if it has not, or if no inputs count in the first place.
    pub fn check(&self, signature: &Signature) -> Result<(), PolicyError> {
        let Some(first) = self.left_out().first() else { return Ok(()) };
        if !self.includes(&Self::INPUTS) {
            return Err(PolicyError::NoInputs { input: first.clone() });
        }
        self.left_out().iter().try_for_each(|name| signature.param(name).map(drop))?;
        Ok(())
    }

    /// The facts as bits, for the key.
    pub(crate) const fn bits(&self) -> u8 {
        self.facts
    }

    fn left_out(&self) -> &[Name] {
        self.left_out.as_deref().unwrap_or_default()
    }

    fn without(self, names: impl IntoIterator<Item = Name>) -> Self {
        let mut left_out: Vec<Name> = self.left_out().iter().cloned().chain(names).collect();
        left_out.sort();
        left_out.dedup();
        Self { facts: self.facts, left_out: (!left_out.is_empty()).then(|| left_out.into()) }
    }
}

/// The facts of both; of the inputs, those that count in either.
impl Add for CachePolicy {
    type Output = Self;

    #[expect(
        clippy::suspicious_arithmetic_impl,
        reason = "a set of facts is added to as bits are: twice is once"
    )]
    fn add(self, other: Self) -> Self {
        let facts = Self { facts: self.facts | other.facts, left_out: None };
        match (self.includes(&Self::INPUTS), other.includes(&Self::INPUTS)) {
            (true, true) => {
                let both = self.left_out().iter().filter(|name| other.leaves_out(name)).cloned();
                facts.without(both)
            }
            (true, false) => facts.without(self.left_out().iter().cloned()),
            (false, true) => facts.without(other.left_out().iter().cloned()),
            (false, false) => facts.without(self.left_out().iter().chain(other.left_out()).cloned()),
        }
    }
}

/// The same, but for the input of this name.
impl Sub<&str> for CachePolicy {
    type Output = Self;

    fn sub(self, input: &str) -> Self {
        self.without([Name::from(input)])
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> =
            Self::FACTS.iter().filter(|(_, fact)| self.includes(fact)).map(|(name, _)| *name).collect();
        f.write_str(if named.is_empty() { "none" } else { "" })?;
        f.write_str(&named.join(" + "))?;
        self.left_out().iter().try_for_each(|name| write!(f, " - input:{name}"))
    }
}

/// A policy does not fit a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It leaves out what the task does not have.
    #[error("the cache policy leaves out what the task does not take: {0}")]
    Unknown(#[from] ArgumentError),
    /// It leaves out an input where none count.
    #[error("the cache policy leaves out the input {input:?}, but no inputs count: add `inputs` to it")]
    NoInputs {
        /// The input.
        input: Name,
    },
}

/// A text is not a cache policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cache policy `{policy}`: unknown fact `{fact}`; expected `none`, or `inputs` and `task-source` joined by `+`, then inputs \
     that do not count as ` - input:NAME`"
)]
pub struct ParsePolicyError {
    policy: String,
    fact: String,
}

impl ParsePolicyError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for CachePolicy {
    type Err = ParsePolicyError;

    /// A minus has blanks around it, since names have some inside.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "none" {
            return Ok(Self::NONE);
        }
        let error = |fact: &str| ParsePolicyError { policy: text.to_owned(), fact: fact.trim().to_owned() };
        let mut policy = Self::NONE;
        let mut left_out = Vec::new();
        for term in text.split('+') {
            let mut words = term.split(" - ").map(str::trim);
            let word = words.next().unwrap_or_default();
            let fact = Self::FACTS.into_iter().find(|(name, _)| *name == word).map(|(_, fact)| fact);
            policy = policy + fact.ok_or_else(|| error(word))?;
            for word in words {
                let name = word.strip_prefix("input:").filter(|name| !name.is_empty());
                left_out.push(Name::from(name.ok_or_else(|| error(word))?));
            }
        }
        Ok(policy.without(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Type;

    #[test]
    fn a_policy_is_read_and_written() {
        let check = |text: &str, policy: CachePolicy, written: &str| {
            assert_eq!(text.parse(), Ok(policy.clone()), "{text}");
            assert_eq!(policy.to_string(), written);
            assert_eq!(written.parse(), Ok(policy), "{written}");
        };
        check("none", CachePolicy::NONE, "none");
        check("inputs", CachePolicy::INPUTS, "inputs");
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        check("task-source+inputs", both.clone(), "inputs + task-source");
        check("inputs - input:log-level", CachePolicy::INPUTS - "log-level", "inputs - input:log-level");
        let text = "inputs + task-source - input:a - input:b";
        check("inputs - input:b + task-source - input:a - input:b", both - "b" - "a", text);
    }

    #[test]
    fn c04_an_input_counts_if_it_does_in_one_of_the_policies_that_are_added() {
        let inputs = CachePolicy::INPUTS;
        assert_eq!(inputs.clone() - "a" + inputs.clone(), inputs);
        assert_eq!((inputs.clone() - "a") + (inputs.clone() - "a" - "b"), inputs.clone() - "a");
        let source = CachePolicy::TASK_SOURCE;
        assert_eq!((inputs.clone() - "a") + source.clone(), inputs.clone() + source - "a");
        assert_eq!(inputs.clone() + CachePolicy::NONE, inputs);
    }

    #[test]
    fn an_unknown_fact_is_named() {
        let check = |text: &str, fact: &str| {
            let error = text.parse::<CachePolicy>().unwrap_err();
            let expected = format!("cache policy `{text}`: unknown fact `{fact}`; expected `none`");
            assert!(error.to_string().starts_with(&expected), "{error}");
        };
        check("inputs + moon", "moon");
        check("", "");
        check("inputs + none", "none");
        check("inputs - debug", "debug");
        check("inputs - input:", "input:");
        check("inputs -input:debug", "inputs -input:debug");
    }

    #[test]
    fn a_policy_that_leaves_out_what_is_not_there_is_refused() {
        let signature = Signature::new([("a", Type::S64), ("debug", Type::Bool)], None);
        let check = |policy: CachePolicy, expected: Option<&str>| {
            let error = policy.check(&signature).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected, "{policy}");
        };
        check(CachePolicy::INPUTS - "debug", None);
        check(CachePolicy::NONE, None);
        check(
            CachePolicy::INPUTS - "debg",
            Some(
                "the cache policy leaves out what the task does not take: unknown argument \"debg\", did you mean \"debug\"? \
                 (arguments: a, debug)",
            ),
        );
        check(
            CachePolicy::TASK_SOURCE - "a",
            Some("the cache policy leaves out the input \"a\", but no inputs count: add `inputs` to it"),
        );
    }
}
