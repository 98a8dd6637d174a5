//! Reports of verifications of cached results.

use hostel::{Different, Skipped, Verification};
use serde::Serialize;

/// What came of computing cached results again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerificationObject<'a> {
    /// The number of results that match.
    pub same: usize,
    /// Those that do not.
    pub different: Vec<DifferentObject<'a>>,
    /// Those that were not compared.
    pub skipped: Vec<SkippedObject<'a>>,
}

/// A result that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DifferentObject<'a> {
    /// The cache key.
    pub key: String,
    /// The key of the task.
    pub task: &'a str,
    /// The policy that stored it.
    pub policy: String,
    /// The cached value, in WAVE.
    pub kept: &'a str,
    /// The computed value in WAVE, or how the run ended.
    pub found: &'a str,
}

/// A result that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SkippedObject<'a> {
    /// The cache key.
    pub key: String,
    /// The reason, in words.
    pub because: &'a str,
}

impl<'a> From<&'a Verification> for VerificationObject<'a> {
    fn from(verification: &'a Verification) -> Self {
        let different = verification.different.iter().map(DifferentObject::from);
        let skipped = verification.skipped.iter().map(SkippedObject::from);
        Self { same: verification.same, different: different.collect(), skipped: skipped.collect() }
    }
}

impl<'a> From<&'a Different> for DifferentObject<'a> {
    fn from(different: &'a Different) -> Self {
        Self {
            key: different.key.to_string(),
            task: &different.task,
            policy: different.policy.to_string(),
            kept: &different.kept,
            found: &different.found,
        }
    }
}

impl<'a> From<&'a Skipped> for SkippedObject<'a> {
    fn from(skipped: &'a Skipped) -> Self {
        Self { key: skipped.key.to_string(), because: &skipped.because }
    }
}
