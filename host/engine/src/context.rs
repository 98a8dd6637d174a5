//! `hostel:task/context`: what a task may ask about the run it executes for, and tell while it executes.

use hostel_core::{HostCall, LogLevel, Progress, Timestamp, Touch};
use wasmtime::component::{HasSelf, Linker};

use crate::guest::Guest;
use crate::log::{MARK, cut};

/// Generated from `wit/`, which documents it.
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "task" });
}

use bindings::hostel::task::context::{self, Host, Level};

/// The most that the message of a progress may have.
const PROGRESS_BYTES: usize = 256;

/// The most that a logged message may have.
const MESSAGE_BYTES: usize = 64 << 10;

/// The most fields that a logged message may have.
const FIELDS: usize = 32;

/// The most that the name of a field may have.
const NAME_BYTES: usize = 128;

/// The most that the value of a field may have.
const VALUE_BYTES: usize = 4 << 10;

/// Offers the interface to guests.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    context::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Context))
}

impl Host for Guest {
    fn run_id(&mut self) -> String {
        self.recorder.touch(Touch::RunIdentity);
        self.call.options.run.to_string()
    }

    fn run_name(&mut self) -> String {
        self.recorder.touch(Touch::RunIdentity);
        let name = self.call.options.name.as_deref().map(str::to_owned);
        name.unwrap_or_else(|| self.call.task.run_name(self.call.options.run))
    }

    fn task_key(&mut self) -> String {
        self.call.task.to_string()
    }

    fn task_name(&mut self) -> String {
        self.call.task.export.function().to_owned()
    }

    fn attempt(&mut self) -> u32 {
        self.recorder.touch(Touch::RunIdentity);
        self.call.options.number
    }

    fn deadline(&mut self) -> Option<u64> {
        self.recorder.touch(Touch::RunIdentity);
        self.call.deadline.map(Timestamp::unix_nanos)
    }

    fn progress(&mut self, done: u64, total: Option<u64>, message: Option<String>) {
        if let Some(tell) = &self.call.options.on_progress {
            let message = message.map(|message| cut(message, PROGRESS_BYTES));
            tell(Progress { done, total, message });
        }
    }

    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) {
        let message = cut(message, MESSAGE_BYTES);
        self.call.options.log.log(log_level(level), &message, cut_fields(fields));
    }
}

fn log_level(level: Level) -> LogLevel {
    match level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// The first fields, each cut to size, and one more that says how many are left out.
fn cut_fields(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let left_out = fields.len().saturating_sub(FIELDS);
    let cut_field = |(name, value)| (cut(name, NAME_BYTES), cut(value, VALUE_BYTES));
    let mut kept: Vec<_> = fields.into_iter().take(FIELDS).map(cut_field).collect();
    if left_out > 0 {
        kept.push((MARK.to_string(), format!("{left_out} more")));
    }
    // Collecting in place keeps the room of all that the guest gave.
    kept.shrink_to_fit();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_in_number_and_in_size() {
        let fields = |number: usize| vec![("n".repeat(200), "v".repeat(5000)); number];
        let cut = cut_fields(fields(FIELDS));
        assert_eq!(cut.len(), FIELDS);
        assert_eq!((cut[0].0.len(), cut[0].1.len()), (NAME_BYTES + 3, VALUE_BYTES + 3));
        let cut = cut_fields(fields(FIELDS + 7));
        assert_eq!(cut.len(), FIELDS + 1);
        assert_eq!(cut.last().unwrap(), &("…".to_owned(), "7 more".to_owned()));
    }
}
