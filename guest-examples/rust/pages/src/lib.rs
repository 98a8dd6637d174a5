//! Loads web pages: outgoing HTTP with nothing but WASI's own interface.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, IncomingBody, IncomingResponse, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::{InputStream, StreamError};

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world pages {
            /// The body that a GET of the URL returns. The error says what went wrong, a status other
            /// than 2xx included.
            export load-url: func(url: string, timeout-ms: option<u32>) -> result<list<u8>, string>;
        }
    "
});

const NS_PER_MS: u64 = 1_000_000;
const CHUNK_BYTES: u64 = 64 * 1024;

struct Pages;

impl Guest for Pages {
    fn load_url(url: String, timeout_ms: Option<u32>) -> Result<Vec<u8>, String> {
        let options = timeout_ms.map(options).transpose()?;
        let response = fetch(request(&url)?, options)?;
        let status = response.status();
        if !(200..300).contains(&status) {
            return Err(format!("{url} answered with status {status}"));
        }
        let body = response.consume().map_err(|()| "the response has no body")?;
        read_all(&body)
    }
}

export!(Pages);

fn options(timeout_ms: u32) -> Result<RequestOptions, String> {
    let limit = Some(u64::from(timeout_ms) * NS_PER_MS);
    let options = RequestOptions::new();
    options
        .set_connect_timeout(limit)
        .and_then(|()| options.set_first_byte_timeout(limit))
        .and_then(|()| options.set_between_bytes_timeout(limit))
        .map_err(|()| "this host has no HTTP timeouts")?;
    Ok(options)
}

fn request(url: &str) -> Result<OutgoingRequest, String> {
    let invalid = |()| format!("not a URL: {url}");
    let (scheme, rest) = url.split_once("://").ok_or(()).map_err(invalid)?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(invalid)?;
    Ok(request)
}

/// Sends the request and waits until the head of the response is there.
fn fetch(request: OutgoingRequest, options: Option<RequestOptions>) -> Result<IncomingResponse, String> {
    let response = handle(request, options).map_err(|error| format!("{error:?}"))?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        Some(Err(())) | None => Err("the response was lost".to_owned()),
    }
}

fn read_all(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "the body was taken already")?;
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(&stream)? {
        bytes.extend(chunk);
    }
    Ok(bytes)
}

/// None at the end.
fn next_chunk(stream: &InputStream) -> Result<Option<Vec<u8>>, String> {
    match stream.blocking_read(CHUNK_BYTES) {
        Ok(chunk) => Ok(Some(chunk)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
    }
}
