//! The logs of runs, from their first line on.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hostel::journal::{Journal, LogFilter, NumberedLine, RunLogs, SqliteJournal};
use hostel::{LogLevel, LogStream, RunId};
use hostel_wire::LogLineObject;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use crate::app::App;
use crate::bounds::LIST;
use crate::extract::{Path, Query, parsed, within, wrong};
use crate::problem::Answer;
use crate::streaming::{Beat, Pulse, Source, answer};
use crate::tokens::Identity;

/// How often a log is looked at while its run executes: lines are written a quarter of a second after they were printed.
const LOOK: Duration = Duration::from_millis(250);

/// The largest number of an attempt that a request may name.
const MOST_ATTEMPTS: u32 = i32::MAX.cast_unsigned();

/// After so many looks without a line, an empty part shows the reader that the stream is alive.
const QUIET_LOOKS: u32 = 60;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_logs))
}

/// Which lines to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Begin with this line, counted from 0 over all attempts.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_u64)]
    from: u64,
    /// How many lines at most; 100 if there is none. Without meaning with `follow`.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only lines of this level and of higher ones: `debug`, `info`, `warn`, `error`.
    #[serde(default)]
    level: Option<String>,
    /// Only lines of this stream: `stdout`, `stderr`, `log`, `host`.
    #[serde(default)]
    stream: Option<String>,
    /// Only lines that contain this text.
    #[serde(default)]
    text: Option<String>,
    /// Only lines of this attempt, counted from 1.
    #[serde(default)]
    #[param(minimum = 0, maximum = 2_147_483_647)]
    attempt: Option<u32>,
    /// Go on until the run has ended: the answer is JSON Lines, with an empty line now and then.
    #[serde(default)]
    follow: bool,
}

/// Some lines of a log.
#[derive(Debug, Serialize, ToSchema)]
struct LogLines {
    /// The lines that match, in order.
    items: Vec<LogLineObject>,
    /// The line with which to go on.
    next: u64,
    /// Whether there are more lines to look at now.
    more: bool,
}

impl LogQuery {
    fn filter(&self) -> Answer<LogFilter> {
        const LEVELS: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        const STREAMS: [LogStream; 4] =
            [LogStream::Stdout, LogStream::Stderr, LogStream::Log, LogStream::Host];
        let level = self.level.as_deref().map(|name| {
            let found = LEVELS.into_iter().find(|level| level.name() == name);
            found.ok_or_else(|| wrong("level", "expected debug, info, warn or error"))
        });
        let stream = self.stream.as_deref().map(|name| {
            let found = STREAMS.into_iter().find(|stream| stream.name() == name);
            found.ok_or_else(|| wrong("stream", "expected stdout, stderr, log or host"))
        });
        let text = self.text.as_deref().map(Arc::from);
        Ok(LogFilter { level: level.transpose()?, stream: stream.transpose()?, text, attempt: self.attempt })
    }
}

/// Show what a run has printed and logged
#[utoipa::path(get, path = "/runs/{run}/logs", operation_id = "get_logs", tag = "runs",
    params(("run" = String, Path, description = "Its id"), LogQuery),
    responses((status = 200, description = "Lines; with `follow`, one after the other as `application/jsonl`",
        content((LogLines = "application/json"), (String = "application/jsonl")))),
    security(("token" = ["read:values"])))]
async fn get_logs(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
    Query(query): Query<LogQuery>,
) -> Answer<Response> {
    let run = parsed::<RunId>("run", &run)?;
    let filter = query.filter()?;
    within("from", query.from)?;
    if let Some(attempt) = query.attempt.filter(|attempt| *attempt > MOST_ATTEMPTS) {
        return Err(wrong("attempt", format!("{attempt}: expected at most {MOST_ATTEMPTS}")));
    }
    app.entry(run).await?;
    if query.follow {
        let pulse = Pulse::new(&app, identity)?;
        let lines = Lines { pulse, run, from: query.from, filter, quiet: 0, is_over: false };
        return Ok(answer(lines, "application/jsonl"));
    }
    let (from, limit) = (query.from, limit(query.limit)?);
    let logs = Arc::clone(&app.logs);
    let read = move |_: &SqliteJournal| logs.read(run, from, limit, &filter);
    let page = app.in_turn_of(&app.long_calls.scans, &identity, read).await?;
    let items = page.lines.iter().map(LogLineObject::from).collect();
    Ok(Json(LogLines { items, next: page.next, more: page.more }).into_response())
}

async fn read(
    app: &Arc<App>,
    run: RunId,
    from: u64,
    limit: usize,
    filter: LogFilter,
) -> Answer<hostel::journal::LogPage> {
    let logs: Arc<RunLogs> = Arc::clone(&app.logs);
    app.blocking.run(move || logs.read(run, from, limit, &filter)).await
}

/// The lines of a run, until it has ended.
struct Lines {
    pulse: Pulse,
    run: RunId,
    from: u64,
    filter: LogFilter,
    /// How many looks in a row found nothing.
    quiet: u32,
    is_over: bool,
}

impl Source for Lines {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over && self.pulse.is_allowed() {
            self.pulse.look();
            // In this order: all lines are there before the end is.
            let run = self.run;
            let entry = self.pulse.app.journal(move |journal| journal.get(run)).await.ok()?;
            // A run that is removed meanwhile has ended.
            let has_ended = entry.is_none_or(|entry| entry.state().is_terminal());
            let page = read(&self.pulse.app, run, self.from, LIST, self.filter.clone()).await.ok()?;
            self.from = page.next;
            self.is_over = has_ended && !page.more;
            if !page.lines.is_empty() {
                self.quiet = 0;
                return Some(text(&page.lines));
            }
            if self.is_over || page.more {
                continue;
            }
            match self.pulse.wait(Some(LOOK)).await {
                Beat::Closing | Beat::Removed => return None,
                Beat::Changed | Beat::Quiet => {}
            }
            self.quiet += 1;
            if self.quiet >= QUIET_LOOKS {
                self.quiet = 0;
                return Some(Bytes::from_static(b"\n"));
            }
        }
        None
    }
}

fn text(lines: &[NumberedLine]) -> Bytes {
    let mut text = Vec::new();
    for line in lines {
        // Cannot fail: all keys are texts.
        text.extend(serde_json::to_vec(&LogLineObject::from(line)).unwrap_or_default());
        text.push(b'\n');
    }
    text.into()
}
