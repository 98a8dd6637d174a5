//! `Accept-Integers: string`: integers that a number of JavaScript cannot hold are answered as texts.

use std::mem;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use crate::extract::wrong;

const ACCEPT_INTEGERS: HeaderName = HeaderName::from_static("accept-integers");

/// The largest integer up to which all are exact in a number of JavaScript.
const EXACT: u64 = 1 << 53;

/// An answer up to this length is changed as a whole, so that its new length is known.
const SHORT: u64 = 64 << 10;

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
    head.headers.remove(CONTENT_LENGTH);
    let body = if body.size_hint().exact().is_some_and(|length| length <= SHORT) {
        // The server has written it: it cannot fail.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut numbers = Numbers::default();
        let mut changed = numbers.change(&body);
        changed.extend(numbers.end());
        Body::from(changed)
    } else {
        part_by_part(body)
    };
    Response::from_parts(head, body)
}

/// The same body with texts in place of large integers, of which only a part is in memory twice.
fn part_by_part(body: Body) -> Body {
    let parts = body.into_data_stream();
    Body::from_stream(unfold((parts, Some(Numbers::default())), async |(mut parts, numbers)| {
        let mut numbers = numbers?;
        match parts.next().await {
            Some(part) => {
                let changed = part.map(|part| numbers.change(&part));
                Some((changed, (parts, Some(numbers))))
            }
            None => Some((Ok(numbers.end()), (parts, None))),
        }
    }))
}

/// Finds the numbers in JSON that comes in parts.
#[derive(Default)]
struct Numbers {
    at: At,
    /// The beginning of a number that may go on.
    number: Vec<u8>,
}

/// Where a part of JSON has ended.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// Outside texts.
    #[default]
    Outside,
    /// In a text, or a key.
    Text,
    /// In a text, behind a backslash.
    Escape,
}

impl Numbers {
    /// The next part, with texts in place of large integers, of any number of digits. All else stays as it is written.
    fn change(&mut self, part: &[u8]) -> Vec<u8> {
        let mut changed = Vec::with_capacity(part.len());
        for byte in part {
            let is_of_number = matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
            self.at = match (self.at, byte) {
                // `true`, `false` and `null` have an `e`, but do not begin with it.
                (At::Outside, b'0'..=b'9' | b'-') => {
                    self.number.push(*byte);
                    continue;
                }
                (At::Outside, _) if is_of_number && !self.number.is_empty() => {
                    self.number.push(*byte);
                    continue;
                }
                (At::Outside, b'"') => At::Text,
                (At::Text, b'\\') => At::Escape,
                (At::Text, b'"') => At::Outside,
                (At::Outside, _) => At::Outside,
                (At::Text | At::Escape, _) => At::Text,
            };
            changed.extend(self.end());
            changed.push(*byte);
        }
        changed
    }

    /// The number that has ended here, if there is one.
    fn end(&mut self) -> Vec<u8> {
        let number = mem::take(&mut self.number);
        if is_large(&number) { [b"\"", number.as_slice(), b"\""].concat() } else { number }
    }
}

/// Whether a number is written as an integer, and larger than all up to which JavaScript has every one.
fn is_large(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let is_integer = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    // What has too many digits for the type is large.
    is_integer && number.is_none_or(|number| number > EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same change however the JSON comes in parts.
    #[track_caller]
    fn check(json: &str, expected: &str) {
        for length in [1, 2, 3, 7, json.len()] {
            let mut numbers = Numbers::default();
            let mut changed: Vec<u8> =
                json.as_bytes().chunks(length).flat_map(|part| numbers.change(part)).collect();
            changed.extend(numbers.end());
            assert_eq!(String::from_utf8(changed).unwrap(), expected, "in parts of {length}");
        }
    }

    #[test]
    fn large_integers_become_texts() {
        let json =
            r#"{"z":[18446744073709551615,9007199254740992,9007199254740993],"a":-9223372036854775808}"#;
        let changed = r#"{"z":["18446744073709551615",9007199254740992,"9007199254740993"],"a":"-9223372036854775808"}"#;
        check(json, changed);
        check(changed, changed);
        check("12345678901234567890123", r#""12345678901234567890123""#);
        check(r#"{"\"\\":12345678901234567890}"#, r#"{"\"\\":"12345678901234567890"}"#);
    }

    #[test]
    fn other_numbers_stay_as_they_are_written() {
        for json in [
            "1e300",
            "1e999",
            "[12345678901234567890.0, 1E+30]",
            "0.10",
            "-0",
            "[true,false,null,0]",
            r#"{"12345678901234567890": 1}"#,
            r#"["a \"12345678901234567890\" -", "\\"]"#,
        ] {
            check(json, json);
        }
    }

    #[tokio::test]
    async fn a_long_answer_is_changed_part_by_part() {
        let long = format!("[{}]", "12345678901234567890,".repeat(20_000) + "1");
        let parts: Vec<_> =
            long.as_bytes().chunks(1_000).map(|part| Ok::<_, axum::Error>(part.to_vec())).collect();
        let changed = part_by_part(Body::from_stream(futures_util::stream::iter(parts)));
        let changed = changed.collect().await.unwrap().to_bytes();
        assert_eq!(changed, format!("[{}]", "\"12345678901234567890\",".repeat(20_000) + "1").as_bytes());
    }
}
