//! Recorded bytes of options, runs, facts, records and schedules.

use std::time::Duration;

use hostel_core::{
    BlobRef, CachePolicy, Digest, Event, ExportPath, Failure, FlowRun, Frame, HostCall, InputSpec, Limit,
    LimitKind, Missed, Outcome, Overlap, Receipt, RunFact, RunId, RunRecord, RunSpec, Schedule, ScheduleSlot,
    StoredOutcome, StoredValue, TaskKey, TaskSpec, Timestamp, Trap, Type, Unique, UniqueMode, UpstreamChain,
    UpstreamRun, Value, WaitFor, When,
};

/// Names and the bytes of what [`vectors`] makes under the name. A line that has to change here is a new version of the
/// format.
const VECTORS: &str = include_str!("../run_vectors.txt");

const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

const fn id(byte: u8) -> RunId {
    RunId::from_bytes([byte; 16])
}

fn value(value: u8) -> StoredValue {
    StoredValue::new(&Value::U8(value), &Type::U8).unwrap()
}

/// A value for every option.
fn every_option() -> TaskSpec {
    let mut spec = TaskSpec::default();
    let options = [
        ("retries", "3"),
        ("retry-delay", "1s,10s"),
        ("retry-jitter", "0.5"),
        ("retry-on", "trap,timeout"),
        ("timeout", "1.5s"),
        ("run-timeout", "1d"),
        ("idle-timeout", "1m"),
        ("max-fuel", "1000"),
        ("max-memory", "64MiB"),
        ("name", "add {a}"),
        ("tags", "b,a"),
        ("http", "GET https://example.org"),
        ("net", "10.0.0.0/8:*"),
        ("lookup", "*.example.org"),
        ("env", "A=1"),
        ("dir", "data::/data:rw"),
        ("deterministic", "true"),
        ("random", "seed:7"),
        ("unknown-imports", "trap"),
        ("cache", "inputs + key:\"{a}\" - input:b"),
        ("cache-expiration", "30d"),
        ("refresh-cache", "true"),
        ("priority", "-3"),
        ("version", "2"),
        ("description", "adds"),
    ];
    spec.set_all(options).unwrap();
    spec.flow = Some(FlowRun::new(id(7)).parameter("day", "2026-01-01"));
    spec
}

fn run(spec: TaskSpec) -> RunSpec {
    let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
    RunSpec::new(id(1), task, spec.into(), at(1_000))
}

/// A run with every kind of input.
fn every_input() -> RunSpec {
    let export = ExportPath::in_interface("acme:math/ops@1.0.0", "add");
    let result = || Box::new(InputSpec::Result(id(2)));
    RunSpec {
        task: TaskKey { component: Digest::of(b"abc"), export },
        inputs: vec![
            InputSpec::Value(value(41)),
            InputSpec::Value(StoredValue::Blob(BlobRef { digest: Digest::of(b"x"), length: 300 })),
            InputSpec::Outcome(id(3)),
            InputSpec::Some(result()),
            InputSpec::Variant("a".into(), result()),
            InputSpec::List(vec![InputSpec::Ok(result()), InputSpec::Err(result())]),
            InputSpec::Tuple(vec![]),
            InputSpec::Record(vec![("f".into(), *result())]),
        ],
        wait_for: vec![WaitFor::Completed(id(4)), WaitFor::Ended(id(5))],
        tags: ["t"].into_iter().collect(),
        due: Some(at(2_000)),
        parent: Some(id(6)),
        queue: "mail".parse().unwrap(),
        unique: Some(
            Unique::new("k")
                .mode(UniqueMode::Debounce { wait: Duration::from_secs(2), most: Duration::from_secs(10) }),
        ),
        debounced: Some(at(1_500)),
        schedule: Some(ScheduleSlot { schedule: "nightly".into(), slot: at(1_900) }),
        ..run(TaskSpec { cache: CachePolicy::NONE, ..TaskSpec::default() })
    }
}

fn receipt() -> Receipt {
    let mut receipt = Receipt::default();
    (receipt.fuel, receipt.cpu_time, receipt.peak_memory_bytes) = (Some(9), Duration::from_millis(2), 65_536);
    receipt.host_calls.count(HostCall::Randomness, 2);
    receipt.result_bytes = 1;
    receipt
}

fn outcomes() -> Vec<(&'static str, StoredOutcome)> {
    let lines = || vec!["oh".to_owned()];
    let frame = Frame { function: Some("f".into()), index: 7, source: None };
    let limit = Limit { kind: LimitKind::Memory, allowed: 65_536 };
    let chain = UpstreamChain::root(UpstreamRun { run: id(2), name: "a-202".into() }, "was cancelled");
    vec![
        ("completed", Outcome::Completed(value(42))),
        ("error", Outcome::Failed(Failure::Error(value(1)))),
        (
            "trap",
            Outcome::Failed(Failure::Trap(Trap {
                message: "unreachable".into(),
                backtrace: vec![frame],
                stderr_tail: lines(),
            })),
        ),
        ("exit", Outcome::Failed(Failure::Exit { code: -1, stderr_tail: lines() })),
        ("limit", Outcome::Failed(Failure::Limit { limit, stderr_tail: lines() })),
        ("timed out", Outcome::Failed(Failure::TimedOut { after: Duration::from_millis(1_500) })),
        ("upstream", Outcome::Failed(Failure::Upstream { chain })),
        ("crashed", Outcome::Crashed { reason: "lost".into() }),
        ("cancelled", Outcome::Cancelled),
    ]
}

fn facts() -> Vec<(String, RunFact)> {
    let events =
        Event::each(at(5), id(9)).into_iter().map(|event| (format!("event {event}"), RunFact::Event(event)));
    let ends = outcomes().into_iter().map(|(name, outcome)| {
        (format!("attempt {name}"), RunFact::AttemptEnded { outcome, receipt: receipt().into() })
    });
    let end = RunFact::Ended { event: Event::Completed, outcome: Outcome::Completed(value(42)) };
    let others = [
        ("born".to_owned(), RunFact::Born(run(TaskSpec::default()).into())),
        ("named".to_owned(), RunFact::Named("add-101".into())),
        ("ended".to_owned(), end),
    ];
    others.into_iter().chain(events).chain(ends).collect()
}

fn record() -> RunRecord {
    let attempt = |outcome| RunFact::AttemptEnded { outcome, receipt: receipt().into() };
    let [completed, error, ..] = &outcomes()[..] else { panic!("there are more") };
    let facts = [
        RunFact::Born(run(TaskSpec::default()).into()),
        RunFact::Event(Event::Started),
        RunFact::Event(Event::Rescued),
        RunFact::Named("add-101".into()),
        RunFact::Event(Event::Started),
        attempt(error.1.clone()),
        RunFact::Ended { event: Event::Failed, outcome: error.1.clone() },
        RunFact::Event(Event::RetryRequested),
        RunFact::Event(Event::Started),
        attempt(error.1.clone()),
        RunFact::Event(Event::RetryPlanned { due: at(9) }),
        RunFact::Event(Event::Started),
        attempt(completed.1.clone()),
        RunFact::Ended { event: Event::Completed, outcome: completed.1.clone() },
        RunFact::Event(Event::RolledBack),
    ];
    RunRecord::replay(facts.into_iter().zip(1..).map(|(fact, time)| (at(time), fact))).unwrap()
}

fn schedules() -> [(&'static str, Schedule); 2] {
    let when = When::Every { interval: Duration::from_secs(300), anchor: at(7) };
    let every = Schedule::new("every-5m".parse().unwrap(), "math.wasm#add", when);
    let when = When::Cron { expression: "30 2 * * MON".into(), zone: "Europe/Berlin".into() };
    let cron = Schedule {
        spec: every_option().into(),
        arguments: vec![("a".into(), value(41))],
        tags: ["t"].into_iter().collect(),
        queue: "slow".parse().unwrap(),
        missed: Missed::None,
        overlap: Overlap::CancelRunning,
        spread: Duration::from_secs(10),
        paused: true,
        ..Schedule::new("nightly".parse().unwrap(), "acme/math@1.0.0#add", when)
    };
    [("every", every), ("cron", cron)]
}

/// Everything that is recorded: its name and its bytes, which were read back as the same.
fn vectors() -> Vec<(String, Vec<u8>)> {
    let mut vectors = Vec::new();
    for (name, spec) in [("no options", TaskSpec::default()), ("every option", every_option())] {
        let bytes = spec.encode();
        assert_eq!(TaskSpec::decode(&bytes), Ok(spec), "{name}");
        vectors.push((format!("task: {name}"), bytes));
    }
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok();
    let traced = RunSpec { trace, ..run(TaskSpec::default()) };
    let both = RunSpec { trace, ..every_input() };
    for (name, run) in [
        ("no inputs", run(TaskSpec::default())),
        ("every input", every_input()),
        ("a trace", traced),
        ("every input and a trace", both),
    ] {
        let bytes = run.encode();
        assert_eq!(RunSpec::decode(&bytes), Ok(run), "{name}");
        vectors.push((format!("run: {name}"), bytes));
    }
    for (name, fact) in facts() {
        let bytes = fact.encode();
        assert_eq!(RunFact::decode(&bytes), Ok(fact), "{name}");
        vectors.push((format!("fact: {name}"), bytes));
    }
    let bytes = record().encode();
    assert_eq!(RunRecord::decode(&bytes), Ok(record()));
    vectors.push(("record".to_owned(), bytes));
    for (name, schedule) in schedules() {
        let bytes = schedule.encode();
        assert_eq!(Schedule::decode(&bytes), Ok(schedule), "{name}");
        vectors.push((format!("schedule: {name}"), bytes));
    }
    vectors
}

#[test]
fn the_encoding_is_what_it_always_was() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let vectors = vectors().into_iter().map(|(name, bytes)| format!("{name}\n{}\n", hex(bytes)));
    let vectors: Vec<_> = vectors.collect();
    let recorded: Vec<_> = VECTORS.split("\n\n").skip(1).collect();
    for (recorded, now) in recorded.iter().zip(&vectors) {
        assert_eq!(recorded.trim_end(), now.trim_end());
    }
    assert_eq!(recorded.len(), vectors.len(), "all of them:\n{}", vectors.join("\n"));
}
