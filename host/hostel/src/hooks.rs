//! The hooks of a task: what a program is told as runs go on.

use std::sync::Arc;

use hostel_core::{State, StateType};

use crate::future::TaskFuture;
use crate::transaction::TransactionValues;

/// Is told of a run that has come to a state.
pub(crate) type Hook = Arc<dyn Fn(&TaskFuture, State) + Send + Sync>;

/// Is told of a run whose transaction was committed or rolled back.
pub(crate) type TransactionHook = Arc<dyn Fn(&TaskFuture, &TransactionValues) + Send + Sync>;

/// The hooks of a task, each kind in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_running: Vec<Hook>,
    pub(crate) on_completion: Vec<Hook>,
    pub(crate) on_failure: Vec<Hook>,
    pub(crate) on_cancellation: Vec<Hook>,
    pub(crate) on_crashed: Vec<Hook>,
    pub(crate) on_commit: Vec<TransactionHook>,
    pub(crate) on_rollback: Vec<TransactionHook>,
}

impl Hooks {
    /// Those that are told of a run that has come to `state`.
    pub(crate) fn of(&self, state: State) -> &[Hook] {
        match state.state_type() {
            StateType::Running => &self.on_running,
            StateType::Completed if state != State::RolledBack => &self.on_completion,
            StateType::Failed => &self.on_failure,
            StateType::Cancelled => &self.on_cancellation,
            StateType::Crashed => &self.on_crashed,
            StateType::Scheduled | StateType::Pending | StateType::Cancelling | StateType::Completed => &[],
        }
    }
}
