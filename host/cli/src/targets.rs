//! The runs that a command is for: ids, or a batch of all that match a filter.

use std::collections::HashSet;
use std::ops::ControlFlow;

use clap::Args;
use hostel::journal::{Batch, BatchAction, Journal, JournalError, Page, RunLogs, each_page, step_batch};
use hostel::{ErrorKind, RunFilter, RunId};
use hostel_wire::{BatchObject, batch_action_name, printable, run_filter};
use serde::Deserialize;
use serde_json::json;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::problem::{Problem, Stop};
use crate::remote::{self, Remote, RemoteBatch, Request, Trouble};
use crate::time::now;
use crate::ui::Ui;
use crate::ui::text::counted;

/// How many of the runs that refused an action are listed.
const MAX_LISTED: usize = 10;

/// The runs that a command is for.
#[derive(Args, Debug)]
pub(crate) struct Targets {
    /// The ids of the runs
    #[arg(value_name = "RUN", required_unless_present = "where_")]
    runs: Vec<RunId>,

    /// All runs that match this filter and that the action fits: see hostel runs --help
    #[arg(long = "where", id = "where_", value_name = "FILTER", conflicts_with = "runs")]
    filter: Option<String>,

    /// With --where: only count the runs, and change nothing
    // It conflicts as well, because clap forgets a requirement that conflicts with another argument.
    #[arg(long, requires = "where_", conflicts_with = "runs")]
    dry_run: bool,
}

/// What an action did with a run.
pub(crate) enum Acted {
    /// It was done.
    Done,
    /// There was nothing to do, for this reason.
    Skipped(&'static str),
    /// It does not fit the run, for this reason.
    Refused(Problem),
}

impl Targets {
    /// Acts on each run that is named, with `act`, or on all that match, as a batch. The batch is of the runs that had arrived when the
    /// command began, newest first. `logs` are removed with the runs.
    pub(crate) fn each(
        &self,
        ui: &Ui,
        (journal, logs): (&dyn Journal, Option<&RunLogs>),
        action: BatchAction,
        act: impl Fn(RunId) -> Result<Acted, Problem>,
    ) -> Result<Exit, Stop> {
        let Some(text) = &self.filter else { return self.named(ui, past(action), act) };
        check(text, action)?;
        let filter = run_filter(text, now()).map_err(|error| Problem::of(error.kind(), &error))?;
        if self.dry_run {
            let runs = counted(count(journal, action, &filter)?, "run");
            ui.result_line(&format!("{runs} would be {}", past(action)))?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let interrupt = Interrupt::listen();
        let batch = journal.start_batch(now(), action, &filter)?;
        go_on(ui, (journal, logs), batch, &interrupt)
    }

    /// The same for runs of a server, which acts on those that match a filter in the background.
    pub(crate) fn each_on(
        &self,
        ui: &Ui,
        remote: &Remote,
        action: BatchAction,
        act: impl Fn(&str) -> Result<Acted, Problem>,
    ) -> Result<Exit, Stop> {
        let Some(filter) = &self.filter else {
            return self.named(ui, past(action), |run| act(&run.to_string()));
        };
        check(filter, action)?;
        if self.dry_run {
            return would_act(ui, remote, action, filter);
        }
        let body = json!({ "action": batch_action_name(action), "filter": filter });
        // From here on, Ctrl-C leaves the batch to the server.
        let interrupt = Interrupt::listen();
        let batch: RemoteBatch =
            remote.call(&Request::post(&["batches"]).json(&body)).map_err(|problem: Problem| {
                // If only the answer is lost, the server acts.
                let may_act = problem.exit() == Exit::HostFailed;
                problem.hints_of(
                    may_act.then(|| "the server may have begun: hostel runs batches lists them".into()),
                )
            })?;
        follow_on(ui, remote, action, batch, &interrupt)
    }

    /// Sends a request that does something with a run. What does not fit the run is refused.
    pub(crate) fn act_on(remote: &Remote, request: &Request) -> Result<Acted, Problem> {
        match remote.block_on(remote.client.try_send(request)) {
            Ok(_) => Ok(Acted::Done),
            Err(Trouble::Refused(refusal)) if refusal.status == 409 => Ok(Acted::Refused(refusal.problem)),
            Err(Trouble::Refused(refusal)) => Err(remote.block_on(remote.client.refusal(request, refusal))),
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn named(
        &self,
        ui: &Ui,
        done: &str,
        act: impl Fn(RunId) -> Result<Acted, Problem>,
    ) -> Result<Exit, Stop> {
        let mut seen = HashSet::new();
        for run in self.runs.iter().filter(|run| seen.insert(**run)) {
            match act(*run)? {
                Acted::Done => ui.result_line(&format!("{done} {run}"))?,
                Acted::Skipped(reason) => ui.result_line(&format!("{run} {reason}"))?,
                Acted::Refused(problem) => return Err(problem.into()),
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// Refuses a filter without a word: it may be a variable that was not set, and all runs would match it.
fn check(filter: &str, action: BatchAction) -> Result<(), Problem> {
    if !filter.trim().is_empty() {
        return Ok(());
    }
    let example = match action {
        BatchAction::Cancel => "state:unfinished",
        BatchAction::Retry | BatchAction::RetryWithoutGrants => "state:failed",
        BatchAction::MarkSeen => "state:attention",
        BatchAction::Remove => "state:completed",
    };
    let problem = Problem::invalid("--where is empty and would match all runs: expected a filter");
    Err(problem.hint(format!("name the runs that you mean, such as --where '{example}'")))
}

/// How many runs a batch would act on, as a server counts them.
#[derive(Deserialize)]
struct Preview {
    matched: u64,
    more: bool,
}

/// Reports how many runs of a server an action would be done with.
fn would_act(ui: &Ui, remote: &Remote, action: BatchAction, filter: &str) -> Result<Exit, Stop> {
    let body = json!({ "action": batch_action_name(action), "filter": filter, "dry_run": true });
    let preview: Preview = remote.call(&Request::post(&["batches"]).json(&body).repeatable())?;
    let least = if preview.more { "at least " } else { "" };
    ui.result_line(&format!("{least}{} would be {}", counted(preview.matched, "run"), past(action)))?;
    ui.flush()?;
    Ok(Exit::Completed)
}

/// Waits for a batch of a server, until it is finished or the command is interrupted.
fn follow_on(
    ui: &Ui,
    remote: &Remote,
    action: BatchAction,
    batch: RemoteBatch,
    interrupt: &Interrupt,
) -> Result<Exit, Stop> {
    let progress = |batch: &BatchObject| format!("{} {}", past(action), counted(batch.done, "run"));
    let busy = ui.shows_progress().then(|| ui.busy(&progress(&batch.object)));
    let show = |batch: &BatchObject| busy.iter().for_each(|busy| busy.say(progress(batch)));
    let RemoteBatch { object: batch, failed_runs } =
        remote.block_on(remote::follow_batch(&remote.client, batch, interrupt, show))?;
    drop(busy);
    ui.result_line(&progress(&batch))?;
    ui.flush()?;
    if !remote::is_finished(&batch) {
        let id = batch.batch;
        ui.note(&format!(
            "interrupted: the server goes on with batch {id}; hostel runs batches --stop {id} leaves the rest"
        ));
        return Ok(Exit::Interrupted);
    }
    let refused = failed_runs.iter().map(|run| printable(run).into_owned());
    refusals(action, batch.failed, refused).map_or(Ok(Exit::Completed), |problem| Err(problem.into()))
}

/// Takes the steps of a batch, until it is finished or the command is interrupted.
pub(crate) fn go_on(
    ui: &Ui,
    (journal, logs): (&dyn Journal, Option<&RunLogs>),
    mut batch: Batch,
    interrupt: &Interrupt,
) -> Result<Exit, Stop> {
    let done = past(batch.action);
    let busy = ui.shows_progress().then(|| ui.busy(&format!("{done} no run yet")));
    while !batch.is_finished() && !interrupt.is_requested() {
        batch = step_batch(journal, logs, now(), &batch)?;
        busy.iter().for_each(|busy| busy.say(format!("{done} {}", counted(batch.done, "run"))));
    }
    drop(busy);
    ui.result_line(&format!("{done} {}", counted(batch.done, "run")))?;
    ui.flush()?;
    if !batch.is_finished() {
        let id = batch.id;
        ui.note(&format!(
            "interrupted: hostel runs batches --resume {id} goes on, --stop {id} leaves the rest"
        ));
        return Ok(Exit::Interrupted);
    }
    let refused = batch.refused.iter().map(ToString::to_string);
    refusals(batch.action, batch.failed, refused).map_or(Ok(Exit::Completed), |problem| Err(problem.into()))
}

/// Which runs refused the action, if any did: so many, of which these are the first.
fn refusals(action: BatchAction, failed: u64, refused: impl Iterator<Item = String>) -> Option<Problem> {
    if failed == 0 {
        return None;
    }
    let mut listed: Vec<_> = refused.take(MAX_LISTED).collect();
    if failed > listed.len() as u64 {
        listed.push(format!("and {} more", failed - listed.len() as u64));
    }
    let (runs, done) = (counted(failed, "run"), past(action));
    let problem = format!("{runs} could not be {done}: {}", listed.join(", "));
    let hint = format!("hostel runs {} RUN says why", command(action));
    Some(Problem::new(ErrorKind::Conflict, problem).hint(hint))
}

/// How many runs a batch would act on.
fn count(journal: &dyn Journal, action: BatchAction, filter: &RunFilter) -> Result<u64, Problem> {
    let (filter, mut count) = (action.fitting(filter), 0);
    each_page::<JournalError>(journal, &filter, Page::first(Page::MAX_LIMIT), |found| {
        count += found.runs.iter().filter(|head| action.fits_queue(&head.queue)).count() as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

/// The subcommand of an action.
pub(crate) const fn command(action: BatchAction) -> &'static str {
    match action {
        BatchAction::Cancel => "cancel",
        BatchAction::Retry | BatchAction::RetryWithoutGrants => "retry",
        BatchAction::MarkSeen => "seen",
        BatchAction::Remove => "rm",
    }
}

/// What an action has done with runs.
const fn past(action: BatchAction) -> &'static str {
    match action {
        BatchAction::Cancel => "cancelled",
        BatchAction::Retry | BatchAction::RetryWithoutGrants => "retried",
        BatchAction::MarkSeen => "marked as seen",
        BatchAction::Remove => "removed",
    }
}
