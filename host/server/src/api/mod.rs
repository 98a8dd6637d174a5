//! The operations, one file for each resource. Handlers read the request, call what does the work, and write the answer.

// The macros of utoipa write whole paths.
#![allow(unused_qualifications)]

mod actions;
mod batches;
mod blobs;
mod cache;
mod children;
mod components;
mod counts;
mod events;
mod health;
mod history;
mod info;
mod limits;
mod login;
mod logs;
mod map_rows;
mod maps;
mod names;
mod observed;
mod problems;
mod results;
mod run_cache;
mod runs;
mod schedules;
mod tasks;
mod tokens;
mod workers;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Every operation, with the document about them.
pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    let api = OpenApiRouter::new()
        .merge(info::router())
        .merge(login::router())
        .merge(components::router())
        .merge(names::router())
        .merge(tasks::router())
        .merge(blobs::router())
        .merge(runs::router())
        .merge(results::router())
        .merge(history::router())
        .merge(children::router())
        .merge(run_cache::router())
        .merge(logs::router())
        .merge(actions::router())
        .merge(maps::router())
        .merge(map_rows::router())
        .merge(batches::router())
        .merge(counts::router())
        .merge(events::router())
        .merge(schedules::router())
        .merge(limits::router())
        .merge(workers::router())
        .merge(cache::router())
        .merge(tokens::router());
    OpenApiRouter::new().nest("/api/v1", api).merge(health::router()).merge(problems::router())
}

/// An answer that was written as JSON elsewhere.
pub(crate) fn json_answer(body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
