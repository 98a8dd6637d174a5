//! The end of a host: every run has an outcome, and nothing goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;

use futures_executor::block_on;
use hostel::{Host, Outcome, Shutdown, State, SubmitError, TaskFuture, args, blocking, each};
use hostel_guests::{ARITH, ELEVATOR, SPIN_FOREVER, wat};

use crate::{host, task, telling};

fn ended(futures: &[TaskFuture]) -> Vec<State> {
    futures
        .iter()
        .map(|future| {
            block_on(future.outcome());
            future.state()
        })
        .collect()
}

#[test]
fn f16_wait_lets_everything_end() {
    let host = host(1);
    let futures = task(&host, ELEVATOR, "stop-at-floor").map(args![each(1..=5u32), 2]).unwrap();
    block_on(host.shutdown(Shutdown::Wait));
    assert!(futures.iter().all(|future| future.state() == State::Completed));
}

#[test]
fn f16_cancel_pending_lets_running_ones_end() {
    let host = host(1);
    let (moving, mut lines) = telling(task(&host, ELEVATOR, "stop-at-floor"));
    let running = moving.submit(args![1, 30]).unwrap();
    assert_eq!(lines.blocking_recv().unwrap(), "elevator moving to floor 1");
    let spinning: Vec<_> =
        (0..5).map(|_| task(&host, SPIN_FOREVER, "spin-after").submit(args![1]).unwrap()).collect();
    let shutdown = host.shutdown(Shutdown::CancelPending);
    // Those that began meanwhile would spin for ever.
    let stop = async { spinning.iter().for_each(|run| _ = run.cancel()) };
    block_on(async { futures_util::future::join(shutdown, stop).await });
    assert_eq!(running.state(), State::Completed);
    assert!(spinning.iter().all(TaskFuture::cancelled));
}

#[test]
fn f16_cancel_all_stops_running_ones_too() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    let sleeping = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    block_on(host.shutdown(Shutdown::CancelAll));
    assert!(spinning.cancelled() && sleeping.cancelled());
}

#[test]
fn f16_submit_after_it_is_an_error_and_twice_is_fine() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    block_on(host.shutdown(Shutdown::Wait));
    block_on(host.shutdown(Shutdown::CancelAll));
    let error = add.submit(args![1, 2]).unwrap_err();
    assert!(matches!(error, SubmitError::ShutDown));
    assert_eq!(error.to_string(), "the host is shut down and accepts no more runs");
    assert!(matches!(block_on(add.submit_async(args![1, 2])), Err(SubmitError::ShutDown)));
    block_on(host.ready());
}

#[test]
fn f17_a_scope_waits_for_everything_that_was_submitted_in_it() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let runs = block_on(host.scope(async |_| sleep.map(args![each([20, 1, 10])]).unwrap()));
    assert!(runs.iter().all(|run| run.state() == State::Completed));
    assert!(matches!(sleep.submit(args![1]), Err(SubmitError::ShutDown)));
}

#[test]
fn f17_a_scope_waits_also_if_its_work_panics() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let (send, submitted) = mpsc::channel();
    let scope = || {
        blocking::scope(host, |_| {
            send.send(sleep.submit(args![20]).unwrap()).unwrap();
            panic!("as expected");
        })
    };
    let panic = catch_unwind(AssertUnwindSafe(scope)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"as expected"));
    assert_eq!(submitted.recv().unwrap().state(), State::Completed);
}

#[test]
fn f22_dropping_the_host_ends_every_run_with_a_record() {
    let host = host(2);
    let mut futures = task(&host, wat::SLEEPER, "sleep").map(args![each(vec![3_600_000; 150])]).unwrap();
    futures.extend((0..50).map(|_| task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap()));
    futures.extend(task(&host, ARITH, "add").map(args![each(0..1_000), 1]).unwrap());
    drop(host);
    assert!(futures.iter().all(TaskFuture::done), "before drop returns");
    assert!(ended(&futures).iter().all(|state| matches!(state, State::Completed | State::Cancelled)));
}

#[test]
fn a_host_may_be_dropped_inside_an_async_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(async {
        let host = Host::builder().max_workers(1).max_instances(16).build().unwrap();
        let sleep = host.load(wat::SLEEPER).await.unwrap().task("sleep").unwrap();
        let future = sleep.submit(args![3_600_000]).unwrap();
        drop(host);
        future.outcome().await
    });
    assert_eq!(*outcome, Outcome::Cancelled);
}

#[test]
fn a_task_outlives_its_host_and_says_so() {
    let add = task(&host(1), ARITH, "add");
    assert!(matches!(add.submit(args![1, 2]), Err(SubmitError::ShutDown)));
}

#[test]
fn f16_a_shutdown_waits_for_hooks_that_are_due() {
    let host = host(1);
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let (report, called) = mpsc::channel();
    let add = task(&host, ARITH, "add").on_completion(move |_, _| {
        blocked.lock().unwrap().recv().unwrap();
        report.send(()).unwrap();
    });
    block_on(async {
        let run = add.submit(args![1, 2]).unwrap();
        let mut shutdown = pin!(host.shutdown(Shutdown::Wait));
        run.outcome().await;
        assert!(futures_util::poll!(&mut shutdown).is_pending(), "its hook has not been called");
        release.send(()).unwrap();
        shutdown.await;
    });
    assert_eq!(called.try_recv(), Ok(()));
}
