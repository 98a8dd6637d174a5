//! Schedules in a journal: each slot leads to one run at most.

use std::thread;
use std::time::Duration;

use hostel_core::journal::{Cancellation, Journal as _};
use hostel_core::{
    Digest, ExportPath, Overlap, RunFilter, RunId, RunSpec, Schedule, State, TaskKey, Timestamp, When,
};
use hostel_journal::{FireSchedule, Fired, FiredSlot, MAX_FIRED, SlotEnd, SqliteJournal};
use tempfile::TempDir;

use crate::scene::{at, directory, id, open};

/// Every second, from the beginning of 1970.
fn schedule(name: &str, overlap: Overlap) -> Schedule {
    let when = When::Every { interval: Duration::from_secs(1), anchor: at(0) };
    Schedule { overlap, ..Schedule::new(name.parse().unwrap(), "math#add", when) }
}

fn second(number: u64) -> Timestamp {
    at(number * 1_000_000_000)
}

/// A run with an id of its own for the slot.
fn run(schedule: &Schedule, number: u64, slot: u64) -> RunSpec {
    let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
    schedule.run(second(slot), id(number), (task, Vec::new()), second(slot))
}

/// Fires one slot, of which the run has the slot's number as its id.
fn fire(journal: &SqliteJournal, schedule: &Schedule, slot: u64) -> Fired {
    let slots = vec![(second(slot), run(schedule, slot, slot))];
    let name = schedule.name.clone();
    let fire =
        FireSchedule { name, expected: second(slot), slots, next: Some(second(slot + 1)), at: second(slot) };
    journal.fire(&fire).unwrap()
}

fn submitted(slot: u64) -> Fired {
    Fired::Slots(vec![FiredSlot { slot: second(slot), end: SlotEnd::Submitted(id(slot)) }])
}

fn skipped(slot: u64) -> Fired {
    Fired::Slots(vec![FiredSlot { slot: second(slot), end: SlotEnd::Skipped }])
}

fn state(journal: &SqliteJournal, run: RunId) -> State {
    journal.get(run).unwrap().unwrap().state()
}

fn with(overlap: Overlap) -> (TempDir, SqliteJournal, Schedule) {
    let dir = directory();
    let journal = open(&dir);
    let schedule = schedule("every-second", overlap);
    assert!(journal.add_schedule(&schedule, Some(second(1)), at(5)).unwrap());
    (dir, journal, schedule)
}

#[test]
fn schedules_are_stored_changed_and_removed() {
    let (dir, journal, mut schedule) = with(Overlap::Allow);
    assert!(!journal.add_schedule(&schedule, None, at(6)).unwrap(), "the name is taken");
    let stored = journal.schedule(&schedule.name).unwrap().unwrap();
    assert_eq!((&stored.schedule, stored.created), (&schedule, at(5)));
    assert_eq!((stored.next, stored.last), (Some(second(1)), None));
    assert_eq!(journal.next_schedule().unwrap(), Some(second(1)));

    let other = self::schedule("other", Overlap::Skip);
    assert!(!journal.change_schedule(&other, None).unwrap());
    journal.add_schedule(&other, Some(second(2)), at(7)).unwrap();
    // Another process sees the same.
    let second_journal = open(&dir);
    let names = |after: Option<&Schedule>| {
        let found = second_journal.schedules(after.map(|schedule| &schedule.name), 10).unwrap();
        found.iter().map(|stored| stored.schedule.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["every-second", "other"]);
    assert_eq!(names(Some(&schedule)), ["other"]);
    let due = |now| second_journal.due_schedules(now, None, 10).unwrap().len();
    assert_eq!([due(at(5)), due(second(1)), due(second(2))], [0, 1, 2]);

    // A paused schedule is never due, whatever the next slot would be.
    schedule.paused = true;
    assert!(journal.change_schedule(&schedule, Some(second(1))).unwrap());
    assert_eq!((due(second(9)), journal.next_schedule().unwrap()), (1, Some(second(2))));
    assert_eq!(fire(&journal, &schedule, 1), Fired::Superseded);

    assert!(journal.remove_schedule(&other.name).unwrap());
    assert!(!journal.remove_schedule(&other.name).unwrap());
    assert_eq!((names(None), journal.next_schedule().unwrap()), (vec!["every-second".to_owned()], None));
}

#[test]
fn a_slot_fires_with_its_run_and_sets_the_next_one() {
    let (_dir, journal, schedule) = with(Overlap::Allow);
    assert_eq!(fire(&journal, &schedule, 1), submitted(1));
    let stored = journal.schedule(&schedule.name).unwrap().unwrap();
    assert_eq!((stored.next, stored.last), (Some(second(2)), Some(second(1))));
    let entry = journal.get(id(1)).unwrap().unwrap();
    assert_eq!(*entry.record().spec(), run(&schedule, 1, 1));
    // It has fired, so what expects it is too late.
    assert_eq!(fire(&journal, &schedule, 1), Fired::Superseded);
    // The clock was set back, and somebody computed the slot anew.
    journal.change_schedule(&schedule, Some(second(1))).unwrap();
    let again = Fired::Slots(vec![FiredSlot { slot: second(1), end: SlotEnd::Repeated }]);
    assert_eq!(fire(&journal, &schedule, 1), again);
    assert_eq!(journal.counts().unwrap().total(), 1);
}

#[test]
fn missed_slots_may_be_left_out() {
    let (_dir, journal, schedule) = with(Overlap::Allow);
    let name = schedule.name.clone();
    let none =
        FireSchedule { name, expected: second(1), slots: Vec::new(), next: Some(second(9)), at: second(8) };
    assert_eq!(journal.fire(&none).unwrap(), Fired::Slots(Vec::new()));
    assert_eq!(journal.next_schedule().unwrap(), Some(second(9)));
    let end = FireSchedule { expected: second(9), next: None, ..none };
    journal.fire(&end).unwrap();
    assert_eq!(journal.next_schedule().unwrap(), None);
}

#[test]
fn earlier_runs_that_have_not_ended_count_as_the_policy_says() {
    let (_dir, journal, schedule) = with(Overlap::Allow);
    assert_eq!([1, 2].map(|slot| fire(&journal, &schedule, slot)), [1, 2].map(submitted));

    let (_dir, journal, schedule) = with(Overlap::Skip);
    assert_eq!([fire(&journal, &schedule, 1), fire(&journal, &schedule, 2)], [submitted(1), skipped(2)]);
    assert_eq!(journal.cancel(at(9), id(1)).unwrap(), Cancellation::Now);
    assert_eq!(fire(&journal, &schedule, 3), submitted(3));

    let (_dir, journal, schedule) = with(Overlap::QueueOne);
    assert_eq!([1, 2].map(|slot| fire(&journal, &schedule, slot)), [submitted(1), Fired::Waits]);
    assert_eq!(journal.next_schedule().unwrap(), Some(second(2)), "it stays due");
    assert_eq!(journal.cancel(at(9), id(1)).unwrap(), Cancellation::Now);
    assert_eq!(fire(&journal, &schedule, 2), submitted(2));

    let (_dir, journal, schedule) = with(Overlap::CancelRunning);
    assert_eq!([1, 2].map(|slot| fire(&journal, &schedule, slot)), [1, 2].map(submitted));
    assert_eq!(state(&journal, id(1)), State::Cancelled);
    assert_ne!(state(&journal, id(2)), State::Cancelled);
}

#[test]
fn due_schedules_are_listed_in_pages_also_beside_one_that_is_damaged() {
    let (dir, journal, _) = with(Overlap::Allow);
    for (name, slot) in [("b", 1), ("a", 2), ("c", 2), ("d", 3)] {
        journal.add_schedule(&schedule(name, Overlap::Allow), Some(second(slot)), at(5)).unwrap();
    }
    let db = rusqlite::Connection::open(dir.path().join("journal-1.db")).unwrap();
    db.execute("UPDATE schedule SET body = x'07' WHERE name = 'c'", []).unwrap();
    let mut found = Vec::new();
    while let [due] = &*journal.due_schedules(second(2), found.last(), 1).unwrap() {
        found.push(due.clone());
    }
    let names: Vec<_> = found.iter().map(|due| (&*due.name, due.schedule.is_ok())).collect();
    assert_eq!(names, [("b", true), ("every-second", true), ("a", true), ("c", false)]);
}

#[test]
fn runs_of_other_schedules_do_not_count() {
    let (_dir, journal, one) = with(Overlap::Skip);
    let other = schedule("other", Overlap::Skip);
    journal.add_schedule(&other, Some(second(2)), at(5)).unwrap();
    assert_eq!([fire(&journal, &one, 1), fire(&journal, &other, 2)], [submitted(1), submitted(2)]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let (_dir, journal, schedule) = with(Overlap::Allow);
    let name = schedule.name.clone();
    // The second run has the id of the first, and is another one.
    let slots = vec![(second(1), run(&schedule, 1, 1)), (second(2), run(&schedule, 1, 2))];
    let wrong = FireSchedule { name, expected: second(1), slots, next: Some(second(3)), at: second(2) };
    journal.fire(&wrong).unwrap_err();
    assert_eq!(journal.counts().unwrap().total(), 0);
    assert_eq!(journal.next_schedule().unwrap(), Some(second(1)));
    assert_eq!(fire(&journal, &schedule, 1), submitted(1));

    let slots = (0..=MAX_FIRED as u64).map(|slot| (second(slot), run(&schedule, slot, slot))).collect();
    journal.fire(&FireSchedule { slots, ..wrong }).unwrap_err();
}

#[test]
fn many_processes_fire_each_slot_once() {
    const SLOTS: u64 = 40;
    let (dir, journal, schedule) = with(Overlap::Allow);
    let schedule = &schedule;
    let fired: Vec<u64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..3_u64)
            .map(|worker| {
                let journal = open(&dir);
                scope.spawn(move || {
                    let mut fired = 0;
                    while let Some(next) = journal.next_schedule().unwrap() {
                        let slot = next.unix_nanos() / 1_000_000_000;
                        if slot > SLOTS {
                            break;
                        }
                        // Each of them has a run of its own for the slot.
                        let slots = vec![(next, run(schedule, worker * 1_000 + slot, slot))];
                        let (name, following) = (schedule.name.clone(), Some(second(slot + 1)));
                        let fire = FireSchedule { name, expected: next, slots, next: following, at: next };
                        fired += u64::from(journal.fire(&fire).unwrap() != Fired::Superseded);
                    }
                    fired
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(fired.iter().sum::<u64>(), SLOTS);
    assert_eq!(journal.counts().unwrap().total(), SLOTS);
    let filter = RunFilter::new().schedule("every-second");
    let found = journal.find(&filter, hostel_core::journal::Page::first(1_000)).unwrap();
    let mut slots: Vec<_> = found.runs.iter().map(|head| journal.get(head.run).unwrap().unwrap()).collect();
    slots.sort_by_key(|entry| entry.record().spec().due);
    let due: Vec<_> =
        slots.iter().map(|entry| entry.record().spec().schedule.clone().unwrap().slot).collect();
    assert_eq!(due, (1..=SLOTS).map(second).collect::<Vec<_>>());
}
