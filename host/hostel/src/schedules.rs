//! Firing the schedules of a journal: which of their slots are due, and the runs that these lead to.

use hostel_core::journal::JournalError;
use hostel_core::{ComponentRef, ErrorKind, InputSpec, Param, TaskKey, Timestamp};
pub use hostel_core::{
    Firing, Missed, Overlap, Schedule, ScheduleError, ScheduleName, ScheduleNameError, SchedulePolicyError,
    When,
};
pub use hostel_journal::{
    FireSchedule, Fired, FiredSlot, MAX_FIRED, MAX_SCHEDULES, SlotEnd, SqliteJournal, StoredSchedule,
};
pub use hostel_schedule::{CronTextError, DueSlots, Timetable, TimetableError, zones};

use crate::ids::new_id;
use crate::registry::Registry;

/// The task that a schedule's reference stands for now, and its inputs in the order of the task's parameters.
pub type ScheduledTask = (TaskKey, Vec<InputSpec>);

/// What [`fire_due`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredDue {
    /// How many runs were submitted.
    pub submitted: u64,
    /// How many slots passed without a run, because earlier runs had not ended.
    pub skipped: u64,
    /// The schedules whose slots passed without a run because of an error, each with the error.
    pub failed: Vec<(ScheduleName, String)>,
    /// When the next schedule is due; not after `now`, if there are more to fire. `None` if none will be due.
    pub next: Option<Timestamp>,
}

/// A schedule cannot be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddScheduleError {
    /// Some part of it is out of range.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// When it is due cannot be computed.
    #[error(transparent)]
    When(#[from] TimetableError),
    /// It is never due again.
    #[error("the schedule {name} is never due again: expected one that is due in the future")]
    Over {
        /// Its name.
        name: ScheduleName,
    },
    /// There is a schedule of this name.
    #[error("there is a schedule {name}: choose another name, or remove that one first")]
    Exists {
        /// The name.
        name: ScheduleName,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl AddScheduleError {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Schedule(error) => error.kind(),
            Self::When(error) => error.kind(),
            Self::Over { .. } => ErrorKind::Invalid,
            Self::Exists { .. } => ErrorKind::Conflict,
            Self::Journal(error) => error.kind(),
        }
    }
}

/// Adds a schedule to a journal, and returns its first slot after `now`. Blocks.
///
/// # Errors
///
/// [`AddScheduleError`]. Nothing has changed then.
pub fn add_schedule(
    journal: &SqliteJournal,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Timestamp, AddScheduleError> {
    schedule.check()?;
    let name = || schedule.name.clone();
    let next = Timetable::new(&schedule.when)?.next_after(now);
    let next = next.ok_or_else(|| AddScheduleError::Over { name: name() })?;
    match journal.add_schedule(schedule, Some(next), now)? {
        true => Ok(next),
        false => Err(AddScheduleError::Exists { name: name() }),
    }
}

/// Fires all schedules that are due, at most a bounded number at once: submits the runs that their policies ask for. Blocks.
///
/// Several processes may call it at once: each slot leads to one run at most. `resolve` returns the task of a schedule; if it
/// returns an error, the slot passes without a run, and the answer has the error.
///
/// # Errors
///
/// Those of the journal. The schedules before the one that failed have fired.
pub fn fire_due(
    journal: &SqliteJournal,
    now: Timestamp,
    resolve: impl Fn(&Schedule) -> Result<ScheduledTask, String>,
) -> Result<FiredDue, JournalError> {
    let mut all = FiredDue::default();
    for due in journal.due_schedules(now, MAX_SCHEDULES)? {
        let (fire, failed) = plan(&due, now, &resolve);
        if let Some(fire) = fire
            && let Fired::Slots(slots) = journal.fire(&fire)?
        {
            for slot in slots {
                all.submitted += u64::from(matches!(slot.end, SlotEnd::Submitted(_)));
                all.skipped += u64::from(slot.end == SlotEnd::Skipped);
            }
            all.failed.extend(failed.map(|error| (due.schedule.name.clone(), error)));
        }
    }
    all.next = journal.next_schedule()?;
    Ok(all)
}

/// The task that a schedule stands for now in a registry, with its inputs: for [`fire_due`]. Blocks.
///
/// # Errors
///
/// Why there is none, in words: the component is not registered, or its function has changed since the schedule was added.
pub fn resolve(registry: &Registry, schedule: &Schedule) -> Result<ScheduledTask, String> {
    let (source, export) = schedule.task.rsplit_once('#').ok_or("its task has no export")?;
    let source: ComponentRef = source.parse().map_err(|error| format!("{error}"))?;
    let component = registry.component(&source).map_err(|error| error.to_string())?;
    let (export, signature) = component.manifest.task(Some(export)).map_err(|error| error.to_string())?;
    let inputs = signature.params.iter().map(|param| input(schedule, param));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    if inputs.len() < schedule.arguments.len() {
        return Err("the task has lost a parameter: add the schedule again".to_owned());
    }
    Ok((TaskKey { component: component.manifest.digest, export: export.path.clone() }, inputs))
}

fn input(schedule: &Schedule, param: &Param) -> Result<InputSpec, String> {
    let found = schedule.arguments.iter().find(|(name, _)| *name == param.name);
    let (_, value) = found.ok_or_else(|| format!("it has no value for the parameter \"{}\"", param.name))?;
    match value.read() {
        Ok(Some((ty, _))) if ty != param.ty => {
            Err(format!("the parameter \"{}\" is {} now: add the schedule again", param.name, param.ty))
        }
        Ok(_) => Ok(InputSpec::Value(value.clone())),
        Err(error) => Err(format!("its value for \"{}\" is damaged: {error}", param.name)),
    }
}

/// What to fire of a schedule, and why not more.
fn plan(
    due: &StoredSchedule,
    now: Timestamp,
    resolve: &impl Fn(&Schedule) -> Result<ScheduledTask, String>,
) -> (Option<FireSchedule>, Option<String>) {
    let schedule = &due.schedule;
    let Some(expected) = due.next else { return (None, None) };
    let fire = |slots, next| FireSchedule { name: schedule.name.clone(), expected, slots, next, at: now };
    // An older version of the time zone database may not know the zone.
    let timetable = match Timetable::new(&schedule.when) {
        Ok(timetable) => timetable,
        Err(error) => return (Some(fire(Vec::new(), None)), Some(error.to_string())),
    };
    // The next slot is the first that has not fired.
    let before = Timestamp::from_unix_nanos(expected.unix_nanos().saturating_sub(1));
    let slots = timetable.due_slots(before, now, schedule.missed, MAX_FIRED);
    if slots.slots.is_empty() {
        return (Some(fire(Vec::new(), slots.next)), None);
    }
    match resolve(schedule) {
        Ok(task) => {
            let run = |slot| schedule.run(slot, new_id(), task.clone(), now);
            let runs = slots.slots.iter().map(|slot| (*slot, run(*slot)));
            (Some(fire(runs.collect(), slots.next)), None)
        }
        Err(error) => (Some(fire(Vec::new(), slots.next)), Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hostel_core::journal::{Journal as _, Page};
    use hostel_core::{Digest, ExportPath, RunFilter};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_nanos(second * SECOND)
    }

    fn every(interval: u64) -> Schedule {
        let when = When::Every { interval: Duration::from_secs(interval), anchor: at(0) };
        Schedule::new("often".parse().unwrap(), "math#add", when)
    }

    fn task(_: &Schedule) -> Result<ScheduledTask, String> {
        Ok((TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") }, Vec::new()))
    }

    fn journal_with(schedule: &Schedule, now: u64) -> (tempfile::TempDir, SqliteJournal) {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(dir.path()).unwrap();
        add_schedule(&journal, schedule, at(now)).unwrap();
        (dir, journal)
    }

    /// The slots of all runs, in seconds.
    fn slots(journal: &SqliteJournal) -> Vec<u64> {
        let found = journal.find(&RunFilter::new().schedule("often"), Page::first(1_000)).unwrap();
        let runs = found.runs.iter().map(|head| journal.get(head.run).unwrap().unwrap());
        let slots = runs.map(|entry| entry.record().spec().schedule.clone().unwrap().slot);
        let mut slots: Vec<_> = slots.map(|slot| slot.unix_nanos() / SECOND).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn a_schedule_fires_when_it_is_due_and_not_before() {
        let (_dir, journal) = journal_with(&every(60), 1_000);
        let fired = fire_due(&journal, at(1_019), task).unwrap();
        assert_eq!(fired, FiredDue { next: Some(at(1_020)), ..FiredDue::default() });
        let fired = fire_due(&journal, at(1_020), task).unwrap();
        assert_eq!((fired.submitted, fired.next), (1, Some(at(1_080))));
        let fired = fire_due(&journal, at(1_021), task).unwrap();
        assert_eq!((fired.submitted, slots(&journal)), (0, vec![1_020]));
    }

    #[test]
    fn missed_slots_fire_as_the_policy_says() {
        let check = |missed, expected: &[u64]| {
            let (_dir, journal) = journal_with(&Schedule { missed, ..every(600) }, 1_000);
            let fired = fire_due(&journal, at(3_100), task).unwrap();
            assert_eq!((slots(&journal), fired.next), (expected.to_vec(), Some(at(3_600))), "{missed}");
        };
        check(Missed::Last, &[3_000]);
        check(Missed::All, &[1_200, 1_800, 2_400, 3_000]);
        check(Missed::None, &[]);
    }

    #[test]
    fn many_missed_slots_fire_in_parts() {
        let (_dir, journal) = journal_with(&Schedule { missed: Missed::All, ..every(1) }, 1_000);
        let most = MAX_FIRED as u64;
        let fired = fire_due(&journal, at(1_000 + 2 * most), task).unwrap();
        assert_eq!((fired.submitted, fired.next), (most, Some(at(1_001 + most))));
        let fired = fire_due(&journal, at(1_000 + 2 * most), task).unwrap();
        assert_eq!((fired.submitted, slots(&journal).len() as u64), (most, 2 * most));
    }

    #[test]
    fn a_slot_without_a_task_passes_with_its_error() {
        let (_dir, journal) = journal_with(&every(60), 1_000);
        let fired = fire_due(&journal, at(1_020), |_| Err("no component math".to_owned())).unwrap();
        let failed = vec![("often".parse().unwrap(), "no component math".to_owned())];
        assert_eq!((fired.failed, fired.next), (failed, Some(at(1_080))));
        assert_eq!(slots(&journal), [0; 0]);
    }

    #[test]
    fn a_run_that_has_not_ended_counts_as_the_policy_says() {
        let (_dir, journal) = journal_with(&Schedule { overlap: Overlap::Skip, ..every(60) }, 1_000);
        fire_due(&journal, at(1_020), task).unwrap();
        let fired = fire_due(&journal, at(1_080), task).unwrap();
        assert_eq!((fired.submitted, fired.skipped, slots(&journal)), (0, 1, vec![1_020]));
    }

    #[test]
    fn what_cannot_be_a_schedule_is_refused() {
        let (_dir, journal) = journal_with(&every(60), 1_000);
        let error = add_schedule(&journal, &every(60), at(1_000)).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().contains("there is a schedule often")),
            (ErrorKind::Conflict, true)
        );
        let check = |when, expected: &str| {
            let error =
                add_schedule(&journal, &Schedule { when, ..every(60) }, at(1_800_000_000)).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        let cron = |expression: &str| When::Cron { expression: expression.into(), zone: "UTC".into() };
        check(cron("0 0 30 2 *"), "invalid cron expression, column 5");
        check(cron("0 0 0 1 1 * 2020"), "the schedule often is never due again");
        check(When::Every { interval: Duration::ZERO, anchor: at(0) }, "the interval cannot be 0ns");
    }
}
