//! `hostel run` on a server: the run is submitted, followed, and shown as if it had been executed here.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hostel::{ErrorKind, RunId, State, StateType, Value, new_run_id};
use hostel_wire::{RunAnswerObject, ValueJson, printable, printed, value_of_json};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::time::{sleep, timeout};

use super::Remote;
use super::client::Client;
use super::following::{LogQuery, follow_log, is_terminal, state, until_end};
use super::refusal::Trouble;
use super::request::Request;
use super::submission::{Submission, Words};
use crate::attempts;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::options::Form;
use crate::output;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::report::{self, Ending, Telling};
use crate::ui::Ui;

/// How long the answer to a submission may wait for the end of a run. Longer ones are followed.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How long an interrupted run may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How often a run that the server does not have yet is cancelled, and the time between two tries.
pub(super) const TRIES: u32 = 5;
pub(super) const BETWEEN: Duration = Duration::from_millis(50);

/// A run, and what to show of it.
pub(crate) struct Running<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) quiet: bool,
    pub(crate) states: bool,
    pub(crate) receipt: bool,
    pub(crate) form: Option<Form>,
    /// For a program: whether it is clear which options are its own.
    pub(crate) options_of_program: Result<(), Problem>,
}

/// How a request to cancel went.
#[derive(Deserialize)]
struct Cancelled {}

/// Runs a task on a server.
pub(crate) fn run(remote: &Remote, ui: &Arc<Ui>, running: Running<'_>) -> Result<Exit, Stop> {
    remote.block_on(running.drive(&remote.client, ui))
}

impl Running<'_> {
    async fn drive(mut self, client: &Client, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let mut interrupt = Interrupt::listen();
        let submission = tokio::select! {
            submission = self.words.read(client, ui) => submission?,
            () = interrupt.requested() => return Ok(Exit::Interrupted),
        };
        if submission.task.is_program {
            mem::replace(&mut self.options_of_program, Ok(()))?;
        }
        let run = new_run_id();
        let ended = tokio::select! {
            ended = self.until_end(client, ui, &submission, run) => Some(ended?),
            () = interrupt.requested() => None,
        };
        let is_interrupted = ended.is_none();
        let answer = match ended {
            Some(answer) => answer,
            None => match cancel(client, run).await? {
                Some(answer) => answer,
                None => return Ok(Exit::Interrupted),
            },
        };
        if !is_terminal(&answer) {
            return self.not_stopped(ui, run, &answer);
        }
        self.show(ui, &submission, &answer)?;
        Ok(if is_interrupted { Exit::Interrupted } else { exit(&answer) })
    }

    /// Submits the run, and follows it.
    async fn until_end(
        &self,
        client: &Client,
        ui: &Arc<Ui>,
        submission: &Submission,
        run: RunId,
    ) -> Result<RunAnswerObject<'static>, Stop> {
        let id = run.to_string();
        let wait = format!("{}ms", AT_ONCE.as_millis());
        let request = Request::put(&["runs", &id]).query("wait", wait).json(&submission.body());
        let submitted = client.send_unless_refused(&request).await?;
        let ended = async {
            let answer = client.read(&submitted?)?;
            self.follow(client, ui, submission, run, answer).await
        };
        ended.await.map_err(|stop| match stop {
            Stop::Problem(problem) => {
                let hint = format!("the run may still be running: hostel runs show {run} shows its state");
                problem.within(format_args!("run {run}")).hint(hint).into()
            }
            Stop::StdoutClosed => stop,
        })
    }

    /// Follows a run that has been submitted.
    async fn follow(
        &self,
        client: &Client,
        ui: &Arc<Ui>,
        submission: &Submission,
        run: RunId,
        answer: RunAnswerObject<'static>,
    ) -> Result<RunAnswerObject<'static>, Stop> {
        let has_ended = is_terminal(&answer);
        let has_log = answer.run.run.receipt.as_ref().is_none_or(|receipt| receipt.log_bytes > 0);
        if self.shows_log(submission) && (has_log || !has_ended) {
            let show = |line: &hostel_wire::LogLineObject| {
                ui.log(None, &line.line());
                Ok(())
            };
            let followed = follow_log(client, run, LogQuery::default(), !has_ended, show, || Ok(())).await;
            was_shown(ui, followed)?;
        }
        if has_ended { Ok(answer) } else { Ok(until_end(client, run, None).await?) }
    }

    fn shows_log(&self, submission: &Submission) -> bool {
        submission.log_prints && !self.quiet
    }

    /// An interrupted run that has not stopped in time.
    fn not_stopped(&self, ui: &Ui, run: RunId, answer: &RunAnswerObject<'_>) -> Result<Exit, Stop> {
        let object = &answer.run.run;
        if self.states {
            ui.result_of(|to| output::write_json(to, object))?;
            ui.flush()?;
        }
        let state = printable(&object.state);
        ui.warning(&format!("run {run} was asked to stop, and has not stopped yet: it is {state}"));
        ui.hint(&format!("hostel runs wait {run} waits for its end"));
        Ok(Exit::Interrupted)
    }

    fn show(&self, ui: &Ui, submission: &Submission, answer: &RunAnswerObject<'_>) -> Result<(), Stop> {
        self.print(ui, submission, answer)?;
        ui.flush()?;
        let run = &answer.run.run;
        if !self.quiet {
            let attempts = run.attempts.as_deref().unwrap_or_default();
            attempts::tell_received(ui, attempts, submission.most_attempts());
        }
        let spec = &submission.spec;
        report::tell(
            ui,
            &Ending::of_answer(answer),
            Telling {
                quiet: self.quiet,
                log_was_shown: self.shows_log(submission),
                name: spec.name.is_some(),
                run_timeout: spec.run_timeout,
            },
        );
        match &run.receipt {
            Some(_) if self.receipt && run.state == State::Cached.name() => receipt::tell_nothing(ui),
            Some(used) if self.receipt => receipt::tell_received(ui, used),
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Writes the result to stdout.
    fn print(&self, ui: &Ui, submission: &Submission, answer: &RunAnswerObject<'_>) -> Result<(), Stop> {
        let run = &answer.run.run;
        if self.states {
            return ui.result_of(|to| output::write_json(to, run));
        }
        if run.error.is_some() || !has_completed(answer) {
            return Ok(());
        }
        let (Some(value), form) = (value_of(answer)?, self.form.unwrap_or(Form::Wave)) else {
            return Ok(());
        };
        if form == Form::Json {
            return ui.result_of(|to| output::write_json(to, value));
        }
        let value = read(value, submission)?;
        match printed(&value).filter(|_| submission.task.is_program) {
            Some(stdout) => ui.result(&[stdout.0]),
            None => output::value(ui, form, &value),
        }
    }
}

/// The value of a run that has completed; `None` if its task has no result.
///
/// # Errors
///
/// [`Problem`] if the token may not see it.
pub(super) fn value_of<'a>(answer: &'a RunAnswerObject<'_>) -> Result<Option<&'a ValueJson<'a>>, Problem> {
    let run = &answer.run.run;
    run.value.as_ref().map(Option::as_ref).ok_or_else(|| {
        let problem = format!("run {} has completed, and the token may not see its value", run.run);
        let problem = Problem::new(ErrorKind::Denied, problem);
        problem.hint("set HOSTEL_TOKEN to a token with the scope read:values")
    })
}

/// Whether a log was shown. A token may be allowed to run and not to read: then a note says so.
pub(super) fn was_shown(ui: &Ui, shown: Result<(), Stop>) -> Result<bool, Stop> {
    match shown {
        Err(Stop::Problem(problem)) if problem.exit() == Exit::Denied => {
            ui.note(&format!("the log is not shown: {problem}"));
            Ok(false)
        }
        shown => shown.map(|()| true),
    }
}

/// The value of a result.
pub(super) fn read(value: &ValueJson<'_>, submission: &Submission) -> Result<Value, Problem> {
    // As it was received.
    let json: Json = serde_json::to_value(value).unwrap_or_default();
    value_of_json(&json, submission.task.signature.completed_type()).map_err(|error| {
        let problem = format!("the server returned a value of an unexpected type: {error}");
        Problem::new(ErrorKind::Unavailable, problem).hint("--output json shows it as it is")
    })
}

/// Whether a run of a server has completed.
pub(crate) fn has_completed(answer: &RunAnswerObject<'_>) -> bool {
    let state = state(&answer.run.run.state);
    state.map_or(answer.run.run.error.is_none(), |state| {
        state.state_type() == StateType::Completed && state != State::RolledBack
    })
}

fn exit(answer: &RunAnswerObject<'_>) -> Exit {
    if has_completed(answer) { Exit::Completed } else { Exit::RunFailed }
}

/// Cancels a run, and returns it; `None` if the server does not have it.
async fn cancel(client: &Client, run: RunId) -> Result<Option<RunAnswerObject<'static>>, Stop> {
    let id = run.to_string();
    let request = Request::post(&["runs", &id, "cancel"]).query("wait", "4s").repeatable();
    let cancelled = async {
        // The submission may be on its way.
        for _ in 0..TRIES {
            match client.try_send(&request).await {
                Ok(answer) => return client.read::<Cancelled>(&answer).map(|Cancelled {}| true),
                Err(Trouble::Refused(refusal)) if refusal.status == 404 => sleep(BETWEEN).await,
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(false)
    };
    let may_go_on = |why: String| {
        let problem = Problem::new(ErrorKind::Unavailable, format!("run {run} may go on: {why}"));
        problem.exits(Exit::Interrupted).hint(format!("hostel runs cancel {run} cancels it"))
    };
    match timeout(GRACE, cancelled).await {
        Err(_) => Err(may_go_on("the server does not answer".to_owned()).into()),
        Ok(Err(problem)) => Err(may_go_on(problem.to_string()).into()),
        Ok(Ok(false)) => Ok(None),
        Ok(Ok(true)) => {
            let answer: RunAnswerObject<'static> = client.call(&Request::get(&["runs", &id])).await?;
            Ok(Some(answer))
        }
    }
}
