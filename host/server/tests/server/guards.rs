//! What every request has to pass.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

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
fn a_body_that_a_proxy_may_read_otherwise_is_refused_and_ends_the_connection() {
    let server = Running::start();
    let token = server.token.clone();
    let ask = |encodings: &str| {
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", server.address);
        let first = format!("GET /api/v1/info HTTP/1.1\r\n{head}{encodings}\r\n0\r\n\r\n");
        let second = format!("GET /api/v1/info HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all((first + &second).as_bytes()).unwrap();
        let mut answers = Vec::new();
        // A connection that the server closes with bytes unread may end with an error.
        _ = stream.read_to_end(&mut answers);
        let answers = String::from_utf8(answers).unwrap();
        let statuses = answers.match_indices("HTTP/1.1 ").filter_map(|(at, _)| answers.get(at + 9..at + 12));
        (statuses.map(str::to_owned).collect::<Vec<_>>(), answers)
    };
    for good in ["Transfer-Encoding: chunked\r\n", "transfer-encoding:\tChunked \r\n"] {
        assert_eq!(ask(good).0, ["200", "200"], "{good}");
    }
    for bad in ["identity, chunked", "gzip, chunked", "chunked,chunked", "x,chunked"] {
        let (statuses, answers) = ask(&format!("Transfer-Encoding: {bad}\r\n"));
        assert_eq!(statuses, ["400"], "{bad}: {answers}");
        let expected = format!("Transfer-Encoding: expected `chunked`, once, or none; found \\\"{bad}\\\"");
        assert!(answers.contains(&expected), "{answers}");
    }
    let twice = "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(ask(twice).0, ["400"]);
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
