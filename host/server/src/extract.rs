//! Parts of requests as handlers take them. Whatever cannot be read is a problem like any other.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use hostel::parse_json;
use http::Uri;
use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::app::App;
use crate::body::{Parts, check_type};
use crate::bounds::{JSON_BYTES, LARGEST};
use crate::expectation::{Mismatch, of_json, of_query, quoted};
use crate::problem::{Answer, ApiProblem, Code};
use crate::tokens::Identity;
use crate::turn::Turn;

/// The similarity at which a name is suggested for another one (Jaro-Winkler; 1 is equal).
const ALIKE: f64 = 0.8;

/// The body of a request as an object with these members.
pub(crate) trait Members: DeserializeOwned {
    /// The names of all members.
    const NAMES: &'static [&'static str];
}

/// A JSON body, and the turn that it needs as long as parts of it are JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T, pub(crate) Turn);

/// The query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The variable parts of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: Members + Send + 'static> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        let (head, body) = request.into_parts();
        check_type(&head.headers, &["application/json"])?;
        let body = Parts::new(&head.headers, body, JSON_BYTES as u64)?;
        let (body, place) = body.whole(&app.long_calls.collected).await?;
        let turn = Turn::for_bytes(app, body.len()).await?;
        let body = turn.run(app, move || read(&body)).await?;
        drop(place);
        Ok(Self(body, turn))
    }
}

/// A JSON body that can be left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: Members + Default + Send + 'static> FromRequest<Arc<App>> for OptionalBody<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        if request.body().is_end_stream() && !request.headers().contains_key(CONTENT_TYPE) {
            return Ok(Self(T::default()));
        }
        JsonBody::from_request(request, app).await.map(|JsonBody(body, _)| Self(body))
    }
}

/// Reads an object from JSON.
pub(crate) fn read<T: Members>(bytes: &[u8]) -> Answer<T> {
    let malformed =
        |problem: String| ApiProblem::new(Code::Malformed, format!("the body is no JSON: {problem}"));
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
    let json = parse_json(text).map_err(|error| malformed(error.to_string()))?;
    from_json(json)
}

/// Reads an object.
pub(crate) fn from_json<T: Members>(json: Json) -> Answer<T> {
    let Json::Object(members) = &json else {
        return Err(ApiProblem::invalid("the body is no object: expected a JSON object"));
    };
    if let Some(unknown) = members.keys().find(|name| !T::NAMES.contains(&name.as_str())) {
        return Err(unknown_name("member", unknown, T::NAMES));
    }
    let whole = json.clone();
    serde_path_to_error::deserialize(json).map_err(|error| {
        let mut path = error.path().iter().map(ToString::to_string).collect::<Vec<_>>();
        path.retain(|step| step != ".");
        let words = error.inner().to_string();
        let missing = words.strip_prefix("missing field ").and_then(quoted);
        let found = if missing.is_some() { None } else { at(&whole, &path) };
        let mismatch = of_json(&words, found);
        path.extend(missing.map(str::to_owned));
        mismatched(path, mismatch)
    })
}

/// The value at the end of a path.
fn at<'j>(json: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(json, |json, step| match json {
        Json::Object(members) => members.get(step),
        Json::Array(items) => items.get(step.trim_matches(['[', ']']).parse::<usize>().ok()?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

/// A part of the request that is not as expected.
fn mismatched(path: Vec<String>, mismatch: Mismatch) -> ApiProblem {
    let message = mismatch.message();
    let place = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
    ApiProblem::invalid(format!("{place}{message}")).mismatch(path, mismatch)
}

/// A name that is none of these.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> ApiProblem {
    let shown = excerpt(name);
    let (problem, near) = unknown(what, &shown, name, known);
    ApiProblem::invalid(problem).at([shown], format!("unknown {what}")).candidates(near)
}

/// A value of a member or parameter that is none of these.
pub(crate) fn unknown_value(member: &str, value: &str, known: &[&str]) -> ApiProblem {
    let (problem, near) = unknown("value", &excerpt(value), value, known);
    wrong(member, problem).candidates(near)
}

/// The beginning of a text of a client.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

/// What is wrong with a name, and which others are like it.
fn unknown<'k>(what: &str, shown: &str, name: &str, known: &[&'k str]) -> (String, Vec<&'k str>) {
    let mut near: Vec<_> = known.iter().map(|known| (strsim::jaro_winkler(known, name), *known)).collect();
    near.retain(|(similarity, _)| *similarity >= ALIKE);
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let problem = match near.first() {
        Some((_, nearest)) => format!("unknown {what} {shown:?}: did you mean {nearest:?}?"),
        None if known.is_empty() => format!("unknown {what} {shown:?}: expected none"),
        None => format!("unknown {what} {shown:?}: expected one of {}", known.join(", ")),
    };
    (problem, near.into_iter().map(|(_, name)| name).collect())
}

/// Refuses a query with a parameter of another name than these.
pub(crate) fn check_query(uri: &Uri, names: &[String]) -> Answer<()> {
    let pairs = pairs(uri)?;
    let Some((unknown, _)) = pairs.iter().find(|(name, _)| !names.contains(name)) else { return Ok(()) };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Err(unknown_name("query parameter", unknown, &names))
}

fn pairs(uri: &Uri) -> Answer<Vec<(String, String)>> {
    let malformed = |_: QueryRejection| {
        ApiProblem::new(Code::Malformed, "the query cannot be read: expected NAME=VALUE joined by &")
    };
    axum::extract::Query::try_from_uri(uri).map(|query| query.0).map_err(malformed)
}

/// Parameters that the document does not name [were refused](check_query) before.
impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Answer<Self> {
        let pairs = pairs(&head.uri)?;
        let query = axum::extract::Query::<T>::try_from_uri(&head.uri);
        query.map(|query| Self(query.0)).map_err(|error| wrong_query(&error.body_text(), &pairs))
    }
}

/// A parameter of the query that cannot be read. The text is that of the library: what it did, the name, and the reason.
fn wrong_query(text: &str, pairs: &[(String, String)]) -> ApiProblem {
    let text = text.split_once(": ").map_or(text, |(_, text)| text);
    let (name, reason) = match text.split_once(": ") {
        Some((name, reason)) => (name, reason),
        None => (quoted(text).unwrap_or_default(), text),
    };
    let found = pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    mismatched(vec![name.to_owned()], of_query(reason, found))
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Answer<Self> {
        let malformed = |_: PathRejection| {
            ApiProblem::new(Code::Malformed, "the address cannot be read: expected UTF-8 in percent-encoding")
        };
        axum::extract::Path::<T>::from_request_parts(head, state)
            .await
            .map(|path| Self(path.0))
            .map_err(malformed)
    }
}

/// Who sends the request. Only for operations that need a token.
impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Answer<Self> {
        let missing = || ApiProblem::new(Code::Unauthorized, "the request has no token");
        head.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Reads a part of the path or the query by its grammar.
pub(crate) fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Answer<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| wrong(name, error))
}

/// Refuses a number that is larger than any there can be.
pub(crate) fn within(name: &str, number: u64) -> Answer<()> {
    if number <= LARGEST {
        return Ok(());
    }
    Err(wrong(name, format!("{number}: expected at most {LARGEST}")))
}

/// A part of the request that does not fit.
pub(crate) fn wrong(name: &str, problem: impl std::fmt::Display) -> ApiProblem {
    let problem = problem.to_string();
    ApiProblem::invalid(format!("{name}: {problem}")).at([name.to_owned()], problem)
}
