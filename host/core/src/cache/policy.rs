//! Which facts count when the cache is asked for a result.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;

use crate::ErrorKind;

/// The facts that two runs must have in common for one's result to stand for the other's.
///
/// Policies are added: `CachePolicy::INPUTS + CachePolicy::TASK_SOURCE`, or as text `inputs + task-source`. The
/// component's digest and the export path are part of every key, whether or not `TASK_SOURCE` is named: a task never
/// gets another task's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachePolicy {
    facts: u8,
}

impl CachePolicy {
    /// Nothing is cached.
    pub const NONE: Self = Self { facts: 0 };
    /// The arguments, in canonical form.
    pub const INPUTS: Self = Self { facts: 1 };
    /// The component's digest and the export path: all of the guest's code.
    pub const TASK_SOURCE: Self = Self { facts: 2 };

    /// Every fact with the word that names it, in the order of a policy's text.
    const FACTS: [(&'static str, Self); 2] = [("inputs", Self::INPUTS), ("task-source", Self::TASK_SOURCE)];

    /// Whether results are cached at all.
    pub const fn is_none(self) -> bool {
        self.facts == 0
    }

    /// Whether all facts of `other` count.
    pub const fn includes(self, other: Self) -> bool {
        self.facts & other.facts == other.facts
    }

    /// The facts as bits, for the key.
    pub(crate) const fn bits(self) -> u8 {
        self.facts
    }
}

impl Add for CachePolicy {
    type Output = Self;

    #[expect(
        clippy::suspicious_arithmetic_impl,
        reason = "a set of facts is added to as bits are: twice is once"
    )]
    fn add(self, other: Self) -> Self {
        Self { facts: self.facts | other.facts }
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> =
            Self::FACTS.into_iter().filter(|&(_, fact)| self.includes(fact)).map(|(name, _)| name).collect();
        f.write_str(if named.is_empty() { "none" } else { "" })?;
        f.write_str(&named.join(" + "))
    }
}

/// A text is not a cache policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cache policy `{policy}`: unknown fact `{fact}`; expected `none`, or `inputs` and `task-source` joined by `+`"
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

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "none" {
            return Ok(Self::NONE);
        }
        text.split('+').map(str::trim).try_fold(Self::NONE, |policy, word| {
            let fact = Self::FACTS.into_iter().find(|&(name, _)| name == word).map(|(_, fact)| fact);
            let error = || ParsePolicyError { policy: text.to_owned(), fact: word.to_owned() };
            fact.map(|fact| policy + fact).ok_or_else(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_and_written() {
        let check = |text: &str, policy: CachePolicy, written: &str| {
            assert_eq!(text.parse(), Ok(policy), "{text}");
            assert_eq!(policy.to_string(), written);
        };
        check("none", CachePolicy::NONE, "none");
        check("inputs", CachePolicy::INPUTS, "inputs");
        check("task-source+inputs", CachePolicy::INPUTS + CachePolicy::TASK_SOURCE, "inputs + task-source");
    }

    #[test]
    fn an_unknown_fact_is_named() {
        let error = "inputs + moon".parse::<CachePolicy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cache policy `inputs + moon`: unknown fact `moon`; expected `none`, or `inputs` and `task-source` joined by `+`"
        );
        assert!("".parse::<CachePolicy>().is_err());
        assert!("inputs + none".parse::<CachePolicy>().is_err());
    }
}
