//! The exchange of a one-time code for the first token.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{JsonBody, Members};
use crate::problem::{Answer, ApiProblem, Code};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(log_in))
}

/// A code.
#[derive(Debug, Deserialize, ToSchema)]
struct LoginRequest {
    /// The code that the server has printed.
    code: String,
}

impl Members for LoginRequest {
    const NAMES: &'static [&'static str] = &["code"];
}

/// The first token.
#[derive(Debug, Serialize, ToSchema)]
struct LoginAnswer {
    /// The token.
    token: String,
}

/// Exchange a one-time code for the first token
#[utoipa::path(post, path = "/login", operation_id = "log_in", tag = "server", request_body = LoginRequest,
    responses((status = 200, description = "The token; the code is used up", body = LoginAnswer)), security(()))]
async fn log_in(
    State(app): State<Arc<App>>,
    JsonBody(request, _): JsonBody<LoginRequest>,
) -> Answer<Json<LoginAnswer>> {
    if !app.logins.take(&request.code, Instant::now()) {
        let problem = "the code is unknown, was used, or is older than ten minutes";
        return Err(ApiProblem::new(Code::Unauthorized, problem).hint("restart the server for another code"));
    }
    Ok(Json(LoginAnswer { token: app.tokens.owner().to_owned() }))
}
