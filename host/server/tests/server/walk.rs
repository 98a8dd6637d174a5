//! Every operation of the document, with a wrong host, a wrong origin, no token, and a token that may do everything else.

use serde_json::Value as Json;

use crate::client::{Answer, Request};
use crate::running::Running;

const SCOPES: [&str; 5] = ["read", "read:values", "run", "components", "cancel"];

/// Methods that no address has, or only some have.
const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    /// The scopes that it needs; `None` if everyone may use it.
    scopes: Option<Vec<String>>,
}

fn operations(server: &Running) -> Vec<Operation> {
    let document = Request::new(server.address, "GET", "/api/v1/openapi.json").send().json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needed = operation["security"].as_array().unwrap().iter().find_map(|one| one.get("token"));
            let scopes = needed.map(|scopes| {
                scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
            });
            operations.push(Operation { method: method.to_uppercase(), path: filled(path), scopes });
        }
    }
    assert!(operations.len() > 40, "the document has {} operations", operations.len());
    operations
}

/// A path with values in place of its variables.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[track_caller]
fn check(operation: &Operation, answer: &Answer, status: u16, code: &str) {
    let Operation { method, path, .. } = operation;
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    if method != "HEAD" {
        assert_eq!(answer.problem(status, code)["instance"].as_str(), Some(path.as_str()), "{method} {path}");
    }
    let cors = answer.headers.iter().find(|(name, _)| name.starts_with("access-control"));
    assert_eq!(cors, None, "{method} {path}");
    assert_eq!(answer.header("set-cookie"), None, "{method} {path}");
}

#[test]
fn a_wrong_host_gets_nothing_whatever_the_method() {
    let server = Running::start();
    let paths: Vec<_> = operations(&server).into_iter().map(|operation| operation.path).collect();
    for path in paths.iter().map(String::as_str).chain(["/", "/nowhere", "/assets/x.js"]) {
        for method in METHODS {
            let operation = Operation { method: method.to_owned(), path: path.to_owned(), scopes: None };
            let answer = server.request(method, path).replace("Host", Some("rebound.example")).send();
            check(&operation, &answer, 421, "wrong-host");
        }
    }
    let no_host = server.request("GET", "/healthz").replace("Host", None).send();
    assert!([400, 421].contains(&no_host.status), "{no_host:?}");
}

#[test]
fn a_page_of_another_origin_gets_nothing() {
    let server = Running::start();
    for operation in operations(&server) {
        let request = || server.request(&operation.method, &operation.path);
        for origin in ["http://evil.example", "null", &format!("https://{}", server.address)] {
            let answer = request().header("Origin", origin).send();
            check(&operation, &answer, 403, "cross-origin");
        }
        if !["GET", "HEAD"].contains(&operation.method.as_str()) {
            let answer = request().header("Sec-Fetch-Site", "cross-site").send();
            check(&operation, &answer, 403, "cross-origin");
        }
    }
}

#[test]
fn a_request_without_a_token_gets_nothing_but_what_is_public() {
    let server = Running::start();
    let mut public = Vec::new();
    for operation in operations(&server) {
        let answer = Request::new(server.address, &operation.method, &operation.path).send();
        if operation.scopes.is_some() {
            check(&operation, &answer, 401, "unauthorized");
        } else {
            assert_ne!(answer.status, 401, "{} {}", operation.method, operation.path);
            public.push(format!("{} {}", operation.method, operation.path));
        }
    }
    public.sort();
    let expected =
        ["GET /api/v1/openapi.json", "GET /healthz", "GET /problems/x", "GET /readyz", "POST /api/v1/login"];
    assert_eq!(public, expected);
}

#[test]
fn a_token_without_the_scope_gets_nothing() {
    let server = Running::start();
    let without = |scope: &str| SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>();
    let tokens: Vec<(&str, String)> = SCOPES
        .into_iter()
        .chain(["admin"])
        .map(|scope| (scope, server.token_with(&format!("no-{}", scope.replace(':', "-")), &without(scope))))
        .collect();
    let mut refused = 0;
    for operation in operations(&server) {
        for scope in operation.scopes.iter().flatten() {
            let token = tokens.iter().find(|(other, _)| other == scope).map(|(_, token)| token).unwrap();
            let answer = Request::new(server.address, &operation.method, &operation.path)
                .header("Authorization", &format!("Bearer {token}"))
                .send();
            check(&operation, &answer, 403, "missing-scope");
            if operation.method != "HEAD" {
                assert_eq!(answer.json()["scope"], Json::from(scope.as_str()));
            }
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
}
