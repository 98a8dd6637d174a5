//! Waiting for changes by any process.
//!
//! The bell rings when this process has committed something. For other processes a thread watches the log of the database: on Linux
//! the system reports each write to it, elsewhere the thread looks at the version of the data.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::connection::{ReadAs, open_to_read};

/// A commit is visible only after its log was synchronised. So after each write to the log, the version of the data is looked at this
/// often, with [`LOOK_PAUSE`] between.
#[cfg(target_os = "linux")]
const LOOKS: u32 = 100;

#[cfg(target_os = "linux")]
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// How often the version of the data is looked at where the system reports no writes.
const POLL: Duration = Duration::from_millis(50);

/// How long the thread waits before it looks whether its journal still exists.
#[cfg(target_os = "linux")]
const LIFE: Duration = Duration::from_secs(1);

/// Rings after each commit.
#[derive(Default)]
pub(super) struct Bell {
    /// How often it rang. Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    rung: Mutex<u64>,
    ringing: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung() += 1;
        self.ringing.notify_all();
    }

    /// Waits until `read` returns something else than `seen`, which it asks for after each ring, or until the time is over.
    pub(super) fn wait<E>(
        &self,
        seen: u64,
        timeout: Duration,
        read: impl Fn() -> Result<u64, E>,
    ) -> Result<u64, E> {
        let until = Instant::now().checked_add(timeout);
        loop {
            let rung = *self.rung();
            let now = read()?;
            let left = until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
            if now != seen || left.is_zero() {
                return Ok(now);
            }
            let has_not_rung = |count: &mut u64| *count == rung;
            drop(self.ringing.wait_timeout_while(self.rung(), left, has_not_rung));
        }
    }

    /// Starts the thread that rings for other processes. It ends when the bell is dropped.
    pub(super) fn listen(self: &Arc<Self>, path: &Path, read_as: ReadAs) -> std::io::Result<()> {
        let bell = Arc::downgrade(self);
        let db = open_to_read(path, read_as).map_err(std::io::Error::other)?;
        #[cfg(target_os = "linux")]
        // The system may refuse: a user may watch only so much.
        let log = Log::watch(path).ok();
        let listen = move || {
            let mut version = data_version(&db);
            while bell.strong_count() > 0 {
                #[cfg(target_os = "linux")]
                if let Some(log) = &log {
                    if log.wait() {
                        look(&bell, &db, &mut version);
                    }
                    continue;
                }
                thread::sleep(POLL);
                ring_if_changed(&bell, &db, &mut version);
            }
        };
        thread::Builder::new().name("hostel-bell".to_owned()).spawn(listen).map(drop)
    }

    fn rung(&self) -> MutexGuard<'_, u64> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn data_version(db: &Connection) -> Option<i64> {
    let mut query = db.prepare_cached("PRAGMA data_version").ok()?;
    query.query_row([], |row| row.get(0)).ok()
}

/// Rings if the version of the data has changed, and returns whether it has.
fn ring_if_changed(bell: &Weak<Bell>, db: &Connection, version: &mut Option<i64>) -> bool {
    let now = data_version(db);
    let has_changed = now != *version;
    *version = now;
    if has_changed {
        bell.upgrade().iter().for_each(|bell| bell.ring());
    }
    has_changed
}

/// Looks for a commit after a write to the log.
#[cfg(target_os = "linux")]
fn look(bell: &Weak<Bell>, db: &Connection, version: &mut Option<i64>) {
    for _ in 0..LOOKS {
        if ring_if_changed(bell, db, version) {
            return;
        }
        thread::sleep(LOOK_PAUSE);
    }
}

/// The log of a database, as the system watches it.
#[cfg(target_os = "linux")]
struct Log {
    inotify: nix::sys::inotify::Inotify,
    name: std::ffi::OsString,
}

#[cfg(target_os = "linux")]
impl Log {
    /// Watches the directory, in which the log may be created anew.
    fn watch(path: &Path) -> std::io::Result<Self> {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push("-wal");
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        inotify.add_watch(dir, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE)?;
        Ok(Self { inotify, name })
    }

    /// Waits for a while, and returns whether the log was written.
    fn wait(&self) -> bool {
        use std::os::fd::AsFd;

        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut readable = [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(LIFE).unwrap_or(PollTimeout::MAX);
        match poll(&mut readable, timeout) {
            Ok(0) => false,
            Ok(_) => {
                let events = self.inotify.read_events().unwrap_or_default();
                // An event without a name says that some were lost.
                events.iter().any(|event| event.name.as_ref().is_none_or(|name| *name == self.name))
            }
            Err(_) => {
                thread::sleep(LIFE);
                true
            }
        }
    }
}
