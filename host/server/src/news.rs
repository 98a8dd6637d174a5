//! What is new in the journal: one thread watches it, for all who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use hostel::RunId;
use hostel::journal::{Journal, JournalError, MAX_EVENTS, SqliteJournal};
use tokio::sync::{Notify, watch};

/// The longest wait for one change.
const WATCH: Duration = Duration::from_secs(1);

/// Tells what is new.
#[derive(Debug)]
pub(crate) struct News {
    changed: watch::Sender<u64>,
    /// Those who wait for the end of a run, and how many they are.
    waiters: Mutex<HashMap<RunId, (Arc<Notify>, usize)>>,
}

/// Someone who waits for the end of a run.
#[derive(Debug)]
pub(crate) struct Waiter {
    news: Arc<News>,
    run: RunId,
    notify: Arc<Notify>,
}

impl News {
    /// Starts the thread, which ends when the news are dropped.
    pub(crate) fn start(journal: Arc<SqliteJournal>) -> std::io::Result<Arc<Self>> {
        let news = Arc::new(Self { changed: watch::Sender::new(0), waiters: Mutex::default() });
        let weak = Arc::downgrade(&news);
        let watch = move || watch_journal(&journal, &weak);
        thread::Builder::new().name("hostel-news".to_owned()).spawn(watch)?;
        Ok(news)
    }

    /// Changes whenever something in the journal may have.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits for the end of a run from now on.
    pub(crate) fn wait_for(self: &Arc<Self>, run: RunId) -> Waiter {
        let mut waiters = self.waiters();
        let (notify, count) = waiters.entry(run).or_default();
        *count += 1;
        Waiter { news: Arc::clone(self), run, notify: Arc::clone(notify) }
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<RunId, (Arc<Notify>, usize)>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what has happened after the event with this number, and returns the number of the last event; `None` if nobody waits.
    fn look(&self, journal: &SqliteJournal, after: Option<u64>) -> Result<Option<u64>, JournalError> {
        if self.waiters().is_empty() {
            return Ok(None);
        }
        let Some(mut after) = after else {
            // Whatever has happened while nobody waited, those who have come since look themselves.
            let last = last_event(journal, 0)?;
            self.waiters().values().for_each(|(notify, _)| notify.notify_waiters());
            return Ok(Some(last));
        };
        loop {
            let events = journal.events(after, MAX_EVENTS)?;
            let waiters = self.waiters();
            for event in events.iter().filter(|event| event.state.is_terminal()) {
                waiters.get(&event.run).into_iter().for_each(|(notify, _)| notify.notify_waiters());
            }
            after = events.last().map_or(after, |event| event.seq);
            if events.len() < MAX_EVENTS {
                return Ok(Some(after));
            }
        }
    }
}

impl Waiter {
    /// Completes when the run may have ended since this was called.
    pub(crate) fn notified(&self) -> impl Future<Output = ()> {
        self.notify.notified()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.news.waiters();
        if let Some((_, count)) = waiters.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.run);
            }
        }
    }
}

/// The number of the last event, which is not before `from`. The journal has no such query; this one reads some dozens of events.
pub(crate) fn last_event(journal: &dyn Journal, from: u64) -> Result<u64, JournalError> {
    let next = |after: u64| journal.events(after, 1).map(|events| events.first().map(|event| event.seq));
    let (mut last, mut step) = (from, 1_u64);
    // Larger and larger steps forward, and smaller and smaller ones after the first that went too far.
    loop {
        match next(last.saturating_add(step - 1))? {
            Some(seq) => {
                last = seq;
                step = step.saturating_mul(2);
            }
            None if step == 1 => return Ok(last),
            None => step = (step / 4).max(1),
        }
    }
}

fn watch_journal(journal: &SqliteJournal, news: &Weak<News>) {
    let (mut seen, mut after) = (0, None);
    while let Some(strong) = news.upgrade() {
        // After an error it looks again at the next change; those who wait look now and then themselves.
        after = strong.look(journal, after).unwrap_or_default();
        drop(strong);
        match journal.wait_for_change(seen, WATCH) {
            Ok(now) if now == seen => {}
            Ok(now) => {
                seen = now;
                news.upgrade().into_iter().for_each(|news| _ = news.changed.send_replace(now));
            }
            // Changes cannot be noticed: everyone looks for themselves.
            Err(_) => {
                thread::sleep(WATCH);
                news.upgrade().into_iter().for_each(|news| news.changed.send_modify(|_| {}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hostel::journal::RunSpec;
    use hostel::{Digest, ExportPath, TaskKey, Timestamp};

    use super::*;

    fn submit(journal: &SqliteJournal, ids: impl IntoIterator<Item = u8>) {
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        let at = Timestamp::from_unix_nanos(1);
        let spec = |id| RunSpec::new(RunId::from_bytes([id; 16]), task.clone(), Arc::default(), at);
        let specs: Vec<_> = ids.into_iter().map(spec).collect();
        journal.submit(at, &specs).unwrap();
    }

    #[test]
    fn the_last_event_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(dir.path()).unwrap();
        assert_eq!(last_event(&journal, 0).unwrap(), 0);
        let mut ids = 1..;
        for count in [1, 1, 1, 3, 20, 57] {
            submit(&journal, ids.by_ref().take(count));
            let last = journal.events(0, MAX_EVENTS).unwrap().last().unwrap().seq;
            assert_eq!(last_event(&journal, 0).unwrap(), last);
            assert_eq!(last_event(&journal, last).unwrap(), last);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_run_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(dir.path()).unwrap());
        let news = News::start(Arc::clone(&journal)).unwrap();
        submit(&journal, [1, 2]);
        for id in [1, 2] {
            let run = RunId::from_bytes([id; 16]);
            let waiter = news.wait_for(run);
            loop {
                let notified = waiter.notified();
                if journal.get(run).unwrap().unwrap().state().is_terminal() {
                    break;
                }
                journal.cancel(Timestamp::from_unix_nanos(2), run).unwrap();
                notified.await;
            }
        }
        assert!(news.waiters().is_empty());
    }
}
