//! What the journal in SQLite costs, beside a plain loop of SQLite on the same disk in the same minute.
//!
//! `cargo bench -p hostel-benches --bench journal`, with `-- DIRECTORY` for another disk than that of the build, and `-- --runs N` for another
//! length of the lists.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hostel_core::journal::{Append, ClaimRequest, Fence, Journal, LimitScope, Page, RunLimit, WorkerId};
use hostel_core::{
    Digest, Event, ExportPath, InputSpec, LogLevel, LogLine, LogStream, Outcome, RunFact, RunFilter, RunId,
    RunSpec, State, StoredValue, TaskKey, TaskSpec, Timestamp, Type, Value,
};
use hostel_journal::{LogFilter, RunLogs, SqliteJournal};
use rusqlite::Connection;

/// How often each figure is measured; the median is printed.
const ROUNDS: usize = 5;

/// The clients and the threads of workers that use the journal at once.
const CLIENTS: u64 = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = arguments
        .iter()
        .position(|argument| argument == "--runs")
        .map_or(1_000_000, |place| arguments[place + 1].parse().unwrap());
    let base = arguments
        .first()
        .filter(|first| !first.starts_with("--"))
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    println!("in {}, the median of {ROUNDS}", base.display());
    writing(&base);
    logs(&base);
    lists(&base, runs);
}

fn writing(base: &Path) {
    rows([
        ("plain SQLite, one row a commit, FULL", &|| per_second(200, plain(base, 200, 1))),
        ("plain SQLite, 8 indexes, one row a commit", &|| per_second(200, plain_with_indexes(base, 200))),
        ("enqueue, one client", &|| in_new(base, |journal| per_second(200, enqueue(journal, 1, 200, 1)))),
    ]);
    row("plain SQLite, 512 rows a commit, FULL", || per_second(51_200, plain(base, 100, 512)));
    row("enqueue, one client, 100 a call", || {
        in_new(base, |journal| per_second(20_000, enqueue(journal, 1, 200, 100)))
    });
    row("enqueue, 64 clients", || {
        in_new(base, |journal| per_second(CLIENTS * 100, enqueue(journal, CLIENTS, 100, 1)))
    });
    row("enqueue, 64 clients, 10 a call", || {
        in_new(base, |journal| per_second(CLIENTS * 500, enqueue(journal, CLIENTS, 50, 10)))
    });
    row("claim, start and finish, two workers", || in_new(base, |journal| cycles(journal, 20_000)));
}

fn lists(base: &Path, runs: u64) {
    let dir = tempfile::tempdir_in(base).unwrap();
    let journal = SqliteJournal::open(dir.path()).unwrap();
    let began = Instant::now();
    fill(&journal, runs);
    println!("{runs} runs stored in {:.1} s", began.elapsed().as_secs_f64());
    drop(journal);
    let journal = SqliteJournal::open(dir.path()).unwrap();
    let bytes = std::fs::metadata(journal.path()).unwrap().len();
    println!("{:<44}{:>12} bytes", "a waiting run on disk", bytes / runs);
    let of = |filter: RunFilter| {
        let journal = &journal;
        move || millis(|| assert!(journal.find(&filter, Page::first(100)).unwrap().runs.len() <= 100))
    };
    list("newest 100", of(RunFilter::new()));
    list("one state", of(RunFilter::new().states([State::Scheduled])));
    list("two states, one of them rare", of(RunFilter::new().states([State::Pending, State::Cancelled])));
    list("one task", of(RunFilter::new().task(&task("multiply"))));
    list("one task, one state", of(RunFilter::new().task(&task("multiply")).states([State::Scheduled])));
    list("a tag and a state", of(RunFilter::new().tag("seldom").states([State::Pending])));
    list("a state that nothing has", of(RunFilter::new().states([State::Failed])));
    let late = now().after(Duration::from_secs(3_600));
    list("since a time without runs", of(RunFilter::new().since(late)));
    list("a state since a time", of(RunFilter::new().since(now()).states([State::Pending])));
    list("attention", of(RunFilter::new().needs_attention()));
    list("part of a name that nothing has", of(RunFilter::new().name("zzz")));
    list("counts", || millis(|| assert_eq!(journal.counts().unwrap().total(), runs)));
    list("one run", || millis(|| assert!(journal.get(id(runs / 2)).unwrap().is_some())));
    list("changes", || millis(|| _ = journal.changes().unwrap()));
    list("next due", || millis(|| _ = journal.next_due(&request(1)).unwrap()));
    let claimed = || millis(|| assert_eq!(journal.claim(&request(64)).unwrap().len(), 64));
    list("claim 64 of them", claimed);
    blocked(&journal);
}

/// Claims beside many runs that a limit keeps back.
fn blocked(journal: &SqliteJournal) {
    let scope = LimitScope::Tag("blocked".into());
    journal.set_limit(&scope, RunLimit { max_running: Some(1), rate: None }).unwrap();
    let options = Arc::new(TaskSpec { priority: 9, ..TaskSpec::default() });
    for first in (0..100_000).step_by(1_000) {
        let specs = (first..first + 1_000_u64).map(|number| RunSpec {
            tags: ["blocked"].into_iter().collect(),
            ..spec(1 << 40 | number, &options)
        });
        journal.submit(now(), &specs.collect::<Vec<_>>()).unwrap();
    }
    let claim = |limit| millis(|| _ = journal.claim(&request(limit)).unwrap());
    println!("{:<44}{:>12.3} ms", "first claim, 100,000 kept back", claim(64));
    (0..12).for_each(|_| _ = claim(64));
    list("claim 64 beside 100,000 kept back", || claim(64));
}

fn logs(base: &Path) {
    let line = |number: u64| LogLine {
        at: now(),
        stream: LogStream::Stdout,
        level: LogLevel::Info,
        text: format!("processed item {number} of the batch in {} ms", number % 17),
        fields: Vec::new(),
    };
    row("log lines, 100 a call", || {
        let dir = tempfile::tempdir_in(base).unwrap();
        let logs = RunLogs::open(dir.path()).unwrap();
        let began = Instant::now();
        for call in 0..1_000 {
            logs.append(id(call % 10), 1, (0..100).map(|number| line(call * 100 + number)).collect())
                .unwrap();
        }
        logs.flush().unwrap();
        per_second(100_000, began.elapsed())
    });
    let dir = tempfile::tempdir_in(base).unwrap();
    let logs = RunLogs::open(dir.path()).unwrap();
    (0..1_000).for_each(|call| {
        logs.append(id(1), 1, (0..100).map(|number| line(call * 100 + number)).collect()).unwrap()
    });
    let all = LogFilter::default();
    list("1,000 lines of 100,000", || millis(|| _ = logs.read(id(1), 77_000, 1_000, &all).unwrap()));
    println!("{:<44}{:>12.1} bytes", "a line on disk", logs.size_bytes().unwrap() as f64 / 100_000.0);
}

fn row(name: &str, mut measure: impl FnMut() -> f64) {
    let mut figures: Vec<f64> = (0..ROUNDS).map(|_| measure()).collect();
    figures.sort_by(f64::total_cmp);
    println!("{name:<44}{:>12.0} /s", figures[ROUNDS / 2]);
}

/// Measures in turn, so that a disk that is slow for a while is so for all.
fn rows<const COUNT: usize>(measures: [(&str, &dyn Fn() -> f64); COUNT]) {
    let mut figures = vec![Vec::new(); COUNT];
    for _ in 0..ROUNDS {
        figures.iter_mut().zip(&measures).for_each(|(figures, (_, measure))| figures.push(measure()));
    }
    for (mut figures, (name, _)) in figures.into_iter().zip(measures) {
        figures.sort_by(f64::total_cmp);
        println!("{name:<44}{:>12.0} /s", figures[ROUNDS / 2]);
    }
}

fn list(name: &str, mut measure: impl FnMut() -> f64) {
    let mut figures: Vec<f64> = (0..ROUNDS).map(|_| measure()).collect();
    figures.sort_by(f64::total_cmp);
    println!("{name:<44}{:>12.3} ms", figures[ROUNDS / 2]);
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn millis(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e3
}

fn in_new(base: &Path, measure: impl FnOnce(&SqliteJournal) -> f64) -> f64 {
    let dir = tempfile::tempdir_in(base).unwrap();
    measure(&SqliteJournal::open(dir.path()).unwrap())
}

fn plain(base: &Path, commits: u64, rows: u64) -> Duration {
    let dir = tempfile::tempdir_in(base).unwrap();
    let db = Connection::open(dir.path().join("plain.db")).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE a (x BLOB)")
        .unwrap();
    let began = Instant::now();
    for _ in 0..commits {
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..rows {
            db.prepare_cached("INSERT INTO a VALUES (?)").unwrap().execute([[7_u8; 200]]).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
    }
    began.elapsed()
}

/// A table with as many indexes as a run that waits is in.
fn plain_with_indexes(base: &Path, commits: u64) -> Duration {
    let dir = tempfile::tempdir_in(base).unwrap();
    let db = Connection::open(dir.path().join("plain.db")).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE a (x BLOB, y INTEGER)",
    )
    .unwrap();
    (0..8).for_each(|index| db.execute_batch(&format!("CREATE INDEX a{index} ON a (y, x)")).unwrap());
    let began = Instant::now();
    for number in 0..commits {
        db.prepare_cached("INSERT INTO a VALUES (?, ?)")
            .unwrap()
            .execute(([7_u8; 20], number as i64))
            .unwrap();
    }
    began.elapsed()
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn task(export: &str) -> TaskKey {
    TaskKey { component: Digest::of(b"component"), export: ExportPath::top_level(export) }
}

fn id(number: u64) -> RunId {
    RunId::from_bytes(u128::from(number).to_be_bytes())
}

fn spec(number: u64, options: &Arc<TaskSpec>) -> RunSpec {
    let export = if number.is_multiple_of(10) { "multiply" } else { "add" };
    let mut spec = RunSpec::new(id(number), task(export), Arc::clone(options), now());
    spec.inputs = vec![InputSpec::Value(StoredValue::new(&Value::U32(41), &Type::U32).unwrap())];
    spec
}

fn request(limit: usize) -> ClaimRequest {
    let (worker, lease) = (WorkerId::new("bench"), Duration::from_secs(30));
    ClaimRequest {
        worker,
        limit,
        now: now(),
        lease,
        queues: Vec::new(),
        tasks: Vec::new(),
        without: Vec::new(),
        is_idle: false,
    }
}

fn enqueue(journal: &SqliteJournal, clients: u64, calls: u64, batch: u64) -> Duration {
    let options = Arc::new(TaskSpec::default());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let options = &options;
            scope.spawn(move || {
                for call in 0..calls {
                    let first = (client * calls + call) * batch;
                    let specs: Vec<_> = (first..first + batch).map(|number| spec(number, options)).collect();
                    journal.submit(now(), &specs).unwrap();
                }
            });
        }
    });
    began.elapsed()
}

/// Cycles per second: two workers, which execute 32 runs at once each.
fn cycles(journal: &SqliteJournal, runs: u64) -> f64 {
    fill_plain(journal, runs);
    let finished = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (send, receive) = std::sync::mpsc::sync_channel::<(RunId, u64, Fence)>(64);
            let receive = Arc::new(std::sync::Mutex::new(receive));
            scope.spawn(move || {
                loop {
                    let claimed = journal.claim(&request(256)).unwrap();
                    if claimed.is_empty() {
                        return;
                    }
                    for entry in claimed {
                        let fence = entry.claim().unwrap().fence;
                        send.send((entry.run(), entry.version(), fence)).unwrap();
                    }
                }
            });
            for _ in 0..32 {
                let (receive, finished) = (Arc::clone(&receive), &finished);
                scope.spawn(move || {
                    loop {
                        let next = receive.lock().unwrap().recv();
                        let Ok((run, version, fence)) = next else { return };
                        execute(journal, run, version, fence);
                        finished.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
    });
    assert_eq!(finished.load(Ordering::Relaxed), runs);
    per_second(runs, began.elapsed())
}

fn execute(journal: &SqliteJournal, run: RunId, version: u64, fence: Fence) {
    let append = |expected, facts: Vec<RunFact>| {
        let facts = facts.into_iter().map(|fact| (now(), fact)).collect();
        journal.append(&Append { run, expected, fence: Some(fence), facts }).unwrap()
    };
    let version = append(version, vec![RunFact::Event(Event::Started)]);
    let outcome = Outcome::Completed(StoredValue::new(&Value::U32(42), &Type::U32).unwrap());
    let ended = RunFact::AttemptEnded { outcome: outcome.clone(), receipt: Box::default() };
    append(version, vec![ended, RunFact::Ended { event: Event::Completed, outcome }]);
}

fn fill_plain(journal: &SqliteJournal, runs: u64) {
    let options = Arc::new(TaskSpec::default());
    for first in (0..runs).step_by(1_000) {
        let specs: Vec<_> = (first..runs.min(first + 1_000)).map(|number| spec(number, &options)).collect();
        journal.submit(now(), &specs).unwrap();
    }
}

/// Runs that wait: a tenth of them for a time, and some with a tag.
fn fill(journal: &SqliteJournal, runs: u64) {
    let options = Arc::new(TaskSpec::default());
    for first in (0..runs).step_by(1_000) {
        let specs = (first..runs.min(first + 1_000)).map(|number| {
            let mut spec = spec(number, &options);
            spec.due = number.is_multiple_of(7).then(|| now().after(Duration::from_secs(3_600 + number)));
            if number.is_multiple_of(1_000) {
                spec.tags = ["seldom"].into_iter().collect();
            }
            spec
        });
        journal.submit(now(), &specs.collect::<Vec<_>>()).unwrap();
    }
}
