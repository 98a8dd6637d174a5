//! A process that is killed at every step of every operation: what was answered is there, and nothing is half done.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hostel_core::journal::{BatchAction, BatchId, Journal, LimitScope, Pause, Prune, Retention, RunLimit};
use hostel_core::{Amendment, Event, RunFact, RunFilter, RunRecord, RunSpec, Unique, UniqueMode};
use hostel_journal::{JournalHooks, MemoryJournal, SqliteJournal};

use crate::scene::{
    STARTED, add, at, check, completed, directory, expire, failed, fence, id, open, request, spec,
    spec_with_input,
};

/// The directory and the number of the step that a child ends at.
const CHILD: &str = "HOSTEL_JOURNAL_KILLED_AT";

/// More than a value that is stored beside its run.
const LONG: usize = 20_000;

/// The most steps that a child may have.
const MAX_STEPS: u64 = 1_000;

type Operation = fn(&dyn Journal);

/// One operation of each kind, and of some kinds several.
const SCRIPT: [Operation; 29] = [
    |journal| journal.set_limit(&tag(), RunLimit { max_running: Some(1), rate: None }).unwrap(),
    |journal| journal.pause(&tag(), Pause { until: Some(at(5)), reason: "".into() }).unwrap(),
    |journal| _ = journal.submit(at(1), &[spec(1)]).unwrap(),
    |journal| _ = journal.submit(at(1), &[spec_with_input(2, LONG), keyed(3), spec(4)]).unwrap(),
    |journal| _ = journal.submit(at(2), &[keyed(5)]).unwrap(),
    |journal| {
        _ = journal
            .submit(at(2), &[spec(6), spec(1), RunSpec { parent: Some(id(9)), ..spec(1) }])
            .unwrap_err()
    },
    |journal| _ = journal.claim(&request("w", 3, 10)).unwrap(),
    |journal| _ = add(journal, 1, 11, [STARTED]).unwrap(),
    |journal| _ = add(journal, 1, 12, [completed(LONG)]).unwrap(),
    |journal| {
        let entry = journal.get(id(2)).unwrap().unwrap();
        journal.renew(&[(id(2), fence(&entry).unwrap())], at(500)).unwrap();
    },
    |journal| _ = add(journal, 2, 13, [STARTED]).unwrap(),
    |journal| _ = journal.cancel(at(14), id(2)).unwrap(),
    |journal| {
        let entry = journal.get(id(4)).unwrap().unwrap();
        journal.release(at(15), id(4), fence(&entry).unwrap()).unwrap();
    },
    |journal| _ = expire(journal, at(600)),
    |journal| {
        _ = add(journal, 4, 601, [STARTED, RunFact::Event(Event::RetryPlanned { due: at(700) })]).unwrap()
    },
    |journal| _ = add(journal, 4, 701, [STARTED, failed()]).unwrap(),
    |journal| journal.mark_seen(id(4)).unwrap(),
    |journal| journal.resume(&tag()).unwrap(),
    |journal| _ = journal.retry(at(702), id(4)).unwrap(),
    |journal| journal.remove(id(2)).unwrap(),
    |journal| _ = journal.prune(Prune { ended_before: None, keep: Some(1) }).unwrap(),
    |journal| _ = journal.import(&[ended(8), ended(9)]).unwrap(),
    |journal| _ = journal.submit(at(703), &[spec(7)]).unwrap(),
    |journal| {
        let queue = Some("q".parse().unwrap());
        let tags = Some(["t", "u"].into_iter().collect());
        let amendment = Amendment { priority: Some(3), due: Some(at(900)), queue, tags };
        journal.amend(at(704), id(7), &amendment).unwrap();
    },
    |journal| _ = journal.start_batch(at(705), BatchAction::Cancel, &RunFilter::new()).unwrap(),
    |journal| _ = journal.step_batch(at(706), BatchId::new(1)).unwrap(),
    |journal| _ = journal.take_upkeep(at(707)).unwrap(),
    |journal| {
        let completed = Some(std::time::Duration::from_nanos(200));
        journal.retain(&Retention { completed, ..Retention::default() }, at(708)).unwrap();
    },
    |journal| {
        let runs = [spec_with_input(10, LONG), spec(11)];
        let (_, claimed) = journal.submit_and_claim(at(709), &runs, &request("w", 1, 709)).unwrap();
        assert_eq!(claimed.len(), 1);
    },
];

fn ended(number: u64) -> RunRecord {
    let mut record = RunRecord::born(at(1), spec(number));
    record.apply(at(2), STARTED).unwrap();
    record.apply(at(3), completed(LONG)).unwrap();
    record
}

fn tag() -> LimitScope {
    LimitScope::Tag("t".into())
}

fn keyed(number: u64) -> RunSpec {
    let unique = Some(Unique::new("k").mode(UniqueMode::Replace));
    RunSpec { unique, tags: ["t"].into_iter().collect(), ..spec(number) }
}

/// Everything that can be read, in words.
fn snapshot(journal: &dyn Journal) -> String {
    let mut text = String::new();
    for number in 1..=11 {
        if let Some(entry) = journal.get(id(number)).unwrap() {
            let state = (entry.state(), entry.version(), entry.due(), entry.ended(), entry.is_seen());
            let attempts = entry.record().attempts().len();
            writeln!(text, "{number} {state:?} {attempts} {:?} {}", entry.claim(), entry.crashes()).unwrap();
        }
    }
    writeln!(text, "{:?} {:?}", journal.counts().unwrap(), journal.limits().unwrap()).unwrap();
    writeln!(text, "{:?}", journal.batches().unwrap()).unwrap();
    journal.events(0, 1_000).unwrap().iter().for_each(|event| writeln!(text, "{event:?}").unwrap());
    text
}

/// The snapshots before the script and after each of its operations.
fn expected() -> Vec<String> {
    let journal = MemoryJournal::default();
    let mut snapshots = vec![snapshot(&journal)];
    for operation in SCRIPT {
        operation(&journal);
        snapshots.push(snapshot(&journal));
    }
    snapshots
}

/// The child: executes the script, says which operations were answered, and kills itself at a step.
#[test]
fn a_child_executes_the_script_until_its_step() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let (last, dir) = text.split_once(' ').unwrap();
    let (last, steps) = (last.parse::<u64>().unwrap(), AtomicU64::new(0));
    let step = move |_: &'static str| {
        if steps.fetch_add(1, Ordering::Relaxed) + 1 == last {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
    };
    let hooks = JournalHooks { step: Some(Arc::new(step)), ..JournalHooks::default() };
    let journal = SqliteJournal::open_with(Path::new(dir), hooks).unwrap();
    for operation in SCRIPT {
        operation(&journal);
        // Not by the macro, which the harness would capture.
        writeln!(std::io::stdout(), "answered").unwrap();
    }
    writeln!(std::io::stdout(), "all").unwrap();
}

#[test]
fn a_process_may_be_killed_at_every_step() {
    let expected = expected();
    for step in 1..MAX_STEPS {
        let dir = directory();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::a_child_executes_the_script_until_its_step", "--nocapture"])
            .env(CHILD, format!("{step} {}", dir.path().display()))
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        let answered = said.lines().filter(|line| line.ends_with("answered")).count();
        let journal = open(&dir);
        check(&journal);
        let found = snapshot(&journal);
        let next = expected.get(answered + 1).unwrap_or(&expected[answered]);
        assert!(
            found == expected[answered] || found == *next,
            "step {step}, after {answered} answers:\n{found}"
        );
        // It goes on from there.
        journal.submit(at(900), &[spec(100)]).unwrap();
        if said.lines().any(|line| line.ends_with("all")) {
            assert!(child.status.success() && step > SCRIPT.len() as u64, "{step}");
            return;
        }
        assert!(!child.status.success());
    }
    panic!("the script has more than {MAX_STEPS} steps");
}
