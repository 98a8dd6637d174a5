//! `Accept-Integers: string`: integers that a number of JavaScript cannot hold are answered as texts.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::Value as Json;

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
    let changed = serde_json::from_slice::<Json>(&body).ok().map(|mut json| {
        change(&mut json);
        serde_json::to_vec(&json).unwrap_or_default()
    });
    head.headers.remove(CONTENT_LENGTH);
    let body = changed.unwrap_or_else(|| body.into());
    let body = match head.extensions.remove::<Place>() {
        Some(place) => place.body(body),
        None => Body::from(body),
    };
    Response::from_parts(head, body)
}

fn change(json: &mut Json) {
    match json {
        Json::Number(number) => {
            let is_large = match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => number > EXACT,
                (None, Some(number)) => number.unsigned_abs() > EXACT,
                (None, None) => false,
            };
            if is_large {
                *json = Json::String(number.to_string());
            }
        }
        Json::Array(items) => items.iter_mut().for_each(change),
        Json::Object(members) => members.values_mut().for_each(change),
        Json::Null | Json::Bool(_) | Json::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_integers_become_texts() {
        let mut json = serde_json::json!({
            "a": [u64::MAX, 9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64], "b": i64::MIN, "c": 1e300,
        });
        change(&mut json);
        let expected = serde_json::json!({
            "a": ["18446744073709551615", 9_007_199_254_740_992_u64, "9007199254740993"],
            "b": "-9223372036854775808", "c": 1e300,
        });
        assert_eq!(json, expected);
    }
}
