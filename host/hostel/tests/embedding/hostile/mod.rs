//! Hostile guests: each tries one thing, and what must come of it is said in a table. The host stays what it was, and
//! so do the tasks beside them.

mod children;
mod place;
mod rows;
mod together;

use std::collections::HashMap;

use futures_executor::block_on;
use hostel::{
    Args, Arguments, CachePolicy, Component, Failure, Host, HostBuilder, LimitKind, Outcome, Task,
    TaskFuture, args,
};
use hostel_guests::ARITH;

use self::place::Place;
use self::rows::{Must, Row, rows};
use crate::{build, task};

const MIB: u64 = 1 << 20;

/// What every row gets, unless it says otherwise: enough for what the guest has to do before it is hostile.
const FUEL: u64 = 5_000_000;

/// A host as a cautious operator would set it up.
fn settings() -> HostBuilder {
    Host::builder().max_workers(2).count_fuel(true).max_memory_bytes(512 * MIB)
}

/// The components of some rows, each loaded once; or why it is not even loaded.
struct Loaded(HashMap<&'static str, Result<Component, String>>);

impl Loaded {
    fn new(host: &Host, rows: &[Row]) -> Self {
        let mut loaded = HashMap::new();
        for Row { guest, .. } in rows {
            let load = || block_on(host.load(guest.path)).map_err(|error| error.to_string());
            loaded.entry(guest.path).or_insert_with(load);
        }
        Self(loaded)
    }

    fn task(&self, row: &Row, place: &Place) -> Result<Task, String> {
        let component = self.0[row.guest.path].as_ref().map_err(Clone::clone)?;
        let task = component.task(row.guest.export).map_err(|error| error.to_string())?;
        let task = task.cache(CachePolicy::NONE).limits(row.limits).grants(place.grants(&row.grants));
        Ok(match row.clock {
            Some(clock) => task.clock(clock),
            None => task,
        })
    }
}

fn args_of(task: &Task, row: &Row, place: &Place) -> Args {
    let texts: Vec<_> = row.args.iter().map(|text| place.fill_in(text)).collect();
    let mut arguments = Arguments::new();
    for text in &texts {
        arguments = arguments.positional(text.as_str());
    }
    let values =
        task.signature().bind_text(arguments).unwrap_or_else(|error| panic!("{}: {error}", row.tries));
    values.into_iter().fold(Args::new(), Args::positional)
}

/// What is wrong with how the run of a row ended.
fn complaint(row: &Row, run: &TaskFuture) -> Option<String> {
    let outcome = block_on(run.outcome());
    let is_right = match (&row.must, &*outcome) {
        (Must::Complete(wanted), Outcome::Completed(value)) => value.to_wave() == *wanted,
        (Must::Err(wanted), Outcome::Failed(Failure::Error(error))) => error.to_wave().contains(wanted),
        (Must::Trap(wanted), Outcome::Failed(Failure::Trap(trap))) => trap.message.contains(wanted),
        (Must::Exit(wanted), Outcome::Failed(Failure::Exit { code, .. })) => code == wanted,
        (Must::Reach(kind), Outcome::Failed(failure @ Failure::Limit { limit, .. })) => {
            limit.kind == *kind && names_the_limit(*kind, failure)
        }
        (Must::TimeOut, Outcome::Failed(Failure::TimedOut { .. })) => true,
        (Must::BeCancelled, Outcome::Cancelled) => true,
        _ => false,
    };
    (!is_right).then(|| format!("{}: expected {:?}, found {outcome:?}", row.tries, row.must))
}

/// Whether people are told which limit it was, and how it is raised if it can be.
fn names_the_limit(kind: LimitKind, failure: &Failure) -> bool {
    let told = failure.to_string();
    kind.option().is_none_or(|option| told.contains(&format!("(raise it with --{option})")))
}

/// Runs a row to its end, and says what was wrong.
fn run(loaded: &Loaded, row: &Row, place: &Place) -> Option<String> {
    let task = match (loaded.task(row, place), &row.must) {
        (Ok(task), _) => task,
        (Err(error), Must::NotLoad(wanted)) if error.contains(wanted) => return None,
        (Err(error), must) => return Some(format!("{}: expected {must:?}, found {error}", row.tries)),
    };
    let run = task.submit(args_of(&task, row, place)).unwrap();
    if row.must == Must::BeCancelled {
        crate::until_running(&run);
        assert!(run.cancel());
    }
    complaint(row, &run)
}

#[test]
fn each_of_them_ends_as_it_must_and_the_host_goes_on() {
    let place = Place::new();
    let host = build(settings());
    let add = task(&host, ARITH, "add");
    let rows = rows();
    let loaded = Loaded::new(&host, &rows);
    let mut complaints = Vec::new();
    for row in &rows {
        complaints.extend(run(&loaded, row, &place));
        // The one beside it is untouched, and nothing of the hostile one remains.
        assert_eq!(block_on(add.submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3, "{}", row.tries);
        assert_eq!(host.memory_bytes(), 0, "{}", row.tries);
    }
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), rows.len(), complaints.join("\n"));
    assert!(rows.len() >= 45, "{}", rows.len());
    assert!(place.was_left_alone(), "someone got where no grant leads");
}
