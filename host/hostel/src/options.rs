//! The options of a task, what is wrong with them, and the words they are set with.

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

/// Decides whether a failed attempt is followed by another one, where the [`RetryPolicy`] allows it.
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
    /// Nothing is looked up and nothing kept: the value is only for comparing.
    pub(crate) only_compared: bool,
    pub(crate) grants: Arc<Grants>,
    pub(crate) determinism: Determinism,
    /// The stream that a program reads as its standard input; `None` for functions.
    pub(crate) stdin: Option<Stdin>,
    pub(crate) echo: Option<Echo>,
    pub(crate) on_stdout: Option<OnStdout>,
    pub(crate) name: Option<Arc<NameTemplate>>,
    /// Sorted, each once.
    pub(crate) tags: Arc<[Tag]>,
    pub(crate) priority: i32,
    pub(crate) version: Option<Arc<str>>,
    pub(crate) description: Option<Arc<str>>,
    /// The user's key in the cache policy.
    pub(crate) user_key: Option<Arc<NameTemplate>>,
    /// What the keys of all its runs have in common; `None` if nothing is cached.
    pub(crate) key_base: Option<Arc<KeyBase>>,
    /// What the keys are made from that randomness follows from where nothing is cached: those under
    /// [`CachePolicy::AUTO`].
    pub(crate) seed_base: Option<Arc<KeyBase>>,
    /// Where the files are that it may read, if that is not in the key.
    pub(crate) place: Option<Digest>,
    /// What is wrong with the others, told when a run is submitted.
    pub(crate) problem: Option<OptionError>,
}

/// What the keys of runs have in common whose standard input is a stream: whether a program reads it is not known before.
const STDIN_STREAM: &str = "stdin stream";

impl Options {
    /// Finds out what follows from the options, and what is wrong with them.
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
        // No fact has a zero in it, since no path has.
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

    /// The tags of a run: the task's, and those of the one submission.
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
