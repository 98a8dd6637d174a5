//! Names of components, and their versions. A version that asks for more than the one before is not used until someone accepts that.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::registry::{
    ComponentName, ComponentRef, ComponentVersion, Naming, Push, Pushed, Registry, RegistryError,
};
use hostel::{Digest, Grants, Language};
use hostel_wire::{DiffObject, PushedObject, VersionObject};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use super::tasks::PageByName;
use crate::app::App;
use crate::clock::now;
use crate::extract::{JsonBody, Members, Path, Query, parsed};
use crate::problem::{Answer, ApiProblem, Code};
use crate::scope::Scope;
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_names))
        .routes(routes!(list_versions, post_version))
        .routes(routes!(get_version, put_version, delete_version))
}

/// A page of names.
#[derive(Debug, Serialize, ToSchema)]
struct Names {
    /// The names, in order.
    items: Vec<String>,
    /// The address of the next page.
    next: Option<String>,
}

/// All versions of a name.
#[derive(Debug, Serialize, ToSchema)]
struct Versions {
    /// The versions, the last one first.
    items: Vec<VersionObject>,
}

/// Which component a version is.
#[derive(Debug, Deserialize, ToSchema)]
struct VersionRequest {
    /// The digest of the component, which has been uploaded before.
    digest: String,
    /// Whether to accept what it asks for, even if that is more than before. Needs the scope `admin`.
    #[serde(default)]
    accept_capabilities: bool,
}

impl Members for VersionRequest {
    const NAMES: &'static [&'static str] = &["digest", "accept_capabilities"];
}

/// List names
#[utoipa::path(get, path = "/names", operation_id = "list_names", tag = "components", params(PageByName),
    responses((status = 200, description = "A page", body = Names)), security(("token" = ["read"])))]
async fn list_names(State(app): State<Arc<App>>, Query(page): Query<PageByName>) -> Answer<Json<Names>> {
    let limit = limit(page.limit)?;
    let after = page.after.as_deref().map(|after| parsed::<ComponentName>("after", after)).transpose()?;
    let names = app.registry(move |registry| registry.names(after.as_ref(), limit)).await?;
    let items: Vec<_> = names.iter().map(ToString::to_string).collect();
    let last = items.last().filter(|_| items.len() == limit);
    let next = last.map(|last| format!("/api/v1/names?after={last}&limit={limit}"));
    Ok(Json(Names { next, items }))
}

/// List the versions of a name
#[utoipa::path(get, path = "/names/{name}", operation_id = "list_versions", tag = "components",
    params(("name" = String, Path, description = "The name")),
    responses((status = 200, description = "All of them", body = Versions)), security(("token" = ["read"])))]
async fn list_versions(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer<Json<Versions>> {
    let name = parsed::<ComponentName>("name", &name)?;
    let versions = app.registry(move |registry| registry.versions(&name)).await?;
    Ok(Json(Versions { items: versions.iter().map(VersionObject::from).collect() }))
}

/// Register a component as the next version of a name
///
/// Which version comes next follows from what has changed for callers.
#[utoipa::path(post, path = "/names/{name}", operation_id = "post_version", tag = "components",
    params(("name" = String, Path, description = "The name")), request_body = VersionRequest,
    responses((status = 201, description = "It is registered, and used", body = PushedObject),
        (status = 200, description = "It was registered before", body = PushedObject)),
    security(("token" = ["components"])))]
async fn post_version(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
    JsonBody(request, _): JsonBody<VersionRequest>,
) -> Answer<Response> {
    register(&app, &identity, parsed("name", &name)?, None, &request).await
}

/// Show a version
#[utoipa::path(get, path = "/names/{name}/versions/{version}", operation_id = "get_version", tag = "components",
    params(("name" = String, Path, description = "The name"), ("version" = String, Path, description = "The version")),
    responses((status = 200, description = "The version", body = VersionObject)), security(("token" = ["read"])))]
async fn get_version(
    State(app): State<Arc<App>>,
    Path((name, version)): Path<(String, String)>,
) -> Answer<Json<VersionObject>> {
    let component = version_ref(&name, &version)?;
    let missing = RegistryError::NotFound { component: component.clone() };
    let found = app.registry(move |registry| registry.resolve(&component)).await?;
    found.version.map(|version| Json(VersionObject::from(&version))).ok_or_else(|| missing.into())
}

/// Register a component as a version of a name
///
/// Safe to repeat. A version that asks for more than the accepted one before it is stored and answered with 409
/// `capability-change` and the difference; the same request with `accept_capabilities` accepts it, with the scope `admin`. Schedules
/// whose runs have grants use only versions that a token with `admin`, or the command, has registered or accepted.
#[utoipa::path(put, path = "/names/{name}/versions/{version}", operation_id = "put_version", tag = "components",
    params(("name" = String, Path, description = "The name"), ("version" = String, Path, description = "The version")),
    request_body = VersionRequest,
    responses((status = 201, description = "It is registered, and used", body = PushedObject),
        (status = 200, description = "It was registered before", body = PushedObject)),
    security(("token" = ["components"])))]
async fn put_version(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path((name, version)): Path<(String, String)>,
    JsonBody(request, _): JsonBody<VersionRequest>,
) -> Answer<Response> {
    let version = parsed::<ComponentVersion>("version", &version)?;
    register(&app, &identity, parsed("name", &name)?, Some(version), &request).await
}

async fn register(
    app: &App,
    identity: &Identity,
    name: ComponentName,
    version: Option<ComponentVersion>,
    request: &VersionRequest,
) -> Answer<Response> {
    let digest = parsed::<Digest>("digest", &request.digest)?;
    check_allowed(identity, &name, request)?;
    let may_grant = identity.scopes.allow(Scope::Admin);
    let (accept, by) = (request.accept_capabilities, identity.name.to_string());
    let pushed = app.registry(move |registry| {
        let grants = Grants::default();
        push(registry, digest, &Naming { name, version, grants: &grants, accept, may_grant }, &by)
    });
    let pushed = pushed.await?;
    let object = PushedObject::from(&pushed);
    let Some(version) = &pushed.version else { return Ok(Json(object).into_response()) };
    if version.version.accepted.is_none() {
        let problem = format!("{} asks for more than the accepted version before it", object.component);
        let problem = ApiProblem::new(Code::CapabilityChange, problem)
            .with("diff", DiffObject::from(&version.diff))
            .with("pushed", &object)
            .with("version", VersionObject::from(&version.version))
            .hint(
                "it is stored, and waits: a token with the scope admin accepts it with accept_capabilities",
            );
        return Err(problem);
    }
    let status = if version.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(object)).into_response())
}

/// Refuses what gives a component more than its sender may give: to accept what a version asks for, and to register the runtime that
/// executes the scripts of all others.
fn check_allowed(identity: &Identity, name: &ComponentName, request: &VersionRequest) -> Answer<()> {
    if identity.scopes.allow(Scope::Admin) {
        return Ok(());
    }
    let problem = if request.accept_capabilities {
        "accept_capabilities: to accept what a version asks for needs the scope admin".to_owned()
    } else if Language::ALL.iter().any(|language| language.runtime_name() == name.as_str()) {
        format!("{name} executes the scripts of everyone: it needs the scope admin")
    } else {
        return Ok(());
    };
    Err(ApiProblem::new(Code::MissingScope, problem).with("scope", Scope::Admin))
}

fn push(registry: &Registry, digest: Digest, naming: &Naming<'_>, by: &str) -> Result<Pushed, RegistryError> {
    let manifest = registry.component(&ComponentRef::Digest(digest))?.manifest;
    let bytes = registry.bytes(digest)?;
    registry.push(&Push { bytes: &bytes, manifest: &manifest, naming: Some(naming.clone()), by, at: now() })
}

/// Remove a version, and its component if it has no other
#[utoipa::path(delete, path = "/names/{name}/versions/{version}", operation_id = "delete_version", tag = "components",
    params(("name" = String, Path, description = "The name"), ("version" = String, Path, description = "The version")),
    responses((status = 204, description = "It is removed")), security(("token" = ["components"])))]
async fn delete_version(
    State(app): State<Arc<App>>,
    Path((name, version)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let component = version_ref(&name, &version)?;
    let removed = app.registry(move |registry| registry.remove(&component)).await?;
    removed.component.iter().for_each(|digest| app.forget(digest));
    Ok(StatusCode::NO_CONTENT)
}

fn version_ref(name: &str, version: &str) -> Answer<ComponentRef> {
    let (name, version) = (parsed("name", name)?, parsed("version", version)?);
    Ok(ComponentRef::Named { name, version: Some(version) })
}
