//! One thread that watches a journal for everything that waits for a change of it, or for the end of a run.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hostel_core::RunId;
use tokio::sync::watch;

use crate::journal::{Journal, JournalEntry, JournalError, MAX_EVENTS};

/// The longest wait of the thread for one change.
const BEAT: Duration = Duration::from_secs(1);

/// After so many beats without an event of its run, a waiter looks itself: the run may have been removed.
const BEATS_TO_LOOK: u32 = 5;

/// Wakes listeners after each change of a journal, and waiters after the end of their run. Its thread exists while there are any.
#[derive(Default)]
pub(crate) struct JournalWatch(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    /// While the thread exists. Waiters have a receiver, too.
    changes: Option<watch::Sender<()>>,
    /// The runs with waiters, and the number of these.
    runs: HashMap<RunId, (watch::Sender<End>, usize)>,
}

/// What waiters receive: the ended run, or `None` if they must read the journal.
type End = Option<Arc<JournalEntry>>;

/// Changes of a journal, for the task that reads it after each of them: [`Host::journal_changes`](crate::Host::journal_changes).
#[derive(Debug)]
pub struct JournalChanges(watch::Receiver<()>);

/// A wait for the end of one run.
pub(crate) struct EndOfRun {
    watch: Arc<JournalWatch>,
    run: RunId,
    end: watch::Receiver<End>,
    _changes: JournalChanges,
}

impl JournalChanges {
    /// What changed before this call counts as known. Call it, read the journal, and then wait.
    pub fn mark_known(&mut self) {
        self.0.mark_unchanged();
    }

    /// Waits for a change that is not known. It may return without one, and at once if the journal cannot be watched any more.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: no change is lost.
    pub async fn changed(&mut self) {
        // The sender is only dropped by a thread that has panicked.
        _ = self.0.changed().await;
    }
}

impl JournalWatch {
    /// Listens to this journal, which is always the same one.
    ///
    /// # Errors
    ///
    /// The system refused a thread.
    pub(crate) fn listen(self: &Arc<Self>, journal: &Arc<dyn Journal>) -> io::Result<JournalChanges> {
        let mut watched = self.lock();
        if let Some(changes) = &watched.changes {
            return Ok(JournalChanges(changes.subscribe()));
        }
        let (send, receive) = watch::channel(());
        // Read here, not in the thread: what changes before the thread runs is a change for the listener. After an error there is one, too.
        let seen = journal.changes().unwrap_or_default();
        let (watch, journal) = (Arc::clone(self), Arc::clone(journal));
        thread::Builder::new()
            .name("hostel-changes".to_owned())
            .spawn(move || watch.watch(&*journal, seen))?;
        watched.changes = Some(send);
        Ok(JournalChanges(receive))
    }

    /// Waits for the end of a run from now on.
    ///
    /// # Errors
    ///
    /// As [`JournalWatch::listen`].
    pub(crate) fn wait_for(self: &Arc<Self>, journal: &Arc<dyn Journal>, run: RunId) -> io::Result<EndOfRun> {
        let changes = self.listen(journal)?;
        let mut watched = self.lock();
        let (end, count) = watched.runs.entry(run).or_default();
        *count += 1;
        Ok(EndOfRun { watch: Arc::clone(self), run, end: end.subscribe(), _changes: changes })
    }

    /// Tells those who wait for a run how it has ended, so that they need not read the journal. It is recorded already.
    pub(crate) fn ended(&self, run: &JournalEntry) {
        let watched = self.lock();
        if let Some((end, _)) = watched.runs.get(&run.run()) {
            end.send_replace(Some(Arc::new(run.clone())));
        }
    }

    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, journal: &dyn Journal, mut seen: u64) {
        let mut last = None;
        for beat in 1_u32.. {
            // After an error the waiters are woken, read the journal themselves, and get the error.
            last = self.wake_waiters(journal, last).unwrap_or_default();
            let has_changed = match journal.wait_for_change(seen, BEAT) {
                Ok(now) => std::mem::replace(&mut seen, now) != now,
                Err(_) => {
                    thread::sleep(BEAT);
                    true
                }
            };
            if beat % BEATS_TO_LOOK == 0 {
                self.wake_all();
            }
            let mut watched = self.lock();
            match &watched.changes {
                Some(changes) if changes.receiver_count() > 0 => {
                    if has_changed {
                        changes.send_replace(());
                    }
                }
                // Nobody listens, and the next one starts another thread.
                _ => {
                    watched.changes = None;
                    return;
                }
            }
        }
    }

    /// Wakes those whose runs have ended after the event with this number, and returns the number of the last event; `None` if nobody
    /// waits.
    fn wake_waiters(&self, journal: &dyn Journal, last: Option<u64>) -> Result<Option<u64>, JournalError> {
        if self.lock().runs.is_empty() {
            return Ok(None);
        }
        let Some(mut last) = last else {
            // What happened while nobody waited is for those who have come since to find.
            let last = journal.last_event();
            self.wake_all();
            return last.map(Some);
        };
        loop {
            let events = journal.events(last, MAX_EVENTS)?;
            let watched = self.lock();
            for event in events.iter().filter(|event| event.state.is_terminal()) {
                watched.runs.get(&event.run).into_iter().for_each(|(end, _)| _ = end.send_replace(None));
            }
            last = events.last().map_or(last, |event| event.seq);
            if events.len() < MAX_EVENTS {
                return Ok(Some(last));
            }
        }
    }

    fn wake_all(&self) {
        self.lock().runs.values().for_each(|(end, _)| _ = end.send_replace(None));
    }
}

impl EndOfRun {
    /// What happened before this call counts as known. Call it, read the run, and then wait.
    pub(crate) fn mark_known(&mut self) {
        self.end.mark_unchanged();
    }

    /// Completes when the run may have ended since then; with the run if a worker of this process has told how it ended.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: nothing is lost.
    pub(crate) async fn changed(&mut self) -> Option<Arc<JournalEntry>> {
        // The sender is there as long as this is.
        _ = self.end.changed().await;
        self.end.borrow().clone()
    }
}

impl Drop for EndOfRun {
    fn drop(&mut self) {
        let mut watched = self.watch.lock();
        if let Some((_, count)) = watched.runs.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                watched.runs.remove(&self.run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hostel_core::{Digest, ExportPath, RunSpec, TaskKey, Timestamp};

    use super::*;
    use crate::journal::MemoryJournal;

    /// Waits, but not for ever.
    fn within<T>(wait: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let bounded = async { tokio::time::timeout(Duration::from_secs(60), wait).await };
        runtime.block_on(bounded).expect("the journal has changed, and nobody was told")
    }

    fn submit(journal: &dyn Journal, ids: impl IntoIterator<Item = u8>) {
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        let at = Timestamp::from_unix_nanos(1);
        let spec = |id| RunSpec::new(RunId::from_bytes([id; 16]), task.clone(), Arc::default(), at);
        journal.submit(at, &ids.into_iter().map(spec).collect::<Vec<_>>()).unwrap();
    }

    fn watched() -> (Arc<JournalWatch>, Arc<dyn Journal>) {
        (Arc::default(), Arc::new(MemoryJournal::default()))
    }

    #[test]
    fn waiters_are_woken_by_the_end_of_their_run() {
        let (watch, journal) = watched();
        submit(&*journal, 1..=3);
        // The first wait begins while nobody waits, the second while the thread knows the last event.
        for id in 1..=3 {
            let run = RunId::from_bytes([id; 16]);
            let mut end = watch.wait_for(&journal, run).unwrap();
            loop {
                end.mark_known();
                if journal.get(run).unwrap().unwrap().state().is_terminal() {
                    break;
                }
                journal.cancel(Timestamp::from_unix_nanos(2), run).unwrap();
                assert_eq!(within(end.changed()), None);
            }
        }
        assert!(watch.lock().runs.is_empty());
    }

    #[test]
    fn those_who_wait_when_a_worker_tells_of_an_end_have_the_run() {
        let (watch, journal) = watched();
        // Without the thread, which tells of the event, too.
        watch.lock().changes = Some(watch::Sender::new(()));
        submit(&*journal, [1, 2]);
        let [run, other] = [1, 2].map(|id| RunId::from_bytes([id; 16]));
        let [mut first, mut second, third] =
            [run, run, other].map(|run| watch.wait_for(&journal, run).unwrap());
        journal.cancel(Timestamp::from_unix_nanos(2), run).unwrap();
        let entry = journal.get(run).unwrap().unwrap();
        watch.ended(&entry);
        let mut late = watch.wait_for(&journal, run).unwrap();
        assert_eq!(within(first.changed()).as_deref(), Some(&entry));
        assert!(!late.end.has_changed().unwrap(), "it comes after that end");
        assert!(!third.end.has_changed().unwrap(), "it waits for another run");
        watch.wake_all();
        assert_eq!([within(late.changed()), within(second.changed())], [None, None], "they look themselves");
        drop((first, second, third, late));
        watch.ended(&entry);
        assert!(watch.lock().runs.is_empty());
    }

    #[test]
    fn a_waiter_looks_itself_if_its_run_is_removed() {
        let (watch, journal) = watched();
        submit(&*journal, [1]);
        let mut end = watch.wait_for(&journal, RunId::from_bytes([1; 16])).unwrap();
        within(end.changed());
        end.mark_known();
        journal.cancel(Timestamp::from_unix_nanos(2), RunId::from_bytes([1; 16])).unwrap();
        journal.remove(RunId::from_bytes([1; 16])).unwrap();
        within(end.changed());
        assert_eq!(journal.get(RunId::from_bytes([1; 16])).unwrap(), None);
    }

    #[test]
    fn all_listeners_see_a_change() {
        // Again and again, for the change often comes before the thread has begun to watch.
        for _ in 0..100 {
            let (watch, journal) = watched();
            let mut listeners = [watch.listen(&journal).unwrap(), watch.listen(&journal).unwrap()];
            listeners.iter_mut().for_each(JournalChanges::mark_known);
            submit(&*journal, [1]);
            listeners.iter_mut().for_each(|listener| within(listener.changed()));
        }
    }
}
