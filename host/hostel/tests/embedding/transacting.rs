//! Transactions: committed together, or undone together.

use std::sync::{Arc, Mutex};

use futures_executor::block_on;
use futures_util::FutureExt;
use hostel::{
    CachePolicy, CommitMode, EventKind, FromValue, Host, Shutdown, State, SubmitError, Task, TaskFuture,
    Transaction, TransactionError, Value, args, blocking, each,
};
use hostel_guests::{ARITH, BATCH, LEDGER, SPIN_FOREVER, wat};
use tempfile::TempDir;

use crate::{Printed, build, host, states, task, until_running};

type Told = Arc<Mutex<Vec<String>>>;

/// A task that notes what its transaction does, by the inputs in its runs' names.
fn noting(task: Task, template: &str, told: &Told) -> Task {
    let note = |hook: &'static str| {
        let told = Arc::clone(told);
        move |run: &TaskFuture, _: &hostel::TransactionValues| {
            told.lock().unwrap().push(format!("{hook} {}", run.name()));
        }
    };
    let ended = Arc::clone(told);
    task.run_name(template)
        .unwrap()
        .on_completion(move |run, _| ended.lock().unwrap().push(format!("end {}", run.name())))
        .on_commit(note("commit"))
        .on_rollback(note("rollback"))
}

fn process(host: &Host, told: &Told) -> Task {
    noting(task(host, BATCH, "process-data").cache(CachePolicy::INPUTS), "{item}", told)
}

fn take(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

/// Whether a result is visible to a run outside of any transaction.
fn is_cached(task: &Task, item: i64) -> bool {
    let run = task.submit(args![item]).unwrap();
    block_on(run.outcome());
    run.state() == State::Cached
}

/// Runs that end in the order of their items, on a busy machine too.
fn one_after_the_other(task: &Task, items: &[i64]) -> Vec<TaskFuture> {
    let run = |item: &i64| {
        let run = task.submit(args![*item]).unwrap();
        block_on(run.outcome());
        run
    };
    items.iter().map(run).collect()
}

/// What is said of a transaction that cannot be committed.
fn commit_fails(transaction: &Transaction) -> String {
    block_on(transaction.commit()).unwrap_err().to_string()
}

#[test]
fn x01_two_runs_in_a_scope_end_and_then_are_committed_in_order() {
    let host = host(1);
    let told = Told::default();
    let plain = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    let transaction = host.transaction().begin();
    let process = process(&host, &told).within(&transaction);
    let runs = one_after_the_other(&process, &[1, 2]);
    assert!(!is_cached(&plain, 3), "something else");
    let before = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS).submit(args![1]).unwrap();
    block_on(before.outcome());
    assert_eq!(before.state(), State::Completed, "not visible before the commit");
    assert!(block_on(transaction.commit()).unwrap().failures.is_empty());
    assert_eq!(take(&told), ["end 1", "end 2", "commit 1", "commit 2"]);
    assert!(is_cached(&plain, 2));
    assert!(block_on(transaction.commit()).is_ok(), "again does nothing");
    assert!(take(&told).is_empty());
    assert!(runs.iter().all(|run| run.state() == State::Completed));
}

#[test]
fn x02_when_the_third_fails_the_others_are_rolled_back_in_reverse_order() {
    let host = host(1);
    let told = Told::default();
    let transaction = host.transaction().begin();
    let process = process(&host, &told).within(&transaction);
    let runs = one_after_the_other(&process, &[1, 2, -3]);
    let error = commit_fails(&transaction);
    assert!(
        error.contains("the transaction is rolled back") && error.contains("negative value: -3"),
        "{error}"
    );
    assert_eq!(take(&told), ["end 1", "end 2", "rollback 2", "rollback 1"]);
    assert_eq!(states(&runs[0]), [State::Pending, State::Running, State::Completed, State::RolledBack]);
    assert_eq!(runs[2].state(), State::Failed);
    assert!(!is_cached(&task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS), 1));
}

#[test]
fn x03_a_failure_that_the_caller_handles_still_rolls_the_whole_scope_back() {
    let host = host(1);
    let told = Told::default();
    let process = process(&host, &told);
    let done: Result<(), TransactionError> = block_on(host.transaction().scope(async |transaction| {
        let process = process.clone().within(transaction);
        process.submit(args![1]).unwrap();
        let failed = process.submit(args![-2]).unwrap();
        // Handled here, and then something else is done.
        assert!(failed.result::<String>().await.is_err());
        process.submit(args![3]).unwrap().outcome().await;
        Ok(())
    }));
    assert!(matches!(done, Err(TransactionError::RolledBack { .. })), "{done:?}");
    let mut lines = take(&told);
    assert_eq!(lines.split_off(lines.len() - 2), ["rollback 3", "rollback 1"]);
    // The caller may open a new one.
    let again: Result<(), TransactionError> = block_on(host.transaction().scope(async |transaction| {
        process.clone().within(transaction).submit(args![1]).unwrap();
        Ok(())
    }));
    again.unwrap();
    assert_eq!(take(&told), ["end 1", "commit 1"]);
}

#[test]
fn x04_eager_commits_each_at_its_end_and_off_only_on_request() {
    let host = host(1);
    let told = Told::default();
    let plain = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    let transaction = host.transaction().mode(CommitMode::Eager).begin();
    let eager = process(&host, &told).within(&transaction);
    block_on(eager.submit(args![1]).unwrap().outcome());
    assert!(is_cached(&plain, 1), "visible before the transaction ends");
    block_on(eager.submit(args![-2]).unwrap().outcome());
    commit_fails(&transaction);
    let lines = take(&told);
    assert!(lines.contains(&"commit 1".to_owned()) && !lines.contains(&"rollback 1".to_owned()), "{lines:?}");

    let process = process(&host, &told);
    let off = || host.transaction().mode(CommitMode::Off);
    let unasked: Result<(), TransactionError> = block_on(off().scope(async |transaction| {
        process.clone().within(transaction).submit(args![5]).unwrap().outcome().await;
        Ok(())
    }));
    unasked.unwrap();
    assert_eq!(take(&told), ["end 5", "rollback 5"]);
    let asked: Result<(), TransactionError> = block_on(off().scope(async |transaction| {
        process.clone().within(transaction).submit(args![5]).unwrap();
        transaction.commit().await.map(drop)
    }));
    asked.unwrap();
    assert_eq!(take(&told), ["end 5", "commit 5"]);
}

#[test]
fn x05_an_inner_transaction_joins_the_outer_and_an_eager_one_stays_committed() {
    let host = host(1);
    let told = Told::default();
    let outer = host.transaction().begin();
    let outside = process(&host, &told).within(&outer);
    block_on(outside.submit(args![1]).unwrap().outcome());
    let inner = outer.nested().begin();
    block_on(process(&host, &told).within(&inner).submit(args![2]).unwrap().outcome());
    let eager = outer.nested().mode(CommitMode::Eager).begin();
    block_on(process(&host, &told).within(&eager).submit(args![3]).unwrap().outcome());
    block_on(inner.commit()).unwrap();
    block_on(eager.commit()).unwrap();
    block_on(outside.submit(args![-4]).unwrap().outcome());
    assert!(commit_fails(&outer).contains("-4"));
    let mut lines = take(&told);
    lines.retain(|line| !line.starts_with("end"));
    assert_eq!(lines, ["commit 3", "rollback 2", "rollback 1"]);
    let plain = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    assert!(is_cached(&plain, 3) && !is_cached(&plain, 2));
}

#[test]
fn x05_a_lazy_transaction_inside_of_an_eager_one_commits_by_itself() {
    let host = host(1);
    let told = Told::default();
    let outer = host.transaction().mode(CommitMode::Eager).begin();
    let inner = outer.nested().begin();
    inner.submit(&process(&host, &told), args![1]).unwrap();
    block_on(inner.commit()).unwrap();
    assert_eq!(take(&told), ["end 1", "commit 1"]);
    assert!(is_cached(&task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS), 1));
    block_on(outer.rollback());
    assert!(take(&told).is_empty());
}

#[test]
fn x08_a_key_inside_of_another_transaction_is_recorded_with_it() {
    let host = host(1);
    let is_committed = |key: &str| host.transaction().key(key).begin().is_committed();
    let outer = host.transaction().key("outer").begin();
    let inner = outer.nested().key("inner").begin();
    block_on(inner.commit()).unwrap();
    assert!(!is_committed("inner"));
    block_on(outer.commit()).unwrap();
    assert!(is_committed("inner") && is_committed("outer"));
}

#[test]
fn x06_a_rollback_hook_that_panics_is_reported_and_the_others_run() {
    let host = host(1);
    let told = Told::default();
    let transaction = host.transaction().begin();
    let first = process(&host, &told).within(&transaction);
    let second = first.clone().on_rollback(|_, _| panic!("as expected"));
    block_on(first.submit(args![1]).unwrap().outcome());
    let second = second.submit(args![2]).unwrap();
    block_on(second.outcome());
    let report = block_on(transaction.rollback());
    assert_eq!(report.failures.len(), 1);
    assert_eq!((report.failures[0].run, report.failures[0].hook), (second.id(), "on_rollback"));
    assert_eq!(take(&told), ["end 1", "end 2", "rollback 2", "rollback 1"]);
}

#[test]
fn x07_a_commit_hook_that_panics_is_reported_and_undoes_nothing() {
    let host = host(1);
    let told = Told::default();
    let transaction = host.transaction().begin();
    let process = process(&host, &told).on_commit(|_, _| panic!("as expected")).within(&transaction);
    process.map(args![each([1, 2])]).unwrap();
    let report = block_on(transaction.commit()).unwrap();
    assert_eq!(report.failures.len(), 2);
    assert!(report.failures.iter().all(|failure| failure.hook == "on_commit"));
    let plain = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    assert!(is_cached(&plain, 1) && is_cached(&plain, 2));
}

#[test]
fn x08_a_keyed_transaction_is_a_record_that_it_was_done() {
    let dir = TempDir::new().unwrap();
    for round in 0..2 {
        let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
        let transaction = host.transaction().key("order-17").begin();
        assert_eq!(transaction.is_committed(), round == 1);
        assert_eq!(transaction.record().as_deref(), (round == 1).then_some("shipped"));
        if !transaction.is_committed() {
            task(&host, ARITH, "add").within(&transaction).submit(args![1, 1]).unwrap();
            transaction.set_record("shipped");
            block_on(transaction.commit()).unwrap();
        }
        assert!(!host.transaction().key("order-18").begin().is_committed());
    }
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
    let failing = host.transaction().key("order-19").begin();
    task(&host, BATCH, "process-data").within(&failing).submit(args![-1]).unwrap();
    commit_fails(&failing);
    assert!(!host.transaction().key("order-19").begin().is_committed());
}

#[test]
fn x09_submitted_runs_join_and_one_that_fails_cancels_nothing_that_is_not_in_it() {
    let host = host(2);
    let transaction = host.transaction().begin();
    let sleeping = task(&host, wat::SLEEPER, "sleep");
    let inside = sleeping.clone().within(&transaction).submit(args![3_600_000]).unwrap();
    let outside = sleeping.submit(args![3_600_000]).unwrap();
    until_running(&inside);
    until_running(&outside);
    block_on(transaction.rollback());
    assert_eq!((inside.state(), outside.state()), (State::Cancelled, State::Running));
    let error = sleeping.within(&transaction).submit(args![1]).unwrap_err();
    assert!(matches!(error, SubmitError::Transaction(TransactionError::Over { .. })), "{error}");
    assert_eq!(error.to_string(), "the transaction is no longer open: it was rolled back");
    assert!(outside.cancel());
}

#[test]
fn x10_values_are_seen_by_hooks_and_by_transactions_inside() {
    let host = host(1);
    let seen = Told::default();
    let note = Arc::clone(&seen);
    let add = task(&host, ARITH, "add").on_rollback(move |_, values| {
        let path = values.get("path").map(|value| String::from_value(value).unwrap());
        note.lock().unwrap().push(format!("{path:?}"));
    });
    let outer = host.transaction().begin();
    outer.values().set("path", "a.txt");
    let inner = outer.nested().begin();
    assert_eq!(inner.values().get("path"), Some(Value::String("a.txt".into())));
    assert_eq!(outer.values().get("missing"), None);
    inner.values().set("path", "b.txt");
    block_on(add.clone().within(&outer).submit(args![1, 1]).unwrap().outcome());
    block_on(add.clone().within(&inner).submit(args![2, 2]).unwrap().outcome());
    block_on(inner.rollback());
    // One that has joined the outer transaction keeps its own values.
    let joined = outer.nested().begin();
    joined.values().set("path", "c.txt");
    block_on(joined.submit(&add, args![3, 3]).unwrap().outcome());
    block_on(joined.commit()).unwrap();
    block_on(outer.rollback());
    assert_eq!(take(&seen), [r#"Some("b.txt")"#, r#"Some("c.txt")"#, r#"Some("a.txt")"#]);
}

#[test]
fn one_that_finds_the_queue_full_joins_once_and_leaves_nothing_behind() {
    let host = build(Host::builder().max_workers(1).max_instances(1).queue_capacity(1));
    let told = Told::default();
    let process = process(&host, &told);
    let transaction = host.transaction().mode(CommitMode::Eager).begin();
    let items = process.clone().within(&transaction).map_stream(args![each(0..50)]).unwrap();
    assert_eq!(blocking::iterate(items).filter(|run| run.is_ok()).count(), 50);
    block_on(transaction.commit()).unwrap();
    let committed = take(&told).into_iter().filter(|line| line.starts_with("commit")).count();
    assert_eq!(committed, 50);

    let mut events = host.events();
    let cancelled = Told::default();
    let note = Arc::clone(&cancelled);
    let process = process.on_cancellation(move |run, _| note.lock().unwrap().push(run.name().to_string()));
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    let queued = process.submit(args![101]).unwrap();
    assert!(matches!(process.try_submit(args![102]), Err(SubmitError::QueueFull { .. })));
    drop(process.submit_async(args![103]).now_or_never());
    assert!(spinning.cancel());
    block_on(queued.outcome());
    block_on(host.shutdown(Shutdown::Wait));
    assert!(take(&cancelled).is_empty(), "hooks hear of no run that was not taken in");
    // Whoever listens hears of the end of every run.
    drop((queued, spinning, process, transaction, host));
    let mut open = std::collections::HashSet::new();
    while let Some(event) = block_on(events.next()) {
        let event = event.unwrap();
        match event.kind {
            EventKind::State(to) if to.state.is_terminal() => assert!(open.remove(&event.run)),
            EventKind::State(_) => _ = open.insert(event.run),
            _ => {}
        }
    }
    assert!(open.is_empty());
}

#[test]
fn a_commit_does_not_wait_for_the_others_once_one_has_failed() {
    let host = host(2);
    let transaction = host.transaction().begin();
    let sleeping = transaction.submit(&task(&host, wat::SLEEPER, "sleep"), args![3_600_000]).unwrap();
    transaction.submit(&task(&host, BATCH, "process-data"), args![-1]).unwrap();
    assert!(commit_fails(&transaction).contains("negative value: -1"));
    assert_eq!(sleeping.state(), State::Cancelled);
}

#[test]
fn a_commit_that_cannot_be_kept_is_rolled_back_and_says_so() {
    let dir = TempDir::new().unwrap();
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
    // Where the cache's directory would be there is a file.
    std::fs::write(dir.path().join("results"), "in the way").unwrap();
    let told = Told::default();
    let transaction = host.transaction().key("order-20").begin();
    one_after_the_other(&process(&host, &told).within(&transaction), &[1, 2]);
    let error = block_on(transaction.commit()).unwrap_err();
    assert!(matches!(error, TransactionError::NotKept { .. }), "{error}");
    assert_eq!(take(&told), ["end 1", "end 2", "rollback 2", "rollback 1"]);
    assert!(!transaction.is_committed());
}

#[test]
fn a_guest_hears_of_commit_and_rollback_in_an_instance_of_its_own() {
    let host = host(1);
    let printed = Printed::default();
    let book = task(&host, LEDGER, "book").log_prints(printed.echo());
    let told = || {
        let lines = printed.lines();
        lines.into_iter().filter(|line| !line.starts_with("booking")).collect::<Vec<_>>()
    };
    let committed = host.transaction().begin();
    let rent = book.clone().within(&committed).submit(args!["rent", -900]).unwrap();
    assert!(block_on(committed.commit()).unwrap().failures.is_empty());
    let key = rent.task().key();
    let line = |verb: &str, run: &TaskFuture, inputs: &str, value: &str| {
        format!("{verb} run {} of {key}: {inputs} gave {value:?}", run.id())
    };
    assert_eq!(told(), [line("committed", &rent, r#"{"account":"rent","amount":-900}"#, "rent: -900")]);

    let undone = host.transaction().begin();
    let closed = book.clone().within(&undone).submit(args!["closed", 5]).unwrap();
    let open = book.within(&undone).submit(args!["open", -5]).unwrap();
    block_on(closed.outcome());
    block_on(open.outcome());
    let report = block_on(undone.rollback());
    let expected = [
        line("undoing", &open, r#"{"account":"open","amount":-5}"#, "open: -5"),
        line("undoing", &closed, r#"{"account":"closed","amount":5}"#, "closed: 5"),
    ];
    assert_eq!(told()[1..], expected);
    let [failure] = &*report.failures else { panic!("{report:?}") };
    assert_eq!((failure.run, failure.hook), (closed.id(), "on-rollback"));
    assert_eq!(failure.cause, r#"returned the error "the account is closed""#);
}

#[test]
fn a_transaction_that_is_dropped_is_rolled_back() {
    let host = host(1);
    let told = Told::default();
    let transaction = host.transaction().begin();
    let run = process(&host, &told).within(&transaction).submit(args![1]).unwrap();
    block_on(run.outcome());
    drop(transaction);
    while run.state() != State::RolledBack || told.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(take(&told), ["end 1", "rollback 1"]);
}

#[test]
fn cancelling_a_run_during_the_commit_undoes_the_rest() {
    let host = host(1);
    let told = Told::default();
    let transaction = host.transaction().begin();
    block_on(process(&host, &told).within(&transaction).submit(args![1]).unwrap().outcome());
    let sleeping = task(&host, wat::SLEEPER, "sleep").within(&transaction).submit(args![3_600_000]).unwrap();
    until_running(&sleeping);
    let error = std::thread::scope(|scope| {
        let commit = scope.spawn(|| commit_fails(&transaction));
        while transaction.is_open() {
            std::thread::yield_now();
        }
        assert!(sleeping.cancel());
        commit.join().unwrap()
    });
    assert!(error.ends_with("did not complete: cancelled"), "{error}");
    assert_eq!(take(&told), ["end 1", "rollback 1"]);
    // What is committed cannot be cancelled any more.
    let committed = host.transaction().begin();
    let run = process(&host, &told).within(&committed).submit(args![2]).unwrap();
    block_on(committed.commit()).unwrap();
    assert!(!run.cancel());
    assert_eq!(run.state(), State::Completed);
}

#[test]
fn results_of_a_transaction_survive_in_the_data_directory() {
    let dir = TempDir::new().unwrap();
    let start = || build(Host::builder().max_workers(1).data_dir(dir.path()));
    let host = start();
    let transaction = host.transaction().begin();
    let process = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    process.clone().within(&transaction).map(args![each(0..20)]).unwrap();
    block_on(transaction.commit()).unwrap();
    drop((transaction, process, host));
    let host = start();
    let process = task(&host, BATCH, "process-data").cache(CachePolicy::INPUTS);
    assert!((0..20).all(|item| is_cached(&process, item)));
}
