//! The options of a task: those that can be written down, those that cannot, and what is derived from both.

use std::fmt;
use std::sync::Arc;

use hostel_core::{
    CachePolicy, Digest, Failure, KeyBase, NameTemplate, OptionError, Randomness, Signature, Tag, Tags,
    TaskKey, TaskSpec, TaskTemplates,
};
use hostel_engine::{Echo, OnStdout, Stdin};

/// Decides whether a failed attempt is retried, where the [`RetryPolicy`](hostel_core::RetryPolicy) allows it.
pub(crate) type RetryIf = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

/// The options of a task.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// All options that can be written down. Shared by the clones of the task, and by its runs.
    pub(crate) spec: Arc<TaskSpec>,
    pub(crate) retry_if: Option<RetryIf>,
    /// The cache is neither read nor written: the value is only compared.
    pub(crate) only_compared: bool,
    /// The stream that a program reads as its standard input; `None` for functions.
    pub(crate) stdin: Option<Stdin>,
    pub(crate) echo: Option<Echo>,
    pub(crate) on_stdout: Option<OnStdout>,
    derived: Derived,
}

/// The facts that follow from the options, and that every run uses.
#[derive(Clone, Default)]
struct Derived {
    templates: TaskTemplates,
    key_base: Option<Arc<KeyBase>>,
    seed_base: Option<Arc<KeyBase>>,
    place: Option<Digest>,
    problem: Option<OptionError>,
}

/// A fact in the key of every run whose standard input is a stream: whether the program reads the stream is not known
/// in advance.
const STDIN_STREAM: &str = "stdin stream";

impl Options {
    /// Derives keys and templates from the options, and validates the options. Called after each change of the spec or
    /// of the standard input.
    pub(crate) fn settle(&mut self, task: &TaskKey, signature: &Signature) {
        let TaskSpec { cache, grants, determinism, .. } = &*self.spec;
        let base = |policy: &CachePolicy| {
            let stdin = self.stdin.iter().map(|_| STDIN_STREAM.to_owned()).collect();
            let facts = [grants.facts(policy.is_observed()), determinism.facts(), stdin].concat();
            KeyBase::new(policy, task, &facts).map(Arc::new)
        };
        let key_base = base(cache);
        let needs_seed = key_base.is_none() && determinism.randomness == Randomness::Key;
        let seed_base = if needs_seed { base(&CachePolicy::AUTO) } else { None };
        let has_place = cache.is_observed() && !grants.dirs.is_empty();
        // Facts contain no zero byte, because paths contain none.
        let place = has_place.then(|| Digest::of(grants.facts(false).join("\0").as_bytes()));
        let (templates, problem) = match self.spec.check_for(signature) {
            Ok(templates) => (templates, None),
            Err(error) => (TaskTemplates::default(), Some(error)),
        };
        self.derived = Derived { templates, key_base, seed_base, place, problem };
    }

    /// The first invalid option, reported when a run is submitted.
    pub(crate) fn problem(&self) -> Option<&OptionError> {
        self.derived.problem.as_ref()
    }

    /// The template for the names of runs.
    pub(crate) fn name(&self) -> Option<&NameTemplate> {
        self.derived.templates.name.as_ref()
    }

    /// The user's key in the cache policy.
    pub(crate) fn user_key(&self) -> Option<&NameTemplate> {
        self.derived.templates.user_key.as_ref()
    }

    /// The common part of the cache keys of all runs; `None` if nothing is cached.
    pub(crate) fn key_base(&self) -> Option<&KeyBase> {
        self.derived.key_base.as_deref()
    }

    /// The common part of the keys from which random numbers are derived if nothing is cached: those under
    /// [`CachePolicy::AUTO`].
    pub(crate) fn seed_base(&self) -> Option<&KeyBase> {
        self.derived.seed_base.as_deref()
    }

    /// A digest of the granted directories, if they are not in the key.
    pub(crate) fn place(&self) -> Option<&Digest> {
        self.derived.place.as_ref()
    }

    /// The tags of a run: those of the task and those of the submission.
    pub(crate) fn tags_with(&self, more: Vec<Tag>) -> Tags {
        if more.is_empty() { self.spec.tags.clone() } else { self.spec.tags.with(more) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("spec", &self.spec).finish_non_exhaustive()
    }
}
