//! Runs on a server until they have ended, and their logs, through lost connections.

use std::time::Duration;

use hostel::{ErrorKind, RunId, State};
use hostel_wire::{LogLineObject, RunAnswerObject};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::client::{Client, PAGE_ITEMS, Patience};
use super::refusal::Trouble;
use super::request::Request;
use crate::problem::{Problem, Stop};

/// The longest wait that is asked of a server at once.
const WAIT: Duration = Duration::from_secs(60);

/// How long after a wait with an end the answer may come.
const LATE: Duration = Duration::from_secs(5);

/// Which lines of a log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogQuery<'a> {
    /// Begin with this line, counted from 0.
    pub(crate) from: u64,
    pub(crate) attempt: Option<u32>,
    pub(crate) text: Option<&'a str>,
}

/// A page of a log.
#[derive(Debug, Deserialize)]
struct LogPage {
    items: Vec<LogLineObject>,
    next: u64,
    more: bool,
}

/// The state of this name; `None` if this version does not know it.
pub(crate) fn state(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == name)
}

/// Whether a run has ended.
pub(crate) fn is_terminal(answer: &RunAnswerObject<'_>) -> bool {
    let run = &answer.run.run;
    state(&run.state).map_or(run.value.is_some() || run.error.is_some(), State::is_terminal)
}

/// Waits until a run has ended, or until this time, and returns what is known then. A server that does not answer is waited for no
/// longer than a few seconds more.
pub(crate) async fn until_end(
    client: &Client,
    run: RunId,
    until: Option<Instant>,
) -> Result<RunAnswerObject<'static>, Problem> {
    let run = run.to_string();
    loop {
        let left = until.map_or(WAIT, |until| until.saturating_duration_since(Instant::now()).min(WAIT));
        let request = Request::get(&["runs", &run]).query("wait", format!("{}ms", left.as_millis()));
        let answered = client.call::<RunAnswerObject<'static>>(&request);
        let answer = match until {
            None => answered.await?,
            Some(until) => {
                let most = until.saturating_duration_since(Instant::now()).saturating_add(LATE);
                timeout(most, answered).await.map_err(|_| {
                    let problem = format!("run {run}: the server has not answered within the timeout");
                    Problem::new(ErrorKind::Unavailable, problem)
                })??
            }
        };
        if is_terminal(&answer) || left.is_zero() {
            return Ok(answer);
        }
    }
}

impl LogQuery<'_> {
    fn request(&self, run: &str, from: u64) -> Request {
        let request = Request::get(&["runs", run, "logs"]).query("from", from);
        let request = match self.attempt {
            Some(attempt) => request.query("attempt", attempt),
            None => request,
        };
        match self.text {
            Some(text) => request.query("text", text),
            None => request,
        }
    }
}

/// Shows the lines that there are; with `follow`, goes on until the run has ended. A stream that is lost goes on with its next line.
/// `pause` is called when the next line has yet to come.
pub(crate) async fn follow_log(
    client: &Client,
    run: RunId,
    query: LogQuery<'_>,
    follow: bool,
    show: impl FnMut(&LogLineObject) -> Result<(), Stop>,
    pause: impl FnMut() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let from = query.from;
    let mut log =
        Log { client, run: run.to_string(), query, from, patience: Patience::default(), show, pause };
    if follow {
        log.follow().await?;
    }
    log.rest().await
}

/// A log that is read.
struct Log<'a, S, P> {
    client: &'a Client,
    run: String,
    query: LogQuery<'a>,
    /// The next line.
    from: u64,
    patience: Patience,
    show: S,
    pause: P,
}

impl<S, P> Log<'_, S, P>
where
    S: FnMut(&LogLineObject) -> Result<(), Stop>,
    P: FnMut() -> Result<(), Stop>,
{
    /// Goes on until the run has ended.
    async fn follow(&mut self) -> Result<(), Stop> {
        loop {
            let trouble = match self.stream().await? {
                Some(trouble) => trouble,
                None => {
                    // A server that ends closes its streams, too.
                    let request = Request::get(&["runs", &self.run]);
                    let answer: RunAnswerObject<'static> = self.client.call(&request).await?;
                    if is_terminal(&answer) {
                        return Ok(());
                    }
                    let problem = "the server has ended the log before the run";
                    Trouble::Lost(Problem::new(ErrorKind::Unavailable, problem))
                }
            };
            if let Trouble::Refused(refusal) = trouble {
                let request = self.query.request(&self.run, self.from);
                return Err(self.client.refusal(&request, refusal).await.into());
            }
            if !self.client.may_pass(&trouble, &mut self.patience).await {
                return Err(Problem::from(trouble).into());
            }
        }
    }

    /// Shows the lines of one stream, and returns why it ended; `None` for no reason.
    async fn stream(&mut self) -> Result<Option<Trouble>, Stop> {
        let request = self.query.request(&self.run, self.from).query("follow", true);
        let mut lines = match self.client.stream(&request).await {
            Ok(lines) => lines,
            Err(trouble) => return Ok(Some(trouble)),
        };
        let ended = loop {
            let line = match lines.next(self.client).await {
                Ok(Some(line)) => line,
                Ok(None) => break None,
                Err(trouble) => break Some(trouble),
            };
            // An empty one says that the stream is alive.
            self.patience = Patience::default();
            if let Ok(line) = serde_json::from_slice::<LogLineObject>(&line) {
                self.from = line.line + 1;
                (self.show)(&line)?;
            }
            if lines.is_drained() {
                (self.pause)()?;
            }
        };
        (self.pause)()?;
        Ok(ended)
    }

    /// Shows the lines that there are now.
    async fn rest(&mut self) -> Result<(), Stop> {
        loop {
            let request = self.query.request(&self.run, self.from).query("limit", PAGE_ITEMS);
            let page: LogPage = self.client.call(&request).await?;
            page.items.iter().try_for_each(&mut self.show)?;
            self.from = page.next;
            if !page.more {
                return (self.pause)();
            }
        }
    }
}
