//! An item of a map that has ended, here or on a server, as output and summary see it.

use std::borrow::Cow;

use hostel::{Outcome, Signature, State, Value};
use hostel_wire::{MapLine, RunObject, attempt_count, cause, printable};

use crate::flight::Item;

/// How an item has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemEnd {
    Completed { cached: bool },
    Failed,
    Crashed,
    Cancelled,
}

/// An item that has ended.
pub(crate) trait EndedItem {
    /// Counted from 0.
    fn index(&self) -> usize;
    /// The arguments, as in reports: `x = 5`.
    fn label(&self) -> &str;
    fn end(&self) -> ItemEnd;
    /// The name of its state.
    fn state(&self) -> Cow<'_, str>;
    fn attempts(&self) -> usize;
    /// Why it did not complete, in one line.
    fn cause(&self) -> Cow<'_, str>;
    /// Its value, if it has completed.
    fn value(&self) -> Option<&Value>;
    /// The line without the run.
    fn line<'o>(&'o self, signature: &'o Signature) -> MapLine<'o>;
    /// The run, perhaps with its name and receipt.
    fn object<'o>(&'o self, signature: &'o Signature, name: bool, receipt: bool) -> RunObject<'o>;
}

/// An item that was executed here.
pub(crate) struct EndedHere<'a> {
    pub(crate) item: &'a Item,
    pub(crate) outcome: &'a Outcome,
}

impl EndedItem for EndedHere<'_> {
    fn index(&self) -> usize {
        self.item.index
    }

    fn label(&self) -> &str {
        &self.item.label
    }

    fn end(&self) -> ItemEnd {
        match self.outcome {
            Outcome::Completed(_) => ItemEnd::Completed { cached: self.item.run.state() == State::Cached },
            Outcome::Failed(_) => ItemEnd::Failed,
            Outcome::Crashed { .. } => ItemEnd::Crashed,
            Outcome::Cancelled => ItemEnd::Cancelled,
        }
    }

    fn state(&self) -> Cow<'_, str> {
        self.item.run.state().name().into()
    }

    fn attempts(&self) -> usize {
        attempt_count(&self.item.run)
    }

    fn cause(&self) -> Cow<'_, str> {
        let of_script =
            self.item.run.script_failure().map(|failure| printable(&failure.to_string()).into_owned());
        of_script.or_else(|| cause(self.outcome)).unwrap_or_default().into()
    }

    fn value(&self) -> Option<&Value> {
        match self.outcome {
            Outcome::Completed(value) => Some(value),
            Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => None,
        }
    }

    fn line<'o>(&'o self, signature: &'o Signature) -> MapLine<'o> {
        MapLine::of(self.outcome, signature)
    }

    fn object<'o>(&'o self, signature: &'o Signature, name: bool, receipt: bool) -> RunObject<'o> {
        let run = &self.item.run;
        let object = RunObject::new(run, Some(self.outcome), signature).of_item(self.item.index);
        let object = if name { object.named(run) } else { object };
        let object = if receipt { object.with_receipt(run) } else { object };
        if object.attempt_count > 1 { object.with_attempts(run, signature) } else { object }
    }
}
