//! Limits by tag, rates and priorities: who has to wait for a slot, and what waiting costs.

use std::time::Duration;

use futures_executor::block_on;
use hostel::{BuildError, Host, RateLimit, Shutdown, State, TaskFuture, args, each, outcomes};
use hostel_guests::{ARITH, BATCH, SPIN_FOREVER, wat};

use crate::{build, states, task, until_running};

fn limited(runs: usize) -> Host {
    build(Host::builder().max_workers(2).tag_limit("db", runs))
}

/// Gives the workers their turn until it is so.
fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

fn in_state(runs: &[TaskFuture], state: State) -> usize {
    runs.iter().filter(|run| run.state() == state).count()
}

/// How many of the runs executed at the same moment, at the most.
fn most_at_once(runs: &[TaskFuture]) -> usize {
    let spans: Vec<_> = runs
        .iter()
        .flat_map(TaskFuture::attempts)
        .map(|attempt| (attempt.began_at, attempt.ended_at.unwrap()))
        .collect();
    spans
        .iter()
        .map(|(began, _)| spans.iter().filter(|(other, ended)| other <= began && began < ended).count())
        .max()
        .unwrap()
}

#[test]
fn r10_a_tag_limit_holds_and_a_slot_that_is_free_is_taken() {
    for limit in [1, 2, 5] {
        let host = limited(limit);
        let sleep = task(&host, wat::SLEEPER, "sleep").tags(["db"]);
        let runs = sleep.map(args![each([3_600_000; 12])]).unwrap();
        // One ends after the other, until none waits any more.
        for ended in 0..=12 - limit {
            let waiting = 12 - limit - ended;
            until(|| in_state(&runs, State::AwaitingConcurrencySlot) == waiting);
            until(|| in_state(&runs, State::Running) == limit);
            let running = runs.iter().find(|run| run.state() == State::Running).unwrap();
            assert!(running.cancel());
        }
        runs.iter().for_each(|run| _ = run.cancel());
        block_on(outcomes(&runs));
        assert_eq!(most_at_once(&runs), limit);
    }
}

#[test]
fn s07_a_run_without_a_slot_says_so_and_holds_no_worker() {
    let host = limited(1);
    let spin = task(&host, SPIN_FOREVER, "spin").tags(["db"]);
    let first = spin.submit(args![]).unwrap();
    until_running(&first);
    let waiting: Vec<_> = (0..5).map(|_| spin.submit(args![]).unwrap()).collect();
    until(|| in_state(&waiting, State::AwaitingConcurrencySlot) == waiting.len());
    let add = task(&host, ARITH, "add");
    assert_eq!(block_on(add.submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3);
    assert!(waiting[0].cancel());
    assert_eq!(waiting[0].state(), State::Cancelled);
    assert!(first.cancel());
    until_running(&waiting[1]);
    let expected = [State::Pending, State::AwaitingConcurrencySlot, State::Pending, State::Running];
    assert_eq!(states(&waiting[1]), expected);
    block_on(host.shutdown(Shutdown::CancelAll));
    assert!(waiting.iter().all(|run| run.state() == State::Cancelled));
}

#[test]
fn a_run_with_two_limited_tags_needs_both() {
    let host = build(Host::builder().max_workers(2).tag_limit("a", 1).tag_limit("b", 1));
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let runs: Vec<_> = [vec!["a"], vec!["a", "b"], vec!["b"], vec!["b", "a"], vec!["other"]]
        .into_iter()
        .cycle()
        .take(20)
        .map(|tags| sleep.clone().tags(tags).submit(args![2]).unwrap())
        .collect();
    block_on(outcomes(&runs));
    for tag in ["a", "b"] {
        let tagged: Vec<_> =
            runs.iter().filter(|run| run.tags().iter().any(|of| &**of == tag)).cloned().collect();
        assert_eq!(most_at_once(&tagged), 1);
    }
}

#[test]
fn r06_a_run_that_awaits_its_next_attempt_holds_neither_slot_nor_worker() {
    let host = build(Host::builder().max_workers(1).tag_limit("db", 1));
    let failing =
        task(&host, BATCH, "process-data").tags(["db"]).retries(1).retry_delay(Duration::from_secs(3600));
    let failing = failing.submit(args![-1]).unwrap();
    until(|| failing.state() == State::AwaitingRetry);
    let add = task(&host, ARITH, "add").tags(["db"]);
    assert_eq!(block_on(add.submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3);
    assert!(failing.cancel());
    assert_eq!(states(&failing), [State::Pending, State::Running, State::AwaitingRetry, State::Cancelled]);
}

#[test]
fn r12_a_rate_limit_lets_through_so_many_and_no_more() {
    let limit = RateLimit { runs: 2, per: Duration::from_secs(3600) };
    let host = build(Host::builder().max_workers(2).rate_limit("api", limit));
    let add = task(&host, ARITH, "add");
    let mut runs = add.clone().tags(["api"]).map(args![each(0..3i64), 1]).unwrap();
    until(|| in_state(&runs, State::Completed) == 2 && in_state(&runs, State::AwaitingConcurrencySlot) == 1);
    // Who needs no token goes ahead.
    assert!(block_on(add.submit(args![1, 1]).unwrap().outcome()).is_completed());
    runs.retain(|run| !run.done());
    assert_eq!(runs[0].state(), State::AwaitingConcurrencySlot);
    assert!(runs[0].cancel());
    assert_eq!(states(&runs[0]), [State::Pending, State::AwaitingConcurrencySlot, State::Cancelled]);
}

#[test]
fn r12_everything_is_let_through_in_its_time() {
    let limit = RateLimit { runs: 2, per: Duration::from_millis(10) };
    let host = build(Host::builder().max_workers(2).rate_limit("api", limit));
    let runs = task(&host, ARITH, "add").tags(["api"]).map(args![each(0..20i64), 1]).unwrap();
    assert!(block_on(outcomes(&runs)).iter().all(|outcome| outcome.is_completed()));
}

#[test]
fn a_tag_may_have_a_limit_and_a_rate() {
    let rate = RateLimit { runs: 1, per: Duration::from_millis(20) };
    let host = build(Host::builder().max_workers(1).tag_limit("api", 1).rate_limit("api", rate));
    // Each ends before the next one's token has come, so that nothing but time lets it in.
    let sleep = task(&host, wat::SLEEPER, "sleep").tags(["api"]);
    let runs = sleep.map(args![each([1; 5])]).unwrap();
    assert!(block_on(outcomes(&runs)).iter().all(|outcome| outcome.is_completed()));
    assert_eq!(most_at_once(&runs), 1);
}

#[test]
fn r11_limits_that_let_nothing_through_are_refused() {
    let host = Host::builder()
        .tag_limit("db", 0)
        .rate_limit("api", RateLimit { runs: 0, per: Duration::from_secs(1) })
        .build();
    let Err(error @ BuildError::Settings(_)) = host else { panic!("no error") };
    let text = error.to_string();
    assert!(text.contains("tag_limit of \"db\" is 0: expected at least 1"), "{text}");
    assert!(text.contains("rate_limit of \"api\" is 0 runs in 1s"), "{text}");
}

#[test]
fn higher_priorities_begin_first() {
    let host = build(Host::builder().max_workers(1).tag_limit("one", 1));
    let add = task(&host, ARITH, "add").tags(["one"]);
    let blocker = task(&host, SPIN_FOREVER, "spin").tags(["one"]).submit(args![]).unwrap();
    until_running(&blocker);
    let runs: Vec<_> =
        [0, -5, 7, 0, 7].map(|priority| add.clone().priority(priority).submit(args![1, 1]).unwrap()).into();
    until(|| in_state(&runs, State::AwaitingConcurrencySlot) == runs.len());
    assert!(blocker.cancel());
    block_on(outcomes(&runs));
    let mut order: Vec<_> = (0..runs.len()).collect();
    order.sort_by_key(|&index| runs[index].attempts()[0].began_at);
    assert_eq!(order, [2, 4, 0, 3, 1]);
}

#[test]
fn t04_tags_of_the_task_and_of_the_submission_are_added_and_setting_replaces() {
    let host = limited(1);
    let add = task(&host, ARITH, "add").tags(["nightly", "db"]);
    let tags = |run: TaskFuture| run.tags().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(tags(add.submit(args![1, 1].tags(["db", "eu"])).unwrap()), ["db", "eu", "nightly"]);
    assert_eq!(tags(add.clone().tags(["other"]).submit(args![1, 1]).unwrap()), ["other"]);
    assert_eq!(tags(add.submit(args![1, 1]).unwrap()), ["db", "nightly"]);
    let error = add.submit(args![1, 1].tags([""])).unwrap_err();
    assert!(error.to_string().starts_with("invalid tag \"\""), "{error}");
    let error = add.tags(["a,b"]).submit(args![1, 1]).unwrap_err();
    assert!(error.to_string().starts_with("invalid tag \"a,b\""), "{error}");
}
