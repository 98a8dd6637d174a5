//! Any bytes as what a journal stores: options, runs, facts and records; and any text as an option.

use std::fmt::Debug;

use hostel_core::{
    Digest, Event, ExportPath, InputSpec, Outcome, RunFact, RunId, RunRecord, RunSpec, SetError, StoredValue,
    TaskKey, TaskSpec, Timestamp,
};

use crate::Target;

pub(super) const TARGET: Target = Target::new("runs", run, 25_000).seeds(seeds);

/// The first byte says what the others are.
fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind % 5 {
        0 => is_refused_or_one_form(bytes, TaskSpec::decode, TaskSpec::encode),
        1 => is_refused_or_one_form(bytes, RunSpec::decode, RunSpec::encode),
        2 => is_refused_or_one_form(bytes, RunFact::decode, RunFact::encode),
        3 => records(bytes),
        _ => options(bytes),
    }
}

fn is_refused_or_one_form<T, E: Debug>(
    bytes: &[u8],
    decode: fn(&[u8]) -> Result<T, E>,
    encode: fn(&T) -> Vec<u8>,
) {
    if let Ok(read) = decode(bytes) {
        assert_eq!(encode(&read), bytes, "it has one form");
    }
}

/// A record is as its facts say, which may be written in another order where that does not count.
fn records(bytes: &[u8]) {
    let Ok(record) = RunRecord::decode(bytes) else { return };
    let again = record.encode();
    assert_eq!(again.len(), bytes.len());
    let read = RunRecord::decode(&again).expect("what is written is read");
    assert_eq!(read.encode(), again, "it is always written the same");
    assert_eq!((read.state(), read.version()), (record.state(), record.version()));
    assert_eq!(record.outcome().is_some(), record.state().is_terminal());
    assert_eq!(record.history().len(), read.history().len());
}

/// A name and a value, as one text with a `=` between them.
fn options(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let mut spec = TaskSpec::default();
    match spec.set(name, value) {
        Ok(()) => {
            let read = TaskSpec::decode(&spec.encode());
            assert_eq!(read, Ok(spec), "what is set is written");
        }
        Err(error) => {
            assert_eq!(spec, TaskSpec::default(), "{error}: nothing has changed");
            let is_known = TaskSpec::key(name).is_some();
            assert_eq!(!matches!(error, SetError::UnknownKey { .. }), is_known, "{error}");
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let at = Timestamp::from_unix_nanos(1);
    let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
    let mut spec = TaskSpec::default();
    let options =
        [("env", "A=1"), ("dir", "a::b:rw"), ("tags", "a,b"), ("cache", "inputs - input:a"), ("net", "*:53")];
    spec.set_all(options).expect("they are options");
    let mut run = RunSpec::new(RunId::from_bytes([1; 16]), task, spec.clone().into(), at);
    let value = InputSpec::Value(StoredValue::Bytes([1, 2, 41].into()));
    run.inputs = vec![InputSpec::List(vec![value]), InputSpec::Result(RunId::from_bytes([2; 16]))];
    let outcome = || Outcome::Completed(StoredValue::Bytes([1, 2, 42].into()));
    let facts = [
        RunFact::Born(run.clone().into()),
        RunFact::Event(Event::Started),
        RunFact::AttemptEnded { outcome: outcome(), receipt: Box::default() },
        RunFact::Ended { event: Event::Completed, outcome: outcome() },
    ];
    let record = RunRecord::replay(facts.iter().cloned().map(|fact| (at, fact))).expect("it is a life");
    let of_kind = |kind: u8, bytes: Vec<u8>| [vec![kind], bytes].concat();
    let texts = VALUES.iter().map(|text| of_kind(4, text.as_bytes().to_vec()));
    let facts = facts.iter().map(|fact| of_kind(2, fact.encode()));
    let others = [of_kind(0, spec.encode()), of_kind(1, run.encode()), of_kind(3, record.encode())];
    others.into_iter().chain(facts).chain(texts).collect()
}

/// Options with values.
const VALUES: [&str; 8] = [
    "retries=3",
    "retry-delay=exp:1s",
    "max-memory=64 MiB",
    "max-fuel=1,000,000",
    "cache-expiration=30d",
    "random=seed:7",
    "tags=a, b",
    "retry-on=trap,exit",
];
