//! Which scope each operation needs, as the OpenAPI document says. What the document does not name is refused.

use std::collections::HashMap;

use http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, SecurityRequirement};

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

/// The access of each operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessTable(HashMap<(String, Method), Access>);

impl AccessTable {
    /// The table of a document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut table = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if let Some(access) = access(operation) {
                    table.insert((path.clone(), method), access);
                }
            }
        }
        Self(table)
    }

    /// Who may use this operation; `None` if the document does not say. `HEAD` is what `GET` is.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Option<&Access> {
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
