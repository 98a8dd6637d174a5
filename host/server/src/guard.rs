//! What every request passes before a handler sees it: host, origin, token, scope. And what every answer passes: the body of a
//! problem, headers, the count of requests, and a line about each change.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hostel::RunId;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, ORIGIN,
    REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::access::{Access, Reach, reach};
use crate::app::App;
use crate::audit::Change;
use crate::blocking::{NO_TOKEN, of_token};
use crate::clock::now;
use crate::extract::{check_query, parsed};
use crate::peers::Peer;
use crate::problem::{Answer, ApiProblem, Code};
use crate::restricted::{Names, Subject};
use crate::scope::Scope;
use crate::spans::EndedRequest;
use crate::tokens::Identity;
use crate::trace::RequestTrace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which part of `/api/v1/runs/RUN` is the id, of those between the slashes.
const RUN_IN_PATH: usize = 4;

/// The outermost layer: it gives the request an id, and completes the answer.
pub(crate) async fn complete(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (began, began_at, _active) = (Instant::now(), now(), app.metrics.begin());
    let id = app.next_request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let parent = RequestTrace::of(request.headers()).0;
    let checked = check_framing(request.headers());
    let is_framed = checked.is_ok();
    let checked = checked.and_then(|()| app.hosts.check(request.uri(), request.headers()));
    let checked = checked.and_then(|()| check_origin(&app, request.headers()));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<ApiProblem>() {
        let (mut head, _) = response.into_parts();
        response = problem.answer(&path, &id);
        *response.extensions_mut() = head.extensions;
        // What layers have added: which methods there are, and which page may read the answer.
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(CONTENT_TYPE);
        response.headers_mut().extend(head.headers);
    }
    finish(&mut response, &id);
    if !is_framed {
        // What follows may be a part of the body for a proxy in front.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let route = response.extensions_mut().remove::<Route>();
    let label = route.as_ref().map_or("none", |route| route.path.as_str());
    let took = began.elapsed();
    app.metrics.answered(label, &method, response.status(), took);
    // Not those that ask whether the server is well.
    if label.starts_with("/api/") {
        app.spans.request_ended(|| EndedRequest {
            parent,
            id: Arc::clone(&id),
            began: began_at,
            took,
            method: method.clone(),
            route: label.into(),
            status: response.status().as_u16(),
        });
    }
    if let Some(route) = route.filter(|_| !is_safe(&method)) {
        app.audit.report(&Change {
            request_id: &id,
            token: route.identity.as_ref().map(|identity| &*identity.name),
            method: method.as_str(),
            path: &path,
            status: response.status().as_u16(),
            trace_id: parent.map(|parent| parent.trace_text()).as_deref(),
        });
    }
    response
}

/// The route of an answered request, for counts and the line about a change.
#[derive(Clone, Debug)]
struct Route {
    path: MatchedPath,
    identity: Option<Identity>,
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn finish(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let policy = HeaderName::from_static("content-security-policy");
    headers.entry(policy).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    let resources = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resources, HeaderValue::from_static("same-origin"));
}

/// Refuses a body that is encoded for its transfer otherwise than `chunked`, once. The server could read one whose last encoding
/// is that, but a proxy may have seen another end of it.
fn check_framing(headers: &HeaderMap) -> Answer<()> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = encodings.next();
    let is_chunked = first.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if is_chunked && encodings.next().is_none() {
        return Ok(());
    }
    let found = first.map(|encoding| String::from_utf8_lossy(encoding.as_bytes())).unwrap_or_default();
    let found = hostel::excerpt_within(format_args!("{found:?}"), 100);
    let problem = format!("Transfer-Encoding: expected `chunked`, once, or none; found {found}");
    Err(ApiProblem::new(Code::Malformed, problem))
}

/// Refuses what a page of another origin sends, with whatever method. For methods that change something, a layer of tower-http
/// looks at `Sec-Fetch-Site`, too.
fn check_origin(app: &App, headers: &HeaderMap) -> Answer<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let is_own = |origin: &str| app.origins().any(|own| own == origin);
    if headers.get_all(ORIGIN).iter().count() == 1 && origin.to_str().is_ok_and(is_own) {
        return Ok(());
    }
    Err(cross_origin())
}

/// A request of a page of another origin.
pub(crate) fn cross_origin() -> ApiProblem {
    let problem = ApiProblem::new(Code::CrossOrigin, "a page of another origin has sent the request");
    problem.hint("programs send no Origin header; allow the page's origin with --allow-origin")
}

/// The layer of each route: it finds out who sends the request, and refuses what the token may not do and query parameters that the
/// operation does not have.
pub(crate) async fn admit(
    State(app): State<Arc<App>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let mut sender = None;
    let admitted = match identify(&app, path.as_str(), &request, &mut sender) {
        Ok((identity, partial, query)) => {
            let reach = reach(path.as_str(), request.method());
            let run = request.uri().path().split('/').nth(RUN_IN_PATH).unwrap_or_default().to_owned();
            match identity {
                Some(identity) => {
                    let token = identity.digest;
                    of_token(token, within_reach(&app, identity, &partial, reach, &run)).await.map(Some)
                }
                None => Ok(None),
            }
            .map(|identity| (identity, query))
        }
        Err(problem) => Err(problem),
    };
    let (mut response, identity) = match admitted {
        Ok((identity, query)) => {
            identity.iter().for_each(|identity| _ = request.extensions_mut().insert(identity.clone()));
            let reads = request.method() == Method::GET;
            let token = identity.as_ref().map_or(NO_TOKEN, |identity| identity.digest);
            let response = match check_query(request.uri(), query) {
                Ok(()) => app.places.keep(token, answered(&identity, next.run(request)).await),
                Err(problem) => problem.into_response(),
            };
            // Its token may have been removed while the request waited.
            let is_known = |identity: &Identity| app.tokens.is_known(identity);
            let response = match reads && !identity.as_ref().is_none_or(is_known) {
                true => unknown_token().into_response(),
                false => response,
            };
            (response, identity)
        }
        // The line about the request names the token also if it may not do this.
        Err(problem) => (problem.into_response(), sender),
    };
    response.extensions_mut().insert(Route { path, identity });
    response
}

/// Waits for the answer to a request, whose calls that block take turns with those of other tokens.
async fn answered(identity: &Option<Identity>, answer: impl Future<Output = Response>) -> Response {
    match identity {
        Some(identity) => of_token(identity.digest, answer).await,
        None => answer.await,
    }
}

/// Who sends the request, `None` for an operation that needs no token; which of the scopes that it needs the token has only for some
/// runs; and the query parameters that the operation has. `sender` is set also if the request is refused for a scope.
fn identify<'a>(
    app: &'a App,
    path: &str,
    request: &Request,
    sender: &mut Option<Identity>,
) -> Answer<(Option<Identity>, Vec<Scope>, &'a [String])> {
    let Some(operation) = app.access.find(path, request.method()) else {
        return Err(undocumented(request.method()));
    };
    let (identity, partial) = match &operation.access {
        Access::Public => (None, Vec::new()),
        Access::Token(scopes) => {
            let identity = owner_of(app, request)?;
            request.extensions().get::<Arc<Peer>>().iter().for_each(|peer| peer.has_token(identity.digest));
            *sender = Some(identity.clone());
            let partial = identity.admit(scopes)?;
            (Some(identity), partial)
        }
    };
    Ok((identity, partial, &operation.query))
}

/// Refuses a request that is about other runs than those for which its token has these scopes. Completes the identity with what its
/// restrictions need. `run` is the run in the path, if the request is about one.
async fn within_reach(
    app: &App,
    mut identity: Identity,
    partial: &[Scope],
    reach: Reach,
    run: &str,
) -> Answer<Identity> {
    if identity.restricted.is_empty() {
        return Ok(identity);
    }
    if let (Some(scope), Reach::All) = (partial.first(), reach) {
        return Err(identity.not_for_all(*scope));
    }
    if reach != Reach::All {
        let restricted = Arc::clone(&identity.restricted);
        identity.names = app.registry(move |registry| Names::find(registry, &restricted)).await?.into();
    }
    if reach == Reach::Run && !partial.is_empty() {
        let entry = app.entry(parsed::<RunId>("run", run)?).await?;
        let subject = Subject::of_spec(entry.record().spec());
        partial.iter().try_for_each(|scope| identity.require_for(*scope, &subject))?;
    }
    Ok(identity)
}

/// Who has the token of a request.
fn owner_of(app: &App, request: &Request) -> Answer<Identity> {
    let token = bearer(request.headers())?;
    let identity = app.tokens.identify(token)?;
    identity.ok_or_else(unknown_token)
}

fn unknown_token() -> ApiProblem {
    ApiProblem::new(Code::Unauthorized, "the token is unknown, or was removed")
        .hint("DATA_DIR/token has the first token")
}

/// An operation that the document does not have. The router knows no more methods than the document.
fn undocumented(method: &Method) -> ApiProblem {
    ApiProblem::new(Code::MethodNotAllowed, format!("the address does not have the method {method}"))
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Answer<&str> {
    let missing = |detail: &str| {
        ApiProblem::new(Code::Unauthorized, detail)
            .hint("send the header Authorization: Bearer TOKEN; DATA_DIR/token has the first token")
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None, _) => return Err(missing("the request has no token")),
        (Some(_), Some(_)) => None,
    };
    let token = value.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    token.ok_or_else(|| missing("the header Authorization cannot be read: expected Bearer TOKEN"))
}
