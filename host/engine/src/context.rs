//! `hostel:task/context`: what a task may query about its run, and report while it executes.

use hostel_core::{LogLevel, Progress, Timestamp, Touch};
use wasmtime::component::{HasData, Linker};

use crate::call::Call;
use crate::log::{MARK, cut};
use crate::notes::Notes;

/// Generated from `wit/`, which documents it.
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "task" });
}

use bindings::hostel::task::context::{self, Host, Level};

/// The maximum length of the message of a progress report, in bytes.
const PROGRESS_BYTES: usize = 256;

/// The maximum length of a logged message, in bytes.
const MESSAGE_BYTES: usize = 64 << 10;

/// The maximum number of fields of a logged message.
const FIELDS: usize = 32;

/// The maximum length of the name of a field, in bytes.
const NAME_BYTES: usize = 128;

/// The maximum length of the value of a field, in bytes.
const VALUE_BYTES: usize = 4 << 10;

/// The view on which the interface is implemented.
pub(crate) struct ContextView<'a> {
    pub(crate) call: &'a Call,
    pub(crate) notes: &'a mut Notes,
}

impl HasData for Call {
    type Data<'a> = ContextView<'a>;
}

/// Links the interface.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> ContextView<'_>,
) -> wasmtime::Result<()> {
    context::add_to_linker::<T, Call>(linker, view)
}

impl Host for ContextView<'_> {
    fn run_id(&mut self) -> String {
        self.notes.touch(Touch::RunIdentity);
        self.call.options.run.to_string()
    }

    fn run_name(&mut self) -> String {
        self.notes.touch(Touch::RunIdentity);
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
        self.notes.touch(Touch::RunIdentity);
        self.call.options.number
    }

    fn deadline(&mut self) -> Option<u64> {
        self.notes.touch(Touch::RunIdentity);
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

/// The first fields, each shortened, and one more with the number of those left out.
fn cut_fields(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let left_out = fields.len().saturating_sub(FIELDS);
    let cut_field = |(name, value)| (cut(name, NAME_BYTES), cut(value, VALUE_BYTES));
    let mut kept: Vec<_> = fields.into_iter().take(FIELDS).map(cut_field).collect();
    if left_out > 0 {
        kept.push((MARK.to_string(), format!("{left_out} more")));
    }
    // Collecting in place retains the capacity of all fields that the guest gave.
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
