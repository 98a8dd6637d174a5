//! Runs by their inputs: names of parameters come from registered components, and a page looks at so many runs at most.

use hostel_core::journal::{BatchAction, Journal, MAX_SUBMITTED, Page};
use hostel_core::{
    Digest, Export, ExportPath, InputSpec, LogLevel, LogLine, LogStream, Manifest, RunFilter, RunId, RunSpec,
    Signature, StoredValue, TaskKey, Type, Value,
};
use hostel_journal::registry::{Push, Registry};
use hostel_journal::{JournalHooks, LogFilter, RunLogs, SqliteJournal, step_batch};

use crate::scene::{STARTED, add, at, completed, directory, id, open, spec};

/// A component whose task has a record as its second parameter.
fn register(registry: &Registry) -> TaskKey {
    let export = ExportPath::top_level("plan");
    let params = [("city", Type::String), ("config", config())];
    let manifest = Manifest {
        digest: Digest::of(b"component"),
        size_bytes: 9,
        exports: vec![Export::new(export.clone(), Ok(Signature::new(params, None)))],
        imports: Vec::new(),
        script: None,
    };
    let push = Push { bytes: b"component", manifest: &manifest, naming: None, by: "ann", at: at(1) };
    registry.push(&push).unwrap();
    TaskKey { component: manifest.digest, export }
}

fn config() -> Type {
    Type::record([("rate", Type::F64)])
}

fn planned(task: &TaskKey, number: u64, city: &str, rate: f64) -> RunSpec {
    let config_value = Value::Record(vec![("rate".into(), Value::F64(rate))]);
    let values = [(Value::String(city.into()), Type::String), (config_value, config())];
    let inputs = values.iter().map(|(value, ty)| InputSpec::Value(StoredValue::new(value, ty).unwrap()));
    RunSpec { inputs: inputs.collect(), task: task.clone(), ..spec(number) }
}

fn by(condition: &str) -> RunFilter {
    RunFilter::new().input(condition.parse().unwrap())
}

fn found(journal: &dyn Journal, condition: &str) -> Vec<RunId> {
    let page = journal.find(&by(condition), Page::first(9)).unwrap();
    assert_eq!(page.next, None);
    page.runs.iter().map(|head| head.run).collect()
}

#[test]
fn runs_are_found_by_the_names_of_parameters() {
    let dir = directory();
    let journal = open(&dir);
    let task = register(&Registry::open(dir.path()).unwrap());
    let unknown = TaskKey { component: Digest::of(b"unknown"), ..task.clone() };
    journal.submit(at(1), &[planned(&task, 1, "Berlin", 3.0), planned(&task, 2, "Bonn", 3.5)]).unwrap();
    journal.submit(at(1), &[planned(&unknown, 3, "Berlin", 3.0)]).unwrap();
    assert_eq!(found(&journal, "city=Berlin"), [id(1)]);
    assert_eq!(found(&journal, "config.rate=3"), [id(1)]);
    assert_eq!(found(&journal, "config.rate=3.5"), [id(2)]);
    assert_eq!(found(&journal, "config.rate=fast"), []);
    assert_eq!(found(&journal, "0=Berlin"), [id(3), id(1)]);
    let batch = journal.start_batch(at(2), BatchAction::Cancel, &by("city=Bonn")).unwrap();
    assert_eq!(journal.step_batch(at(2), batch.id).unwrap().done, 1);
}

#[test]
fn a_page_that_has_looked_at_many_runs_ends_and_says_how_far_it_came() {
    let dir = directory();
    let hooks = JournalHooks { max_scanned: 1_000, ..JournalHooks::default() };
    let journal = SqliteJournal::open_with(dir.path(), hooks).unwrap();
    let count = 1_010;
    let numbers: Vec<u64> = (0..count).collect();
    for numbers in numbers.chunks(MAX_SUBMITTED) {
        let runs: Vec<_> =
            numbers.iter().map(|number| RunSpec { created: at(*number), ..spec(*number) }).collect();
        journal.submit(at(1), &runs).unwrap();
    }
    let filter = RunFilter::new().name("no run is called that");
    let first = journal.find(&filter, Page::first(9)).unwrap();
    assert_eq!((first.runs.len(), first.scanned_to), (0, Some(at(10))));
    let rest = journal.find(&filter, Page { after: first.next, limit: 9 }).unwrap();
    assert_eq!((rest.next, rest.scanned_to), (None, None));
    // Counting ends there, too.
    assert_eq!(journal.count(BatchAction::Cancel, &filter, 9).unwrap(), (0, true));
    // A page of two states has all matches of the part that was looked at in both.
    add(&journal, count - 1, 2, [STARTED]).unwrap();
    let with_digits = RunFilter::new().name("f1");
    let filter = with_digits.states([hostel_core::State::Running, hostel_core::State::Pending]);
    let (mut page, mut seen) = (Page::first(9), Vec::new());
    loop {
        let found = journal.find(&filter, page).unwrap();
        seen.extend(found.runs.iter().map(|head| head.run));
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, [1_009, 753, 497, 241].map(id));
}

#[test]
fn a_batch_removes_the_logs_of_its_runs() {
    let dir = directory();
    let (journal, logs) = (open(&dir), RunLogs::open(dir.path()).unwrap());
    journal.submit(at(1), &[spec(1), spec(2)]).unwrap();
    add(&journal, 1, 2, [STARTED, completed(1)]).unwrap();
    for number in [1, 2] {
        let (stream, level) = (LogStream::Stdout, LogLevel::Info);
        let line = LogLine { at: at(2), stream, level, text: "x".into(), fields: Vec::new() };
        logs.append(id(number), 1, vec![line]).unwrap();
    }
    let batch = journal.start_batch(at(3), BatchAction::Remove, &RunFilter::new()).unwrap();
    let done = step_batch(&journal, Some(&logs), at(4), &batch).unwrap();
    assert_eq!((done.done, done.is_finished()), (1, true));
    let lines = |number| logs.read(id(number), 0, 9, &LogFilter::default()).unwrap().lines.len();
    assert_eq!((lines(1), lines(2)), (0, 1));
    assert_eq!(step_batch(&journal, Some(&logs), at(5), &done).unwrap(), done);
}
