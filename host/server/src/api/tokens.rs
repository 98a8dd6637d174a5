//! Tokens: made, listed and removed by those who may do everything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::RESTRICTED;
use crate::extract::{JsonBody, Members, Path, parsed, wrong};
use crate::problem::Answer;
use crate::restricted::Restricted;
use crate::scope::Scope;
use crate::tokens::{OWNER, TokenRecord};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_tokens, post_token)).routes(routes!(delete_token))
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
struct TokenObject {
    /// Its name.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// What it may do with some runs only: `run queue:nightly`.
    restricted: Vec<String>,
    /// When it was made; `null` for the first token.
    created_at: Option<String>,
    /// The token itself. It is shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<TokenRecord> for TokenObject {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { name, scopes, restricted, created_at, .. } = record;
        Self { name, scopes, restricted, created_at: Some(created_at), token: None }
    }
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    /// The first one, and the others by name.
    items: Vec<TokenObject>,
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
struct TokenRequest {
    /// Its name: 1 to 64 characters a-z, A-Z, 0-9, `.`, `_` and `-`.
    name: String,
    /// What it may do.
    #[serde(default)]
    scopes: Vec<Scope>,
    /// What it may do with some runs only: one of the scopes `read`, `read:values`, `run` and `cancel`, and one or more of
    /// `queue:PATTERN`, `task:PATTERN` and `tag:PATTERN`, which have to match all; `*` stands for any characters. A task is
    /// `NAME#EXPORT` or `sha256:HEX#EXPORT`.
    #[serde(default)]
    restricted: Vec<String>,
}

impl Members for TokenRequest {
    const NAMES: &'static [&'static str] = &["name", "scopes", "restricted"];
}

/// List tokens
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "tokens",
    responses((status = 200, description = "All of them", body = TokenList)), security(("token" = ["admin"])))]
async fn list_tokens(State(app): State<Arc<App>>) -> Answer<Json<TokenList>> {
    let of_app = Arc::clone(&app);
    let records = app.blocking.run(move || of_app.tokens.list()).await?;
    let first = TokenObject {
        name: OWNER.to_owned(),
        scopes: vec![Scope::Admin],
        restricted: Vec::new(),
        created_at: None,
        token: None,
    };
    let items = std::iter::once(first).chain(records.into_iter().map(TokenObject::from));
    Ok(Json(TokenList { items: items.collect() }))
}

/// Make a token
#[utoipa::path(post, path = "/tokens", operation_id = "post_token", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, description = "The token, with its text", body = TokenObject)),
    security(("token" = ["admin"])))]
async fn post_token(
    State(app): State<Arc<App>>,
    JsonBody(request, _): JsonBody<TokenRequest>,
) -> Answer<Response> {
    if request.scopes.is_empty() && request.restricted.is_empty() {
        return Err(wrong("scopes", "expected at least one, or one in restricted"));
    }
    if request.restricted.len() > RESTRICTED {
        return Err(wrong("restricted", format!("expected at most {RESTRICTED}")));
    }
    let restricted = request.restricted.iter().map(|text| parsed::<Restricted>("restricted", text));
    let restricted = restricted.collect::<Answer<Vec<_>>>()?;
    let of_app = Arc::clone(&app);
    let created =
        app.blocking.run(move || of_app.tokens.create(&request.name, &request.scopes, &restricted)).await?;
    let (text, record) = created;
    let object = TokenObject { token: Some(text), ..TokenObject::from(record) };
    Ok((StatusCode::CREATED, Json(object)).into_response())
}

/// Remove a token
#[utoipa::path(delete, path = "/tokens/{name}", operation_id = "delete_token", tag = "tokens",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "Nobody can use it any more")), security(("token" = ["admin"])))]
async fn delete_token(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer<StatusCode> {
    let of_app = Arc::clone(&app);
    app.blocking.run(move || of_app.tokens.remove(&name)).await.map(|()| StatusCode::NO_CONTENT)
}
