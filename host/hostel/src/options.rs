//! The options of a task, and their validation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{
    CachePolicy, Determinism, Digest, Failure, FlowRun, Grants, KeyBase, Limits, NameTemplate, Randomness,
    RetryPolicy, Signature, TaskKey,
};
use hostel_engine::{Echo, OnStdout, Stdin};

use crate::error::OptionError;
use crate::tag::{Tag, check_tag, sorted};

/// Decides whether a failed attempt is retried, where the [`RetryPolicy`] allows it.
pub(crate) type RetryIf = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

/// The options of a task.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) retry_if: Option<RetryIf>,
    pub(crate) cache: CachePolicy,
    pub(crate) flow: Option<Arc<FlowRun>>,
    pub(crate) cache_expiration: Option<Duration>,
    pub(crate) refresh: bool,
    /// The cache is neither read nor written: the value is only compared.
    pub(crate) only_compared: bool,
    pub(crate) grants: Arc<Grants>,
    pub(crate) determinism: Determinism,
    /// The stream that a program reads as its standard input; `None` for functions.
    pub(crate) stdin: Option<Stdin>,
    pub(crate) echo: Option<Echo>,
    pub(crate) on_stdout: Option<OnStdout>,
    pub(crate) name: Option<Arc<NameTemplate>>,
    /// Sorted, without duplicates.
    pub(crate) tags: Arc<[Tag]>,
    pub(crate) priority: i32,
    pub(crate) version: Option<Arc<str>>,
    pub(crate) description: Option<Arc<str>>,
    /// The user's key in the cache policy.
    pub(crate) user_key: Option<Arc<NameTemplate>>,
    /// The common part of the cache keys of all runs; `None` if nothing is cached.
    pub(crate) key_base: Option<Arc<KeyBase>>,
    /// The common part of the keys from which random numbers are derived if nothing is cached: those under
    /// [`CachePolicy::AUTO`].
    pub(crate) seed_base: Option<Arc<KeyBase>>,
    /// A digest of the granted directories, if they are not in the key.
    pub(crate) place: Option<Digest>,
    /// The first invalid option, reported when a run is submitted.
    pub(crate) problem: Option<OptionError>,
}

/// A fact in the key of every run whose standard input is a stream: whether the program reads the stream is not known
/// in advance.
const STDIN_STREAM: &str = "stdin stream";

impl Options {
    /// Derives keys from the options, and validates the options.
    pub(crate) fn settle(&mut self, task: &TaskKey, signature: &Signature) {
        let base = |policy: &CachePolicy| {
            let stdin = self.stdin.iter().map(|_| STDIN_STREAM.to_owned()).collect();
            let facts = [self.grants.facts(policy.is_observed()), self.determinism.facts(), stdin].concat();
            KeyBase::new(policy, task, &facts).map(Arc::new)
        };
        self.key_base = base(&self.cache);
        let needs_seed = self.key_base.is_none() && self.determinism.randomness == Randomness::Key;
        self.seed_base = if needs_seed { base(&CachePolicy::AUTO) } else { None };
        let has_place = self.cache.is_observed() && !self.grants.dirs.is_empty();
        // Facts contain no zero byte, because paths contain none.
        self.place = has_place.then(|| Digest::of(self.grants.facts(false).join("\0").as_bytes()));
        self.problem = match self.cache.check(signature, self.flow.is_some()) {
            Ok(user_key) => {
                self.user_key = user_key.map(Arc::new);
                self.check().err()
            }
            Err(error) => Some(error.into()),
        };
    }

    /// The first option that is out of range.
    fn check(&self) -> Result<(), OptionError> {
        self.limits.validate()?;
        self.retry.validate()?;
        self.grants.check()?;
        self.tags.iter().try_for_each(|tag| check_tag(tag))?;
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

    /// The tags of a run: those of the task and those of the submission.
    pub(crate) fn tags_with(&self, more: Vec<Tag>) -> Arc<[Tag]> {
        if more.is_empty() { Arc::clone(&self.tags) } else { sorted(self.tags.iter().cloned().chain(more)) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .field("run_timeout", &self.run_timeout)
            .field("retry", &self.retry)
            .field("cache", &self.cache)
            .field("tags", &self.tags)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
