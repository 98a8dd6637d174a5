//! What every request has to pass.

use crate::client::Request;
use crate::running::Running;

#[test]
fn a_request_without_a_token_gets_nothing() {
    let server = Running::start();
    let anonymous = || Request::new(server.address, "GET", "/api/v1/info");
    let answer = anonymous().send();
    answer.problem(401, "unauthorized");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    anonymous().header("Authorization", "Bearer nonsense").send().problem(401, "unauthorized");
    anonymous().header("Authorization", "Basic eDp5").send().problem(401, "unauthorized");
    assert_eq!(server.get("/api/v1/info").status, 200);
}

#[test]
fn errors_of_the_router_and_of_extractors_are_problems() {
    let server = Running::start();
    server.get("/nowhere").problem(404, "no-route");
    server.request("PATCH", "/api/v1/info").send().problem(405, "method-not-allowed");
    server.get("/api/v1/runs/17").problem(422, "invalid");
    server.get("/api/v1/runs?stat=failed").problem(422, "invalid");
    server.get("/api/v1/runs?limit=many").problem(422, "invalid");
    server.get("/api/v1/runs?limit=501").problem(422, "invalid");
    let post = |ty: &str, body: &str| server.request("POST", "/api/v1/runs").body(ty, body).send();
    post("text/plain", "{}").problem(415, "media-type");
    post("application/json", "{").problem(400, "malformed");
    post("application/json", "[]").problem(422, "invalid");
    let unknown = post("application/json", r#"{"task": "a#b", "arg": []}"#).problem(422, "invalid");
    assert_eq!(unknown["candidates"][0], "args", "{unknown}");
    let wrong = post("application/json", r#"{"task": "a#b", "priority": "high"}"#).problem(422, "invalid");
    assert_eq!(wrong["errors"][0]["path"][0], "priority", "{wrong}");
    let large = format!("{{\"task\": \"{}\"}}", "x".repeat(1 << 20));
    post("application/json", &large).problem(413, "too-large");
    post("application/json", r#"{"task": "a#b"}"#).problem(404, "not-found");
}
