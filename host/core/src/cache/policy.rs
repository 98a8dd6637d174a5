//! Cache policies: the facts that count in a look-up.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;

use super::policy_text;
use crate::{ArgumentError, ErrorKind, Name, NameTemplate, Signature, TemplateError};

/// The facts, as bits in a policy and in a key.
mod bit {
    pub(super) const INPUTS: u8 = 1;
    pub(super) const TASK_SOURCE: u8 = 1 << 1;
    pub(super) const RUN_ID: u8 = 1 << 2;
    pub(super) const FLOW_PARAMETERS: u8 = 1 << 3;
    pub(super) const OBSERVED: u8 = 1 << 4;
    /// A user's template.
    pub(super) const KEY: u8 = 1 << 5;
}

/// The facts that two runs must share if the result of one may replace the other.
///
/// Policies can be added and subtracted: `CachePolicy::DEFAULT - CachePolicy::RUN_ID`. Inputs are left out by name:
/// `CachePolicy::AUTO - "debug"`; as text `default - run-id` and `auto - input:debug`. The component's digest and the
/// export path are part of every key, whether or not `TASK_SOURCE` is named: a task never gets another task's result,
/// unless the policy is a user's template alone ([`CachePolicy::key`]). Grants and the choice of clock and randomness
/// always count. Cheap to clone.
///
/// ```
/// # use hostel_core::CachePolicy;
/// let policy: CachePolicy = "default - run-id - input:debug".parse()?;
/// assert_eq!(policy, CachePolicy::INPUTS + CachePolicy::TASK_SOURCE - "debug");
/// assert!(policy.leaves_out("debug"));
/// # Ok::<(), hostel_core::ParsePolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CachePolicy {
    facts: u8,
    /// The inputs that do not count, sorted, each once; `None`, the usual case, means none.
    left_out: Option<Arc<[Name]>>,
    /// The text of the user's template.
    template: Option<Arc<str>>,
}

impl CachePolicy {
    /// Nothing is cached.
    pub const NONE: Self = Self::of(0);
    /// The arguments, in canonical form.
    pub const INPUTS: Self = Self::of(bit::INPUTS);
    /// The component's digest and the export path: all of the guest's code.
    pub const TASK_SOURCE: Self = Self::of(bit::TASK_SOURCE);
    /// The flow run: results are reused within one run of a flow.
    pub const RUN_ID: Self = Self::of(bit::RUN_ID);
    /// The parameters of the flow run.
    pub const FLOW_PARAMETERS: Self = Self::of(bit::FLOW_PARAMETERS);
    /// The observed effects of the attempt: only results without clock, randomness and network are stored, and one that
    /// depends on granted files replaces other runs only while the files are unchanged.
    pub const OBSERVED: Self = Self::of(bit::OBSERVED);

    /// Only results that are proved to be functions of their key: the default policy.
    pub const AUTO: Self = Self::of(bit::INPUTS | bit::TASK_SOURCE | bit::OBSERVED);
    /// Prefect's default: inputs, task source and flow run.
    pub const DEFAULT: Self = Self::of(bit::INPUTS | bit::TASK_SOURCE | bit::RUN_ID);

    /// Every fact with its word, in the order of a policy's text.
    const FACTS: [(&'static str, u8); 5] = [
        ("inputs", bit::INPUTS),
        ("task-source", bit::TASK_SOURCE),
        ("run-id", bit::RUN_ID),
        ("flow-parameters", bit::FLOW_PARAMETERS),
        ("observed", bit::OBSERVED),
    ];

    const fn of(facts: u8) -> Self {
        Self { facts, left_out: None, template: None }
    }

    /// The words for policies as a whole, and those for facts.
    pub(super) fn words() -> impl Iterator<Item = (&'static str, Self)> {
        let facts = Self::FACTS.into_iter().map(|(word, fact)| (word, Self::of(fact)));
        [("auto", Self::AUTO), ("default", Self::DEFAULT), ("none", Self::NONE)].into_iter().chain(facts)
    }

    /// A user's own key: a text with placeholders for inputs, such as `{user.id} on {day}` (see [`NameTemplate`]).
    ///
    /// Alone it is the whole key, and nothing else counts: two tasks, or two versions of one, with the same text share their
    /// results, if their types fit. Combined with other facts, it is one of them.
    pub fn key(template: &str) -> Self {
        Self { template: Some(template.into()), ..Self::of(bit::KEY) }
    }

    /// Whether results are cached at all.
    pub const fn is_none(&self) -> bool {
        self.facts == 0
    }

    /// Whether all facts of `other` count.
    pub const fn includes(&self, other: &Self) -> bool {
        self.facts & other.facts == other.facts
    }

    /// Whether only results count that are proved to depend on nothing except their key.
    pub const fn is_observed(&self) -> bool {
        self.facts & bit::OBSERVED != 0
    }

    /// Whether a flow run counts; then there is no key without one.
    pub const fn needs_flow(&self) -> bool {
        self.facts & (bit::RUN_ID | bit::FLOW_PARAMETERS) != 0
    }

    /// Whether the input with this name does not count, although others may.
    pub fn leaves_out(&self, input: &str) -> bool {
        self.left_out().iter().any(|name| **name == *input)
    }

    /// Checks that the policy can be computed for a task: the task has the inputs that are left out and those in the user's
    /// template, and there is a flow run if one counts. Returns the user's template, ready to be filled in.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if not.
    pub fn check(&self, signature: &Signature, has_flow: bool) -> Result<Option<NameTemplate>, PolicyError> {
        if self.needs_flow() && !has_flow {
            return Err(PolicyError::NoFlow { policy: self.clone() });
        }
        if let Some(first) = self.left_out().first()
            && !self.includes(&Self::INPUTS)
        {
            return Err(PolicyError::NoInputs { input: first.clone() });
        }
        self.left_out().iter().try_for_each(|name| signature.param(name).map(drop))?;
        Ok(self.template.as_deref().map(|text| NameTemplate::parse(text, signature)).transpose()?)
    }

    /// The facts as bits, for the key.
    pub(crate) const fn bits(&self) -> u8 {
        self.facts
    }

    /// The policy with these facts, inputs that do not count (sorted, each once) and text of the user's key, if there is
    /// one.
    pub(crate) fn of_parts(facts: u8, left_out: Vec<Name>, template: Option<Arc<str>>) -> Option<Self> {
        let all = Self::FACTS.into_iter().fold(bit::KEY, |all, (_, fact)| all | fact);
        let has_key = facts & bit::KEY != 0;
        let left_out = (!left_out.is_empty()).then(|| left_out.into());
        (facts & !all == 0 && has_key == template.is_some()).then_some(Self { facts, left_out, template })
    }

    /// The text of the user's key.
    pub(crate) fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// Whether a user's template counts.
    pub(crate) const fn has_key(&self) -> bool {
        self.facts & bit::KEY != 0
    }

    /// Whether only the user's template counts.
    pub(crate) const fn is_only_key(&self) -> bool {
        self.facts == bit::KEY
    }

    /// The inputs that do not count, sorted, each once.
    pub(crate) fn left_out(&self) -> &[Name] {
        self.left_out.as_deref().unwrap_or_default()
    }

    pub(super) fn without(self, names: impl IntoIterator<Item = Name>) -> Self {
        let mut left_out: Vec<Name> = self.left_out().iter().cloned().chain(names).collect();
        left_out.sort();
        left_out.dedup();
        Self { left_out: (!left_out.is_empty()).then(|| left_out.into()), ..self }
    }
}

/// [`CachePolicy::AUTO`], the default.
impl Default for CachePolicy {
    fn default() -> Self {
        Self::AUTO
    }
}

/// The facts of both, the inputs that count in either, and the later of two user's templates.
impl Add for CachePolicy {
    type Output = Self;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "a set of facts is a union of bits")]
    fn add(self, other: Self) -> Self {
        let template = other.template.clone().or_else(|| self.template.clone());
        let facts = Self { facts: self.facts | other.facts, left_out: None, template };
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

/// The same, without the facts of the other.
impl Sub for CachePolicy {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let facts = self.facts & !other.facts;
        let left_out = self.left_out.filter(|_| facts & bit::INPUTS != 0);
        let template = self.template.filter(|_| facts & bit::KEY != 0);
        Self { facts, left_out, template }
    }
}

/// The same, without the input of this name.
impl Sub<&str> for CachePolicy {
    type Output = Self;

    fn sub(self, input: &str) -> Self {
        self.without([Name::from(input)])
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.includes(&Self::AUTO).then_some("auto");
        let rest = if whole.is_some() { self.facts & !Self::AUTO.facts } else { self.facts };
        let facts = Self::FACTS.into_iter().filter(|(_, fact)| rest & fact != 0).map(|(word, _)| word);
        let key = self.template.as_deref().map(policy_text::quoted_key);
        let terms: Vec<_> = whole.into_iter().chain(facts).map(str::to_owned).chain(key).collect();
        f.write_str(match (terms.is_empty(), self.left_out.is_some()) {
            (true, false) => "none",
            // `none` stands alone.
            (true, true) => "inputs - inputs",
            (false, _) => "",
        })?;
        f.write_str(&terms.join(" + "))?;
        self.left_out().iter().try_for_each(|name| write!(f, " - input:{name}"))
    }
}

/// A policy cannot be computed for a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It leaves out an input that the task does not have.
    #[error("the cache policy leaves out an input that the task does not have: {0}")]
    Unknown(#[from] ArgumentError),
    /// It leaves out an input although none count.
    #[error("the cache policy leaves out the input {input:?}, but no inputs count: add `inputs` to it")]
    NoInputs {
        /// The input.
        input: Name,
    },
    /// It counts a flow run, and there is none.
    #[error("the cache policy `{policy}` counts the flow run, but the task belongs to none")]
    NoFlow {
        /// The policy.
        policy: CachePolicy,
    },
    /// The user's key is not a template, or names an input that the task does not have.
    #[error("the key of the cache policy: {0}")]
    Key(#[from] TemplateError),
}

impl PolicyError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// The error for a text that is not a cache policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cache policy `{policy}`, column {column}: {problem}")]
pub struct ParsePolicyError {
    /// The text.
    pub(super) policy: String,
    /// The position of the error in characters, counted from 1.
    pub(super) column: usize,
    pub(super) problem: String,
}

impl ParsePolicyError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for CachePolicy {
    type Err = ParsePolicyError;

    /// A minus has blanks around it, because names contain minus signs.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        policy_text::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Type;

    #[test]
    fn only_a_policy_with_observed_wants_a_proof() {
        for policy in [CachePolicy::AUTO, CachePolicy::OBSERVED, CachePolicy::INPUTS + CachePolicy::OBSERVED]
        {
            assert!(policy.is_observed(), "{policy}");
        }
        for policy in [CachePolicy::NONE, CachePolicy::INPUTS, CachePolicy::DEFAULT] {
            assert!(!policy.is_observed(), "{policy}");
        }
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
    fn facts_are_taken_away() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        assert_eq!(CachePolicy::DEFAULT - CachePolicy::RUN_ID, both);
        assert_eq!(CachePolicy::AUTO - CachePolicy::OBSERVED, both);
        assert_eq!(both.clone() - CachePolicy::RUN_ID, both);
        assert_eq!(both.clone() - "a" - CachePolicy::INPUTS, CachePolicy::TASK_SOURCE);
        assert_eq!(CachePolicy::key("{a}") - CachePolicy::key("{b}"), CachePolicy::NONE);
        assert_eq!(both.clone() + CachePolicy::key("{a}") - CachePolicy::key(""), both);
        assert_eq!(CachePolicy::AUTO - CachePolicy::AUTO, CachePolicy::NONE);
    }

    #[test]
    fn a_policy_that_cannot_be_computed_is_refused() {
        let signature = Signature::new([("a", Type::S64), ("debug", Type::Bool)], None);
        let check = |policy: CachePolicy, expected: Option<&str>| {
            let error = policy.check(&signature, false).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected, "{policy}");
        };
        check(CachePolicy::INPUTS - "debug", None);
        check(CachePolicy::AUTO - "debug", None);
        check(CachePolicy::NONE, None);
        check(CachePolicy::key("{a} or {debug}"), None);
        check(
            CachePolicy::INPUTS - "debg",
            Some(
                "the cache policy leaves out an input that the task does not have: unknown argument \"debg\", did you mean \"debug\"? \
                 (arguments: a, debug)",
            ),
        );
        check(
            CachePolicy::TASK_SOURCE - "a",
            Some("the cache policy leaves out the input \"a\", but no inputs count: add `inputs` to it"),
        );
        check(
            CachePolicy::DEFAULT,
            Some(
                "the cache policy `inputs + task-source + run-id` counts the flow run, but the task belongs to none",
            ),
        );
        check(
            CachePolicy::FLOW_PARAMETERS,
            Some("the cache policy `flow-parameters` counts the flow run, but the task belongs to none"),
        );
        check(
            CachePolicy::key("{c}"),
            Some("the key of the cache policy: column 2: unknown parameter \"c\" (parameters: a, debug)"),
        );
        assert_eq!(CachePolicy::DEFAULT.check(&signature, true), Ok(None));
    }
}
