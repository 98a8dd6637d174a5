//! Which scope each operation needs and which query parameters it has, as the OpenAPI document says. What the document does not name
//! is refused.

use std::collections::HashMap;

use http::Method;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr, SecurityRequirement};

use crate::scope::Scope;

/// The name of the scheme of tokens in the document.
pub(crate) const SCHEME: &str = "token";

/// Who may use an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone.
    Public,
    /// Those with all of these scopes; with any token, if there is none.
    Token(Vec<Scope>),
}

/// What the document says about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Documented {
    /// Who may use it.
    pub(crate) access: Access,
    /// The names of its query parameters.
    pub(crate) query: Vec<String>,
}

/// Which runs an operation is about, for tokens whose scopes are for some runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them, or something else.
    All,
    /// The run in its path, at which the guard looks.
    Run,
    /// Those that its handler looks at.
    Handler,
}

/// Which runs an operation is about. What is not named here is about all of them.
pub(crate) fn reach(path: &str, method: &Method) -> Reach {
    const RUN: &str = "/api/v1/runs/{run}";
    match (path, method) {
        ("/api/v1/runs", &Method::GET | &Method::HEAD | &Method::POST)
        | (RUN, &Method::PUT)
        | ("/api/v1/maps" | "/api/v1/blobs", &Method::POST)
        // Values belong to no run yet.
        | ("/api/v1/blobs/{digest}", &Method::PUT | &Method::HEAD) => Reach::Handler,
        _ if path == RUN || path.strip_prefix(RUN).is_some_and(|rest| rest.starts_with('/')) => Reach::Run,
        _ => Reach::All,
    }
}

/// All operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessTable(HashMap<(String, Method), Documented>);

impl AccessTable {
    /// The table of a document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut table = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if let Some(access) = access(operation) {
                    table.insert((path.clone(), method), Documented { access, query: query(operation) });
                }
            }
        }
        Self(table)
    }

    /// An operation; `None` if the document does not say who may use it. `HEAD` is what `GET` is.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Option<&Documented> {
        let find = |method: Method| self.0.get(&(path.to_owned(), method));
        find(method.clone()).or_else(|| if method == Method::HEAD { find(Method::GET) } else { None })
    }
}

/// The operations of a path.
fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::HEAD, &item.head),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn query(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let query = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
        // There are no parameters by reference.
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    query.collect()
}

fn access(operation: &Operation) -> Option<Access> {
    let requirements = operation.security.as_ref()?;
    let texts: Vec<serde_json::Value> = requirements
        .iter()
        .map(|one: &SecurityRequirement| serde_json::to_value(one).unwrap_or_default())
        .collect();
    let scopes = texts.iter().find_map(|one| one.get(SCHEME)?.as_array());
    match scopes {
        Some(scopes) => {
            let scopes = scopes.iter().map(|scope| scope.as_str()?.parse().ok());
            scopes.collect::<Option<Vec<Scope>>>().map(Access::Token)
        }
        None => Some(Access::Public),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_about_some_runs_is_about_all() {
        let check = |method: Method, path: &str, expected: Reach| {
            assert_eq!(reach(&format!("/api/v1{path}"), &method), expected, "{method} {path}");
        };
        check(Method::GET, "/runs", Reach::Handler);
        check(Method::POST, "/runs", Reach::Handler);
        check(Method::DELETE, "/runs", Reach::All);
        check(Method::PUT, "/runs/{run}", Reach::Handler);
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::PATCH] {
            check(method, "/runs/{run}", Reach::Run);
        }
        check(Method::PUT, "/runs/{run}/logs", Reach::Run);
        check(Method::POST, "/runs/{run}/cancel", Reach::Run);
        check(Method::POST, "/runs/{run}s", Reach::All);
        check(Method::POST, "/maps", Reach::Handler);
        check(Method::GET, "/maps/{map}", Reach::All);
        check(Method::PUT, "/blobs/{digest}", Reach::Handler);
        check(Method::DELETE, "/blobs/{digest}", Reach::All);
        check(Method::GET, "/events", Reach::All);
        check(Method::POST, "/batches", Reach::All);
    }
}
