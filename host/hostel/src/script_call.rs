//! A function of a script, as what is called.

use std::sync::Arc;

use hostel_core::{RunId, Signature};

/// How a parameter is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// Only by its position.
    Positional,
    /// By its position or its name.
    Either,
    /// Only by its name.
    Named,
    /// It takes all further positional arguments, as a list.
    Rest,
    /// It takes all further named arguments, as a map.
    NamedRest,
}

/// The function of a script that a task calls.
#[derive(Debug)]
pub(crate) struct ScriptCall {
    pub(crate) file: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) function: Arc<str>,
    /// Its parameters as callers see them: those with a default are options.
    pub(crate) signature: Signature,
    /// How each of them is passed.
    pub(crate) passing: Vec<Passing>,
}

impl ScriptCall {
    /// The default name of a run.
    pub(crate) fn run_name(&self, run: RunId) -> String {
        let [.., high, low] = *run.as_bytes();
        format!("{}-{:x}{low:02x}", self.function, high & 15)
    }
}
