//! Several processes with one journal, which execute random operations, and some of which are killed.
//!
//! `HOSTEL_JOURNAL_SECONDS` is how long, and `HOSTEL_JOURNAL_SEED` repeats the choices of an earlier time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use hostel_core::journal::{
    Append, ClaimRequest, Journal, JournalEntry, JournalError, LimitScope, Prune, RunLimit, Submitted,
    WorkerId,
};
use hostel_core::{Event, RunFact, RunId, RunSpec, State, Timestamp, Unique, UniqueMode};
use hostel_journal::SqliteJournal;

use crate::scene::{STARTED, check, completed, directory, expire, failed, fence, id, open, spec};

/// The directory, the number, the seed and the milliseconds of a child.
const CHILD: &str = "HOSTEL_JOURNAL_CHILD";

/// How many processes there are.
const PROCESSES: u64 = 3;

/// How long they work, unless it is said otherwise.
const SECONDS: u64 = 3;

/// How many runs with a tag may be claimed at once.
const MOST_TAGGED: u32 = 2;

/// Short, so that leases end while the test executes.
const LEASE: Duration = Duration::from_millis(40);

fn now() -> Timestamp {
    SystemTime::now().into()
}

/// What a child does, and what it says of it: a line for each answer that the parent checks.
struct Worker {
    journal: SqliteJournal,
    random: fastrand::Rng,
    name: WorkerId,
    next: u64,
    mine: Vec<JournalEntry>,
}

impl Worker {
    fn operate(&mut self) {
        match self.random.u32(0..20) {
            0..7 => self.submit(),
            7..11 => self.claim(),
            11..16 => self.go_on(),
            16 => _ = expire(&self.journal, now()),
            17 => {
                self.ask();
                self.check_limit();
            }
            18 => _ = self.journal.prune(Prune { ended_before: None, keep: Some(400) }).unwrap(),
            _ => self.give_back(),
        }
    }

    fn submit(&mut self) {
        self.next += 1;
        let mut spec = RunSpec { created: now(), ..spec(self.next) };
        if self.random.bool() {
            let mode = if self.random.bool() { UniqueMode::Replace } else { UniqueMode::Existing };
            spec.unique = Some(Unique::new(format!("k{}", self.random.u8(0..4))).mode(mode));
        }
        spec.due = self.random.bool().then(|| now().after(Duration::from_millis(self.random.u64(0..30))));
        if self.random.bool() {
            spec.tags = ["limited"].into_iter().collect();
        }
        let answer = self.journal.submit(now(), &[spec.clone()]).unwrap();
        if matches!(answer[0], Submitted::New | Submitted::Replaced { .. }) {
            say(&format!("stored {}", self.next));
        }
    }

    fn claim(&mut self) {
        let request = ClaimRequest {
            worker: self.name.clone(),
            limit: self.random.usize(1..4),
            now: now(),
            lease: LEASE,
            queues: Vec::new(),
            tasks: Vec::new(),
            without: Vec::new(),
            is_idle: self.mine.is_empty(),
        };
        for entry in self.journal.claim(&request).unwrap() {
            say(&format!("claimed {}", fence(&entry).unwrap()));
            self.mine.push(entry);
        }
    }

    /// Executes a run of its own, which may have been taken away.
    fn go_on(&mut self) {
        let Some(entry) = self.mine.pop() else { return };
        let retry = RunFact::Event(Event::RetryPlanned { due: now().after(Duration::from_millis(5)) });
        let (end, ends) = match self.random.u32(0..4) {
            0 => (retry, false),
            1 => (failed(), true),
            _ => (completed(10), true),
        };
        match self.append(&entry, [STARTED, end]) {
            Ok(_) if ends => say(&format!("ended {}", entry.run())),
            Ok(_) | Err(JournalError::Conflict(_) | JournalError::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn append(&self, entry: &JournalEntry, facts: [RunFact; 2]) -> Result<u64, JournalError> {
        let facts = facts.into_iter().map(|fact| (now(), fact)).collect();
        let fence = fence(entry);
        self.journal.append(&Append { run: entry.run(), expected: entry.version(), fence, facts })
    }

    /// Cancels, retries or removes a run that is its own or another's.
    fn ask(&mut self) {
        let run =
            id(self.random.u64(0..PROCESSES) * 1_000_000 + self.random.u64(1..=self.next % 1_000_000 + 1));
        let journal = &self.journal;
        let answer = match self.random.u32(0..3) {
            0 => journal.cancel(now(), run).map(|_| ()),
            1 => journal.retry(now(), run).map(|_| say(&format!("retried {run}"))),
            _ => journal.remove(run).map(|()| say(&format!("removed {run}"))),
        };
        let expected =
            matches!(answer, Ok(()) | Err(JournalError::Conflict(_) | JournalError::NotFound { .. }));
        assert!(expected, "{answer:?}");
    }

    /// At every moment, no more runs with the tag are claimed than the limit.
    fn check_limit(&self) {
        let limits = self.journal.limits().unwrap();
        assert!(limits[0].held <= u64::from(MOST_TAGGED), "{limits:?}");
    }

    fn give_back(&mut self) {
        let Some(entry) = self.mine.pop() else { return };
        let answer = self.journal.release(now(), entry.run(), fence(&entry).unwrap());
        let expected =
            matches!(answer, Ok(_) | Err(JournalError::Conflict(_) | JournalError::NotFound { .. }));
        assert!(expected, "{answer:?}");
    }
}

fn say(line: &str) {
    // In one piece, and not by the macro, which the harness would capture.
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

#[test]
fn a_child_works_for_its_time() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let parts: Vec<_> = text.splitn(4, ' ').collect();
    let [number, seed, millis] = [0, 1, 2].map(|place| parts[place].parse::<u64>().unwrap());
    let journal = SqliteJournal::open(Path::new(parts[3])).unwrap();
    let random = fastrand::Rng::with_seed(seed);
    let name = WorkerId::new(format!("worker-{number}"));
    // A child that follows one that was killed has numbers of its own.
    let mut worker =
        Worker { journal, random, name, next: number * 1_000_000 + seed % 1_000 * 1_000, mine: Vec::new() };
    let end = Instant::now() + Duration::from_millis(millis);
    while Instant::now() < end {
        worker.operate();
    }
    say("done");
}

fn spawn(dir: &Path, number: u64, seed: u64, millis: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::a_child_works_for_its_time", "--nocapture"])
        .env(CHILD, format!("{number} {seed} {millis} {}", dir.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the children have said, together.
#[derive(Default)]
struct Said {
    stored: BTreeSet<u64>,
    fences: BTreeSet<String>,
    /// How often each run ended, less how often it was retried.
    ends: BTreeMap<String, i64>,
    removed: BTreeSet<String>,
}

impl Said {
    fn add(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("stored", run)) => assert!(self.stored.insert(run.parse().unwrap()), "{run} stored twice"),
            Some(("claimed", fence)) => assert!(self.fences.insert(fence.to_owned()), "fence {fence} twice"),
            Some(("ended", run)) => *self.ends.entry(run.to_owned()).or_default() += 1,
            Some(("retried", run)) => *self.ends.entry(run.to_owned()).or_default() -= 1,
            Some(("removed", run)) => _ = self.removed.insert(run.to_owned()),
            _ => {}
        }
    }
}

/// Reads what a child says, and kills it after so many lines.
fn listen(mut child: Child, kill_after: Option<u64>, said: &mut Vec<String>) -> bool {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    for line in lines.map_while(Result::ok) {
        said.push(line);
        count += 1;
        if kill_after == Some(count) {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap().success()
}

#[test]
fn several_processes_share_a_journal() {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = given("HOSTEL_JOURNAL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let seconds: u64 = given("HOSTEL_JOURNAL_SECONDS").unwrap_or(SECONDS);
    println!("HOSTEL_JOURNAL_SEED={seed}");
    let dir = directory();
    let limit = RunLimit { max_running: Some(MOST_TAGGED), rate: None };
    open(&dir).set_limit(&LimitScope::Tag("limited".into()), limit).unwrap();
    let (path, end) = (dir.path(), Instant::now() + Duration::from_secs(seconds));
    let said: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..PROCESSES).map(|number| scope.spawn(move || workers(path, number, seed, end))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all = Said::default();
    said.iter().flatten().for_each(|line| all.add(line));
    let journal = open(&dir);
    check(&journal);
    compare(&journal, &all);
    assert!(all.stored.len() > 20, "{}", all.stored.len());
}

/// One process after the other, until the time is over; all but the last are killed.
fn workers(dir: &Path, number: u64, seed: u64, end: Instant) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_add(number));
    let mut said = Vec::new();
    let mut life = 0;
    loop {
        life += 1;
        let left = end.saturating_duration_since(Instant::now()).as_millis() as u64;
        let seed = random.u64(..1 << 40) * 1_000 + life;
        let kill_after = (number > 0 && left > 300).then(|| random.u64(20..200));
        let child = spawn(dir, number, seed, left.max(100));
        let has_ended = listen(child, kill_after, &mut said);
        assert!(has_ended || kill_after.is_some(), "a child failed");
        if Instant::now() >= end {
            return said;
        }
    }
}

fn compare(journal: &SqliteJournal, said: &Said) {
    let mut pruned = 0;
    for number in &said.stored {
        match journal.get(id(*number)).unwrap() {
            Some(entry) => compare_run(&entry, said),
            None => pruned += 1,
        }
    }
    let counts = journal.counts().unwrap();
    assert!(counts.removed >= pruned, "{pruned} runs are missing, and {} were removed", counts.removed);
    let others = counts.total() as i64 - (said.stored.len() as i64 - pruned as i64);
    // A child that is killed may have stored a run that it had no time to report.
    assert!(others >= 0, "{others}");
    assert_eq!(counts.of(State::AwaitingConcurrencySlot), 0);
}

fn compare_run(entry: &JournalEntry, said: &Said) {
    let run: RunId = entry.run();
    let ends =
        entry.record().outcomes().iter().filter(|outcome| **outcome != hostel_core::Outcome::Cancelled);
    let ends = ends.count() as i64;
    let reported = said.ends.get(&run.to_string()).copied().unwrap_or(0);
    assert!(reported <= ends, "run {run} ended {ends} times, and {reported} ends were reported");
    assert!(!said.removed.contains(&run.to_string()), "run {run} was removed");
}
