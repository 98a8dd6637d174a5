//! Runs that ended outside a worker, on their way into the journal: files that wait to be stored.
//!
//! Writing a small file takes a tenth of a millisecond. Opening the journal takes several, which is too much for a command
//! that executes one run.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostel_core::journal::{Journal, JournalError, MAX_SUBMITTED};
use hostel_core::{DecodeRunError, Digest, LogLine, RunId, RunRecord};
use hostel_files::{
    UNFINISHED_PREFIX, create_private_dir, is_not_a_file, open_regular_file, private_temp_file,
};

use crate::history_logs::{self, RecordedLog};

/// The directory of the files.
const HISTORY: &str = "history";

/// After this time, the writer of an unfinished file was killed.
const MAX_WRITING: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of waiting files from which they should be gathered.
const MANY: usize = 64;

/// The number of waiting files from which runs are dropped: nobody could gather them.
const MOST: usize = 1_024;

/// The size from which a file should be gathered soon.
const LARGE_BYTES: u64 = 1 << 20;

/// The bytes of a file's digest, which are its first.
const DIGEST_BYTES: usize = 32;

/// The bytes of the length before each record.
const LENGTH_BYTES: usize = 4;

/// The runs of a data directory that ended outside a worker, such as those of the command line. Each is left in a file of
/// its own, and stored in the journal when someone [gathers](RunHistory::gather) them.
///
/// The files are private to their owner. A file is whole or not there, even if its writer is killed. After a power cut, files of the
/// last seconds may be missing.
#[derive(Clone, Debug)]
pub struct RunHistory {
    dir: PathBuf,
}

/// What became of runs that were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// They wait.
    Waiting,
    /// They wait, and there are so many or such large ones that someone should gather them now.
    Due,
    /// They were dropped: 1,024 files wait, because nobody can gather them.
    Dropped,
}

/// What was gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// How many runs are in the journal now that were not before, or were put there by another process meanwhile.
    pub runs: u64,
    /// How many files were removed because they could not be read.
    pub damaged: u64,
}

/// A file that was read.
enum Contents {
    Runs(Vec<RunRecord>, Vec<RecordedLog>),
    /// Written by a newer version, which can gather it.
    Newer,
    Damaged,
}

impl RunHistory {
    /// The most bytes of the runs that are left together.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// That of a data directory. Nothing is opened or created.
    pub fn of(data_dir: &Path) -> Self {
        Self { dir: data_dir.join(HISTORY) }
    }

    /// Leaves runs that have ended, all of them in one file. Costs about a tenth of a millisecond, and the time to write the
    /// values.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, and if the runs have more than 64 MiB together.
    pub fn leave(&self, runs: &[RunRecord]) -> io::Result<Left> {
        self.leave_with_logs(runs, &[])
    }

    /// The same, with the logs of some of the runs: of each the last 256 KiB, and none if there would be more than 64 MiB together. They
    /// are stored with [`RunLogs`](crate::RunLogs) when the
    /// runs are gathered.
    ///
    /// # Errors
    ///
    /// As [`RunHistory::leave`].
    pub fn leave_with_logs(&self, runs: &[RunRecord], logs: &[(RunId, Vec<LogLine>)]) -> io::Result<Left> {
        let Some(first) = runs.first() else { return Ok(Left::Waiting) };
        let mut bytes = encode(runs, logs);
        if bytes.len() as u64 > RunHistory::MAX_BYTES && !logs.is_empty() {
            // A log is not worth more than its run.
            bytes = encode(runs, &[]);
        }
        let size = bytes.len() as u64;
        if size > RunHistory::MAX_BYTES {
            let problem = format!("it has {size} bytes: expected at most {}", RunHistory::MAX_BYTES);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        self.create()?;
        let waiting = self.waiting(MOST)?.len();
        if waiting >= MOST {
            return Ok(Left::Dropped);
        }
        let name = first.spec().id.to_string();
        let mut unfinished = private_temp_file(UNFINISHED_PREFIX, &self.dir)?;
        unfinished.write_all(&bytes)?;
        unfinished.persist(self.dir.join(name)).map_err(|error| error.error)?;
        Ok(if waiting + 1 >= MANY || size >= LARGE_BYTES { Left::Due } else { Left::Waiting })
    }

    /// Stores all runs that wait in the journal, and removes their files. Several processes may do so at once. Without files it
    /// costs microseconds.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::import`]. The files that are left can be gathered later.
    pub fn gather(&self, journal: &dyn Journal) -> Result<Gathered, JournalError> {
        let mut gathered = Gathered::default();
        // A directory that cannot be read has nothing to gather.
        let Ok(files) = self.waiting(MOST) else { return Ok(gathered) };
        let mut batch = Batch::default();
        for file in files {
            match read(&file) {
                Ok(Contents::Runs(runs, logs)) => {
                    batch.add(file, runs, logs);
                    if batch.is_full() {
                        gathered.runs += std::mem::take(&mut batch).store(journal, self.data_dir())?;
                    }
                }
                Ok(Contents::Damaged) => {
                    gathered.damaged += 1;
                    remove(&file);
                }
                // It is gone because another process has gathered it, or may be readable later.
                Ok(Contents::Newer) | Err(_) => {}
            }
        }
        gathered.runs += batch.store(journal, self.data_dir())?;
        self.sweep();
        Ok(gathered)
    }

    fn data_dir(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }

    /// Whether the directory is there. Anything else in its place is an error: a link may lead anywhere.
    fn exists(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.dir) {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates the directory, with mode 0700 whatever the umask.
    fn create(&self) -> io::Result<()> {
        if self.exists()? {
            return Ok(());
        }
        create_private_dir(&self.dir)
    }

    /// The files that wait, in the order of their runs, at most so many.
    fn waiting(&self, most: usize) -> io::Result<Vec<PathBuf>> {
        let is_finished = |entry: &DirEntry| !entry.file_name().as_encoded_bytes().starts_with(b".");
        if !self.exists()? {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&self.dir)?;
        let mut files: Vec<_> =
            entries.flatten().filter(is_finished).map(|entry| entry.path()).take(most).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// Removes what killed writers have left.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let is_old = |entry: &DirEntry| {
            let modified = entry.metadata().and_then(|found| found.modified());
            modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > MAX_WRITING))
        };
        let is_unfinished =
            |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(UNFINISHED_PREFIX.as_bytes());
        let old = entries.flatten().take(MOST).filter(|entry| is_unfinished(entry) && is_old(entry));
        old.for_each(|entry| remove(&entry.path()));
    }
}

/// The runs of some files, to be stored in one transaction.
#[derive(Default)]
struct Batch {
    files: Vec<PathBuf>,
    runs: Vec<RunRecord>,
    logs: Vec<RecordedLog>,
    bytes: u64,
}

impl Batch {
    fn add(&mut self, file: PathBuf, runs: Vec<RunRecord>, logs: Vec<RecordedLog>) {
        self.bytes += fs::metadata(&file).map_or(0, |found| found.len());
        self.files.push(file);
        self.runs.extend(runs);
        self.logs.extend(logs);
    }

    /// Whether one more file might be too much for one transaction, or for memory.
    fn is_full(&self) -> bool {
        self.runs.len() >= MAX_SUBMITTED / 2 || self.bytes >= LARGE_BYTES
    }

    /// Stores the runs, removes the files, and returns how many runs were stored.
    fn store(self, journal: &dyn Journal, data_dir: &Path) -> Result<u64, JournalError> {
        let mut refused = Vec::new();
        for runs in self.runs.chunks(MAX_SUBMITTED) {
            match journal.import(runs) {
                Ok(_) => {}
                // One of them does not fit, which must not keep the others out.
                Err(JournalError::Conflict(_)) => one_by_one(journal, runs, &mut refused)?,
                Err(error) => return Err(error),
            }
        }
        // A run that has its id may be another one, with a log of its own.
        let logs = self.logs.into_iter().filter(|log| !refused.contains(&log.run));
        history_logs::store(data_dir, logs.collect());
        self.files.iter().for_each(|file| remove(file));
        Ok((self.runs.len() - refused.len()) as u64)
    }
}

fn one_by_one(
    journal: &dyn Journal,
    runs: &[RunRecord],
    refused: &mut Vec<RunId>,
) -> Result<(), JournalError> {
    for run in runs {
        match journal.import(std::slice::from_ref(run)) {
            Ok(_) => {}
            // It has not ended, or its id belongs to another run: it can never be stored.
            Err(JournalError::Conflict(_)) => refused.push(run.spec().id),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Another process may have removed it.
fn remove(file: &Path) {
    let _ = fs::remove_file(file);
}

/// The digest of the rest, and then each record and each log after its length in 4 bytes, little-endian.
fn encode(runs: &[RunRecord], logs: &[(RunId, Vec<LogLine>)]) -> Vec<u8> {
    let mut bytes = vec![0; DIGEST_BYTES];
    let logs = logs.iter().filter_map(|(run, lines)| history_logs::encode(*run, lines));
    for part in runs.iter().map(RunRecord::encode).chain(logs) {
        // Longer ones are more than a file may have.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend(part);
    }
    if let Some((digest, rest)) = bytes.split_at_mut_checked(DIGEST_BYTES) {
        digest.copy_from_slice(Digest::of(rest).as_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Contents {
    let Some((digest, mut rest)) = bytes.split_at_checked(DIGEST_BYTES) else { return Contents::Damaged };
    if Digest::of(rest).as_bytes() != digest {
        return Contents::Damaged;
    }
    let (mut runs, mut logs) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let Some((part, after)) = split_record(rest) else { return Contents::Damaged };
        rest = after;
        if history_logs::is_log(part) {
            let Some(log) = history_logs::decode(part) else { return Contents::Damaged };
            logs.push(log);
            continue;
        }
        match RunRecord::decode(part) {
            Ok(run) => runs.push(run),
            Err(DecodeRunError::NewerVersion { .. }) => return Contents::Newer,
            Err(_) => return Contents::Damaged,
        }
    }
    Contents::Runs(runs, logs)
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(LENGTH_BYTES)?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn read(path: &Path) -> io::Result<Contents> {
    let file = match open_regular_file(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if is_not_a_file(&error) => return Ok(Contents::Damaged),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > RunHistory::MAX_BYTES {
        return Ok(Contents::Damaged);
    }
    let mut bytes = Vec::new();
    file.take(RunHistory::MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(decode(&bytes))
}

#[cfg(test)]
mod tests {
    use hostel_core::{
        Event, ExportPath, Outcome, RunFact, RunId, RunSpec, State, TaskKey, Timestamp, Type, Value,
    };
    use hostel_core::{RunFilter, StoredValue};

    use super::*;
    use crate::{MemoryJournal, SqliteJournal};

    fn run(number: u8, has_ended: bool) -> RunRecord {
        let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
        let at = Timestamp::from_unix_nanos(number.into());
        let spec = RunSpec::new(RunId::from_bytes([number; 16]), task, Default::default(), at);
        let mut record = RunRecord::born(at, spec);
        record.apply(at, RunFact::Event(Event::Started)).unwrap();
        if has_ended {
            let outcome = Outcome::Completed(StoredValue::new(&Value::U8(number), &Type::U8).unwrap());
            record.apply(at, RunFact::Ended { event: Event::Completed, outcome }).unwrap();
        }
        record
    }

    fn names(history: &RunHistory) -> Vec<String> {
        let entries = fs::read_dir(&history.dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn runs_that_were_left_are_in_the_journal_after_they_are_gathered() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(&dir.path().join("data"));
        assert_eq!(history.gather(&MemoryJournal::default()).unwrap(), Gathered::default());
        assert!(!history.dir.exists());
        assert_eq!(history.leave(&[]).unwrap(), Left::Waiting);
        assert_eq!(history.leave(&[run(1, true)]).unwrap(), Left::Waiting);
        assert_eq!(history.leave(&[run(2, true), run(3, true)]).unwrap(), Left::Waiting);
        let journal = SqliteJournal::open(&dir.path().join("data")).unwrap();
        // Another process has read the files too.
        let again = RunHistory::of(&dir.path().join("data"));
        let copies: Vec<_> =
            names(&again).iter().map(|name| fs::read(again.dir.join(name)).unwrap()).collect();
        assert_eq!(history.gather(&journal).unwrap(), Gathered { runs: 3, damaged: 0 });
        assert_eq!(names(&history), Vec::<String>::new());
        for (number, copy) in copies.iter().enumerate() {
            fs::write(history.dir.join(number.to_string()), copy).unwrap();
        }
        assert_eq!(again.gather(&journal).unwrap().runs, 3);
        let found = journal.find(&RunFilter::default(), hostel_core::journal::Page::first(10)).unwrap();
        let found: Vec<_> = found.runs.iter().map(|head| (head.run.as_bytes()[0], head.state)).collect();
        assert_eq!(found, [3, 2, 1].map(|number| (number, State::Completed)));
        assert!(!journal.get(RunId::from_bytes([1; 16])).unwrap().unwrap().needs_attention());
    }

    #[test]
    fn logs_are_stored_with_their_runs_once() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        let text = |text: &str| LogLine {
            at: Timestamp::from_unix_nanos(1),
            stream: hostel_core::LogStream::Stdout,
            level: hostel_core::LogLevel::Info,
            text: text.to_owned(),
            fields: Vec::new(),
        };
        let (one, two) = (run(1, true), run(2, true));
        let logs = [(one.spec().id, vec![text("a"), text("b")]), (two.spec().id, Vec::new())];
        history.leave_with_logs(&[one.clone(), two], &logs).unwrap();
        let name = names(&history).pop().unwrap();
        let copy = fs::read(history.dir.join(&name)).unwrap();
        let journal = SqliteJournal::open(dir.path()).unwrap();
        assert_eq!(history.gather(&journal).unwrap(), Gathered { runs: 2, damaged: 0 });
        // As if a process had been killed before it removed the file.
        fs::write(history.dir.join(&name), copy).unwrap();
        history.gather(&journal).unwrap();
        let stored = crate::RunLogs::open(dir.path()).unwrap();
        let page = stored.read(one.spec().id, 0, 9, &crate::LogFilter::default()).unwrap();
        let texts: Vec<_> = page.lines.iter().map(|line| line.line.text.as_str()).collect();
        assert_eq!(texts, ["a", "b"]);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(&dir.path().join("data"));
        history.leave(&[run(1, true)]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = history.dir.join(names(&history).pop().unwrap());
        assert_eq!((mode(&history.dir), mode(&file)), (0o700, 0o600));
        assert_eq!(mode(history.dir.parent().unwrap()), 0o700);
    }

    #[test]
    fn what_cannot_be_stored_keeps_nothing_else_out() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        let journal = MemoryJournal::default();
        history.leave(&[run(1, false), run(2, true)]).unwrap();
        history.leave(&[run(3, true)]).unwrap();
        let whole = fs::read(history.dir.join(run(3, true).spec().id.to_string())).unwrap();
        for (name, bytes) in [("4", &whole[..whole.len() - 1]), ("5", b"".as_slice())] {
            fs::write(history.dir.join(name), bytes).unwrap();
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(history.dir.join("6"), flipped).unwrap();
        fs::create_dir(history.dir.join("7")).unwrap();
        assert_eq!(history.gather(&journal).unwrap(), Gathered { runs: 2, damaged: 4 });
        // A directory is not removed as a file is.
        assert_eq!(names(&history), ["7"]);
    }

    #[test]
    fn runs_of_a_newer_version_wait_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        fs::create_dir(&history.dir).unwrap();
        let frame = [&1_u32.to_le_bytes()[..], &[u8::MAX]].concat();
        fs::write(history.dir.join("1"), [&Digest::of(&frame).as_bytes()[..], &frame].concat()).unwrap();
        assert_eq!(history.gather(&MemoryJournal::default()).unwrap(), Gathered::default());
        assert_eq!(names(&history), ["1"]);
    }

    #[test]
    fn many_files_are_due_and_the_most_are_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        fs::create_dir(&history.dir).unwrap();
        let fill = |to: usize| (0..to).for_each(|n| fs::write(history.dir.join(n.to_string()), "").unwrap());
        fill(MANY - 2);
        assert_eq!(history.leave(&[run(1, true)]).unwrap(), Left::Waiting);
        assert_eq!(history.leave(&[run(2, true)]).unwrap(), Left::Due);
        fill(MOST - 2);
        assert_eq!(history.leave(&[run(3, true)]).unwrap(), Left::Dropped);
        assert_eq!(history.gather(&MemoryJournal::default()).unwrap().runs, 2);
    }

    #[test]
    fn leftovers_of_killed_writers_are_removed_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        fs::create_dir(&history.dir).unwrap();
        for name in [".new-1", ".new-2"] {
            fs::write(history.dir.join(name), "").unwrap();
        }
        let old = SystemTime::now() - 2 * MAX_WRITING;
        File::options().write(true).open(history.dir.join(".new-1")).unwrap().set_modified(old).unwrap();
        history.gather(&MemoryJournal::default()).unwrap();
        assert_eq!(names(&history), [".new-2"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_directory_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let history = RunHistory::of(dir.path());
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("1"), "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &history.dir).unwrap();
        let error = history.leave(&[run(1, true)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert_eq!(history.gather(&MemoryJournal::default()).unwrap(), Gathered::default());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    }
}
