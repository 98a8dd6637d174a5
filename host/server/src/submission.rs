//! From a request to a run in the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostel::journal::{
    Journal, JournalConflict, JournalEntry, JournalError, RunRecord, RunSpec, Submitted, TraceParent,
};
use hostel::registry::{ComponentRef, RegistryError};
use hostel::{
    Args, Arguments, DelayOptions, Digest, ErrorKind, OptionKey, Param, QueueName, RunId, Tag, Tags, Task,
    TaskSpec, Timestamp, Unique, Value, ValueForm, ValueReader, check_tags, grammar,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::app::App;
use crate::blob_args::{BlobArgs, may_name_blobs};
use crate::bounds::{BLOB_BYTES, FARTHEST, LOOK_UP_BYTES, LOOK_UP_TIME};
use crate::clock::now;
use crate::extract::{Members, parsed, wrong};
use crate::peers::Peer;
use crate::problem::{Answer, ApiProblem, Code};
use crate::scope::Scope;
use crate::scripts::Registered;
use crate::tokens::Identity;
use crate::trace::RequestTrace;
use crate::turn::Turn;

/// What to run, and how.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct RunRequest {
    /// The task: `NAME#EXPORT`, `NAME@VERSION#EXPORT` or `sha256:HEX#EXPORT`. The export can be left out if the component has only one.
    pub(crate) task: String,
    /// The arguments: an object by the names of the parameters, or an array in their order. An uploaded value is `{"blob": DIGEST}`.
    #[serde(default)]
    #[schema(value_type = Value)]
    pub(crate) args: Option<Json>,
    /// Options of the task by their names, as in `hostel run --help`: `{"retries": 3, "timeout": "10s"}`. Grants need the scope `admin`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) options: Map<String, Json>,
    /// Labels of the run.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// The queue; `default` if there is none.
    #[serde(default)]
    pub(crate) queue: Option<String>,
    /// Runs of a higher priority start first; 0 if there is none.
    #[serde(default)]
    pub(crate) priority: Option<i32>,
    /// Begin at this time and not before, in RFC 3339.
    #[serde(default)]
    pub(crate) at: Option<String>,
    /// Begin this much later and not before: `30s`, `10m`, `2d`.
    #[serde(default, rename = "in")]
    pub(crate) after: Option<String>,
    /// At most one unfinished run with this key in the queue: `KEY`, `KEY:reject`, `KEY:replace`, `KEY:debounce:2s..10s`.
    #[serde(default)]
    pub(crate) unique: Option<String>,
}

impl Members for RunRequest {
    const NAMES: &'static [&'static str] =
        &["task", "args", "options", "tags", "queue", "priority", "at", "in", "unique"];
}

/// A task with its options, from which runs are made.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) task: Task,
    delay: DelayOptions,
    tags: Vec<Tag>,
    trace: Option<TraceParent>,
}

impl RunRequest {
    /// Finds the task and reads everything but the arguments.
    pub(crate) async fn prepare(&self, app: &App, identity: &Identity) -> Answer<Prepared> {
        let (source, component, export) = resolve(app, &self.task).await?;
        let (_, task) = task_of(app, component, export.as_deref()).await?;
        let task = with_options(app, task, &self.options, self.priority, identity)?;
        if let (Some(component), false) = (source, task.spec().grants.is_empty()) {
            return Err(RegistryError::NotTrusted { component }.into());
        }
        let mut delay = DelayOptions::default();
        delay.queue =
            self.queue.as_deref().map_or(Ok(QueueName::default()), |queue| parsed("queue", queue))?;
        if delay.queue.is_reserved() {
            let problem =
                format!("{:?}: names that begin with `hostel.` are the host's own", delay.queue.as_str());
            return Err(wrong("queue", problem));
        }
        delay.at = self.due(now())?;
        delay.unique = self.unique.as_deref().map(|key| parsed::<Unique>("unique", key)).transpose()?;
        let tags: Vec<Tag> = self.tags.iter().map(|tag| Tag::from(tag.as_str())).collect();
        check_tags(&task.spec().tags.with(tags.iter().cloned())).map_err(|error| wrong("tags", error))?;
        Ok(Prepared { task, delay, tags, trace: None })
    }

    fn due(&self, now: Timestamp) -> Answer<Option<Timestamp>> {
        let far = |name| wrong(name, "it is more than ten years away");
        match (&self.at, &self.after) {
            (Some(_), Some(_)) => Err(wrong("in", "expected either at or in")),
            (Some(at), None) => {
                let due = instant("at", at)?;
                if due.since(now) > FARTHEST { Err(far("at")) } else { Ok(Some(due)) }
            }
            (None, Some(after)) => {
                let after = grammar::age(after).map_err(|error| wrong("in", error))?;
                if after > FARTHEST { Err(far("in")) } else { Ok(Some(now.after(after))) }
            }
            (None, None) => Ok(None),
        }
    }
}

/// Reads an instant in RFC 3339.
pub(crate) fn instant(name: &str, text: &str) -> Answer<Timestamp> {
    let expected = "expected a time such as 2026-12-24T18:00:00Z or 2026-12-24T19:00:00+01:00";
    hostel_wire::parse_instant(text).ok_or_else(|| wrong(name, expected))
}

/// The task of a reference, with the digest and the component or script that it is a function of.
pub(crate) async fn find_registered(app: &App, text: &str) -> Answer<(Digest, Registered, Task)> {
    let (_, digest, export) = resolve(app, text).await?;
    let (registered, task) = task_of(app, digest, export.as_deref()).await?;
    Ok((digest, registered, task))
}

async fn task_of(app: &App, digest: Digest, export: Option<&str>) -> Answer<(Registered, Task)> {
    let registered = app.registered(digest).await?;
    let task = match export {
        Some(export) => registered.task(export)?,
        None => registered.only_task()?,
    };
    Ok((registered, task))
}

/// The component of a reference to a task, and its export. First its name, if it is a version that nobody who may grant has registered or
/// accepted: someone else may have put it in the place of another.
async fn resolve(app: &App, text: &str) -> Answer<(Option<ComponentRef>, Digest, Option<String>)> {
    let (component, export) = match text.split_once('#') {
        Some((component, export)) => (component, Some(export.to_owned())),
        None => (text, None),
    };
    let component: ComponentRef = component.parse().map_err(|error| {
        wrong("task", error).hint("expected NAME#EXPORT, NAME@VERSION#EXPORT or sha256:HEX#EXPORT")
    })?;
    let resolved = app.registry(move |registry| registry.resolve(&component)).await?;
    Ok((resolved.untrusted(), resolved.digest, export))
}

/// The task with options by name.
pub(crate) fn with_options(
    app: &App,
    task: Task,
    options: &Map<String, Json>,
    priority: Option<i32>,
    identity: &Identity,
) -> Answer<Task> {
    let mut pairs = Vec::new();
    for (name, value) in options {
        if TaskSpec::key(name).is_some_and(OptionKey::is_grant) && !identity.scopes.allow(Scope::Admin) {
            let problem = format!("options.{name}: a grant needs the scope admin");
            return Err(ApiProblem::new(Code::MissingScope, problem).with("scope", Scope::Admin));
        }
        let texts = texts(value).ok_or_else(|| {
            wrong(&format!("options.{name}"), "expected a text, a number, a truth value, or a list of them")
        })?;
        let texts = match TaskSpec::key(name) {
            Some(key) if key.form == ValueForm::List && texts.len() > 1 => vec![texts.join(",")],
            Some(key) if !key.repeats && texts.len() > 1 => {
                return Err(wrong(&format!("options.{name}"), "expected one value, and not a list"));
            }
            Some(_) | None => texts,
        };
        pairs.extend(texts.into_iter().map(|text| (name.as_str(), text)));
    }
    let mut spec = TaskSpec::default();
    spec.set_all(pairs.iter().map(|(name, text)| (*name, text.as_str())))?;
    if spec.limits.fuel.is_some() && !app.host.counts_fuel() {
        return Err(wrong("options.max-fuel", "workers do not count fuel: bound the time with timeout"));
    }
    hostel::check_dirs(&spec.grants).map_err(|error| wrong("options.dir", error))?;
    let task = task.with_spec(spec);
    Ok(priority.map_or(task.clone(), |priority| task.priority(priority)))
}

/// The texts of an option; `None` if it is an object or a list of lists.
fn texts(value: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    match value {
        Json::Null => Some(Vec::new()),
        Json::Array(items) => items.iter().map(text).collect(),
        Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Object(_) => {
            text(value).map(|text| vec![text])
        }
    }
}

/// The arguments of a task, from JSON. Without any, an empty object.
fn inputs(task: &Task, reader: &mut ValueReader, args: Option<&Json>) -> Answer<Vec<Value>> {
    let none = Json::Object(Map::new());
    let signature = task.signature();
    signature
        .bind_json_with(reader, args.unwrap_or(&none))
        .map_err(|error| ApiProblem::from(error).hint(format!("its signature is {signature}")))
}

/// The arguments of a task, some of them as texts by the names of their parameters, as the command line takes them.
pub(crate) fn inputs_with_texts(
    task: &Task,
    reader: &mut ValueReader,
    args: Option<&Json>,
    texts: &BTreeMap<String, String>,
) -> Answer<Vec<Value>> {
    enum Form<'a> {
        Json(&'a Json),
        Text(&'a str),
    }
    if texts.is_empty() {
        return inputs(task, reader, args);
    }
    let signature = task.signature();
    let mut arguments = Arguments::new();
    match args {
        Some(Json::Object(members)) => {
            let members = members.iter().map(|(name, value)| (name.clone(), Form::Json(value)));
            arguments.named.extend(members);
        }
        Some(Json::Array(items)) => arguments.positional.extend(items.iter().map(Form::Json)),
        None | Some(Json::Null) => {}
        // Refused in the words of `inputs`.
        Some(Json::Bool(_) | Json::Number(_) | Json::String(_)) => return inputs(task, reader, args),
    }
    let texts = texts.iter().map(|(name, text)| (name.clone(), Form::Text(text)));
    arguments.named.extend(texts);
    let read = |param: &Param, form: Form<'_>| match form {
        Form::Json(json) => reader.json(json, &param.ty),
        Form::Text(text) => param.parse_with(reader, text),
    };
    signature
        .bind_with(arguments, read)
        .map_err(|error| ApiProblem::from(error).hint(format!("its signature is {signature}")))
}

impl Prepared {
    /// The queue of its runs.
    pub(crate) const fn queue(&self) -> &QueueName {
        &self.delay.queue
    }

    /// With the trace of the request that submits its runs.
    pub(crate) fn in_trace(self, RequestTrace(trace): RequestTrace) -> Self {
        Self { trace, ..self }
    }

    /// The tags of its runs, with those of the task.
    pub(crate) fn tags(&self) -> Tags {
        self.task.spec().tags.with(self.tags.iter().cloned())
    }

    /// A run with these arguments, checked and not stored.
    pub(crate) async fn spec_in_turn(
        self,
        app: &App,
        turn: Turn,
        id: Option<RunId>,
        args: Option<Json>,
        tags: Vec<Tag>,
    ) -> Answer<RunSpec> {
        turn.read(app, move |reader| self.spec(reader, id, args.as_ref(), &tags)).await
    }

    /// A run with these arguments, checked and not stored.
    fn spec(
        &self,
        reader: &mut ValueReader,
        id: Option<RunId>,
        args: Option<&Json>,
        tags: &[Tag],
    ) -> Answer<RunSpec> {
        let inputs = inputs(&self.task, reader, args)?;
        let mut delay = self.delay.clone();
        delay.id = id;
        let args = Args::from(inputs).tags(self.tags.iter().chain(tags).cloned());
        Ok(RunSpec { trace: self.trace, ..self.task.delayed_spec(args, delay)? })
    }
}

/// A run with these arguments, in which uploaded values may be named; checked and not stored.
pub(crate) async fn with_blobs(
    app: &Arc<App>,
    turn: Turn,
    prepared: Prepared,
    id: Option<RunId>,
    args: Option<Json>,
) -> Answer<RunSpec> {
    let mut args = match args {
        Some(args) if may_name_blobs(&args) => args,
        args => return prepared.spec_in_turn(app, turn, id, args, Vec::new()).await,
    };
    let ended = |_| ApiProblem::new(Code::Kind(ErrorKind::Unavailable), "the server has ended");
    let _place = app.blob_requests.acquire().await.map_err(ended)?;
    let of_app = Arc::clone(app);
    let mut reader = turn.reader();
    app.blocking
        .run(move || {
            let _turn = turn;
            let most = prepared.task.spec().limits.input_bytes.min(BLOB_BYTES);
            BlobArgs::new(&of_app.uploaded, most).replace(&mut args, &prepared.task.signature().params)?;
            prepared.spec(&mut reader, id, Some(&args), &[])
        })
        .await
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The run: the one of the request, or one that has its unique key.
    pub(crate) run: RunId,
    /// Whether it was there before.
    pub(crate) existing: bool,
    /// The run, if it has ended with a cached value: nobody has to read it.
    pub(crate) ended: Option<JournalEntry>,
}

/// Stores a run of a task. Durable on return. One with an id of the client may have been stored before; the times of the first
/// submission count. A run whose value the cache has is stored as ended, and no worker gets it.
pub(crate) async fn store(app: &Arc<App>, task: Task, mut spec: RunSpec, is_named: bool) -> Answer<Stored> {
    let (run, of_app) = (spec.id, Arc::clone(app));
    let submitted = app.journal(move |journal| {
        let is_known = is_named && journal.get(run)?.is_some();
        if let Some(record) = if is_known { None } else { cached(&of_app, &task, &spec) } {
            match journal.import(std::slice::from_ref(&record)) {
                // Another request was first.
                Err(JournalError::Conflict(JournalConflict::OtherSpec { .. })) if is_named => {}
                imported => {
                    let submitted = imported?.into_iter().next();
                    let is_new = submitted == Some(Submitted::New);
                    return Ok((submitted, is_new.then(|| ended(&record)).flatten()));
                }
            }
        }
        let submitted = submit(&of_app, std::slice::from_mut(&mut spec), is_named)?;
        Ok::<_, JournalError>((submitted.into_iter().next(), None))
    });
    let (submitted, ended) = submitted.await?;
    Ok(match submitted {
        Some(Submitted::Duplicate { of }) => Stored { run: of, existing: true, ended },
        Some(Submitted::Existing) => Stored { run, existing: true, ended },
        Some(Submitted::New | Submitted::Replaced { .. }) | None => Stored { run, existing: false, ended },
    })
}

/// A run that was imported, as the journal has it.
fn ended(record: &RunRecord) -> Option<JournalEntry> {
    JournalEntry::imported(record).ok().map(|(entry, _)| entry)
}

/// The record of a run that the cache answers, unless too many others look up values at this moment.
fn cached(app: &App, task: &Task, spec: &RunSpec) -> Option<RunRecord> {
    let _place = app.look_ups.try_acquire().ok()?;
    task.cached_record(spec, LOOK_UP_BYTES, LOOK_UP_TIME)
}

/// Stores runs, all or none. Those with ids of the client may have been stored before, or by another request at this moment; the times
/// of the first submission count. A worker of this server that is idle claims the first of them at once.
pub(crate) fn submit(
    app: &App,
    specs: &mut [RunSpec],
    are_named: bool,
) -> Result<Vec<Submitted>, JournalError> {
    /// How often others may be first.
    const TRIES: usize = 5;
    let mut tries = 0;
    loop {
        if are_named {
            specs.iter_mut().try_for_each(|spec| same_times(&*app.journal, spec))?;
        }
        tries += 1;
        match app.host.delay_specs(specs) {
            Err(JournalError::Conflict(JournalConflict::OtherSpec { .. })) if are_named && tries < TRIES => {}
            submitted => return submitted,
        }
    }
}

/// Gives a run the times of the one that is stored with its id, if there is one.
fn same_times(journal: &dyn Journal, spec: &mut RunSpec) -> Result<(), JournalError> {
    if let Some(stored) = journal.get(spec.id)? {
        let stored = stored.record().spec();
        spec.created = stored.created;
        spec.due = spec.due.and(stored.due);
    }
    Ok(())
}

/// An id that follows from these texts: a UUID of version 8. So a key of the client needs no table, and is known as long as its run is.
pub(crate) fn derived_id(parts: &[&str]) -> RunId {
    let lengths = parts.iter().map(|part| format!("{}:{part}", part.len()));
    let digest = Digest::of(lengths.collect::<String>().as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.as_bytes()).for_each(|(byte, of)| *byte = *of);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x80;
    *variant = *variant & 0x3f | 0x80;
    RunId::from_bytes(bytes)
}

/// Whether an id may be one that [`derived_id`] made.
pub(crate) fn is_derived(id: RunId) -> bool {
    let [_, _, _, _, _, _, version, _, variant, ..] = *id.as_bytes();
    version >> 4 == 8 && variant >> 6 == 2
}

/// Reads `wait`.
pub(crate) fn wait(text: Option<&str>) -> Answer<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    let wait = grammar::duration(text).map_err(|error| wrong("wait", error))?;
    let most = crate::bounds::WAIT;
    if wait > most {
        return Err(wrong("wait", format!("expected at most {}s", most.as_secs())));
    }
    Ok(Some(wait))
}

/// Waits until a run has ended, or for this time, and returns what is known then; earlier if the connection has to give way.
pub(crate) async fn wait_for_end(
    app: &Arc<App>,
    peer: &Peer,
    run: RunId,
    wait: Duration,
) -> Answer<JournalEntry> {
    if wait.is_zero() {
        return app.entry(run).await;
    }
    let delayed = app.host.delayed(run)?;
    let mut closing = app.closing.subscribe();
    let ended = tokio::select! {
        ended = peer.for_run(delayed.wait(wait)) => ended.unwrap_or(Ok(None)),
        _ = closing.wait_for(|closing| *closing) => Ok(None),
    };
    match ended {
        Ok(Some(entry)) => Ok(entry),
        // The answer about a run that is not there has a hint.
        Ok(None) | Err(JournalError::NotFound { .. }) => app.entry(run).await,
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_a_uuid_of_version_8_and_differs_with_each_part() {
        let id = derived_id(&["a", "bc"]);
        assert_eq!(id, derived_id(&["a", "bc"]));
        assert_ne!(id, derived_id(&["ab", "c"]));
        let text = id.to_string();
        assert_eq!(text.chars().nth(14), Some('8'), "{text}");
        assert!("89ab".contains(text.chars().nth(19).unwrap()), "{text}");
    }

    #[test]
    fn options_are_texts() {
        let check = |json: Json, expected: Option<&[&str]>| {
            let expected =
                expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            assert_eq!(texts(&json), expected, "{json}");
        };
        check(serde_json::json!("10s"), Some(&["10s"]));
        check(serde_json::json!(3), Some(&["3"]));
        check(serde_json::json!(true), Some(&["true"]));
        check(serde_json::json!(["a", 1]), Some(&["a", "1"]));
        check(Json::Null, Some(&[]));
        check(serde_json::json!({}), None);
        check(serde_json::json!([[]]), None);
    }

    #[test]
    fn a_wait_is_bounded() {
        assert_eq!(wait(None).unwrap(), None);
        assert_eq!(wait(Some("1.5s")).unwrap(), Some(Duration::from_millis(1_500)));
        assert!(wait(Some("61s")).is_err() && wait(Some("soon")).is_err());
    }
}
