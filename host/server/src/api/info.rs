//! What the server is, and its document.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json_answer;
use crate::app::App;
use crate::bounds::LimitsObject;
use crate::scope::Scope;
use crate::tokens::Identity;

/// What this version can do, for clients of other versions.
const FEATURES: [&str; 16] = [
    "blobs",
    "batches",
    "counts",
    "timelines",
    "components",
    "names",
    "tasks",
    "runs",
    "maps",
    "schedules",
    "limits",
    "queues",
    "cache",
    "tokens",
    "events",
    "logs",
];

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_info)).routes(routes!(get_openapi))
}

/// The server, and the token of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Info)]
struct InfoObject {
    /// The version of Hostel.
    version: &'static str,
    /// What it can do.
    features: [&'static str; 16],
    /// Its limits.
    limits: LimitsObject,
    /// Whether it executes runs itself.
    executes: bool,
    /// Whether it is about to end.
    draining: bool,
    /// Since when it runs.
    started_at: String,
    /// The token that asks.
    token: TokenInfo,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
struct TokenInfo {
    /// Its name.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// What it may do with some runs only: `run queue:nightly`.
    restricted: Vec<String>,
}

/// Show version, features and limits, and the token of the request
#[utoipa::path(get, path = "/info", operation_id = "get_info", tag = "server",
    responses((status = 200, description = "The server", body = InfoObject)), security(("token" = [])))]
async fn get_info(State(app): State<Arc<App>>, identity: Identity) -> Json<InfoObject> {
    Json(InfoObject {
        version: env!("CARGO_PKG_VERSION"),
        features: FEATURES,
        limits: LimitsObject::new(app.connections, app.rates.is_some()),
        executes: app.executes,
        draining: app.is_draining(),
        started_at: hostel_wire::instant(app.started),
        token: TokenInfo {
            name: identity.name.to_string(),
            scopes: identity.scopes.list().to_vec(),
            restricted: identity.restricted.iter().map(ToString::to_string).collect(),
        },
    })
}

/// Show this document
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_openapi", tag = "server",
    responses((status = 200, description = "The OpenAPI document", body = Object)), security(()))]
async fn get_openapi(State(app): State<Arc<App>>) -> Response {
    json_answer(app.document.clone().into_bytes())
}
