//! Whether the server works, and numbers about it.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::ErrorKind;
use hostel::journal::{Journal, JournalError, SqliteJournal};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::STREAMS;
use crate::metrics::Reading;
use crate::problem::{Answer, ApiProblem, Code};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_healthz)).routes(routes!(get_readyz)).routes(routes!(get_metrics))
}

/// Say that the process answers
#[utoipa::path(get, path = "/healthz", operation_id = "get_healthz", tag = "server",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")), security(()))]
async fn get_healthz() -> &'static str {
    "ok\n"
}

/// Say whether the server takes work
#[utoipa::path(get, path = "/readyz", operation_id = "get_readyz", tag = "server",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")), security(()))]
async fn get_readyz(State(app): State<Arc<App>>) -> Answer<&'static str> {
    let not_ready = || ApiProblem::new(Code::Kind(ErrorKind::Unavailable), "the server is not ready");
    if app.is_draining() {
        return Err(not_ready());
    }
    // Without details, because nobody has to show a token.
    app.journal(|journal| journal.changes().map(drop)).await.map_err(|_| not_ready())?;
    Ok("ready\n")
}

/// The sizes of the journal's file and of its write-ahead log.
fn journal_bytes(journal: &SqliteJournal) -> Option<(u64, u64)> {
    let path = journal.file()?;
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Some((bytes(path), bytes(Path::new(&log))))
}

/// Show numbers for Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "server",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text")),
    security(("token" = ["read"])))]
async fn get_metrics(State(app): State<Arc<App>>) -> Answer<Response> {
    let read = |journal: &SqliteJournal| Ok::<_, JournalError>((journal.counts()?, journal_bytes(journal)));
    let (counts, journal_bytes) = app.journal(read).await?;
    let streams = STREAMS - app.streams.free();
    let reading = Reading { counts, streams, memory_bytes: app.host.memory_bytes(), journal_bytes };
    let mut response = app.metrics.text(&reading).into_response();
    let ty = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, ty);
    Ok(response)
}
