//! All hostile guests at once, several of each, and innocent tasks between them.

use futures_executor::block_on;
use hostel::{Args, CachePolicy, Host, Receipt, State, Task, TaskFuture, args};
use hostel_guests::{ARITH, ELEVATOR, HOSTILE, MEMORY_HOG, wat};

use super::place::{Granted, Place};
use super::rows::{Must, rows};
use super::{Loaded, MIB, args_of, complaint, settings};
use crate::{build, task};

/// An innocent task, and what comes of it whoever is beside it.
struct Innocent {
    task: Task,
    args: fn() -> Args,
    value: String,
    log: Vec<String>,
    receipt: Receipt,
    state: State,
}

impl Innocent {
    /// One that runs alone first, to see what it comes to.
    fn new(task: Task, args: fn() -> Args) -> Self {
        let alone = task.submit(args()).unwrap();
        let value = value(&alone);
        let state = alone.state();
        Self { args, value, log: log(&alone), receipt: alone.receipt(), state, task }
    }

    fn is_as_alone(&self, run: &TaskFuture) {
        let name = self.task.key();
        assert_eq!(value(run), self.value, "{name}");
        assert_eq!(log(run), self.log, "{name}");
        assert_eq!(run.state(), self.state, "{name}");
        let mut receipt = run.receipt();
        receipt.cpu_time = self.receipt.cpu_time;
        assert_eq!(receipt, self.receipt, "{name}");
    }
}

fn value(run: &TaskFuture) -> String {
    block_on(run.outcome()).to_string()
}

fn log(run: &TaskFuture) -> Vec<String> {
    run.log().into_iter().map(|line| line.text).collect()
}

/// One that computes, that sleeps, that takes memory, that prints, that reads a file, and one whose result is kept.
fn innocents(host: &Host, place: &Place) -> Vec<Innocent> {
    let cached = task(host, ARITH, "add-one").cache(CachePolicy::AUTO);
    assert_eq!(block_on(cached.submit(args![41]).unwrap().result::<i64>()).unwrap(), 42);
    let reads = task(host, HOSTILE, "read").grants(place.grants(&[Granted::Dir]));
    vec![
        Innocent::new(task(host, ARITH, "add"), || args![1, 2]),
        Innocent::new(task(host, wat::SLEEPER, "sleep"), || args![2]),
        Innocent::new(task(host, MEMORY_HOG, "eat"), || args![2]),
        Innocent::new(task(host, ELEVATOR, "stop-at-floor"), || args![1, 1]),
        Innocent::new(reads, || args!["file"]),
        Innocent::new(cached, || args![41]),
    ]
}

/// Runs so many copies of every row at once, with an innocent task after each.
pub(crate) fn all_at_once(host: &Host, copies: usize, place: &Place) {
    let rows = rows();
    let innocents = innocents(host, place);
    let that_load = rows.iter().filter(|row| !matches!(row.must, Must::NotLoad(_)));
    let components = Loaded::new(host, &rows);
    let tasks: Vec<_> = that_load.map(|row| (row, components.task(row, place).unwrap())).collect();
    let mut hostile = Vec::new();
    let mut between = Vec::new();
    for (number, (row, task)) in (0..copies).flat_map(|_| &tasks).enumerate() {
        hostile.push((*row, task.submit(args_of(task, row, place)).unwrap()));
        let innocent = &innocents[number % innocents.len()];
        between.push((innocent, innocent.task.submit((innocent.args)()).unwrap()));
    }
    between.iter().for_each(|(innocent, run)| innocent.is_as_alone(run));
    let to_cancel = hostile.iter().filter(|(row, _)| row.must == Must::BeCancelled);
    to_cancel.for_each(|(_, run)| assert!(run.cancel()));
    let complaints: Vec<_> = hostile.iter().filter_map(|(row, run)| complaint(row, run)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(host.memory_bytes(), 0);
}

#[test]
fn all_at_once_they_leave_the_others_alone() {
    let place = Place::new();
    // Enough for what all of them may have, so that each ends as it does alone.
    let host = build(settings().max_memory_bytes(4096 * MIB));
    all_at_once(&host, 2, &place);
    assert!(place.was_left_alone(), "someone got where no grant leads");
}
