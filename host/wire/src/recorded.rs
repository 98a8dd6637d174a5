//! The examples in `shapes.md` are what this crate writes.

use std::mem::discriminant;

use hostel::{CachePolicy, Host, ResultCache, State, TaskFuture, Value, VerifyOptions, args, blocking};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    AttemptObject, CacheReportObject, ComponentObject, ConfigObject, DifferentObject, EntryDetail, EntryLine,
    ErrorObject, GcObject, MapLine, ProblemObject, ReceiptObject, RunObject, SkippedObject, StatsObject,
    VerificationObject,
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
        assert_eq!((problem.kind, problem.status, problem.ty), (name, status, format!("/problems/{name}")));
    };
    check(ErrorKind::Invalid, "invalid", 422);
    check(ErrorKind::NotFound, "not-found", 404);
    check(ErrorKind::Conflict, "conflict", 409);
    check(ErrorKind::Denied, "denied", 403);
    check(ErrorKind::Exhausted, "exhausted", 429);
    check(ErrorKind::Unavailable, "unavailable", 503);
    check(ErrorKind::Internal, "internal", 500);
}
