//! The dashboard: pages whose scripts are part of this program, and which use the API as every other client does.
//!
//! The page is the same for every address; a script shows the rest. Everything it loads is under `assets/<hash>/`, where the hash is of
//! all that is sent, so browsers may keep it forever. Modules are sent joined: one script for what every page needs, and one for each
//! page. In debug builds the files are read from disk at each request: edit, reload.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{OriginalUri, Path};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::joined::join;
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

/// The name of the page at all other addresses.
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

/// The page, which asks at once for the script of the one with this name. Its `base` leads back to the root, so it also works below a
/// path that a proxy takes off.
fn page(OriginalUri(uri): &OriginalUri, name: &str) -> Response {
    let sent = sent();
    let Some(page) = sent.files.get(PAGE) else { return no_file() };
    let depth = uri.path().matches('/').count().saturating_sub(1);
    let base = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let text = String::from_utf8_lossy(page);
    let text = text.replace("{base}", &base).replace("{hash}", &sent.hash).replace("{page}", name);
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

/// Serves a file. A hash of another version is answered with 404 and a request to reload the page.
async fn get_file(Path((version, name)): Path<(String, String)>) -> Response {
    let sent = sent();
    let is_file = name != PAGE && name.len() <= NAME_CHARS && version == sent.hash;
    let Some(file) = is_file.then(|| sent.files.get(&name)).flatten() else {
        return no_file();
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(&name)));
    let caching = if cfg!(debug_assertions) { "no-cache" } else { "public, max-age=31536000, immutable" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    (headers, file.clone()).into_response()
}

fn no_file() -> Response {
    let problem = ApiProblem::new(Code::NoRoute, "the dashboard of this version has no such file");
    problem.hint("reload the page: the server may have been updated").into_response()
}

/// What is sent.
struct Sent {
    files: BTreeMap<String, Bytes>,
    /// The hash of all files, as 16 hexadecimal digits. Where they may change while the server runs, it is a fixed word.
    hash: String,
}

/// What is sent: made once, or in debug builds each time.
fn sent() -> Arc<Sent> {
    static SENT: OnceLock<Arc<Sent>> = OnceLock::new();
    if cfg!(debug_assertions) {
        return Arc::new(Sent { files: read(), hash: "dev".to_owned() });
    }
    let sent = SENT.get_or_init(|| {
        let files = read();
        let hash = hash(&files);
        Arc::new(Sent { files, hash })
    });
    Arc::clone(sent)
}

/// The files, with scripts in the places of modules. The modules themselves are sent, too: to tools that show where a script is from.
fn read() -> BTreeMap<String, Bytes> {
    let names = Files::iter();
    let mut files: BTreeMap<String, Bytes> = names
        .filter_map(|name| Some((name.to_string(), Files::get(&name)?.data.into_owned().into())))
        .collect();
    let modules = files.iter().filter(|(name, _)| name.ends_with(".js"));
    let modules =
        modules.map(|(name, text)| (name.clone(), String::from_utf8_lossy(text).into_owned())).collect();
    files.extend(join(&modules).into_iter().map(|(name, script)| (name, script.into())));
    files
}

fn hash(files: &BTreeMap<String, Bytes>) -> String {
    let mut all = Sha256::new();
    for (name, file) in files {
        all.update(name.as_bytes());
        all.update(Sha256::digest(file));
    }
    let digest = all.finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}
