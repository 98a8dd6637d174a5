//! Live events: what happens to runs, as server-sent events with the numbers of the journal.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hostel::RunId;
use hostel::journal::{Journal, JournalEvent};
use hostel_wire::EventObject;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Query, parsed, unknown_value, within, wrong};
use crate::problem::Answer;
use crate::streaming::{Beat, Pulse, Source, answer};
use crate::tokens::Identity;

/// The most events that are read at once.
const BATCH: usize = 500;

/// How many full batches a live stream may be behind. Then the reader gets a gap, and the stream goes on with what is new.
const BEHIND: u32 = 20;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_events))
}

/// Which events to send.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Begin after the event with this number; without it, and without `Last-Event-ID`, with what happens from now on.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_u64)]
    after: Option<u64>,
    /// Only those of this run.
    #[serde(default)]
    run: Option<String>,
    /// Only these kinds, joined by commas: `Completed,Failed`.
    #[serde(default)]
    kinds: Option<String>,
}

/// Follow what happens to runs
///
/// `id` is the number of an event, and `data` the event as JSON. `event: gap` says that events were left out because the reader is
/// too slow, and has the number after which the stream goes on; `event: bye` that the server ends, or that the token was removed. A comment comes every 15 seconds
/// without events.
#[utoipa::path(get, path = "/events", operation_id = "get_events", tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<String>, Header, description = "The same as `after`")),
    responses((status = 200, description = "Events, without an end", body = String, content_type = "text/event-stream")),
    security(("token" = ["read"])))]
async fn get_events(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let run = query.run.as_deref().map(|run| parsed::<RunId>("run", run)).transpose()?;
    let kinds = query.kinds.iter().flat_map(|kinds| kinds.split(',')).map(|kind| read_kind(kind.trim()));
    let kinds = kinds.collect::<Answer<Vec<_>>>()?;
    let last = headers.get("last-event-id").map(|last| {
        let number = last.to_str().ok().and_then(|last| last.trim().parse::<u64>().ok());
        number.ok_or_else(|| wrong("Last-Event-ID", "expected the number of an event"))
    });
    query.after.map_or(Ok(()), |after| within("after", after))?;
    let pulse = Pulse::new(&app, identity)?;
    let after = match last.transpose()?.or(query.after) {
        Some(after) => after,
        None => app.journal(Journal::last_event).await?,
    };
    let events = Events { pulse, after, run, kinds, is_live: false, behind: 0, is_over: false };
    Ok(answer(events, "text/event-stream"))
}

fn read_kind(text: &str) -> Answer<&'static str> {
    let found = EventObject::KINDS.into_iter().find(|name| *name == text);
    found.ok_or_else(|| unknown_value("kinds", text, &EventObject::KINDS))
}

/// A stream of events.
struct Events {
    pulse: Pulse,
    /// The number of the last event that was looked at.
    after: u64,
    run: Option<RunId>,
    kinds: Vec<&'static str>,
    /// Whether it has reached the last event once.
    is_live: bool,
    /// How many full batches came in a row since then.
    behind: u32,
    is_over: bool,
}

impl Source for Events {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            if !self.pulse.is_allowed() {
                self.is_over = true;
                return Some(Bytes::from_static(
                    b"event: bye\ndata: {\"because\":\"the token was removed\"}\n\n",
                ));
            }
            self.pulse.look();
            let after = self.after;
            let Ok(events) = self.pulse.app.journal(move |journal| journal.events(after, BATCH)).await else {
                self.is_over = true;
                return Some(Bytes::from_static(
                    b"event: bye\ndata: {\"because\":\"the journal cannot be read\"}\n\n",
                ));
            };
            if events.is_empty() {
                (self.is_live, self.behind) = (true, 0);
                match self.pulse.wait(None).await {
                    Beat::Changed => continue,
                    Beat::Quiet => return Some(Bytes::from_static(b":\n\n")),
                    Beat::Closing => {
                        self.is_over = true;
                        return Some(Bytes::from_static(
                            b"event: bye\ndata: {\"because\":\"the server ends\"}\n\n",
                        ));
                    }
                    Beat::Removed => continue,
                }
            }
            self.after = events.last().map_or(after, |event| event.seq);
            self.behind = if self.is_live && events.len() == BATCH { self.behind + 1 } else { 0 };
            if self.behind > BEHIND {
                return Some(self.jump().await);
            }
            let text = self.text(&events);
            if !text.is_empty() {
                return Some(text.into());
            }
        }
        None
    }
}

impl Events {
    /// Leaves out what has happened so far.
    async fn jump(&mut self) -> Bytes {
        let last = self.pulse.app.journal(Journal::last_event).await;
        self.after = last.unwrap_or(self.after);
        self.behind = 0;
        format!("event: gap\nid: {0}\ndata: {{\"after\":{0}}}\n\n", self.after).into()
    }

    fn text(&self, events: &[JournalEvent]) -> String {
        let mut text = String::new();
        for event in events.iter().filter(|event| self.run.is_none_or(|run| run == event.run)) {
            let object = EventObject::from(event);
            if self.kinds.is_empty() || self.kinds.iter().any(|kind| *kind == object.kind) {
                // Neither writing to a text nor the JSON of an event fails.
                let json = serde_json::to_string(&object).unwrap_or_default();
                _ = write!(text, "id: {}\ndata: {json}\n\n", object.seq);
            }
        }
        text
    }
}
