//! The hooks of a task: user callbacks on state changes of its runs.

use std::sync::Arc;

use hostel_core::{State, StateType};

use crate::group::TransactionValues;

/// Called with a run that has entered a state.
pub(crate) type Hook<F> = Arc<dyn Fn(&F, State) + Send + Sync>;

/// Called with a run whose transaction was committed or rolled back.
pub(crate) type TransactionHook<F> = Arc<dyn Fn(&F, &TransactionValues) + Send + Sync>;

/// The hooks of a task. Each kind is in the order in which the hooks were added.
pub(crate) struct Hooks<F> {
    pub(crate) on_running: Vec<Hook<F>>,
    pub(crate) on_completion: Vec<Hook<F>>,
    pub(crate) on_failure: Vec<Hook<F>>,
    pub(crate) on_cancellation: Vec<Hook<F>>,
    pub(crate) on_crashed: Vec<Hook<F>>,
    pub(crate) on_commit: Vec<TransactionHook<F>>,
    pub(crate) on_rollback: Vec<TransactionHook<F>>,
}

impl<F> Clone for Hooks<F> {
    fn clone(&self) -> Self {
        Self {
            on_running: self.on_running.clone(),
            on_completion: self.on_completion.clone(),
            on_failure: self.on_failure.clone(),
            on_cancellation: self.on_cancellation.clone(),
            on_crashed: self.on_crashed.clone(),
            on_commit: self.on_commit.clone(),
            on_rollback: self.on_rollback.clone(),
        }
    }
}

impl<F> Default for Hooks<F> {
    fn default() -> Self {
        Self {
            on_running: Vec::new(),
            on_completion: Vec::new(),
            on_failure: Vec::new(),
            on_cancellation: Vec::new(),
            on_crashed: Vec::new(),
            on_commit: Vec::new(),
            on_rollback: Vec::new(),
        }
    }
}

impl<F> Hooks<F> {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            on_running,
            on_completion,
            on_failure,
            on_cancellation,
            on_crashed,
            on_commit,
            on_rollback,
        } = self;
        let of_states = [on_running, on_completion, on_failure, on_cancellation, on_crashed];
        of_states.into_iter().all(Vec::is_empty) && on_commit.is_empty() && on_rollback.is_empty()
    }

    /// The hooks for a run that has entered `state`.
    pub(crate) fn of(&self, state: State) -> &[Hook<F>] {
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
