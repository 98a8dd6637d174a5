//! The current call of a guest: its task, run and attempt.

use std::sync::Arc;

use hostel_core::{TaskKey, Timestamp};

use crate::options::AttemptOptions;

/// One call of a task's function.
pub(crate) struct Call {
    pub(crate) task: Arc<TaskKey>,
    pub(crate) options: Arc<AttemptOptions>,
    /// When the attempt will be stopped.
    pub(crate) deadline: Option<Timestamp>,
}
