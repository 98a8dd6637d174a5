//! Waiting for several runs.

use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_executor::block_on;
use futures_util::{FutureExt, StreamExt};
use hostel::{Host, ReturnWhen, TaskFuture, args, as_completed, as_completed_within, wait};
use hostel_guests::{ARITH, BATCH, ELEVATOR, PANIC, wat};

use crate::{host, task, told};

fn add(host: &Host, n: i64) -> TaskFuture {
    task(host, ARITH, "add").submit(args![n, 1]).unwrap()
}

fn asleep(host: &Host) -> TaskFuture {
    task(host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap()
}

#[test]
fn f07_wait_for_all_keeps_the_order_and_counts_twins_once() {
    let host = host(2);
    let (a, b) = (add(&host, 1), add(&host, 2));
    let (done, not_done) = block_on(wait(&[b.clone(), a.clone(), b.clone()], ReturnWhen::AllCompleted, None));
    assert_eq!(done, [b, a]);
    assert!(not_done.is_empty());
}

#[test]
fn f07_wait_for_the_first() {
    let host = host(2);
    let (sleeping, quick) = (asleep(&host), add(&host, 1));
    let (done, not_done) =
        block_on(wait(&[sleeping.clone(), quick.clone()], ReturnWhen::FirstCompleted, None));
    assert_eq!((done, not_done), (vec![quick], vec![sleeping]));
}

#[test]
fn f07_wait_for_the_first_exception() {
    let host = host(1);
    let (ok, sleeping) = (add(&host, 1), asleep(&host));
    block_on(ok.outcome());
    let failing = task(&host, PANIC, "boom").submit(args!["x"]).unwrap();
    let all = [ok.clone(), sleeping.clone(), failing.clone()];
    let (done, not_done) = block_on(wait(&all, ReturnWhen::FirstException, None));
    assert_eq!((done, not_done), (vec![ok, failing], vec![sleeping]));
}

#[test]
fn f07_a_timeout_shows_in_the_second_list_and_never_fails() {
    let host = host(1);
    let (ok, sleeping) = (add(&host, 1), asleep(&host));
    block_on(ok.outcome());
    let all = [sleeping.clone(), ok.clone()];
    let (done, not_done) = block_on(wait(&all, ReturnWhen::AllCompleted, Some(Duration::from_millis(1))));
    assert_eq!((done, not_done), (vec![ok], vec![sleeping.clone()]));
    assert!(!sleeping.done(), "it goes on");
}

#[test]
fn waiting_for_nothing_is_done_at_once() {
    assert_eq!(block_on(wait(&[], ReturnWhen::AllCompleted, None)), (vec![], vec![]));
    assert!(block_on(as_completed([]).next()).is_none());
}

#[test]
fn f08_as_completed_gives_each_once_as_they_end_failed_ones_too() {
    let host = host(1);
    let (sleeping, quick) = (asleep(&host), add(&host, 1));
    let failed = task(&host, BATCH, "process-data").submit(args![-1]).unwrap();
    block_on(async { (quick.outcome().await, failed.outcome().await) });
    let mut ended = as_completed([&sleeping, &failed, &quick, &sleeping].map(Clone::clone));
    assert_eq!(block_on(ended.next()).as_ref(), Some(&failed));
    assert_eq!(block_on(ended.next()).as_ref(), Some(&quick));
    assert_eq!(ended.remaining(), 1);
    assert!(ended.next().now_or_never().is_none(), "the last one sleeps");
    sleeping.cancel();
    assert_eq!(block_on(ended.next()).as_ref(), Some(&sleeping));
    assert_eq!(block_on(ended.next()), None);
    assert_eq!(ended.remaining(), 0);
}

#[test]
fn f08_as_completed_gives_up_after_its_timeout_and_says_how_many_are_unfinished() {
    let host = host(1);
    let (quick, sleeping) = (add(&host, 1), asleep(&host));
    block_on(quick.outcome());
    let mut ended = as_completed_within([sleeping.clone(), quick.clone()], Duration::from_millis(1));
    assert_eq!(block_on(ended.next()), Some(Ok(quick)));
    let unfinished = block_on(ended.next()).unwrap().unwrap_err();
    assert_eq!(unfinished.to_string(), "1 (of 2) futures unfinished");
    assert_eq!(block_on(ended.next()), None, "nothing after it");
    assert!(!sleeping.done(), "it goes on");
}

#[test]
fn f08_a_timeout_that_is_not_reached_does_not_show() {
    let host = host(2);
    let runs = [add(&host, 1), add(&host, 2)];
    let hour = Duration::from_secs(3600);
    let ended: Vec<_> = block_on(as_completed_within(runs, hour).collect());
    assert!(ended.len() == 2 && ended.iter().all(Result::is_ok), "{ended:?}");
    assert!(block_on(as_completed_within([], Duration::ZERO).next()).is_none());
}

#[test]
fn s10_an_outcome_is_a_value_and_never_raises() {
    let host = host(1);
    let failed = task(&host, BATCH, "process-data").submit(args![-1]).unwrap();
    let outcome = block_on(failed.outcome());
    assert_eq!(outcome.to_string(), "returned the error \"Cannot process negative value: -1\"");
}

#[test]
fn what_has_ended_can_be_waited_for_although_its_host_is_gone() {
    let gone = host(1);
    let ended = task(&gone, ARITH, "add").submit(args![1, 2]).unwrap();
    block_on(ended.outcome());
    drop(gone);
    let second = host(1);
    let other = task(&second, ARITH, "add").submit(args![3, 4]).unwrap();
    let minute = Duration::from_secs(60);
    let futures = [ended.clone(), other];
    let (done, not_done) = block_on(wait(&futures, ReturnWhen::AllCompleted, Some(minute)));
    assert_eq!((done.len(), not_done.len()), (2, 0));
    assert_eq!(block_on(ended.result_timeout::<i64>(minute)).unwrap(), 3);
    assert_eq!(block_on(as_completed_within(futures, minute).count()), 2);
}

/// Longer than anything takes that does not hang.
const MINUTE: Duration = Duration::from_secs(60);

/// Says when it is woken.
struct Woken(mpsc::Sender<()>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // An error means that the test has ended.
        _ = self.0.send(());
    }
}

#[test]
fn a_waiter_is_woken_while_a_later_run_blocks_the_thread() {
    let host = host(1);
    let explain = task(&host, ELEVATOR, "explain-tasks");
    // The first run keeps the thread until the others wait for it.
    let (allow, allowed) = mpsc::channel::<()>();
    let allowed = Mutex::new(allowed);
    let first = explain.clone().log_prints(move |_| _ = allowed.lock().unwrap().recv_timeout(MINUTE));
    let _first = first.submit(args![]).unwrap();
    let earlier = explain.submit(args![]).unwrap();
    let (wake, woken) = mpsc::channel();
    let (tell, is_woken) = mpsc::channel();
    let (woken, seen) = (Mutex::new(Some(woken)), earlier.clone());
    let later = explain.log_prints(move |_| {
        // At its first line. If the other has not ended, it had to give way on a busy machine, and there is nothing to see.
        if let Some(woken) = woken.lock().unwrap().take() {
            _ = tell.send(!seen.done() || woken.recv_timeout(MINUTE).is_ok());
        }
    });
    let later = later.submit(args![]).unwrap();
    let waker = Waker::from(Arc::new(Woken(wake)));
    let mut outcome = pin!(earlier.outcome());
    assert!(outcome.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(allow);
    assert!(told(&is_woken), "the waiter waits for the thread");
    assert!(block_on(later.outcome()).is_completed() && earlier.done());
}
