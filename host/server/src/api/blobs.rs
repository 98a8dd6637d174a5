//! Values that are uploaded once, and named as arguments by their digests.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::Digest;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::binary::Binary;
use crate::bounds::BLOB_BYTES;
use crate::extract::{Path, parsed};
use crate::problem::{Answer, ApiProblem};
use crate::rates::Counted;
use crate::tokens::Identity;
use crate::upload::{Received, receive};

const TYPES: [&str; 1] = ["application/octet-stream"];

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post_blob)).routes(routes!(put_blob, head_blob, delete_blob))
}

/// An uploaded value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Blob)]
struct BlobObject {
    /// Its digest: as an argument, it is `{"blob": DIGEST}`.
    digest: String,
    /// How many bytes it has.
    size_bytes: u64,
}

/// Upload a value
///
/// It stays for a day after it was last uploaded or used.
#[utoipa::path(post, path = "/blobs", operation_id = "post_blob", tag = "blobs",
    request_body(content = inline(Binary), content_type = "application/octet-stream"),
    responses((status = 201, description = "It is stored", body = BlobObject),
        (status = 200, description = "It was stored before", body = BlobObject)),
    security(("token" = ["run"])))]
async fn post_blob(
    State(app): State<Arc<App>>,
    identity: Identity,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    app.count(&identity, Counted::Upload)?;
    let received = receive(&app, &headers, body, &TYPES, BLOB_BYTES).await?;
    store(&app, received).await
}

/// Upload a value by its digest
///
/// Safe to repeat. It stays for a day after it was last uploaded or used. As an argument it is `{"blob": DIGEST}`, where a `list<u8>` or
/// a `string` is expected.
#[utoipa::path(put, path = "/blobs/{digest}", operation_id = "put_blob", tag = "blobs",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    request_body(content = inline(Binary), content_type = "application/octet-stream"),
    responses((status = 201, description = "It is stored", body = BlobObject),
        (status = 200, description = "It was stored before", body = BlobObject)),
    security(("token" = ["run"])))]
async fn put_blob(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let digest = parsed::<Digest>("digest", &digest)?;
    app.count(&identity, Counted::Upload)?;
    let received = receive(&app, &headers, body, &TYPES, BLOB_BYTES).await?;
    received.check(digest)?;
    store(&app, received).await
}

async fn store(app: &Arc<App>, received: Received) -> Answer<Response> {
    let (digest, size_bytes) = (received.digest(), received.length());
    let of_app = Arc::clone(app);
    let stored = app.blocking.run(move || {
        let mut file = received.into_file()?;
        of_app.uploaded.store(digest, size_bytes, &mut file).map_err(ApiProblem::from)
    });
    let status = if stored.await? { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(BlobObject { digest: digest.to_string(), size_bytes })).into_response())
}

/// Say whether a value is uploaded
#[utoipa::path(head, path = "/blobs/{digest}", operation_id = "head_blob", tag = "blobs",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses((status = 200, description = "It is")), security(("token" = ["run"])))]
async fn head_blob(State(app): State<Arc<App>>, Path(digest): Path<String>) -> Answer<StatusCode> {
    let digest = parsed::<Digest>("digest", &digest)?;
    let of_app = Arc::clone(&app);
    app.blocking.run(move || of_app.uploaded.check(digest)).await.map(|()| StatusCode::OK)
}

/// Remove an uploaded value
///
/// Runs that have it as an argument are not affected.
#[utoipa::path(delete, path = "/blobs/{digest}", operation_id = "delete_blob", tag = "blobs",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses((status = 204, description = "It is removed")), security(("token" = ["run"])))]
async fn delete_blob(State(app): State<Arc<App>>, Path(digest): Path<String>) -> Answer<StatusCode> {
    let digest = parsed::<Digest>("digest", &digest)?;
    let of_app = Arc::clone(&app);
    app.blocking.run(move || of_app.uploaded.remove(digest)).await.map(|()| StatusCode::NO_CONTENT)
}
