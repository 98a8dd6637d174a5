//! Hooks on commit and rollback of a transaction: those of the task, and the guest's own.

use hostel_core::{CommittedRun, Hook, Outcome, RunId, State};

use crate::args::Args;
use crate::calls::{self, Call};
use crate::group::TransactionValues;
use crate::hooks::TransactionHook;
use crate::run::TaskFuture;
use crate::task::Task;

/// A hook that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hook {hook} of run {run} failed: {cause}")]
pub struct HookFailure {
    /// The run that the hook was called for.
    pub run: RunId,
    /// `on_commit`, `on_rollback`, `on-commit` or `on-rollback`. The names with a dash are hooks of the guest.
    pub hook: &'static str,
    /// The error.
    pub cause: String,
}

/// The failed hooks of a transaction. They do not affect the transaction itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookReport {
    /// The hooks that failed, in the order in which they were called.
    pub failures: Vec<HookFailure>,
}

/// Calls the hooks of committed runs, in their order.
pub(crate) async fn committed(members: &[TaskFuture]) -> HookReport {
    let mut report = HookReport::default();
    for member in members {
        let hooks = &member.task().hooks().on_commit;
        report.failures.extend(call_hooks(member, hooks, "on_commit").await);
        report.failures.extend(call_guest(member, Hook::OnCommit, "on-commit").await);
    }
    report
}

/// Undoes runs in reverse order, and calls their hooks. Runs with a value from the cache have nothing to undo.
pub(crate) async fn rolled_back(members: &[TaskFuture]) -> HookReport {
    let mut report = HookReport::default();
    for member in members.iter().rev().filter(|member| member.state() == State::Completed) {
        if !member.run().rolled_back() {
            continue;
        }
        let hooks = &member.task().hooks().on_rollback;
        report.failures.extend(call_hooks(member, hooks, "on_rollback").await);
        report.failures.extend(call_guest(member, Hook::OnRollback, "on-rollback").await);
    }
    report
}

/// Calls the hooks of a run that was committed as soon as it completed. No caller waits for this, so failures are only
/// logged.
pub(crate) fn call_commit_hooks(member: &TaskFuture) {
    let Some(values) = values(member) else { return };
    let calls = member.task().hooks().on_commit.iter().map(|hook| -> Call {
        let (hook, member, values) = (hook.clone(), member.clone(), values.clone());
        Box::new(move || hook(&member, &values))
    });
    let of_guest = member.clone();
    // Not on a worker, which cannot wait for room in the queue.
    let guest: Call = Box::new(move || {
        let call = guest_call(&of_guest, Hook::OnCommit);
        if let Some(Err(error)) = call.map(|(task, args)| task.submit(args)) {
            tracing::warn!("{}", failure(&of_guest, "on-commit", &error.to_string()));
        }
    });
    member.task().host().hooks.call(calls.chain([guest]));
}

async fn call_hooks(
    member: &TaskFuture,
    hooks: &[TransactionHook<TaskFuture>],
    name: &'static str,
) -> Vec<HookFailure> {
    let mut failures = Vec::new();
    for hook in hooks {
        let Some(values) = values(member) else { return failures };
        let (hook, run) = (hook.clone(), member.clone());
        let call = move || calls::ask(|| hook(&run, &values)).is_some();
        if member.task().host().hooks.ask(call).await != Some(true) {
            failures.push(failure(member, name, "it panicked"));
        }
    }
    failures
}

/// The values of the run's own transaction, which may be inside the one that ends now.
fn values(member: &TaskFuture) -> Option<TransactionValues> {
    member.run().membership().map(|membership| membership.values.clone())
}

/// Runs the guest's own hook, if its component exports one, and waits for it.
async fn call_guest(member: &TaskFuture, hook: Hook, name: &'static str) -> Option<HookFailure> {
    let (task, args) = guest_call(member, hook)?;
    // Not `submit`, which would block the caller while the queue is full.
    let failed = match task.submit_async(args).await {
        Ok(run) => match &*run.outcome().await {
            Outcome::Completed(_) => return None,
            ended @ (Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled) => {
                failure(member, name, &ended.to_string())
            }
        },
        Err(error) => failure(member, name, &error.to_string()),
    };
    tracing::warn!("{failed}");
    Some(failed)
}

/// The guest's own hook, with the limits of the run, and the hook's arguments.
fn guest_call(member: &TaskFuture, hook: Hook) -> Option<(Task, Args)> {
    let task = member.task().hook(hook)?;
    let run = committed_run(member)?;
    Some((task, Args::from(vec![run.into()])))
}

/// The arguments of the guest's hook.
fn committed_run(member: &TaskFuture) -> Option<CommittedRun> {
    let outcome = member.try_outcome()?;
    let Outcome::Completed(value) = &*outcome else { return None };
    let signature = member.task().guest_signature();
    let inputs = member.run().inputs()?;
    let inputs = signature
        .params
        .iter()
        .zip(inputs.iter())
        .map(|(param, input)| (param.name.to_string(), input.to_json(&param.ty)));
    let inputs = serde_json::Value::Object(inputs.collect());
    Some(CommittedRun {
        run: member.id(),
        task: member.task().key().clone(),
        inputs: inputs.to_string(),
        value: value.to_json(member.task().completed_type()).to_string(),
    })
}

fn failure(member: &TaskFuture, hook: &'static str, cause: &str) -> HookFailure {
    HookFailure { run: member.id(), hook, cause: cause.to_owned() }
}
