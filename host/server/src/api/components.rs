//! Components and scripts: uploaded by their digest or without it, and what they offer and ask for.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::registry::{ComponentDiff, ComponentRef, Push, Pushed};
use hostel::{Digest, LoadError, ScriptPackage};
use hostel_wire::{ComponentObject, DiffObject, PushedObject, RegisteredObject};
use http::header::CONTENT_DISPOSITION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::observed::{self, Observed};
use crate::app::App;
use crate::binary::Binary;
use crate::bounds::{COMPONENT_BYTES, LIST, LIST_DEFAULT, WIT_BYTES};
use crate::clock::now;
use crate::extract::{Path, Query, parsed, wrong};
use crate::large::Text;
use crate::problem::Answer;
use crate::rates::Counted;
use crate::scripts;
use crate::tokens::Identity;
use crate::upload::{Received, receive};

const TYPES: [&str; 1] = ["application/wasm"];

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_components, post_component))
        .routes(routes!(get_component, head_component, put_component, delete_component))
        .routes(routes!(get_component_wasm))
        .routes(routes!(get_component_surface))
        .routes(routes!(get_component_wit))
        .routes(routes!(get_component_diff))
}

/// Which page of a list by digest.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageByDigest {
    /// Begin after this digest.
    #[serde(default)]
    after: Option<String>,
    /// How many at most.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Components without names. Those with names are found by them.
#[derive(Debug, Serialize, ToSchema)]
struct UnnamedComponents {
    /// Their digests, in order.
    items: Vec<String>,
    /// The address of the next page.
    next: Option<String>,
}

/// A limit of a list, checked.
pub(super) fn limit(limit: Option<usize>) -> Answer<usize> {
    match limit {
        None => Ok(LIST_DEFAULT),
        Some(limit) if (1..=LIST).contains(&limit) => Ok(limit),
        Some(limit) => Err(wrong("limit", format!("{limit}: expected 1 to {LIST}"))),
    }
}

/// List components without names, by digest
#[utoipa::path(get, path = "/components", operation_id = "list_components", tag = "components", params(PageByDigest),
    responses((status = 200, description = "A page", body = UnnamedComponents)), security(("token" = ["read"])))]
async fn list_components(
    State(app): State<Arc<App>>,
    Query(page): Query<PageByDigest>,
) -> Answer<Json<UnnamedComponents>> {
    let limit = limit(page.limit)?;
    let after = page.after.as_deref().map(|after| parsed::<Digest>("after", after)).transpose()?;
    let found = app.registry(move |registry| registry.unnamed(after, limit)).await?;
    let items: Vec<_> = found.iter().map(ToString::to_string).collect();
    let last = items.last().filter(|_| items.len() == limit);
    let next = last.map(|last| format!("/api/v1/components?after={last}&limit={limit}"));
    Ok(Json(UnnamedComponents { next, items }))
}

/// What is uploaded.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Uploading {
    /// The name of a script's file, by which tracebacks call it; `script` if there is none.
    #[serde(default)]
    file: Option<String>,
}

/// Upload a component or a script
///
/// A component is checked and compiled before it is stored. A script is source text, at most 4 MiB; it is parsed, and stored with the
/// runtime that the server has for its language.
#[utoipa::path(post, path = "/components", operation_id = "post_component", tag = "components", params(Uploading),
    request_body(content((inline(Binary) = "application/wasm"), (String = "text/x-python"), (String = "text/javascript"))),
    responses((status = 201, description = "It is stored", body = PushedObject),
        (status = 200, description = "It was stored before", body = PushedObject)),
    security(("token" = ["components"])))]
async fn post_component(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(uploading): Query<Uploading>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    app.count(&identity, Counted::Upload)?;
    let Some(language) = scripts::language(&headers) else {
        if uploading.file.is_some() {
            return Err(wrong("file", "expected with a script only"));
        }
        let received = receive(&app, &headers, body, &TYPES, COMPONENT_BYTES).await?;
        let (token, push) = (identity.digest, push(Arc::clone(&app), identity, received));
        return app.uploads.run(token, push).await.map(pushed_answer);
    };
    let most = ScriptPackage::MAX_SOURCE_BYTES as u64;
    let received = receive(&app, &headers, body, &[language.media_type()], most).await?;
    let file = uploading.file.unwrap_or_else(|| "script".to_owned());
    let (of_app, token) = (Arc::clone(&app), identity.digest);
    let push = async move {
        let source = received.bytes(&of_app).await?.to_vec();
        scripts::push(&of_app, &identity, language, file, source).await
    };
    app.uploads.run(token, push).await.map(pushed_answer)
}

/// Upload a component by its digest
///
/// Safe to repeat. It is checked and compiled before it is stored.
#[utoipa::path(put, path = "/components/{component}", operation_id = "put_component", tag = "components",
    params(("component" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    request_body(content = inline(Binary), content_type = "application/wasm"),
    responses((status = 201, description = "It is stored", body = PushedObject),
        (status = 200, description = "It was stored before", body = PushedObject)),
    security(("token" = ["components"])))]
async fn put_component(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let digest = parsed::<Digest>("digest", &digest)?;
    app.count(&identity, Counted::Upload)?;
    let received = receive(&app, &headers, body, &TYPES, COMPONENT_BYTES).await?;
    received.check(digest)?;
    let (token, push) = (identity.digest, push(Arc::clone(&app), identity, received));
    app.uploads.run(token, push).await.map(pushed_answer)
}

/// Checks, compiles and stores a component.
async fn push(app: Arc<App>, identity: Identity, received: Received) -> Answer<Pushed> {
    let bytes = received.bytes(&app).await?;
    if !bytes.starts_with(b"\0asm") {
        let expected = "expected a component in its binary form".to_owned();
        return Err(LoadError::NotWebAssembly(expected).into());
    }
    let component = app.host.load_bytes(bytes.to_vec()).await?;
    let by = identity.name.to_string();
    let manifest = component.manifest().clone();
    let pushed = app.registry(move |registry| {
        registry.push(&Push { bytes: &bytes, manifest: &manifest, naming: None, by: &by, at: now() })
    });
    let pushed = pushed.await?;
    app.loaded.insert(pushed.digest, component);
    Ok(pushed)
}

fn pushed_answer(pushed: Pushed) -> Response {
    let status = if pushed.is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(PushedObject::from(&pushed))).into_response()
}

/// Show a component: its functions, imports and versions
#[utoipa::path(get, path = "/components/{component}", operation_id = "get_component", tag = "components",
    params(("component" = String, Path, description = "A digest, a name, or `NAME@VERSION`")),
    responses((status = 200, description = "The component", body = RegisteredObject)), security(("token" = ["read"])))]
async fn get_component(
    State(app): State<Arc<App>>,
    Path(component): Path<String>,
) -> Answer<Json<RegisteredObject>> {
    let component = parsed::<ComponentRef>("component", &component)?;
    let found = app.registry(move |registry| registry.component(&component)).await?;
    Ok(Json(RegisteredObject::from(&found)))
}

/// Say whether a component is stored
#[utoipa::path(head, path = "/components/{component}", operation_id = "head_component", tag = "components",
    params(("component" = String, Path, description = "A digest, a name, or `NAME@VERSION`")),
    responses((status = 200, description = "It is")), security(("token" = ["read"])))]
async fn head_component(State(app): State<Arc<App>>, Path(component): Path<String>) -> Answer<StatusCode> {
    let component = parsed::<ComponentRef>("component", &component)?;
    app.registry(move |registry| registry.resolve(&component)).await.map(|_| StatusCode::OK)
}

/// Remove a version, or a component without versions
#[utoipa::path(delete, path = "/components/{component}", operation_id = "delete_component", tag = "components",
    params(("component" = String, Path, description = "A digest, or `NAME@VERSION`")),
    responses((status = 204, description = "It is removed")), security(("token" = ["components"])))]
async fn delete_component(State(app): State<Arc<App>>, Path(component): Path<String>) -> Answer<StatusCode> {
    let component = parsed::<ComponentRef>("component", &component)?;
    let removed = app.registry(move |registry| registry.remove(&component)).await?;
    removed.component.iter().for_each(|digest| app.forget(digest));
    Ok(StatusCode::NO_CONTENT)
}

/// Download a component, or a script with the lines that the registry puts before it
#[utoipa::path(get, path = "/components/{component}/wasm", operation_id = "get_component_wasm", tag = "components",
    params(("component" = String, Path, description = "A digest, a name, or `NAME@VERSION`")),
    responses((status = 200, description = "Its bytes",
        content((inline(Binary) = "application/wasm"), (String = "text/plain")))),
    security(("token" = ["read"])))]
async fn get_component_wasm(State(app): State<Arc<App>>, Path(component): Path<String>) -> Answer<Response> {
    let component = parsed::<ComponentRef>("component", &component)?;
    let manifest = app.registry(move |registry| registry.component(&component)).await?.manifest;
    let (place, registry) = (app.places.of_text(manifest.size_bytes).await?, Arc::clone(&app.registry));
    let make = move |text: &mut Text| {
        let bytes = registry.bytes(manifest.digest)?;
        if ScriptPackage::is_meant(&bytes) {
            text.is("text/plain; charset=utf-8");
        }
        text.bytes(bytes);
        Ok(())
    };
    let mut response = place.answer(&app.blocking, "application/wasm", make).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// What to show beside the surface of a component.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Beside {
    /// Whether to show what its runs have used, too.
    #[serde(default)]
    observed: bool,
}

/// What a component offers, and what its runs have used.
#[derive(Debug, Serialize, ToSchema)]
struct Surface {
    #[serde(flatten)]
    component: ComponentObject,
    /// What its newest runs have used, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Observed>,
}

/// Show what a component offers in full, as `hostel inspect` does
#[utoipa::path(get, path = "/components/{component}/surface", operation_id = "get_component_surface", tag = "components",
    params(("component" = String, Path, description = "A digest, a name, or `NAME@VERSION`"), Beside),
    responses((status = 200, description = "The component", body = Surface)), security(("token" = ["read"])))]
async fn get_component_surface(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    Query(beside): Query<Beside>,
) -> Answer<Json<Surface>> {
    let component = parsed::<ComponentRef>("component", &text)?;
    let digest = app.registry(move |registry| registry.resolve(&component)).await?.digest;
    let manifest =
        app.registry(move |registry| registry.component(&ComponentRef::Digest(digest))).await?.manifest;
    let registered = app.registered(digest).await?;
    let component = ComponentObject::new(text, &manifest, registered.component().missing());
    let observed = if beside.observed {
        Some(app.journal(move |journal| observed::read(journal, digest)).await?)
    } else {
        None
    };
    Ok(Json(Surface { component, observed }))
}

/// A component in WIT.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wit)]
struct WitObject {
    /// The SHA-256 of its bytes.
    digest: String,
    /// Its world and the interfaces that it uses, as `hostel inspect --wit` writes them; `null` if it cannot be written in WIT.
    wit: Option<String>,
    /// Why not, in words.
    no_wit_because: Option<String>,
}

/// Show a component in WIT: what it imports and exports, as text
#[utoipa::path(get, path = "/components/{component}/wit", operation_id = "get_component_wit", tag = "components",
    params(("component" = String, Path, description = "A digest, a name, or `NAME@VERSION`")),
    responses((status = 200, description = "Its WIT", body = WitObject)), security(("token" = ["read"])))]
async fn get_component_wit(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(component): Path<String>,
) -> Answer<Json<WitObject>> {
    let component = parsed::<ComponentRef>("component", &component)?;
    let digest = app.registry(move |registry| registry.resolve(&component)).await?.digest;
    let written = match app.wits.get(&digest) {
        Some(written) => written,
        None => app.uploads.run(identity.digest, write_wit(Arc::clone(&app), digest)).await?,
    };
    let (wit, no_wit_because) = match &*written {
        Ok(wit) => (Some(wit.clone()), None),
        Err(because) => (None, Some(because.clone())),
    };
    Ok(Json(WitObject { digest: digest.to_string(), wit, no_wit_because }))
}

/// Writes the WIT of a component, or why there is none, and stores it in memory for the next requests unless it is long.
async fn write_wit(app: Arc<App>, digest: Digest) -> Answer<Arc<Result<String, String>>> {
    let bytes = app.registry(move |registry| registry.bytes(digest)).await?;
    let written = if ScriptPackage::is_meant(&bytes) {
        Err("it is a script, whose functions have no WIT".to_owned())
    } else {
        match app.host.wit(bytes).await {
            Ok(wit) => Ok(wit),
            Err(LoadError::NoWit(because)) => Err(because),
            Err(error) => return Err(error.into()),
        }
    };
    let (Ok(text) | Err(text)) = &written;
    let is_short = text.len() <= WIT_BYTES;
    let written = Arc::new(written);
    if is_short {
        app.wits.insert(digest, Arc::clone(&written));
    }
    Ok(written)
}

/// With what to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct With {
    /// The newer side: a digest, a name, or `NAME@VERSION`.
    with: String,
}

/// Compare two components or versions
#[utoipa::path(get, path = "/components/{component}/diff", operation_id = "get_component_diff", tag = "components",
    params(("component" = String, Path, description = "The older side: a digest, a name, or `NAME@VERSION`"), With),
    responses((status = 200, description = "How they differ", body = DiffObject)), security(("token" = ["read"])))]
async fn get_component_diff(
    State(app): State<Arc<App>>,
    Path(component): Path<String>,
    Query(with): Query<With>,
) -> Answer<Json<DiffObject>> {
    let old = parsed::<ComponentRef>("component", &component)?;
    let new = parsed::<ComponentRef>("with", &with.with)?;
    let sides = app.registry(move |registry| {
        Ok::<_, hostel::registry::RegistryError>((registry.side(&old)?, registry.side(&new)?))
    });
    let ((old, old_grants), (new, new_grants)) = sides.await?;
    let diff = ComponentDiff::between((&old, &old_grants), (&new, &new_grants));
    Ok(Json(DiffObject::from(&diff)))
}
