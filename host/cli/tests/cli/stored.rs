//! Helpers for runs that outlive the command that asked for them.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr};

use crate::hostel::Place;

/// What the command prints, which succeeds.
#[track_caller]
pub(crate) fn completed(place: &Place, line: &str) -> String {
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran.stdout.trim_end().to_owned()
}

/// The command fails with this exit code and message, and prints nothing.
#[track_caller]
pub(crate) fn refused(place: &Place, line: &str, code: i32, message: &str) {
    let ran = place.run(line);
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
    assert!(ran.stderr.contains(message), "{line}: {}", ran.stderr);
}

/// A worker that is killed when the test ends.
pub(crate) struct Worker {
    pub(crate) child: Child,
    lines: BufReader<ChildStderr>,
}

impl Worker {
    pub(crate) fn start(place: &Place, options: &str) -> Self {
        Self::of(place.start(&format!("worker {options}")))
    }

    /// A worker that was started.
    pub(crate) fn of(mut child: Child) -> Self {
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut worker = Self { child, lines };
        worker.until("Ctrl-C drains it");
        worker
    }

    /// Waits until the worker writes a line with this text.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        let mut line = String::new();
        let mut all = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the worker has ended: {all}");
            all += &line;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
