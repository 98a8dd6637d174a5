//! The history: what `hostel run` and `hostel map` leave for `hostel runs` when their results are out.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hostel::journal::{Left, RunHistory, RunRecord, SqliteJournal};
use hostel::{LogLine, Outcome, RunId, State, TaskFuture, Value};
use hostel_wire::without_number;

use crate::options::data_dir::HostOptions;
use crate::options::server::Unfit;
use crate::ui::Ui;

/// The most bytes of a run's arguments that are recorded.
const MAX_INPUT_BYTES: usize = 16 << 20;

/// Which runs are recorded.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct RecordOptions {
    /// Record in the history, which hostel runs shows: all runs, those that failed, or none [default: all]
    #[arg(
        long,
        value_name = "WHICH",
        value_enum,
        default_value_t,
        hide_default_value = true,
        help_heading = "Host"
    )]
    record: Recorded,
}

/// Which runs are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Recorded {
    #[default]
    All,
    Failed,
    None,
}

impl RecordOptions {
    /// With a server.
    pub(crate) fn unfit(self) -> Unfit {
        let is_given = self.record != Recorded::All;
        Unfit { option: "--record", is_given, because: "the server records every run" }
    }
}

/// Leaves runs in the history of a data directory. If that is not possible, the command is not affected.
pub(crate) struct Recorder<'a> {
    ui: &'a Ui,
    which: Recorded,
    /// `None` if nothing is recorded.
    data_dir: Option<PathBuf>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(ui: &'a Ui, options: RecordOptions, host: &HostOptions) -> Self {
        let which = options.record;
        Self { ui, which, data_dir: host.dir().filter(|_| which != Recorded::None) }
    }

    /// Whether anything may be recorded.
    pub(crate) const fn is_on(&self) -> bool {
        self.data_dir.is_some()
    }

    /// Whether something that completed or not is recorded.
    pub(crate) fn wants(&self, is_completed: bool) -> bool {
        self.is_on() && (self.which == Recorded::All || !is_completed)
    }

    /// A copy of the arguments for the record of a run that begins now; `None` if there will be none, or they are too large.
    pub(crate) fn copy_of(&self, inputs: &[Value]) -> Option<Vec<Value>> {
        let bytes: usize = inputs.iter().map(Value::footprint).sum();
        (self.is_on() && bytes <= MAX_INPUT_BYTES).then(|| inputs.to_vec())
    }

    /// Records a run that has ended. Without `inputs` it cannot be replayed.
    pub(crate) fn run(&self, run: &TaskFuture, inputs: Option<Vec<Value>>) {
        if !run.try_outcome().is_some_and(|outcome| self.wants(outcome.is_completed())) {
            return;
        }
        if let Err(problem) = check_size(run) {
            return self.warn(&problem);
        }
        let inputs = inputs.and_then(|inputs| run.task().stored_inputs(inputs.into()).ok());
        if let Some(record) = run.record(inputs.unwrap_or_default(), None) {
            self.leave(&[record], &[(run.id(), run.log())]);
        }
    }

    /// Leaves these runs with their logs. Warns if writing fails, except for errors of the data directory, which the command has
    /// already reported.
    pub(crate) fn leave(&self, runs: &[RunRecord], logs: &[(RunId, Vec<LogLine>)]) {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
        let Some(dir) = self.data_dir.as_deref().filter(|dir| dir.is_dir()) else { return };
        match RunHistory::of(dir).leave_with_logs(runs, logs) {
            Ok(Left::Due) => gather(dir),
            Ok(Left::Waiting | Left::Dropped) => {}
            Err(error)
                if [NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem]
                    .contains(&error.kind()) => {}
            Err(error) => self.warn(&without_number(&error.to_string())),
        }
    }

    fn warn(&self, problem: &str) {
        self.ui.warning(&format!("the run is not in the history: {problem} (--record none records nothing)"));
    }
}

/// Refuses a run whose value alone is too large for the history, before a record is made of it: that takes several times as much memory.
fn check_size(run: &TaskFuture) -> Result<(), String> {
    // The attempt has the value, and the run.
    let times = if run.state() == State::Cached { 1 } else { 2 };
    let outcome = run.try_outcome();
    let value = outcome.as_deref().and_then(Outcome::returned);
    let least = value.map_or(0, Value::least_canonical_bytes) as u64 * times;
    if least <= RunHistory::MAX_BYTES {
        return Ok(());
    }
    Err(format!("it has at least {least} bytes: expected at most {}", RunHistory::MAX_BYTES))
}

/// Stores what waits in the journal. What cannot be stored waits for another time.
fn gather(dir: &Path) {
    let journal = match SqliteJournal::open_relaxed(dir) {
        Ok(journal) => journal,
        Err(error) => return tracing::debug!("the history is not gathered: {error}"),
    };
    if let Err(error) = RunHistory::of(dir).gather(&journal) {
        tracing::debug!("the history is not gathered: {error}");
    }
}
