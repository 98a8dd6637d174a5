//! Finding runs, a page at a time.

use hostel_core::journal::{BatchAction, Cursor, Journal, JournalError, Page, Prune};
use hostel_core::{
    Digest, ErrorKind, ExportPath, InputSpec, LANGUAGE_INTERFACE, RunFact, RunFilter, RunId, RunSpec, State,
    StoredValue, TaskKey, Type, Value,
};

use crate::cases;
use crate::world::{
    STARTED, add, at, claim_one, completed, end, found, id, numbers, spec, start, submit, submit_some, task,
};

cases![
    runs_are_found_newest_first,
    a_head_has_what_lists_show,
    a_head_has_the_function_of_a_script,
    runs_are_found_by_state,
    runs_are_found_by_task,
    runs_are_found_by_component,
    runs_are_found_by_tags,
    runs_are_found_by_name,
    runs_are_found_by_time,
    runs_are_found_by_time_in_whatever_order_they_came,
    runs_are_found_by_their_inputs,
    all_parts_of_a_filter_count,
    pages_are_as_long_as_asked_for,
    pages_have_each_match_once,
    pages_hold_while_runs_are_added,
    pages_lead_back,
    the_way_back_is_bounded_and_refuses_as_the_way_there,
    pages_hold_while_runs_are_pruned,
    a_cursor_survives_as_text,
    a_page_has_a_sensible_size,
];

/// All pages of a list.
fn pages(
    journal: &dyn Journal,
    filter: &RunFilter,
    limit: usize,
    mut between: impl FnMut(),
) -> Vec<Vec<RunId>> {
    let mut page = Page::first(limit);
    let mut pages = Vec::new();
    loop {
        let found = journal.find(filter, page).unwrap();
        pages.push(found.runs.iter().map(|head| head.run).collect());
        let Some(next) = found.next else { return pages };
        page.after = Some(next);
        between();
    }
}

fn runs_are_found_newest_first(journal: &dyn Journal) {
    assert_eq!(found(journal, &RunFilter::new()), []);
    submit_some(journal, [5, 2, 9]);
    submit_some(journal, [1]);
    add(journal, 2, 2, [STARTED]).unwrap();
    assert_eq!(found(journal, &RunFilter::new()), numbers([1, 9, 2, 5]));
}

fn a_head_has_what_lists_show(journal: &dyn Journal) {
    let mut run = spec(1);
    run.tags = ["b", "a"].into_iter().collect();
    submit(journal, [run.clone()]);
    start(journal, 1, 3);
    add(journal, 1, 4, [RunFact::Named("n".into())]).unwrap();
    let heads = journal.find(&RunFilter::new(), Page::first(1)).unwrap().runs;
    let head = &heads[0];
    assert_eq!((head.run, &head.task, &*head.name), (id(1), &run.task, "n"));
    assert_eq!((&head.tags, head.priority, head.state), (&run.tags, 0, State::Running));
    assert_eq!((head.version, head.created, head.ended), (3, at(1), None));
    assert_eq!((head.attempts, head.crashes), (1, 0));
    assert_eq!(head.worker.as_ref().map(|worker| worker.as_str()), Some("w"));
    add(journal, 1, 5, [completed()]).unwrap();
    let head = journal.find(&RunFilter::new(), Page::first(1)).unwrap().runs.remove(0);
    assert_eq!((head.state, head.ended, head.worker), (State::Completed, Some(at(5)), None));
}

fn a_head_has_the_function_of_a_script(journal: &dyn Journal) {
    let text = |text: &str| {
        InputSpec::Value(StoredValue::new(&Value::String(text.to_owned()), &Type::String).unwrap())
    };
    let export = ExportPath::in_interface(LANGUAGE_INTERFACE, "call");
    let task = TaskKey { component: Digest::of(b"a runtime"), export };
    let inputs = vec![text("tasks.py"), text("def add(a): ..."), text("add")];
    submit(journal, [RunSpec { task, inputs, ..spec(1) }, spec(2)]);
    start(journal, 1, 3);
    let heads = journal.find(&RunFilter::new(), Page::first(2)).unwrap().runs;
    let functions: Vec<_> = heads.iter().map(|head| head.function.as_deref()).collect();
    assert_eq!(functions, [None, Some("add")]);
    assert_eq!(journal.get(id(1)).unwrap().unwrap().head(), heads[1]);
}

fn runs_are_found_by_state(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    add(journal, 2, 2, [STARTED]).unwrap();
    end(journal, 3, 3);
    let of = |states: &[State]| found(journal, &RunFilter::new().states(states.iter().copied()));
    assert_eq!(of(&[State::Pending]), numbers([1]));
    assert_eq!(of(&[State::Completed, State::Pending]), numbers([3, 1]));
    assert_eq!(of(&[State::Failed]), []);
    assert_eq!(of(&[]), []);
    assert_eq!(of(&State::ALL), numbers([3, 2, 1]));
}

fn runs_are_found_by_task(journal: &dyn Journal) {
    submit(journal, [spec(1), RunSpec { task: task("multiply"), ..spec(2) }, spec(3)]);
    assert_eq!(found(journal, &RunFilter::new().task(&task("add"))), numbers([3, 1]));
    assert_eq!(found(journal, &RunFilter::new().task(&task("ad"))), []);
}

fn runs_are_found_by_component(journal: &dyn Journal) {
    let component = Digest::of(b"other");
    let other = TaskKey { component, ..task("add") };
    submit(journal, [spec(1), RunSpec { task: other, ..spec(2) }]);
    assert_eq!(found(journal, &RunFilter::new().component(component)), numbers([2]));
    assert_eq!(found(journal, &RunFilter::new().task(&task("add"))), numbers([1]));
}

fn runs_are_found_by_tags(journal: &dyn Journal) {
    let tagged = |number, tags: &[&str]| RunSpec { tags: tags.iter().copied().collect(), ..spec(number) };
    let mut by_task = tagged(4, &["b"]);
    by_task.spec = hostel_core::TaskSpec { tags: ["a"].into_iter().collect(), ..Default::default() }.into();
    submit(journal, [tagged(1, &["a"]), tagged(2, &["a", "b"]), tagged(3, &[]), by_task]);
    assert_eq!(found(journal, &RunFilter::new().tag("a")), numbers([4, 2, 1]));
    assert_eq!(found(journal, &RunFilter::new().tag("a").tag("b")), numbers([4, 2]));
    assert_eq!(found(journal, &RunFilter::new().tag("A")), []);
}

fn runs_are_found_by_name(journal: &dyn Journal) {
    submit_some(journal, [1, 2, 3]);
    add(journal, 1, 2, [RunFact::Named("train 50% of_it".into())]).unwrap();
    add(journal, 2, 2, [RunFact::Named("test".into())]).unwrap();
    let of = |text: &str| found(journal, &RunFilter::new().name(text));
    assert_eq!(of("t"), numbers([2, 1]));
    assert_eq!(of("50% of_"), numbers([1]));
    assert_eq!(of("t_st"), []);
    assert_eq!(of("t%"), []);
    assert_eq!(of("Train"), []);
    // The default name.
    assert_eq!(of(&task("add").run_name(id(3))), numbers([3]));
    assert_eq!(of(""), numbers([3, 2, 1]));
}

fn runs_are_found_by_time(journal: &dyn Journal) {
    submit(
        journal,
        [(1, 30), (2, 10), (3, 20)].map(|(number, created)| RunSpec { created: at(created), ..spec(number) }),
    );
    assert_eq!(found(journal, &RunFilter::new().since(at(20))), numbers([3, 1]));
    assert_eq!(found(journal, &RunFilter::new().until(at(20))), numbers([2]));
    assert_eq!(found(journal, &RunFilter::new().since(at(10)).until(at(30))), numbers([3, 2]));
    assert_eq!(found(journal, &RunFilter::new().since(at(30)).until(at(30))), []);
}

fn runs_are_found_by_time_in_whatever_order_they_came(journal: &dyn Journal) {
    let created = |number, now| RunSpec { created: at(now), ..spec(number) };
    let times = [(1, 50), (2, 10), (3, 40), (4, 20), (5, 30), (6, 10), (7, 60)];
    submit(journal, times.map(|(number, now)| created(number, now)));
    end(journal, 8, 9);
    let of = |since, until| found(journal, &RunFilter::new().since(at(since)).until(at(until)));
    assert_eq!((of(20, 41), of(10, 11)), (numbers([5, 4, 3]), numbers([6, 2])));
    assert_eq!((of(45, 99), of(61, 99), of(20, 20)), (numbers([7, 1]), vec![], vec![]));
    assert_eq!(found(journal, &RunFilter::new().since(at(40))), numbers([7, 3, 1]));
    assert_eq!(found(journal, &RunFilter::new().until(at(20))), numbers([8, 6, 2]));
    let first = journal.find(&RunFilter::new().since(at(20)), Page::first(2)).unwrap();
    let rest = journal.find(&RunFilter::new().since(at(20)), Page { after: first.next, limit: 9 }).unwrap();
    assert_eq!(rest.runs.iter().map(|head| head.run).collect::<Vec<_>>(), numbers([4, 3, 1]));
}

fn runs_are_found_by_their_inputs(journal: &dyn Journal) {
    let of = |number: u64, a: u8, b: &str| {
        let a = StoredValue::new(&Value::U8(a), &Type::U8).unwrap();
        let b = StoredValue::new(&Value::String(b.into()), &Type::String).unwrap();
        RunSpec { inputs: vec![InputSpec::Value(a), InputSpec::Value(b)], ..spec(number) }
    };
    submit(journal, [of(1, 40, "x"), of(2, 41, "x"), of(3, 40, "two words")]);
    submit_some(journal, [4]);
    let input = |text: &str| RunFilter::new().input(text.parse().unwrap());
    assert_eq!(found(journal, &input("0=40")), numbers([3, 1]));
    assert_eq!(found(journal, &input("0=40").input("1=x".parse().unwrap())), numbers([1]));
    assert_eq!(found(journal, &input("1=two words")), numbers([3]));
    assert_eq!(found(journal, &input("2=40")), []);
    assert_eq!(pages(journal, &input("0=40"), 1, || {}), [numbers([3]), numbers([1])]);
    let batch = journal.start_batch(at(2), BatchAction::Cancel, &input("0=40")).unwrap();
    assert_eq!(journal.step_batch(at(3), batch.id).unwrap().done, 2);
    assert_eq!(found(journal, &RunFilter::new().states([State::Pending])), numbers([4, 2]));
}

fn all_parts_of_a_filter_count(journal: &dyn Journal) {
    let tagged = |number| RunSpec { tags: ["a"].into_iter().collect(), ..spec(number) };
    submit(journal, [tagged(1), spec(2), tagged(3)]);
    claim_one(journal, 1, 2);
    add(journal, 1, 2, [STARTED]).unwrap();
    let filter = RunFilter::new().tag("a").states([State::Running]).task(&task("add")).since(at(1));
    assert_eq!(found(journal, &filter), numbers([1]));
    assert_eq!(found(journal, &filter.until(at(1))), []);
}

fn pages_are_as_long_as_asked_for(journal: &dyn Journal) {
    submit_some(journal, 1..=5);
    let of = |limit| pages(journal, &RunFilter::new(), limit, || {});
    assert_eq!(of(2), [numbers([5, 4]), numbers([3, 2]), numbers([1])]);
    assert_eq!(of(5), [numbers([5, 4, 3, 2, 1])]);
    assert_eq!(of(1).len(), 5);
}

fn pages_have_each_match_once(journal: &dyn Journal) {
    submit_some(journal, 0..40);
    for number in (0..40).filter(|number| number % 3 == 0) {
        add(journal, number, 2, [STARTED, completed()]).unwrap();
    }
    let expected = numbers((0..40).rev().filter(|number| number % 3 == 0));
    for limit in [1, 4, 7, 14, 100] {
        let filter = RunFilter::new().states([State::Completed]);
        let pages = pages(journal, &filter, limit, || {});
        assert_eq!(pages.concat(), expected, "{limit}");
        assert_eq!(pages.len(), expected.len().div_ceil(limit), "{limit}");
    }
}

fn pages_hold_while_runs_are_added(journal: &dyn Journal) {
    submit_some(journal, 0..10);
    let mut next = 10;
    let pages = pages(journal, &RunFilter::new(), 3, || {
        submit_some(journal, [next]);
        next += 1;
    });
    assert_eq!(pages.concat(), numbers((0..10).rev()));
    assert_eq!(next, 13);
}

fn pages_lead_back(journal: &dyn Journal) {
    submit_some(journal, 1..30);
    add(journal, 7, 2, [STARTED]).unwrap();
    for number in [3, 11, 12, 25] {
        end(journal, number + 100, 3);
        let mut tagged = spec(number + 200);
        tagged.tags = ["t"].into_iter().collect();
        submit(journal, [tagged]);
    }
    let filters = [
        RunFilter::new(),
        RunFilter::new().states([State::Completed]),
        RunFilter::new().states([State::Completed, State::Running, State::Pending]),
        RunFilter::new().tag("t"),
        RunFilter::new().task(&task("add")),
    ];
    for filter in &filters {
        let all: Vec<RunId> = pages(journal, filter, Page::MAX_LIMIT, || ()).concat();
        assert!(all.len() > 3, "{filter:?}");
        let (_, last) = journal.find(filter, Page::first(Page::MAX_LIMIT)).unwrap().span.unwrap();
        for limit in [1, 2, 3, all.len(), Page::MAX_LIMIT] {
            let mut back = vec![*all.last().unwrap()];
            let mut than = Some(last);
            while let Some(place) = than {
                let found = journal.find_newer(filter, place, limit).unwrap();
                let runs: Vec<RunId> = found.runs.iter().map(|head| head.run).collect();
                assert!(runs.len() <= limit && found.scanned_to.is_none());
                let again = found.span.map(|(first, _)| journal.find_newer(filter, first, 1).unwrap());
                assert_eq!(again.is_some_and(|again| !again.runs.is_empty()), found.next.is_some());
                back.splice(0..0, runs);
                than = found.next;
            }
            assert_eq!(back, all, "{filter:?} by {limit}");
        }
    }
}

fn the_way_back_is_bounded_and_refuses_as_the_way_there(journal: &dyn Journal) {
    submit_some(journal, [1, 2, 3]);
    let newest = journal.find(&RunFilter::new(), Page::first(1)).unwrap();
    let (first, last) = newest.span.unwrap();
    assert_eq!((first, Some(last)), (last, newest.next));
    let nothing = journal.find_newer(&RunFilter::new(), first, 9).unwrap();
    assert_eq!((nothing.runs, nothing.next, nothing.span), (Vec::new(), None, None));
    // Of a place, runs that arrive later are newer.
    submit_some(journal, [4]);
    let later = journal.find_newer(&RunFilter::new(), first, 9).unwrap();
    assert_eq!(later.runs.iter().map(|head| head.run).collect::<Vec<_>>(), numbers([4]));
    for number in [u64::MAX, i64::MAX as u64] {
        let beyond = journal.find_newer(&RunFilter::new(), Cursor::behind(number), 1).unwrap();
        assert_eq!(beyond.runs, []);
    }
    for limit in [0, Page::MAX_LIMIT + 1] {
        let error = journal.find_newer(&RunFilter::new(), first, limit).unwrap_err();
        assert!(matches!(error, JournalError::Page { limit: found } if found == limit), "{error}");
    }
}

fn pages_hold_while_runs_are_pruned(journal: &dyn Journal) {
    for number in 0..9 {
        end(journal, number, 10 + number);
    }
    let first = journal.find(&RunFilter::new(), Page::first(3)).unwrap();
    // Among others the run that the cursor names, and the oldest.
    journal.prune(Prune { ended_before: Some(at(12)), keep: None }).unwrap();
    add(journal, 6, 99, []).unwrap();
    let rest = journal.find(&RunFilter::new(), Page { after: first.next, limit: 100 }).unwrap();
    assert_eq!(rest.runs.iter().map(|head| head.run).collect::<Vec<_>>(), numbers([5, 4, 3, 2]));
    journal.prune(Prune { ended_before: None, keep: Some(0) }).unwrap();
    let rest = journal.find(&RunFilter::new(), Page { after: first.next, limit: 100 }).unwrap();
    assert_eq!((rest.runs.len(), rest.next), (0, None));
}

fn a_cursor_survives_as_text(journal: &dyn Journal) {
    submit_some(journal, 0..4);
    let next = journal.find(&RunFilter::new(), Page::first(2)).unwrap().next.unwrap();
    let read: Cursor = next.to_string().parse().unwrap();
    assert_eq!(read, next);
    let rest = journal.find(&RunFilter::new(), Page { after: Some(read), limit: 2 }).unwrap();
    assert_eq!(rest.runs[0].run, id(1));
}

fn a_page_has_a_sensible_size(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for limit in [0, Page::MAX_LIMIT + 1, usize::MAX] {
        let error = journal.find(&RunFilter::new(), Page::first(limit)).unwrap_err();
        assert!(matches!(error, JournalError::Page { limit: found } if found == limit), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert_eq!(journal.find(&RunFilter::new(), Page::first(Page::MAX_LIMIT)).unwrap().runs.len(), 1);
}
