//! Parts of requests as handlers take them. Whatever cannot be read is a problem like any other.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use hostel::parse_json;
use http::request::Parts as Head;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::body::{Parts, check_type};
use crate::bounds::JSON_BYTES;
use crate::problem::{Answer, ApiProblem, Code};
use crate::tokens::Identity;

/// The similarity at which a name is suggested for another one (Jaro-Winkler; 1 is equal).
const ALIKE: f64 = 0.8;

/// The body of a request, or its query, as an object with these members.
pub(crate) trait Members: DeserializeOwned {
    /// The names of all members.
    const NAMES: &'static [&'static str];
}

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// The query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The variable parts of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: Members> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (head, body) = request.into_parts();
        check_type(&head.headers, &["application/json"])?;
        let body = Parts::new(&head.headers, body, JSON_BYTES as u64)?.whole().await?;
        read(&body).map(Self)
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
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().iter().map(ToString::to_string).collect::<Vec<_>>();
        let message = error.inner().to_string();
        let place = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
        ApiProblem::invalid(format!("{place}{message}")).at(path, message)
    })
}

/// A name that is none of these.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> ApiProblem {
    let mut near: Vec<_> = known.iter().map(|known| (strsim::jaro_winkler(known, name), *known)).collect();
    near.retain(|(similarity, _)| *similarity >= ALIKE);
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let shown: String = name.chars().take(100).collect();
    let problem = match near.first() {
        Some((_, nearest)) => format!("unknown {what} {shown:?}: did you mean {nearest:?}?"),
        None if known.is_empty() => format!("unknown {what} {shown:?}: expected none"),
        None => format!("unknown {what} {shown:?}: expected one of {}", known.join(", ")),
    };
    let problem = ApiProblem::invalid(problem).at([shown], format!("unknown {what}"));
    problem.candidates(near.into_iter().map(|(_, name)| name))
}

impl<S: Send + Sync, T: Members + Send> FromRequestParts<S> for Query<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Answer<Self> {
        let malformed = |error: QueryRejection| ApiProblem::new(Code::Malformed, error.body_text());
        let pairs = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(head, state).await;
        let axum::extract::Query(pairs) = pairs.map_err(malformed)?;
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !T::NAMES.contains(&name.as_str())) {
            return Err(unknown_name("query parameter", unknown, T::NAMES));
        }
        let query = axum::extract::Query::<T>::from_request_parts(head, state).await;
        query.map(|query| Self(query.0)).map_err(|error| ApiProblem::invalid(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Answer<Self> {
        let malformed = |error: PathRejection| ApiProblem::new(Code::Malformed, error.body_text());
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

/// A part of the request that does not fit.
pub(crate) fn wrong(name: &str, problem: impl std::fmt::Display) -> ApiProblem {
    let problem = problem.to_string();
    ApiProblem::invalid(format!("{name}: {problem}")).at([name.to_owned()], problem)
}
