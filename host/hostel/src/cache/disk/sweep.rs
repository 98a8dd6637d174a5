//! Removal of files left behind by killed processes: values that no entry refers to, replaced indexes, and unfinished
//! files, of results, compiled code, components and values of runs.
//!
//! Lock files are not removed: there is a fixed number of them, and the system releases the locks of a process that
//! ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hostel_engine::remove_unfinished_code;
use hostel_files::check_regular_file;
use hostel_journal::registry::Registry;

use super::blobs::{BlobFile, Blobs};
use super::index;
use super::layout::{Leftover, unfinished};
use super::queue::Queue;
use super::results::Results;
use super::trouble::Broken;

/// The minimum age of an unreferenced file: a process that writes a value refers to it a moment later.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// How often the host sweeps.
const EVERY: Duration = Duration::from_secs(86_400);

/// How often a host checks whether a sweep is due.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// The number of files per transaction. Others can write between two transactions.
const TOGETHER: usize = 1000;

/// The number and size of removed files.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Swept {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Removes all leftovers older than `grace`. Files that may still be written are removed only if they are older than
/// [`GRACE`].
pub(super) fn sweep(results: &Results, grace: Duration) -> Result<Swept, Broken> {
    let mut swept = sweep_unfinished(results, grace)?;
    swept.files += sweep_components(&results.data_dir);
    for part in results.blobs.parts()? {
        swept.add(sweep_part(results, &part, grace, &|| true)?.unwrap_or_default());
    }
    mark(results);
    Ok(swept)
}

/// The daily sweep of a host, one directory at a time, on the thread that writes results.
///
/// A step ends early if other work waits for the thread. Each sweep takes the directories in another order, so that
/// commands too short for a whole sweep still reach all of them over time.
pub(super) struct Upkeep {
    next_look: Instant,
    /// The remaining directories of the current sweep.
    left: Option<Vec<PathBuf>>,
}

impl Upkeep {
    pub(super) fn new() -> Self {
        Self { next_look: Instant::now(), left: None }
    }

    /// Does at least one step of a due sweep, and more while there is nothing to write.
    pub(super) fn go_on(&mut self, results: &Results, queue: &Queue) {
        if let Err(error) = self.steps(results, queue) {
            self.left = None;
            tracing::debug!("leftovers in {} are not removed: {error}", results.dir().display());
        }
    }

    fn steps(&mut self, results: &Results, queue: &Queue) -> Result<(), Broken> {
        if self.left.is_none() && !self.begin(results, queue)? {
            return Ok(());
        }
        let Some(left) = &mut self.left else { return Ok(()) };
        while let Some(part) = left.last() {
            if sweep_part(results, part, GRACE, &|| queue.can_wait())?.is_none() {
                return Ok(());
            }
            left.pop();
            if !queue.is_idle() {
                return Ok(());
            }
        }
        self.left = None;
        mark(results);
        Ok(())
    }

    /// Begins a sweep if it is due.
    fn begin(&mut self, results: &Results, queue: &Queue) -> Result<bool, Broken> {
        let now = Instant::now();
        if now < self.next_look || !queue.can_wait() {
            return Ok(false);
        }
        self.next_look = now + LOOK_EVERY;
        if !is_due(&results.layout.last_sweep()) {
            return Ok(false);
        }
        sweep_unfinished(results, GRACE)?;
        let mut parts = results.blobs.parts()?;
        fastrand::shuffle(&mut parts);
        self.left = Some(parts);
        Ok(true)
    }
}

/// Whether the last sweep was long ago, according to the marker file.
fn is_due(marker: &Path) -> bool {
    match fs::symlink_metadata(marker) {
        Ok(metadata) if metadata.is_file() => metadata.modified().is_ok_and(|last| is_old(last, EVERY, true)),
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Records that everything was swept, in a new file. An existing file of that name is not opened.
fn mark(results: &Results) {
    let marker = results.layout.last_sweep();
    if let Err(error) = check_regular_file(&marker) {
        tracing::warn!("{} is replaced: {error}", marker.display());
    }
    let marked = unfinished(results.dir()).and_then(|file| Ok(file.persist(marker)?));
    if let Err(error) = marked
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!("cannot record in {} that leftovers were removed: {error}", results.dir().display());
    }
}

/// Removes replaced indexes, and unfinished files other than those of values.
fn sweep_unfinished(results: &Results, grace: Duration) -> Result<Swept, Broken> {
    let (files, bytes) = remove_unfinished_code(&results.compiled, GRACE)?;
    let mut swept = Swept { files, bytes };
    let (files, bytes) = hostel_journal::remove_unfinished(&results.data_dir, GRACE)?;
    swept.add(Swept { files, bytes });
    for Leftover { path, is_unfinished } in results.leftovers()? {
        let grace = if is_unfinished { GRACE } else { grace };
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if is_old(metadata.modified()?, grace, false) && !metadata.is_dir() && Blobs::remove(&path)? {
            swept.add(Swept { files: 1, bytes: metadata.len() });
        }
    }
    Ok(swept)
}

/// Removes the files of components that were never registered, and returns their number. Waits for the registry's lock.
fn sweep_components(data_dir: &Path) -> u64 {
    // Opening a registry creates it.
    if !hostel_journal::data_dirs(data_dir).iter().any(|dir| dir.is_dir()) {
        return 0;
    }
    let registry = Registry::open(data_dir).map_err(|error| error.to_string());
    let swept =
        registry.and_then(|registry| registry.sweep(SystemTime::now()).map_err(|error| error.to_string()));
    swept.unwrap_or_else(|error| {
        tracing::debug!("leftovers of components in {} are not removed: {error}", data_dir.display());
        0
    })
}

/// Removes leftover values in one directory; `None` if it was stopped early.
fn sweep_part(
    results: &Results,
    part: &Path,
    grace: Duration,
    may_go_on: &dyn Fn() -> bool,
) -> Result<Option<Swept>, Broken> {
    let mut orphans = Vec::new();
    for file in Blobs::files(part)? {
        if !may_go_on() {
            return Ok(None);
        }
        let file = file?;
        // An unfinished file is being written by another process.
        let grace = if file.is_unfinished() { GRACE } else { grace };
        let is_ours = file.is_unfinished() || file.digest.is_some();
        if is_ours && file.is_dir {
            remove_dir(&file.path);
        } else if is_ours && is_old(file.modified, grace, false) && !is_referred_to(results, &file)? {
            orphans.push(file);
        }
    }
    let mut swept = Swept::default();
    for some in orphans.chunks(TOGETHER) {
        swept.add(remove_orphans(results, some)?);
    }
    Ok(Some(swept))
}

/// Removes a directory in the place of a value, which only others can have made. One that is not empty stays, and is named.
fn remove_dir(dir: &Path) {
    if let Err(error) = fs::remove_dir(dir) {
        let dir = dir.display();
        tracing::warn!("{dir} cannot be removed: expected a file with a value, found a directory ({error})");
    }
}

/// Whether `at` is at least this long ago. `if_ahead` is the answer for times in the future.
fn is_old(at: SystemTime, age: Duration, if_ahead: bool) -> bool {
    SystemTime::now().duration_since(at).map_or(if_ahead, |since| since >= age)
}

fn is_referred_to(results: &Results, file: &BlobFile) -> Result<bool, Broken> {
    let Some(digest) = &file.digest else { return Ok(false) };
    Ok(results.read(|index| index::refers_to(index, digest))?.unwrap_or(false))
}

/// Removes files that are still unreferenced. The transaction prevents new references. It needs an index, which is
/// created if there is none.
fn remove_orphans(results: &Results, orphans: &[BlobFile]) -> Result<Swept, Broken> {
    results.write(|index| {
        let mut swept = Swept::default();
        for file in orphans {
            let is_needed = file.digest.map_or(Ok(false), |digest| index::refers_to(index, &digest))?;
            if !is_needed && Blobs::remove(&file.path)? {
                swept.add(Swept { files: 1, bytes: file.bytes });
            }
        }
        Ok(swept)
    })
}

impl Swept {
    fn add(&mut self, more: Self) {
        self.files += more.files;
        self.bytes += more.bytes;
    }
}
