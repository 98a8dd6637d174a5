//! What the types of problems mean.

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::Path;
use crate::problem::{Answer, ApiProblem, Code};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_problem_type))
}

/// A type of problems.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemType {
    /// Its name, which problems have as `code`.
    code: &'static str,
    /// What it means.
    title: &'static str,
    /// The HTTP status of its problems.
    status: u16,
}

/// Explain a type of problems
#[utoipa::path(get, path = "/problems/{code}", operation_id = "get_problem_type", tag = "server",
    params(("code" = String, Path, description = "The name: the last part of a problem's `type`")),
    responses((status = 200, description = "The type", body = ProblemType)), security(()))]
async fn get_problem_type(Path(name): Path<String>) -> Answer<Json<ProblemType>> {
    let code = Code::ALL.into_iter().find(|code| code.name() == name);
    let code = code.ok_or_else(|| ApiProblem::not_found("there is no such type of problems"))?;
    Ok(Json(ProblemType { code: code.name(), title: code.title(), status: code.status().as_u16() }))
}
