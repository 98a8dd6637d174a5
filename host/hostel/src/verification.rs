//! Verification of the cache: recomputes cached results and compares them.

use std::io;
use std::sync::Arc;

use hostel_core::{
    CacheEntry, CacheKey, CachePolicy, Clock, Digest, DirAccess, Failure, Grants, Outcome, Randomness, Touch,
    Trace, UnknownImports, Value,
};
use hostel_engine::{Stdin, Verdict, verify};

use crate::cache::{Kept, Recipe, ResultCache, ResultCacheError};
use crate::component::Component;
use crate::host::Host;
use crate::host_state::HostState;
use crate::run::TaskFuture;
use crate::task::Task;

/// The report of a verification.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// The number of recomputed results that are the same as the cached ones.
    pub same: usize,
    /// The results that are different.
    pub different: Vec<Different>,
    /// The results that could not be recomputed.
    pub skipped: Vec<Skipped>,
}

/// A recomputed result that differs from the cached one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Different {
    /// The key of the cached result.
    pub key: CacheKey,
    /// The key of its task, as text.
    pub task: Arc<str>,
    /// The policy under which it was cached. Only an [observed](CachePolicy::is_observed) policy claims that the result
    /// is a function of its key.
    pub policy: CachePolicy,
    /// The cached result, in WAVE.
    pub kept: String,
    /// The recomputed result: a value in WAVE, or the outcome of the run.
    pub found: String,
}

/// A result that could not be recomputed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The key of the cached result.
    pub key: CacheKey,
    /// The reason, in words.
    pub because: String,
}

/// Which results [`Host::verify_cache`] recomputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    sample: usize,
    only_from_remote: bool,
}

impl VerifyOptions {
    /// Recomputes up to `sample` results, chosen at random among all.
    pub fn new(sample: usize) -> Self {
        Self { sample, only_from_remote: false }
    }

    /// Chooses only among results that came from remote caches.
    #[must_use]
    pub fn only_from_remote(mut self) -> Self {
        self.only_from_remote = true;
        self
    }
}

impl From<usize> for VerifyOptions {
    fn from(sample: usize) -> Self {
        Self::new(sample)
    }
}

/// The verification of one result.
enum Checked {
    Same,
    Different(Box<Different>),
    Skipped(String),
}

impl Host {
    /// Recomputes cached results on disk and compares them. The cache is not changed. The options are a number of
    /// results, or [`VerifyOptions`]. The runs execute one after the other, with the default limits.
    ///
    /// A result can be recomputed if its inputs are stored with it (inputs of up to 64 KiB are), if the compiled code
    /// of its component is in the data directory, if its key is not bound to a flow run, and if its dependencies have
    /// not changed. A result whose run may have sent requests is skipped, unless its policy confirms that it sent none.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if the results cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future discards the report. The current run goes on to its end.
    pub async fn verify_cache(
        &self,
        options: impl Into<VerifyOptions>,
    ) -> Result<Verification, ResultCacheError> {
        let options = options.into();
        let mut verification = Verification::default();
        let Some(results) = self.cache() else { return Ok(verification) };
        for key in drawn(&results, options, self.state())? {
            let kept = match results.show(&key.to_string()) {
                Ok(kept) => kept,
                // Removed meanwhile, or not a result.
                Err(error) => {
                    verification.skipped.push(Skipped { key, because: error.to_string() });
                    continue;
                }
            };
            for entry in kept.variants.iter().filter(|entry| options.includes(entry.origin.as_ref())) {
                match check(self.state(), &key, entry).await {
                    Checked::Same => verification.same += 1,
                    Checked::Different(different) => verification.different.push(*different),
                    Checked::Skipped(because) => verification.skipped.push(Skipped { key, because }),
                }
            }
        }
        Ok(verification)
    }
}

impl VerifyOptions {
    fn includes(&self, origin: Option<&Arc<str>>) -> bool {
        !self.only_from_remote || origin.is_some()
    }
}

/// The keys of as many entries as the options request, chosen uniformly at random (Vitter, Algorithm R).
fn drawn(
    results: &ResultCache,
    options: VerifyOptions,
    host: &HostState,
) -> Result<Vec<CacheKey>, ResultCacheError> {
    let sample = options.sample;
    let mut drawn = Vec::with_capacity(sample.min(1024));
    let mut seen = 0_u64;
    for entry in results.entries() {
        let key = match entry {
            Ok(entry) if !options.includes(entry.origin.as_ref()) => continue,
            Ok(entry) => entry.key,
            Err(ResultCacheError::Damaged { key, .. }) => key,
            Err(error) => return Err(error),
        };
        seen += 1;
        if drawn.len() < sample {
            drawn.push(key);
            continue;
        }
        let place = (host.random() * seen as f64) as usize;
        if let Some(replaced) = drawn.get_mut(place) {
            *replaced = key;
        }
    }
    drawn.sort_unstable();
    drawn.dedup();
    Ok(drawn)
}

async fn check(host: &Arc<HostState>, key: &CacheKey, entry: &CacheEntry) -> Checked {
    let (task, policy, inputs) = match ready(host, key, entry) {
        Ok(ready) => ready,
        Err(because) => return Checked::Skipped(because),
    };
    let ty = task.guest_completed_type().clone();
    let run = match task.submit_async(inputs.into()).await {
        Ok(run) => run,
        Err(error) => return Checked::Skipped(error.to_string()),
    };
    let outcome = run.outcome().await;
    let found = match &*outcome {
        Outcome::Completed(value) => match value.to_canonical(&ty) {
            Ok(bytes) if *bytes == *entry.value => return Checked::Same,
            _ => value.to_wave(),
        },
        // A failure of the guest itself. The others are failures of this host and its limits.
        Outcome::Failed(failure @ (Failure::Error(_) | Failure::Trap(_) | Failure::Exit { .. })) => {
            failure.to_string()
        }
        ended @ (Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled) => {
            return Checked::Skipped(format!("it ended differently here: {ended}"));
        }
    };
    if let Some(because) = excuse(&run, entry) {
        return Checked::Skipped(because);
    }
    let kept = Value::from_canonical(&entry.value);
    let kept = kept.map_or_else(|error| error.to_string(), |(_, value)| value.to_wave());
    Checked::Different(Box::new(Different { key: *key, task: Arc::clone(&entry.task), policy, kept, found }))
}

/// The reason why a run may differ from the cached result although that was correct.
fn excuse(run: &TaskFuture, entry: &CacheEntry) -> Option<String> {
    if let Kept::Touched(observation) = run.cache_report().kept {
        let is_of_host = |touch: Touch| {
            [Touch::RefusedGrowth, Touch::FileFault, Touch::ChangedFile, Touch::StandardInput]
                .contains(&touch)
        };
        if observation.touches().iter().any(|touched| is_of_host(touched.touch)) {
            return Some(format!("it {observation} this time"));
        }
    }
    changed(entry, run.task()).err()
}

/// Whether the dependencies of an entry are unchanged; if not, the change.
fn changed(entry: &CacheEntry, task: &Task) -> Result<(), String> {
    let Some(dependencies) = &entry.depends_on else { return Ok(()) };
    let trace = Trace::decode(&dependencies.bytes).map_err(|error| error.to_string())?;
    match verify(&trace, &task.spec().grants, &|| false) {
        Verdict::Holds => Ok(()),
        Verdict::Changed(what) => Err(what),
        Verdict::Stopped => Err("it was stopped".to_owned()),
    }
}

/// The task with its options, the policy of its cached result, and the inputs; or the reason why it cannot run again.
fn ready(
    host: &Arc<HostState>,
    key: &CacheKey,
    entry: &CacheEntry,
) -> Result<(Task, CachePolicy, Vec<Value>), String> {
    let recipe = entry.recipe.as_deref().ok_or("its inputs were not stored")?;
    let recipe: Recipe = serde_json::from_str(recipe).map_err(|error| format!("its recipe: {error}"))?;
    let policy: CachePolicy = recipe.policy.parse().map_err(|error| format!("{error}"))?;
    if policy.needs_flow() {
        return Err("its key is bound to a flow run".to_owned());
    }
    let may_talk = [&recipe.http, &recipe.net, &recipe.lookup].into_iter().any(|grants| !grants.is_empty());
    if !policy.is_observed() && may_talk {
        return Err("it may use the network, and its policy does not confirm that it did not".to_owned());
    }
    if let Some(name) = recipe.env.first() {
        return Err(format!("the value of the environment variable `{name}` was not stored"));
    }
    let task = with_options(&recipe, task(host, &entry.task)?, policy.clone())?;
    let may_write = task.spec().grants.dirs.iter().any(|dir| dir.access() == DirAccess::Rw);
    if !policy.is_observed() && may_write {
        return Err("it may write to files, and its policy does not confirm that it did not".to_owned());
    }
    let inputs = task.guest_signature().bind_json(&recipe.inputs).map_err(|error| error.to_string())?;
    if task.cache_key(&inputs).as_ref() != Some(key) {
        return Err("its key cannot be derived again".to_owned());
    }
    changed(entry, &task)?;
    Ok((task.only_compared(), policy, inputs))
}

/// The task with this key.
fn task(host: &Arc<HostState>, key: &str) -> Result<Task, String> {
    let (digest, export) = key.split_once('#').ok_or_else(|| format!("{key} is not a task key"))?;
    let digest: Digest = digest.parse().map_err(|_| format!("{digest} is not a digest"))?;
    let component = host.engine.load_compiled(&digest).map_err(|error| error.to_string())?;
    let component = component.ok_or("the compiled code of its component is not available")?;
    let task = Component::new(Arc::clone(host), component).task(export).map_err(|error| error.to_string())?;
    // A trap gives no value, so the comparison cannot succeed by mistake.
    Ok(task.unknown_imports(UnknownImports::Trap))
}

/// The task with the options of a recipe.
fn with_options(recipe: &Recipe, task: Task, policy: CachePolicy) -> Result<Task, String> {
    let grants = Grants {
        http: parsed(&recipe.http)?,
        dirs: parsed(&recipe.dirs)?,
        net: parsed(&recipe.net)?,
        lookup: parsed(&recipe.lookup)?,
        ..Grants::default()
    };
    let clock = recipe.clock.as_deref().unwrap_or("real").parse::<Clock>();
    let randomness = recipe.random.as_deref().unwrap_or("real").parse::<Randomness>();
    let task = task.cache(policy).grants(grants);
    let task = task.clock(clock.map_err(|error| error.to_string())?);
    let task = task.randomness(randomness.map_err(|error| error.to_string())?);
    // The run of a cached result did not read its standard input, so an empty one is equivalent.
    Ok(if recipe.stdin_stream { task.stdin(Stdin::new(io::empty())) } else { task })
}

fn parsed<T: std::str::FromStr<Err: ToString>>(texts: &[String]) -> Result<Vec<T>, String> {
    texts.iter().map(|text| text.parse().map_err(|error: T::Err| error.to_string())).collect()
}
