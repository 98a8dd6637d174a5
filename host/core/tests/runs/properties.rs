//! What holds for all options, runs, facts, records and schedules.

use hostel_core::{IllegalFact, RunFact, RunRecord, RunSpec, Schedule, State, TaskSpec, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategy::{fact, later_fact, run_spec, schedule, task_spec};

const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

/// The record of a run, and the facts that it took.
fn lived(spec: RunSpec, facts: Vec<RunFact>) -> (RunRecord, Vec<(Timestamp, RunFact)>) {
    let mut record = RunRecord::born(at(1), spec.clone());
    let mut taken = vec![(at(1), RunFact::Born(spec.into()))];
    for (fact, time) in facts.into_iter().zip(2..) {
        let before = record.clone();
        match record.apply(at(time), fact.clone()) {
            Ok(()) => taken.push((at(time), fact)),
            Err(_) => assert_eq!(record, before, "an illegal fact changes nothing"),
        }
    }
    (record, taken)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn options_are_written_and_read_the_same(spec in task_spec()) {
        prop_assert_eq!(TaskSpec::decode(&spec.encode()), Ok(spec));
    }

    #[test]
    fn runs_are_written_and_read_the_same(run in run_spec()) {
        prop_assert_eq!(RunSpec::decode(&run.encode()), Ok(run.clone()));
        let alone = run.encode_without_options();
        prop_assert_eq!(RunSpec::decode_with_options(&alone, run.spec.clone()), Ok(run));
    }

    #[test]
    fn schedules_are_written_and_read_the_same(schedule in schedule()) {
        prop_assert_eq!(Schedule::decode(&schedule.encode()), Ok(schedule));
    }

    #[test]
    fn facts_are_written_and_read_the_same(fact in fact()) {
        prop_assert_eq!(RunFact::decode(&fact.encode()), Ok(fact));
    }

    #[test]
    fn records_are_written_and_read_the_same(spec in run_spec(), facts in vec(later_fact(), 0..40)) {
        let (record, taken) = lived(spec, facts);
        prop_assert_eq!(RunRecord::replay(taken.iter().cloned()), Ok(record.clone()));
        prop_assert_eq!(record.facts().count(), taken.len());
        prop_assert_eq!(RunRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_journal_without_local_facts_leads_to_the_same_state(
        spec in run_spec(),
        facts in vec(later_fact(), 0..40),
    ) {
        let (record, mut taken) = lived(spec, facts);
        taken.retain(|(_, fact)| !fact.is_local());
        let read: Result<_, IllegalFact> = RunRecord::replay(taken.iter().cloned());
        let read = read.unwrap();
        let waits = record.state() == State::AwaitingConcurrencySlot;
        prop_assert_eq!(read.state(), if waits { State::Pending } else { record.state() });
        prop_assert_eq!((read.version(), read.outcome()), (record.version(), record.outcome()));
        prop_assert_eq!(taken.len() as u64, record.version());
    }
}
