//! What the worker writes about its runs.

use hostel_core::{Event, RunFact, RunId, State};

use super::WorkerThread;
use crate::calls::call_safely;
use crate::course::call_hooks_of;
use crate::journal::{Append, JournalConflict, JournalError, MAX_CLAIMED};
use crate::run::now;
use crate::worker::claimed::{Claimed, Execution, Report};

/// Values of so many bytes are not encoded together with others.
const MAX_REPORTED_BYTES: u64 = 16 << 20;

/// Longer values are stored apart, and waiters read them from the journal.
const MAX_TOLD_BYTES: u64 = 16 << 10;

impl WorkerThread {
    /// Writes what happened to the runs.
    pub(super) fn report(&mut self) -> Result<(), JournalError> {
        while !self.dirty.is_empty() {
            let some: Vec<RunId> = self.dirty.iter().copied().take(MAX_CLAIMED).collect();
            let (mut appends, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
            for run in &some {
                match self.runs.get(run).map(|claimed| self.report_of(claimed)) {
                    Some(Report::Facts(append)) => {
                        bytes += append.value_bytes();
                        appends.push(append);
                    }
                    Some(Report::Release(last)) => self.release(*run, last)?,
                    Some(Report::Nothing) | None => {}
                }
                looked_at += 1;
                if bytes >= MAX_REPORTED_BYTES {
                    break;
                }
            }
            let some = some.get(..looked_at).unwrap_or_default();
            if appends.iter().any(|append| append.facts.iter().any(|(_, fact)| is_end_of_attempt(fact))) {
                // Before the end is visible, so that a reader who sees it finds the whole log.
                self.duty.tasks.flush_logs();
            }
            let answers =
                if appends.is_empty() { Vec::new() } else { self.duty.journal.append_all(&appends)? };
            some.iter().for_each(|run| _ = self.dirty.remove(run));
            let mut written = Ok(());
            for (append, answer) in appends.iter().zip(answers) {
                written = written.and(self.written(append, answer));
            }
            written?;
        }
        Ok(())
    }

    fn report_of(&self, claimed: &Claimed) -> Report {
        let report = claimed.report(self.duty.host.random());
        let is_preparing = matches!(claimed.execution, Execution::Preparing);
        if claimed.is_released && is_preparing { Report::Release(None) } else { report }
    }

    /// Gives a run back, after the last that there is to say about its attempt.
    fn release(&mut self, run: RunId, last: Option<Append>) -> Result<(), JournalError> {
        let Some(claimed) = self.runs.get_mut(&run) else { return Ok(()) };
        if let Some(last) = last {
            match self.duty.journal.append(&last) {
                // Not again, if the release fails.
                Ok(_) => _ = claimed.entry.append(&last),
                // It is given back without.
                Err(JournalError::Conflict(_) | JournalError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match self.duty.journal.release(now(), run, claimed.fence) {
            Ok(_) | Err(JournalError::Conflict(_) | JournalError::NotFound { .. }) => {
                self.forget(run);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The journal's answer about the facts of one run.
    fn written(&mut self, append: &Append, answer: Result<u64, JournalError>) -> Result<(), JournalError> {
        let run = append.run;
        let Some(claimed) = self.runs.get_mut(&run) else { return Ok(()) };
        match answer {
            Ok(_) => self.recorded(append),
            Err(JournalError::Conflict(JournalConflict::Version { .. })) => return self.read_again(run),
            Err(error @ (JournalError::Conflict(_) | JournalError::NotFound { .. })) => {
                tracing::warn!("worker {}: run {run} is lost: {error}", self.duty.worker);
                claimed.stop();
                self.forget(run);
            }
            Err(error) => {
                self.dirty.insert(run);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The facts are durable: hooks may be called now.
    fn recorded(&mut self, append: &Append) {
        let Some(claimed) = self.runs.get_mut(&append.run) else { return };
        let before = claimed.entry.state();
        if let Err(error) = claimed.entry.append(append) {
            tracing::error!("run {}: the journal accepts what its rules refuse: {error}", append.run);
        }
        let state = claimed.entry.state();
        if state.is_terminal() && append.value_bytes() <= MAX_TOLD_BYTES {
            self.duty.host.journal_watch.ended(&claimed.entry);
        }
        if let Some(on_change) = &self.duty.on_change {
            call_safely(|| on_change(&claimed.entry));
        }
        if let Execution::Accepted { future, task, .. } = &claimed.execution {
            if !before.is_executing()
                && append.facts.iter().any(|(_, fact)| *fact == RunFact::Event(Event::Started))
            {
                let began = if before == State::AwaitingRetry { State::Retrying } else { State::Running };
                call_hooks_of(task, future, began);
            }
            if state.is_terminal() {
                call_hooks_of(task, future, state);
            }
        }
        let is_over = claimed.entry.claim().is_none();
        // A run that rests needs no thread, so others can be claimed, as when it has ended.
        if !claimed.is_counted && (is_over || claimed.rests()) {
            claimed.is_counted = true;
            self.duty.window.freed(claimed.claimed_at.elapsed());
        }
        if is_over {
            self.forget(append.run);
            self.may_claim = true;
        }
    }
}

const fn is_end_of_attempt(fact: &RunFact) -> bool {
    matches!(fact, RunFact::AttemptEnded { .. })
}
