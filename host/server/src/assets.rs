//! The dashboard: pages whose scripts are part of this program, and which use the API as every other client does.
//!
//! The page is the same for every address; a script shows the rest. Everything it loads is under `assets/<hash>/`, where the hash is of
//! all files together, so browsers may keep it forever. In debug builds the files are read from disk at each request: edit, reload.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::{OriginalUri, Path};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use crate::problem::{ApiProblem, Code};

/// The files.
#[derive(RustEmbed)]
#[folder = "ui/app/"]
struct Files;

/// The file that is sent as the page.
const PAGE: &str = "index.html";

/// The addresses of pages, with the names of their files.
const PAGES: [(&str, &str); 12] = [
    ("/", "overview"),
    ("/runs", "runs"),
    ("/runs/{run}", "run"),
    ("/runs/{run}/{tab}", "run"),
    ("/maps/{map}", "map"),
    ("/tasks", "tasks"),
    ("/tasks/{task}", "task"),
    ("/components/{component}", "component"),
    ("/queues", "queues"),
    ("/schedules", "schedules"),
    ("/cache", "cache"),
    ("/system", "system"),
];

/// The name of the page at all other addresses. It loads no files of its own in advance.
const NO_PAGE: &str = "none";

/// How addresses begin that are not for people.
const OF_PROGRAMS: [&str; 2] = ["/api/", "/assets/"];

/// What the page may load: files of this server, and nothing that is written into the page. Scripts make no markup from texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
                      base-uri 'self'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// The most characters of the name of a file.
const NAME_CHARS: usize = 100;

/// The addresses of pages and of what they load. None of them needs a token: there is nothing in them that is not public.
pub(crate) fn router() -> Router {
    let router = Router::new().route("/assets/{hash}/{*file}", get(get_file));
    PAGES.into_iter().fold(router, |router, (path, name)| {
        router.route(path, get(move |uri: OriginalUri| async move { page(&uri, name) }))
    })
}

/// The page, which asks at once for the files that the one with this name needs. Its `base` leads back to the root, so it also works below a
/// path that a proxy takes off.
fn page(OriginalUri(uri): &OriginalUri, name: &str) -> Response {
    let Some(page) = Files::get(PAGE) else { return no_file() };
    let depth = uri.path().matches('/').count().saturating_sub(1);
    let base = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let text = String::from_utf8_lossy(&page.data);
    let text: String = text.split_inclusive('\n').filter(|line| is_for(line, name)).collect();
    let text = text.replace("{base}", &base).replace("{hash}", &hash());
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    response
}

/// The answer at an address that leads nowhere: for a browser the page, which says so, and a problem for everything else.
pub(crate) async fn no_page(uri: OriginalUri, method: Method, headers: HeaderMap) -> Response {
    let is_look = [Method::GET, Method::HEAD].contains(&method);
    let is_of_pages = OF_PROGRAMS.iter().all(|start| !uri.0.path().starts_with(start));
    if is_look && is_of_pages && accepts_pages(&headers) {
        return (StatusCode::NOT_FOUND, page(&uri, NO_PAGE)).into_response();
    }
    let problem = ApiProblem::new(Code::NoRoute, "there is no such address");
    problem.hint("GET /api/v1/openapi.json has all addresses").into_response()
}

/// Whether a request asks for HTML by name, as browsers do when they open an address.
fn accepts_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let (ty, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        let is_refused = weight.is_some_and(|weight| weight.parse::<f64>().is_ok_and(|weight| weight <= 0.0));
        ty.trim().eq_ignore_ascii_case("text/html") && !is_refused
    })
}

/// Whether a line of the page is for the one with this name: a link with classes is only for those that they name.
fn is_for(line: &str, name: &str) -> bool {
    let classes = line.split_once(" class=\"").and_then(|(_, rest)| rest.split_once('"'));
    classes.is_none_or(|(names, _)| names.split(' ').any(|one| one == name))
}

/// Serves a file. A hash of another version is answered with 404 and a request to reload the page.
async fn get_file(Path((version, name)): Path<(String, String)>) -> Response {
    let is_file = name != PAGE && name.len() <= NAME_CHARS && version == hash();
    let Some(EmbeddedFile { data, .. }) = is_file.then(|| Files::get(&name)).flatten() else {
        return no_file();
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(&name)));
    let caching = if cfg!(debug_assertions) { "no-cache" } else { "public, max-age=31536000, immutable" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    (headers, data.into_owned()).into_response()
}

fn no_file() -> Response {
    let problem = ApiProblem::new(Code::NoRoute, "the dashboard of this version has no such file");
    problem.hint("reload the page: the server may have been updated").into_response()
}

/// The hash of all files, as 16 hexadecimal digits. Where they may change while the server runs, it is a fixed word.
fn hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    if cfg!(debug_assertions) {
        return "dev".to_owned();
    }
    HASH.get_or_init(|| {
        let mut names: Vec<_> = Files::iter().collect();
        names.sort();
        let mut all = Sha256::new();
        for name in names {
            let Some(file) = Files::get(&name) else { continue };
            all.update(name.as_bytes());
            all.update(file.metadata.sha256_hash());
        }
        let digest = all.finalize();
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    })
    .clone()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}
