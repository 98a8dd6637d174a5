//! Submissions with a claim: what two calls would have done, or nothing.

use hostel_core::journal::{
    ClaimRequest, Journal, JournalConflict, JournalError, MAX_CLAIMED, MAX_SUBMITTED, Submitted,
};
use hostel_core::{RunFilter, RunSpec, State, Unique};

use crate::cases;
use crate::world::{
    LEASE, at, claim, claim_one, conflict, entry, fence, found, id, ids, numbers, queue, request, spec,
    spec_with, submit, submit_some, until,
};

cases![
    a_run_is_claimed_when_it_is_stored,
    what_comes_first_in_order_is_claimed_with_it,
    what_is_due_later_is_stored_and_not_claimed,
    what_the_claim_does_not_ask_for_is_stored_and_not_claimed,
    a_run_that_is_there_is_claimed_if_nobody_has_it,
    the_holder_of_a_key_is_claimed_in_place_of_its_duplicate,
    nothing_is_claimed_with_a_submission_that_is_refused,
    nothing_is_stored_with_a_claim_that_is_refused,
];

fn a_run_is_claimed_when_it_is_stored(journal: &dyn Journal) {
    let (submitted, claimed) =
        journal.submit_and_claim(at(5), &[spec(1), spec(2)], &request("w", 1, 5)).unwrap();
    assert_eq!(submitted, [Submitted::New, Submitted::New]);
    assert_eq!(claimed, [entry(journal, 1)]);
    assert_eq!((claimed[0].state(), claimed[0].version()), (State::Pending, 1));
    assert_eq!(until(&claimed[0]), Some(at(5).after(LEASE)));
    assert_eq!(journal.events(0, 10).unwrap().len(), 2);
    assert_eq!(ids(&claim(journal, "other", 9, 6)), numbers([2]));
    assert!(fence(&entry(journal, 1)) < fence(&entry(journal, 2)));
}

fn what_comes_first_in_order_is_claimed_with_it(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 7, None), spec_with(2, -7, None)]);
    let (_, claimed) = journal.submit_and_claim(at(1), &[spec(3)], &request("w", 2, 5)).unwrap();
    assert_eq!(ids(&claimed), numbers([1, 3]));
}

fn what_is_due_later_is_stored_and_not_claimed(journal: &dyn Journal) {
    let late = spec_with(1, 0, Some(50));
    let (submitted, claimed) = journal.submit_and_claim(at(5), &[late], &request("w", 1, 5)).unwrap();
    assert_eq!((submitted.as_slice(), claimed.as_slice()), ([Submitted::New].as_slice(), [].as_slice()));
    assert_eq!(entry(journal, 1).state(), State::Scheduled);
    claim_one(journal, 1, 50);
}

fn what_the_claim_does_not_ask_for_is_stored_and_not_claimed(journal: &dyn Journal) {
    let request = ClaimRequest { queues: vec![queue("here")], ..request("w", 9, 5) };
    let runs = [spec(1), RunSpec { queue: queue("here"), ..spec(2) }];
    let (_, claimed) = journal.submit_and_claim(at(5), &runs, &request).unwrap();
    assert_eq!(ids(&claimed), numbers([2]));
    assert_eq!(entry(journal, 1).claim(), None);
}

fn a_run_that_is_there_is_claimed_if_nobody_has_it(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let (submitted, claimed) = journal.submit_and_claim(at(5), &[spec(1)], &request("w", 1, 5)).unwrap();
    assert_eq!((submitted, ids(&claimed)), (vec![Submitted::Existing], numbers([1])));
    let (submitted, claimed) = journal.submit_and_claim(at(6), &[spec(1)], &request("v", 1, 6)).unwrap();
    assert_eq!((submitted, ids(&claimed)), (vec![Submitted::Existing], numbers([])));
}

fn the_holder_of_a_key_is_claimed_in_place_of_its_duplicate(journal: &dyn Journal) {
    let keyed = |number| RunSpec { unique: Some(Unique::new("k")), ..spec(number) };
    submit(journal, [keyed(1)]);
    let (submitted, claimed) = journal.submit_and_claim(at(5), &[keyed(2)], &request("w", 9, 5)).unwrap();
    assert_eq!((submitted, ids(&claimed)), (vec![Submitted::Duplicate { of: id(1) }], numbers([1])));
    assert_eq!(journal.get(id(2)).unwrap(), None);
}

fn nothing_is_claimed_with_a_submission_that_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let runs = [spec(3), spec_with(2, 1, None)];
    for runs in [&runs[..], &runs[1..]] {
        let error = conflict(journal.submit_and_claim(at(5), runs, &request("w", 9, 5)));
        assert_eq!(error, JournalConflict::OtherSpec { run: id(2) });
    }
    let runs: Vec<_> = (0..=MAX_SUBMITTED as u64).map(spec).collect();
    let error = journal.submit_and_claim(at(5), &runs, &request("w", 9, 5)).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { .. }), "{error}");
    assert_eq!(found(journal, &RunFilter::new()), numbers([2, 1]));
    assert_eq!([1, 2].map(|number| entry(journal, number).claim().cloned()), [None, None]);
    assert_eq!(journal.events(0, 10).unwrap().len(), 2);
}

fn nothing_is_stored_with_a_claim_that_is_refused(journal: &dyn Journal) {
    let error = journal.submit_and_claim(at(5), &[spec(1)], &request("w", MAX_CLAIMED + 1, 5)).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(journal.get(id(1)).unwrap(), None);
}
