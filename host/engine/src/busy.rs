//! How long an attempt computes, and whether it waits for too long.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::boundary;

/// Stretches of computing of at least this length are measured by the thread's own clock, which takes a system call of
/// half a microsecond. Shorter ones are measured by the wall clock, because a thread is rarely preempted within them.
const LONG: Duration = Duration::from_millis(1);

/// Runs an attempt, measures its computing time, and gives up if it waits longer than allowed.
pub(crate) struct Busy<'a, F> {
    attempt: Pin<&'a mut F>,
    cpu_time: &'a mut Duration,
    idle: Option<Idle>,
}

/// The guest has waited longer than allowed.
#[derive(Debug)]
pub(crate) struct WaitedTooLong;

/// The bound on waiting.
struct Idle {
    limit: Duration,
    /// Ends when the guest has waited for that long.
    end: Pin<Box<Sleep>>,
    guest: Arc<GuestWaker>,
}

/// Distinguishes a guest that goes on from the end of the bound.
struct GuestWaker {
    is_awake: AtomicBool,
    task: Mutex<Waker>,
}

impl<'a, F: Future> Busy<'a, F> {
    /// Computing time is added to `cpu_time`, whether the attempt ends or is dropped.
    pub(crate) fn new(
        attempt: Pin<&'a mut F>,
        cpu_time: &'a mut Duration,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self { attempt, cpu_time, idle: idle_timeout.map(Idle::new) }
    }

    fn compute(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let began = Instant::now();
        boundary::stretch_begins(began);
        let polled = self.attempt.as_mut().poll(cx);
        *self.cpu_time += computed(began.elapsed());
        polled
    }
}

impl<F: Future> Future for Busy<'_, F> {
    type Output = Result<F::Output, WaitedTooLong>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(idle) = &mut this.idle else { return this.compute(cx).map(Ok) };
        let waker = idle.waker(cx);
        if idle.guest.is_awake.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = this.compute(&mut Context::from_waker(&waker)) {
                return Poll::Ready(Ok(output));
            }
            if let Some(idle) = &mut this.idle {
                idle.begin();
            }
        }
        match &mut this.idle {
            Some(idle) => idle.end.as_mut().poll(cx).map(|()| Err(WaitedTooLong)),
            None => Poll::Pending,
        }
    }
}

impl Idle {
    fn new(limit: Duration) -> Self {
        let guest = GuestWaker { is_awake: AtomicBool::new(true), task: Mutex::new(Waker::noop().clone()) };
        Self { limit, end: Box::pin(tokio::time::sleep(limit)), guest: Arc::new(guest) }
    }

    /// Wakes the guest and its executor.
    fn waker(&self, cx: &Context<'_>) -> Waker {
        self.guest.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
        Waker::from(Arc::clone(&self.guest))
    }

    /// The guest begins to wait.
    fn begin(&mut self) {
        let now = tokio::time::Instant::now();
        // An instant a year away can still be represented.
        self.end.as_mut().reset(now.checked_add(self.limit).unwrap_or(now));
    }
}

impl Wake for GuestWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_awake.store(true, Ordering::Release);
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

thread_local! {
    /// The last reading of the thread's clock, and the computing time in short stretches since then.
    static LAST: Cell<(Duration, Duration)> = const { Cell::new((Duration::ZERO, Duration::ZERO)) };
}

/// The computing time in a stretch that took `wall`. It has just ended on this thread.
fn computed(wall: Duration) -> Duration {
    let (read, since) = LAST.get();
    match (wall >= LONG).then(thread_clock).flatten() {
        Some(now) => {
            LAST.set((now, Duration::ZERO));
            wall.min(now.saturating_sub(read).saturating_sub(since))
        }
        None => {
            LAST.set((read, since.saturating_add(wall)));
            wall
        }
    }
}

/// The computing time of this thread since it began, if the system provides it.
#[cfg(target_os = "linux")]
fn thread_clock() -> Option<Duration> {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

/// The computing time of this thread since it began, if the system provides it.
#[cfg(not(target_os = "linux"))]
fn thread_clock() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;

    use super::*;

    async fn run<F: Future>(attempt: F, idle_timeout: Duration) -> Result<F::Output, WaitedTooLong> {
        let mut cpu_time = Duration::ZERO;
        Busy::new(pin!(attempt), &mut cpu_time, Some(idle_timeout)).await
    }

    fn turn<F: Future>(busy: &mut Busy<'_, F>) -> Poll<Result<F::Output, WaitedTooLong>> {
        Pin::new(busy).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_is_given_up() {
        let began = tokio::time::Instant::now();
        assert!(run(pending::<()>(), Duration::from_secs(3)).await.is_err());
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_begins_anew() {
        let waker = Cell::new(None);
        let mut waits = pin!(poll_fn(|cx| {
            waker.set(Some(cx.waker().clone()));
            Poll::<()>::Pending
        }));
        let mut cpu_time = Duration::ZERO;
        let mut busy = Busy::new(waits.as_mut(), &mut cpu_time, Some(Duration::from_secs(3)));
        for _ in 0..10 {
            assert!(turn(&mut busy).is_pending());
            tokio::time::advance(Duration::from_secs(2)).await;
            waker.take().unwrap().wake();
        }
        assert!(turn(&mut busy).is_pending());
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(matches!(turn(&mut busy), Poll::Ready(Err(WaitedTooLong))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_way_and_is_late_to_go_on_has_not_waited() {
        let mut turns = 0;
        let gives_way = poll_fn(|cx| {
            turns += 1;
            if turns == 3 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let mut gives_way = pin!(gives_way);
        let mut cpu_time = Duration::ZERO;
        let mut busy = Busy::new(gives_way.as_mut(), &mut cpu_time, Some(Duration::from_secs(3)));
        assert!(turn(&mut busy).is_pending());
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(turn(&mut busy).is_pending());
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(matches!(turn(&mut busy), Poll::Ready(Ok(()))));
    }

    #[tokio::test]
    async fn computing_is_added_up() {
        let mut cpu_time = Duration::ZERO;
        Busy::new(pin!(ready(())), &mut cpu_time, None).await.unwrap();
        let first = cpu_time;
        let spin = async {
            let began = Instant::now();
            while began.elapsed() < 2 * LONG {
                std::hint::spin_loop();
            }
        };
        Busy::new(pin!(spin), &mut cpu_time, None).await.unwrap();
        assert!(cpu_time > first);
    }
}
