//! Hooks of tasks and callbacks of futures.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use futures_executor::block_on;
use hostel::{CachePolicy, Shutdown, State, Task, args, blocking};
use hostel_guests::{ARITH, BATCH, SPIN_FOREVER};

use crate::{host, task, told, until_running};

type Told = Arc<Mutex<Vec<String>>>;

/// A task whose hooks note what they are told.
fn noting(task: Task) -> (Task, Told) {
    let told = Told::default();
    let note = |hook: &'static str| {
        let told = Arc::clone(&told);
        move |_: &hostel::TaskFuture, state: State| told.lock().unwrap().push(format!("{hook} {state}"))
    };
    let task = task
        .on_running(note("running"))
        .on_completion(note("completion"))
        .on_failure(note("failure"))
        .on_cancellation(note("cancellation"))
        .on_crashed(note("crashed"));
    (task, told)
}

fn take(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

#[test]
fn s11_each_hook_is_told_of_its_states() {
    let host = host(1);
    let (add, told) = noting(task(&host, ARITH, "add").cache(CachePolicy::INPUTS));
    for _ in 0..2 {
        block_on(add.submit(args![1, 2]).unwrap().outcome());
    }
    let (process, failures) = noting(task(&host, BATCH, "process-data").retries(2));
    block_on(process.submit(args![-1]).unwrap().outcome());
    let upstream = process.submit(args![-2]).unwrap();
    let (describe, upstream_failures) = noting(task(&host, BATCH, "process-data"));
    block_on(describe.submit(args![1].wait_for([&upstream])).unwrap().outcome());
    let (spin, cancellations) = noting(task(&host, SPIN_FOREVER, "spin"));
    let spinning = spin.submit(args![]).unwrap();
    until_running(&spinning);
    assert!(spinning.cancel());
    block_on(host.shutdown(Shutdown::Wait));

    assert_eq!(take(&told), ["running Running", "completion Completed", "completion Cached"]);
    let one = ["running Running", "running Retrying", "running Retrying", "failure Failed"];
    assert_eq!(take(&failures), [one, one].concat());
    assert_eq!(take(&upstream_failures), ["failure UpstreamFailed"]);
    assert_eq!(take(&cancellations), ["running Running", "cancellation Cancelled"]);
}

#[test]
fn s11_a_hook_that_panics_changes_nothing_and_the_next_is_still_called() {
    let host = host(1);
    let (send, receive) = mpsc::channel();
    let add = task(&host, ARITH, "add")
        .on_completion(|_, _| panic!("as expected"))
        .on_completion(move |run, _| _ = send.send(run.id()));
    let run = add.submit(args![1, 2]).unwrap();
    assert_eq!(told(&receive), run.id());
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 3);
}

#[test]
fn a_hook_that_blocks_holds_up_other_hooks_but_no_runs() {
    let host = host(1);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (send, receive) = mpsc::channel();
    let add = task(&host, ARITH, "add").on_completion(move |_, _| {
        let _ = released.lock().unwrap().recv();
        let _ = send.send(());
    });
    let runs: Vec<_> = (0..100).map(|n| add.submit(args![n, 1]).unwrap()).collect();
    assert!(runs.iter().all(|run| block_on(run.outcome()).is_completed()));
    assert!(receive.try_recv().is_err());
    drop(release);
    (0..100).for_each(|_| told(&receive));
}

#[test]
fn dropping_the_host_does_not_wait_for_a_hook_that_blocks() {
    let host = host(1);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let add = task(&host, ARITH, "add").on_completion(move |_, _| _ = released.lock().unwrap().recv());
    block_on(add.submit(args![1, 1]).unwrap().outcome());
    drop((host, add));
    drop(release);
}

#[test]
fn f06_callbacks_are_called_in_the_order_they_were_added_and_late_ones_at_once() {
    let host = host(1);
    let (send, receive) = mpsc::channel();
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    for n in 0..10 {
        let send = send.clone();
        spinning.add_done_callback(move |run| {
            assert_eq!(run.state(), State::Cancelled, "called on cancel too");
            let _ = send.send(n);
            assert!(n != 5, "logged, and the others are still called");
        });
    }
    assert!(spinning.cancel());
    assert_eq!([(); 10].map(|()| told(&receive)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let this_thread = std::thread::current().id();
    spinning.add_done_callback(move |_| {
        assert_eq!(std::thread::current().id(), this_thread);
        let _ = send.send(10);
    });
    assert_eq!(receive.try_recv(), Ok(10));
    spinning.add_done_callback(|_| panic!("logged"));
}

#[test]
fn a_callback_may_wait_for_other_runs_and_shut_the_host_down() {
    let host = Arc::new(host(1));
    let add = task(&host, ARITH, "add");
    let (send, receive) = mpsc::channel();
    let first = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    let of_callback = Arc::clone(&host);
    first.add_done_callback(move |_| {
        let sum = blocking::result::<i64>(&add.submit(args![20, 1]).unwrap()).unwrap();
        blocking::shutdown(&of_callback, Shutdown::Wait);
        let _ = send.send(sum);
    });
    assert!(first.cancel());
    assert_eq!(told(&receive), 21);
}

#[test]
fn a_hook_may_drop_the_last_handle_of_the_host() {
    let host = host(1);
    let (send, receive) = mpsc::channel();
    let add = task(&host, ARITH, "add");
    let kept = Mutex::new(Some(host));
    let add = add.on_completion(move |_, _| {
        drop(kept.lock().unwrap().take());
        let _ = send.send(());
    });
    let run = add.submit(args![1, 1]).unwrap();
    drop(add);
    told(&receive);
    assert!(run.done());
}
