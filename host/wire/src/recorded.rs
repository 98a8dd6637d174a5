//! The examples in `shapes.md` are what this crate writes.

use std::mem::discriminant;
use std::sync::Arc;

use hostel::journal::{
    BatchAction, InputSpec, Journal, JournalEntry, JournalEvent, LimitScope, MemoryJournal, NumberedLine,
    Pause, Rate, RunChange, RunFact, RunLimit, RunRecord, RunSpec, ScheduleSlot, StoredValue,
};
use hostel::registry::{RegisteredComponent, RegisteredVersion};
use hostel::schedules::{Schedule, StoredSchedule, When};
use hostel::{
    BlobRef, CachePolicy, Digest, Event, ExportPath, Failure, Grants, Host, LogLevel, LogLine, LogStream,
    Outcome, ResultCache, RunFilter, RunId, State, TaskFuture, TaskKey, Timestamp, Transition, Type, Value,
    VerifyOptions, args, blocking,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    AttemptObject, BatchObject, CacheReportObject, ComponentObject, ConfigObject, DifferentObject,
    EntryDetail, EntryLine, ErrorObject, EventObject, GcObject, LimitUseObject, LogLineObject, MapLine,
    ProblemObject, ReceiptObject, RegisteredObject, ReplayObject, RunHeadObject, RunObject, ScheduleObject,
    SkippedObject, StatsObject, StoredRun, StoredRunError, StoredRunObject, TypeObject, VerificationObject,
    WaitingObject,
};

const SHAPES: &str = include_str!("../shapes.md");

/// The ends of the names of members that differ from run to run.
const VARYING: [&str; 7] = ["_at", "_ms", "digest", "disk_bytes", "newest", "oldest", "text"];

/// The examples under a heading, in order.
fn examples(heading: &str) -> Vec<Json> {
    let heading = format!("\n## {heading}\n");
    let (_, section) = SHAPES.split_once(&heading).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

/// The same with ids, keys and digests replaced.
fn without_ids(text: &str) -> String {
    const ID_CHARS: usize = 32;
    let is_id =
        |word: &str| word.len() >= ID_CHARS && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.fold(String::new(), |text, word| {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-').len();
        let (word, rest) = word.split_at(end);
        text + if is_id(word) { "ID" } else { word } + rest
    })
}

/// Panics if the two differ in more than parts that vary from run to run.
fn same(path: &str, expected: &Json, actual: &Json) {
    match (expected, actual) {
        (Json::Object(expected), Json::Object(actual)) => {
            let names = |object: &serde_json::Map<String, Json>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(expected), names(actual), "{path}");
            for ((name, expected), actual) in expected.iter().zip(actual.values()) {
                let path = format!("{path}.{name}");
                if VARYING.iter().any(|end| name.ends_with(end)) {
                    assert_eq!(discriminant(expected), discriminant(actual), "{path}: {actual}");
                } else {
                    same(&path, expected, actual);
                }
            }
        }
        (Json::Array(expected), Json::Array(actual)) => {
            assert_eq!(expected.len(), actual.len(), "{path}: {actual:?}");
            expected.iter().zip(actual).for_each(|(expected, actual)| same(path, expected, actual));
        }
        (Json::String(expected), Json::String(actual)) => {
            assert_eq!(without_ids(expected), without_ids(actual), "{path}");
        }
        _ => assert_eq!(expected, actual, "{path}"),
    }
}

/// Compares the first examples under a heading with these objects.
fn check(heading: &str, actual: &[&dyn erased::Object]) {
    let examples = examples(heading);
    let actual: Vec<_> = actual.iter().map(|object| object.json()).collect();
    let texts: Vec<_> = actual.iter().map(|object| serde_json::to_string_pretty(object).unwrap()).collect();
    assert_eq!(examples.len(), actual.len(), "{heading}: {}", texts.join("\n"));
    for (expected, actual) in examples.iter().zip(&actual) {
        same(heading, expected, actual);
    }
}

/// Objects of different types in one list.
mod erased {
    use super::{Json, Serialize};

    pub(super) trait Object {
        fn json(&self) -> Json;
    }

    impl<T: Serialize> Object for T {
        fn json(&self) -> Json {
            // By way of text, as programs get it.
            serde_json::from_str(&serde_json::to_string(self).unwrap()).unwrap()
        }
    }
}

fn host() -> Host {
    Host::builder().max_workers(1).max_instances(4).build().unwrap()
}

/// A run of `add-one` that has ended.
fn added(host: &Host) -> TaskFuture {
    let component = blocking::load(host, hostel_guests::wat::ADD_ONE).unwrap();
    let task = component.task("add-one").unwrap().run_name("one more").unwrap().tags(["sums"]);
    let run = task.submit(args![41]).unwrap();
    blocking::outcome(&run);
    run
}

/// A run of a task that fails, after two attempts.
fn failed(host: &Host) -> TaskFuture {
    let batch = blocking::load(host, hostel_guests::BATCH).unwrap();
    let run = batch.task("process-data").unwrap().retries(1).submit(args![-1]).unwrap();
    blocking::outcome(&run);
    run
}

#[test]
fn runs() {
    let host = host();
    let (added, failed) = (added(&host), failed(&host));
    assert_eq!((added.state(), failed.state()), (State::Completed, State::Failed));
    let (value, failure) = (added.try_outcome().unwrap(), failed.try_outcome().unwrap());
    let signature = failed.task().signature();
    let whole = RunObject::whole(&added, Some(&value), added.task().signature());
    let line = RunObject::new(&failed, Some(&failure), signature).of_item(3);
    let line = line.with_attempts(&failed, signature);
    check("A run", &[&whole, &line]);
    let attempts = failed.attempts();
    check("An attempt", &[&AttemptObject::new(attempts.first().unwrap(), signature)]);
    check("An error", &[&ErrorObject::of(&failure, signature).unwrap()]);
    check("A receipt", &[&ReceiptObject::from(&added.receipt())]);
    assert_eq!(ErrorObject::of(&value, signature), None);
}

/// The record of a run in memory, as a journal would have it.
fn record(run: &TaskFuture) -> RunRecord {
    let (task, history, attempts) = (run.task(), run.history(), run.attempts());
    let created = history.first().unwrap().at;
    let mut spec = RunSpec::new(run.id(), task.key().clone(), Arc::clone(task.spec()), created);
    spec.tags = run.tags().iter().cloned().collect();
    let mut record = RunRecord::born(created, spec);
    let mut ended = attempts.iter();
    let stored = |outcome: &Outcome| outcome.to_stored(task.signature()).unwrap();
    for Transition { at, state, cause } in history.into_iter().skip(1) {
        let event = cause.unwrap();
        if record.state().is_executing() && event != Event::CancelRequested {
            let attempt = ended.next().unwrap();
            let outcome = stored(attempt.outcome.as_ref().unwrap());
            let receipt = attempt.receipt.clone().unwrap().into();
            record.apply(at, RunFact::AttemptEnded { outcome, receipt }).unwrap();
        }
        let is_end = state.is_terminal() && event != Event::RolledBack;
        let fact = match run.try_outcome().filter(|_| is_end) {
            Some(outcome) => RunFact::Ended { event, outcome: stored(&outcome) },
            None => RunFact::Event(event),
        };
        record.apply(at, fact).unwrap();
    }
    record
}

/// No value of these runs is stored separately.
fn no_blob(_: &BlobRef) -> Option<Arc<[u8]>> {
    None
}

#[test]
fn a_run_in_a_journal_looks_as_it_does_in_memory() {
    let host = host();
    let text = |object: &RunObject<'_>| serde_json::to_string_pretty(object).unwrap();
    let spinning = blocking::load(&host, hostel_guests::SPIN_FOREVER).unwrap();
    let spinning = spinning.task("spin").unwrap().submit(args![]).unwrap();
    spinning.cancel();
    blocking::outcome(&spinning);
    for run in [added(&host), failed(&host), spinning] {
        let (mut record, outcome) = (record(&run), run.try_outcome().unwrap());
        record.apply(run.history()[0].at, RunFact::Named(run.name())).unwrap();
        let in_memory = RunObject::whole(&run, Some(&outcome), run.task().signature());
        let stored = StoredRun::read(&record, no_blob).unwrap();
        assert_eq!(text(&RunObject::stored(&stored)), text(&in_memory));
    }
}

/// A record of a run with these facts, a second apart.
fn with_facts(facts: impl IntoIterator<Item = RunFact>) -> RunRecord {
    let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
    let spec = RunSpec::new(RunId::from_bytes([1; 16]), task, Arc::default(), at(0));
    let mut record = RunRecord::born(at(0), spec);
    for (second, fact) in (1..).zip(facts) {
        record.apply(at(second), fact).unwrap();
    }
    record
}

#[test]
fn a_stored_run_has_its_default_name_and_its_lost_attempts() {
    let value = || Outcome::Completed(StoredValue::new(&Value::U8(42), &Type::U8).unwrap());
    let events = [Event::Started, Event::Rescued, Event::Started].map(RunFact::Event);
    let record =
        with_facts(events.into_iter().chain([RunFact::Ended { event: Event::Completed, outcome: value() }]));
    let stored = StoredRun::read(&record, no_blob).unwrap();
    let json = erased::Object::json(&RunObject::stored(&stored));
    assert_eq!(json["name"], "add-101");
    assert_eq!(
        (&json["state"], &json["value"], &json["attempt_count"]),
        (&"Completed".into(), &42.into(), &2.into())
    );
    let attempt = |number: usize| &json["attempts"][number];
    assert_eq!((&attempt(0)["state"], &attempt(0)["duration_ms"]), (&"Crashed".into(), &1000.0.into()));
    assert_eq!(attempt(0)["error"]["message"], "crashed: its host was lost");
    assert_eq!((&attempt(1)["state"], &attempt(1)["error"]), (&"Completed".into(), &Json::Null));
    let executing = with_facts([RunFact::Event(Event::Started)]);
    let stored = StoredRun::read(&executing, no_blob).unwrap();
    let json = erased::Object::json(&RunObject::stored(&stored));
    assert_eq!((&json["attempts"][0]["state"], &json["value"]), (&"Running".into(), &Json::Null));
}

/// So many seconds after 1970 began.
fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_nanos(second * 1_000_000_000)
}

#[test]
fn stored_runs() {
    let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
    let mut spec = RunSpec::new(RunId::from_bytes([1; 16]), task, Arc::default(), at(0));
    let value = |value| StoredValue::new(&Value::U8(value), &Type::U8).unwrap();
    let other = InputSpec::Some(InputSpec::Result(RunId::from_bytes([2; 16])).into());
    spec.inputs = vec![InputSpec::Value(value(40)), other];
    spec.unique = Some("sums:replace".parse().unwrap());
    spec.schedule = Some(ScheduleSlot { schedule: "nightly".into(), slot: at(0) });
    let mut record = RunRecord::born(at(1), spec);
    record.apply(at(2), RunFact::Event(Event::Started)).unwrap();
    let outcome = Outcome::Completed(value(42));
    record.apply(at(3), RunFact::Ended { event: Event::Completed, outcome }).unwrap();
    let entry = JournalEntry::from_parts(record, None, 0, false);
    let stored = StoredRun::read(entry.record(), no_blob).unwrap();
    let whole = StoredRunObject::new(RunObject::stored(&stored), &entry).with_inputs(&stored);
    check("A stored run", &[&whole]);
    check("A run of a list", &[&RunHeadObject::from(&entry.head())]);
}

#[test]
fn replays() {
    let host = host();
    let journal = MemoryJournal::default();
    let run = added(&host);
    let inputs = run.task().stored_inputs(args![41]).unwrap();
    let record = run.record(inputs, None).unwrap();
    let component = blocking::load(&host, hostel_guests::wat::ADD_ONE).unwrap();
    let replay = host.replay(&journal, &record, Some(&component));
    let replay = futures_executor::block_on(replay).unwrap();
    check("A replay", &[&ReplayObject::new(run.id(), &replay)]);
}

#[test]
fn limits_batches_and_lines() {
    let journal = MemoryJournal::default();
    let scope = LimitScope::Queue("mail".parse().unwrap());
    let rate = Some(Rate { starts: 10, per: std::time::Duration::from_secs(1) });
    journal.set_limit(&scope, RunLimit { max_running: Some(2), rate }).unwrap();
    journal.pause(&scope, Pause { until: Some(at(3600)), reason: "repairs".into() }).unwrap();
    check("A limit", &[&LimitUseObject::from(journal.limits().unwrap().first().unwrap())]);
    let filter = RunFilter::new().states([State::Failed]).tag("nightly");
    let batch = journal.start_batch(at(2), BatchAction::Retry, &filter).unwrap();
    check("A batch", &[&BatchObject::from(&batch)]);
    let fields = vec![("item".to_owned(), "7".to_owned())];
    let (stream, level) = (LogStream::Log, LogLevel::Info);
    let line = LogLine { at: at(2), stream, level, text: "begun".to_owned(), fields };
    check("A line of a log", &[&LogLineObject::from(&NumberedLine { number: 0, attempt: 1, line })]);
}

#[test]
fn schedules() {
    let when = When::Cron { expression: "30 2 * * *".into(), zone: "Europe/Berlin".into() };
    let schedule = Schedule::new("nightly".parse().unwrap(), "acme.math#add", when);
    let stored = StoredSchedule { schedule, created: at(0), next: Some(at(91_800)), last: None };
    check("A schedule", &[&ScheduleObject::from(&stored)]);
}

#[test]
fn registered_components() {
    let host = host();
    let component = blocking::load(&host, hostel_guests::wat::ADD_ONE).unwrap();
    let mut manifest = component.manifest().clone();
    manifest.size_bytes = 200;
    let version = RegisteredVersion {
        name: "acme.math".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: manifest.digest,
        grants: Grants::default(),
        at: at(0),
        by: "ada".to_owned(),
        accepted: None,
        is_trusted: true,
    };
    let registered = RegisteredComponent { manifest, added: at(0), versions: vec![version] };
    check("A registered component", &[&RegisteredObject::from(&registered)]);
}

#[test]
fn an_attempt_that_its_worker_gave_back_is_not_lost() {
    let given_back = RunFact::AttemptEnded { outcome: Outcome::Cancelled, receipt: Box::default() };
    let record = with_facts([RunFact::Event(Event::Started), given_back, RunFact::Event(Event::Rescued)]);
    let stored = StoredRun::read(&record, no_blob).unwrap();
    let json = erased::Object::json(&RunObject::stored(&stored));
    let attempt = &json["attempts"][0];
    assert_eq!((&json["state"], &attempt["state"]), (&"Pending".into(), &"Cancelled".into()));
    assert_eq!(attempt["error"]["message"], "given back by its worker");
}

#[test]
fn errors_of_early_attempts_are_left_out_if_they_are_long() {
    let facts = (0..4).flat_map(|attempt| {
        let error = Value::String(format!("{attempt}{}", "x".repeat(400_000)));
        let outcome = Outcome::Failed(Failure::Error(StoredValue::new(&error, &Type::String).unwrap()));
        let ended = RunFact::AttemptEnded { outcome, receipt: Box::default() };
        [RunFact::Event(Event::Started), ended, RunFact::Event(Event::Rescued)]
    });
    let record = with_facts(facts);
    let stored = StoredRun::read(&record, no_blob).unwrap();
    let json = erased::Object::json(&RunObject::stored(&stored));
    let error = |attempt: usize| {
        let text = json["attempts"][attempt]["error"]["value"].as_str().unwrap();
        (text.len(), text[..8].to_owned())
    };
    let whole = |attempt: usize| (400_001, format!("{attempt}xxxxxxx"));
    assert_eq!([error(2), error(3)], [whole(2), whole(3)]);
    assert_eq!([error(0).1, error(1).1], ["left out", "left out"]);
}

#[test]
fn a_value_that_is_stored_separately_is_asked_for() {
    let text = Value::String("x".repeat(StoredValue::MAX_INLINE_BYTES));
    let mut value = StoredValue::new(&text, &Type::String).unwrap();
    let bytes = value.spill().unwrap();
    let StoredValue::Blob(place) = value.clone() else { panic!("{value:?}") };
    let outcome = Outcome::Completed(value);
    let record =
        with_facts([RunFact::Event(Event::Started), RunFact::Ended { event: Event::Completed, outcome }]);
    let stored = StoredRun::read(&record, |asked| (*asked == place).then(|| Arc::clone(&bytes))).unwrap();
    let json = erased::Object::json(&RunObject::stored(&stored));
    assert_eq!(json["value"], text.to_json(&Type::String));
    let missing = StoredRun::read(&record, no_blob).unwrap_err();
    assert_eq!(missing, StoredRunError::Blob(place));
    assert!(missing.to_string().starts_with("a value of the run is missing: sha256:"), "{missing}");
    let damaged = StoredRun::read(&record, |_| Some([0xff].into())).unwrap_err();
    assert!(matches!(damaged, StoredRunError::Value(_)), "{damaged}");
}

#[test]
fn hints_are_one_text() {
    let problem = ProblemObject::new(hostel::ErrorKind::Denied, "why").hint("do this").hint("or that");
    let json = erased::Object::json(&problem.with_kind(hostel::ErrorKind::Invalid));
    assert_eq!(
        (&json["hint"], &json["status"], &json["kind"]),
        (&"do this; or that".into(), &422.into(), &"invalid".into())
    );
    let none = erased::Object::json(&ProblemObject::new(hostel::ErrorKind::Denied, "why"));
    assert_eq!(none.get("hint"), None);
}

#[test]
fn lines_of_maps() {
    let host = host();
    let (added, failed) = (added(&host), failed(&host));
    let (value, failure) = (added.try_outcome().unwrap(), failed.try_outcome().unwrap());
    let run = RunObject::new(&added, Some(&value), added.task().signature()).of_item(0);
    let lines = [
        MapLine::of(&value, added.task().signature()),
        MapLine::of(&failure, failed.task().signature()),
        MapLine::from(run),
    ];
    let [value, error, run] = &lines;
    check("A line of a map", &[value, error, run]);
}

#[test]
fn components() {
    let host = host();
    let component = blocking::load(&host, hostel_guests::wat::SLEEPER).unwrap();
    let mut sheet = ComponentObject::new("sleeper.wat", component.manifest(), component.missing());
    sheet.config = Some(ConfigObject::new("hostel.toml", false));
    sheet.tasks.first_mut().unwrap().grants = vec!["env NAME".to_owned()];
    check("A component", &[&sheet]);
}

#[test]
fn cached_results() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::builder().max_workers(1).max_instances(4).data_dir(dir.path()).build().unwrap();
    let first = added(&host);
    let again = added(&host);
    assert_eq!(again.state(), State::Cached);
    let reports = [&first, &again].map(|run| CacheReportObject::from(&run.cache_report()));
    let [miss, hit] = &reports;
    assert_eq!(miss.text, "miss (no result under this key); stored");
    assert!(hit.text.starts_with(&format!("hit in memory: 10 bytes made by run {} in ", first.id())));
    check("A cache report", &[miss, hit]);
    let verified = futures_executor::block_on(host.verify_cache(VerifyOptions::new(1))).unwrap();
    assert_eq!((verified.same, verified.different.len(), verified.skipped.len()), (1, 0, 0));
    assert_eq!(VerificationObject::from(&verified).same, 1);
    drop((first, again, host));

    let results = ResultCache::open(dir.path()).unwrap();
    let entry = results.entries().next().unwrap().unwrap();
    check("An entry of a list", &[&EntryLine::from(&entry)]);
    let kept = results.show(&entry.key.to_string()).unwrap();
    let variant = kept.variants.first().unwrap();
    let (ty, value) = Value::from_canonical(&variant.value).unwrap();
    check("A cached result", &[&EntryDetail::new(&kept, variant, &value, &ty)]);
    check("Statistics of the cache", &[&StatsObject::from(&results.stats().unwrap())]);
    check("A collection of garbage", &[&GcObject::from(&results.gc(Default::default()).unwrap())]);
}

#[test]
fn verifications() {
    let key = "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090";
    let different = DifferentObject {
        key: key.to_owned(),
        task: "dice.wasm#roll",
        policy: CachePolicy::INPUTS.to_string(),
        kept: "4",
        found: "2",
    };
    let skipped = SkippedObject { key: key.to_owned(), because: "its inputs were not stored" };
    let object = VerificationObject { same: 18, different: vec![different], skipped: vec![skipped] };
    check("A verification", &[&object]);
}

#[test]
fn problems() {
    let host = host();
    let component = blocking::load(&host, hostel_guests::wat::ADD_ONE).unwrap();
    let unknown = component.task("add-too").unwrap_err();
    let wrong = component.task("add-one").unwrap().submit(args!["fast"]).unwrap_err();
    let unknown = ProblemObject::from(&unknown).hint("did you mean add-one?");
    check("A problem", &[&unknown, &ProblemObject::from(&wrong)]);
}

#[test]
fn every_kind_of_problem_has_a_status() {
    use hostel::ErrorKind;
    let check = |kind, name, status| {
        let problem = ProblemObject::new(kind, "why");
        assert_eq!((&*problem.kind, problem.status, problem.ty), (name, status, format!("/problems/{name}")));
    };
    check(ErrorKind::Invalid, "invalid", 422);
    check(ErrorKind::NotFound, "not-found", 404);
    check(ErrorKind::Conflict, "conflict", 409);
    check(ErrorKind::Denied, "denied", 403);
    check(ErrorKind::Exhausted, "exhausted", 429);
    check(ErrorKind::Unavailable, "unavailable", 503);
    check(ErrorKind::Internal, "internal", 500);
}

#[test]
fn types() {
    let fields = [("rate", Type::F64), ("data", Type::list(Type::U8)), ("next", Type::option(Type::U64))];
    check("A type", &[&TypeObject::from(&Type::record(fields))]);
}

#[test]
fn what_runs_wait_for() {
    let due = WaitingObject::Due { at: "1970-01-01T00:00:09Z".to_owned() };
    let none = WaitingObject::NoWorker { queue: "default".to_owned() };
    check("What a run waits for", &[&due, &none]);
}

#[test]
fn events() {
    let event = JournalEvent {
        seq: 7,
        run: RunId::from_bytes([1; 16]),
        version: 2,
        state: State::Running,
        at: Timestamp::from_unix_nanos(9_000_000_000),
        change: RunChange::Event(Event::Started),
    };
    check("An event", &[&EventObject::from(&event)]);
}

/// Each example under a heading can be read, and is written again as it was.
fn read<T: Serialize + for<'de> Deserialize<'de>>(heading: &str) {
    for example in examples(heading) {
        let found: T = serde_json::from_value(example.clone()).unwrap_or_else(|e| panic!("{heading}: {e}"));
        assert_eq!(serde_json::to_value(&found).unwrap(), example, "{heading}");
        if let Json::Object(mut members) = example {
            // A later version may write more.
            members.insert("later".to_owned(), Json::Bool(true));
            assert!(serde_json::from_value::<T>(members.into()).is_ok(), "{heading}");
        }
    }
}

#[test]
fn what_a_server_writes_can_be_read() {
    read::<AttemptObject>("An attempt");
    read::<StoredRunObject>("A stored run");
    read::<RunHeadObject>("A run of a list");
    read::<EventObject>("An event");
    read::<LogLineObject>("A line of a log");
    read::<WaitingObject>("What a run waits for");
    read::<ScheduleObject>("A schedule");
    read::<EntryLine>("An entry of a list");
    read::<RegisteredObject>("A registered component");
    read::<ReceiptObject>("A receipt");
    read::<ErrorObject>("An error");
    read::<EntryDetail>("A cached result");
    read::<StatsObject>("Statistics of the cache");
    read::<ProblemObject>("A problem");
    read::<TypeObject>("A type");
}
