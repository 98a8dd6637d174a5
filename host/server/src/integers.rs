//! `Accept-Integers: string`: integers that a number of JavaScript cannot hold are answered as texts.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hostel::json_numbers;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use crate::extract::wrong;
use crate::large::Place;

const ACCEPT_INTEGERS: HeaderName = HeaderName::from_static("accept-integers");

/// The largest integer up to which all are exact in a number of JavaScript.
const EXACT: u64 = 1 << 53;

/// Writes large integers as texts, if the request asks for that.
pub(crate) async fn as_texts(request: Request, next: Next) -> Response {
    let wanted = match request.headers().get(&ACCEPT_INTEGERS) {
        None => false,
        Some(form) if form == "string" => true,
        Some(form) if form == "number" => false,
        Some(_) => return wrong("Accept-Integers", "expected string or number").into_response(),
    };
    let response = next.run(request).await;
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|ty| ty == "application/json");
    if !(wanted && is_json) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // The server has written it: it has a length, and cannot fail.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let changed = std::str::from_utf8(&body).ok().map(with_texts);
    head.headers.remove(CONTENT_LENGTH);
    let body = changed.map_or(body, Into::into);
    let body = match head.extensions.remove::<Place>() {
        Some(place) => place.body(body),
        None => Body::from(body),
    };
    Response::from_parts(head, body)
}

/// The JSON with texts in place of large integers, of any number of digits. All else stays as it is written.
fn with_texts(json: &str) -> String {
    let mut changed = String::with_capacity(json.len());
    let mut end = 0;
    for place in json_numbers(json) {
        let Some(number) = json.get(place.clone()).filter(|number| is_large(number)) else { continue };
        changed.push_str(json.get(end..place.start).unwrap_or_default());
        changed.extend(["\"", number, "\""]);
        end = place.end;
    }
    changed.push_str(json.get(end..).unwrap_or_default());
    changed
}

/// Whether a number is written as an integer, and larger than all up to which JavaScript has every one.
fn is_large(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_integer = digits.bytes().all(|digit| digit.is_ascii_digit());
    // What has too many digits for the type is large.
    is_integer && digits.parse::<u64>().map_or(true, |number| number > EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_integers_become_texts() {
        let json =
            r#"{"z":[18446744073709551615,9007199254740992,9007199254740993],"a":-9223372036854775808}"#;
        let changed = r#"{"z":["18446744073709551615",9007199254740992,"9007199254740993"],"a":"-9223372036854775808"}"#;
        assert_eq!(with_texts(json), changed);
        assert_eq!(with_texts(changed), changed);
        assert_eq!(with_texts("12345678901234567890123"), r#""12345678901234567890123""#);
    }

    #[test]
    fn other_numbers_stay_as_they_are_written() {
        for json in [
            "1e300",
            "1e999",
            "[12345678901234567890.0, 1E+30]",
            "0.10",
            "-0",
            r#"{"12345678901234567890": 1}"#,
        ] {
            assert_eq!(with_texts(json), json);
        }
    }
}
