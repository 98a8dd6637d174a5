//! Firing the schedules of a journal: which of their slots are due, and the runs that these lead to.

mod script;
mod thread;

use std::sync::Arc;
use std::time::Duration;

pub use self::script::script_arguments_of;
pub use self::thread::ScheduleThread;
use hostel_core::journal::{Journal, JournalError, Page};
use hostel_core::{
    ComponentRef, ErrorKind, InputSpec, Name, Param, RunFilter, RunId, RunSpec, State, StoredValue, TaskKey,
    Timestamp,
};
pub use hostel_core::{
    Firing, Missed, Overlap, Schedule, ScheduleError, ScheduleName, ScheduleNameError, SchedulePolicyError,
    When,
};
pub use hostel_journal::{
    DueSchedule, FireSchedule, Fired, FiredSlot, MAX_FIRED, MAX_SCHEDULES, SlotEnd, SqliteJournal,
    StoredSchedule,
};
pub use hostel_schedule::{CronTextError, DueSlots, Timetable, TimetableError, zones};

use crate::error::in_full;
use crate::ids::new_run_id;
use crate::registry::{Registry, RegistryError, Resolved};
use crate::task::Task;

/// The most schedules that one call fires or looks at. Those behind them have their turn when the first ones have fired.
const MAX_DUE: usize = 20 * MAX_SCHEDULES;

/// So many failures of the journal end a call.
const MAX_FAILURES: usize = 10;

/// How much later to look again at schedules that are due and cannot fire now.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    /// How many schedules wait for their earlier runs to end ([`Overlap::QueueOne`]).
    pub waiting: u64,
    /// The schedules that submitted nothing because of an error, by name, each with the error. If the task was not found, the slots have
    /// passed; after an error of the journal they stay due.
    pub failed: Vec<(Arc<str>, String)>,
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
/// A schedule that fails does not keep the others from firing.
///
/// # Errors
///
/// Those of the journal, if it fails again and again. Some schedules may have fired.
pub fn fire_due(
    journal: &SqliteJournal,
    now: Timestamp,
    resolve: impl Fn(&Schedule) -> Result<ScheduledTask, String>,
) -> Result<FiredDue, JournalError> {
    let mut all = FiredDue::default();
    let mut stays_due = 0_usize;
    let mut failures = 0;
    let mut last: Option<DueSchedule> = None;
    for _ in 0..MAX_DUE.div_ceil(MAX_SCHEDULES) {
        let page = journal.due_schedules(now, last.as_ref(), MAX_SCHEDULES)?;
        for due in &page {
            match fire_one(journal, due, now, &resolve, &mut all) {
                Ok(has_fired) => stays_due += usize::from(!has_fired),
                Err(error) => {
                    failures += 1;
                    stays_due += 1;
                    if failures >= MAX_FAILURES {
                        return Err(error);
                    }
                    all.failed.push((Arc::clone(&due.name), in_full(&error)));
                }
            }
        }
        let is_full = page.len() >= MAX_SCHEDULES;
        last = page.into_iter().last();
        if !is_full {
            break;
        }
    }
    let next = journal.next_schedule()?;
    let is_stuck = stays_due > 0 && next.is_some_and(|next| next <= now);
    all.next = if is_stuck { Some(now.after(LOOK_AGAIN)) } else { next };
    Ok(all)
}

/// Fires one schedule. `false` if it stays due.
fn fire_one(
    journal: &SqliteJournal,
    due: &DueSchedule,
    now: Timestamp,
    resolve: &impl Fn(&Schedule) -> Result<ScheduledTask, String>,
    all: &mut FiredDue,
) -> Result<bool, JournalError> {
    let stored = match &due.schedule {
        Ok(stored) => stored,
        Err(error) => {
            all.failed.push((Arc::clone(&due.name), format!("it cannot be read: {error}")));
            return Ok(false);
        }
    };
    let waits = |all: &mut FiredDue| {
        all.waiting += 1;
        Ok(false)
    };
    // Before the task is looked up and the journal is locked, since this may last.
    if stored.schedule.overlap == Overlap::QueueOne && has_unfinished(journal, &stored.schedule.name)? {
        return waits(all);
    }
    let (Some(fire), failed) = plan(stored, now, resolve) else { return Ok(true) };
    match journal.fire(&fire)? {
        Fired::Superseded => {}
        Fired::Waits => return waits(all),
        Fired::Slots(slots) => {
            for slot in slots {
                all.submitted += u64::from(matches!(slot.end, SlotEnd::Submitted(_)));
                all.skipped += u64::from(slot.end == SlotEnd::Skipped);
            }
            all.failed.extend(failed.map(|error| (Arc::clone(&due.name), error)));
        }
    }
    Ok(true)
}

/// Whether a run of the schedule has not ended.
fn has_unfinished(journal: &SqliteJournal, name: &ScheduleName) -> Result<bool, JournalError> {
    let unfinished = State::ALL.into_iter().filter(|state| !state.is_terminal());
    let filter = RunFilter::new().schedule(name.as_str()).states(unfinished);
    Ok(!journal.find(&filter, Page::first(1))?.runs.is_empty())
}

/// A run of a schedule was not submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunNowError {
    /// There is no schedule of this name.
    #[error("there is no schedule {name}")]
    NotFound {
        /// The name.
        name: ScheduleName,
    },
    /// Its task cannot be found, or does not fit any more.
    #[error("the schedule {name} cannot submit a run: {reason}")]
    Task {
        /// The name.
        name: ScheduleName,
        /// What is wrong.
        reason: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl RunNowError {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Task { .. } => ErrorKind::Invalid,
            Self::Journal(error) => error.kind(),
        }
    }
}

/// Submits a run of a schedule that is due at once, also while the schedule is paused. Its own times do not change, and earlier runs do not
/// matter; but the new one is one of the earlier ones when the schedule fires next. Blocks.
///
/// # Errors
///
/// [`RunNowError`]. Nothing has changed then.
pub fn run_now(
    journal: &SqliteJournal,
    name: &ScheduleName,
    now: Timestamp,
    resolve: impl FnOnce(&Schedule) -> Result<ScheduledTask, String>,
) -> Result<RunId, RunNowError> {
    let stored = journal.schedule(name)?.ok_or_else(|| RunNowError::NotFound { name: name.clone() })?;
    let task = resolve(&stored.schedule);
    let task = task.map_err(|reason| RunNowError::Task { name: name.clone(), reason })?;
    let mut run = stored.schedule.run(now, new_run_id(), task, now);
    // Without the delay of a slot.
    run.due = None;
    let id = run.id;
    journal.submit(now, &[run])?;
    Ok(id)
}

/// The inputs of a run by the names of their parameters, for [`Schedule::arguments`]: a later version of the task may have them in another
/// order.
pub fn arguments_of(task: &Task, run: &RunSpec) -> Vec<(Name, StoredValue)> {
    let params = task.guest_signature().params.iter();
    let named = params.zip(&run.inputs);
    named.filter_map(|(param, input)| Some((param.name.clone(), input.as_value()?.clone()))).collect()
}

/// The task that a schedule stands for now in a registry, with its inputs: for [`fire_due`]. Blocks.
///
/// If its runs have grants, a name stands for the last of the versions that someone who may grant has registered or accepted
/// ([`Registry::resolve_trusted`]): nobody else gets these grants with a new version.
///
/// # Errors
///
/// Why there is none, in words: the component is not registered, or its function has changed since the schedule was added.
pub fn resolve(registry: &Registry, schedule: &Schedule) -> Result<ScheduledTask, String> {
    let (source, export) = schedule.task.rsplit_once('#').ok_or("its task has no export")?;
    let source: ComponentRef = source.parse().map_err(|error| format!("{error}"))?;
    let digest = match schedule.spec.grants.is_empty() {
        true => registry.resolve(&source),
        false => registry.resolve_trusted(&source),
    };
    let digest = ComponentRef::Digest(digest.map_err(|error| error.to_string())?.digest);
    let component = registry.component(&digest).map_err(|error| error.to_string())?;
    if let Some(of_script) = &component.manifest.script {
        return script::resolve(registry, schedule, &component.manifest, of_script, export);
    }
    let (export, signature) = component.manifest.task(Some(export)).map_err(|error| error.to_string())?;
    let inputs = signature.params.iter().map(|param| input(schedule, param));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    if inputs.len() < schedule.arguments.len() {
        return Err("the task has lost a parameter: add the schedule again".to_owned());
    }
    Ok((TaskKey { component: component.manifest.digest, export: export.path.clone() }, inputs))
}

/// Why a schedule with grants does not use the version that its name stands for otherwise, in words. `None` if it does. Blocks.
///
/// # Errors
///
/// Those of the registry's medium.
pub fn held_back(registry: &Registry, schedule: &Schedule) -> Result<Option<String>, RegistryError> {
    if schedule.spec.grants.is_empty() {
        return Ok(None);
    }
    let source = schedule.task.rsplit_once('#').and_then(|(source, _)| source.parse::<ComponentRef>().ok());
    let Some(source) = source else { return Ok(None) };
    let resolve = |found: Result<Resolved, RegistryError>| match found {
        Ok(resolved) => Ok(Ok(resolved)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => Ok(Err(error)),
        Err(error) => Err(error),
    };
    let newest = resolve(registry.resolve(&source))?;
    let used = resolve(registry.resolve_trusted(&source))?;
    Ok(match (newest, used) {
        (Ok(newest), Ok(used)) if newest.digest != used.digest => {
            let version = |resolved: Resolved| resolved.version.map(|version| version.version.to_string());
            let (newest, used) = (version(newest).unwrap_or_default(), version(used).unwrap_or_default());
            Some(format!(
                "its runs have grants, so it uses {source}@{used} and not {newest}, which nobody who may grant has registered or accepted"
            ))
        }
        (_, Err(error)) => Some(format!("it submits nothing: {error}")),
        (Ok(_) | Err(_), Ok(_)) => None,
    })
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
    // A slot that waited for an earlier run was not missed.
    let missed = if schedule.overlap == Overlap::QueueOne { Missed::Last } else { schedule.missed };
    let slots = timetable.due_slots(before, now, missed, MAX_FIRED);
    if slots.slots.is_empty() {
        return (Some(fire(Vec::new(), slots.next)), None);
    }
    match resolve(schedule) {
        Ok(task) => {
            let run = |slot| schedule.run(slot, new_run_id(), task.clone(), now);
            let runs = slots.slots.iter().map(|slot| (*slot, run(*slot)));
            (Some(fire(runs.collect(), slots.next)), None)
        }
        Err(error) => (Some(fire(Vec::new(), slots.next)), Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use hostel_core::journal::Cancellation;
    use hostel_core::{Digest, ExportPath};

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
        let failed = vec![("often".into(), "no component math".to_owned())];
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
    fn a_slot_waits_for_the_earlier_run_and_the_newest_fires_when_that_has_ended() {
        let (_dir, journal) = journal_with(&Schedule { overlap: Overlap::QueueOne, ..every(60) }, 1_000);
        fire_due(&journal, at(1_020), task).unwrap();
        for now in [1_080, 1_150, 1_210] {
            let fired = fire_due(&journal, at(now), task).unwrap();
            assert_eq!((fired.submitted, fired.skipped, fired.waiting), (0, 0, 1));
            assert_eq!(fired.next, Some(at(now + 1)), "nobody looks all the time");
        }
        let run = journal.find(&RunFilter::new(), Page::first(1)).unwrap().runs[0].run;
        assert_eq!(journal.cancel(at(1_210), run).unwrap(), Cancellation::Now);
        let fired = fire_due(&journal, at(1_215), task).unwrap();
        assert_eq!((fired.submitted, fired.waiting, fired.next), (1, 0, Some(at(1_260))));
        assert_eq!(slots(&journal), [1_020, 1_200]);
    }

    #[test]
    fn a_schedule_that_fails_keeps_no_other_from_firing() {
        let (dir, journal) = journal_with(&every(60), 1_000);
        let named = |name: &str| Schedule { name: name.parse().unwrap(), ..every(60) };
        ["a-damaged", "b-lost", "z"]
            .iter()
            .for_each(|name| _ = add_schedule(&journal, &named(name), at(1_000)));
        let db = rusqlite::Connection::open(dir.path().join("journal-1.db")).unwrap();
        db.execute("UPDATE schedule SET body = x'07' WHERE name = 'a-damaged'", []).unwrap();
        let resolve = |schedule: &Schedule| match schedule.name.as_str() {
            "b-lost" => Err("no component".to_owned()),
            _ => task(schedule),
        };
        let fired = fire_due(&journal, at(1_020), resolve).unwrap();
        let failed: Vec<_> = fired.failed.iter().map(|(name, _)| &**name).collect();
        assert_eq!((fired.submitted, failed), (2, vec!["a-damaged", "b-lost"]));
        assert!(fired.failed[0].1.starts_with("it cannot be read: "), "{:?}", fired.failed);
        assert_eq!(fired.next, Some(at(1_021)));
    }

    #[test]
    fn a_run_may_be_submitted_between_the_times() {
        let (_dir, journal) = journal_with(&Schedule { overlap: Overlap::Skip, ..every(60) }, 1_000);
        let name: ScheduleName = "often".parse().unwrap();
        let run = run_now(&journal, &name, at(1_001), task).unwrap();
        let entry = journal.get(run).unwrap().unwrap();
        assert_eq!((entry.due(), slots(&journal)), (at(1_001), vec![1_001]));
        let fired = fire_due(&journal, at(1_020), task).unwrap();
        assert_eq!((fired.submitted, fired.skipped), (0, 1), "the run has not ended");
        let error = run_now(&journal, &name, at(1_021), |_| Err("no component".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "the schedule often cannot submit a run: no component");
        let unknown = run_now(&journal, &"other".parse().unwrap(), at(1_021), task).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
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
