//! Values that are uploaded, and named as arguments.

use hostel::Digest;
use serde_json::json;

use crate::client::Request;
use crate::running::Running;

const BYTES: &str = "application/octet-stream";

#[test]
fn an_uploaded_value_is_an_argument() {
    let server = Running::start();
    let text = server.upload(hostel_guests::TEXT);
    let value = "one two\nthree\n".repeat(100_000);
    let digest = Digest::of(value.as_bytes()).to_string();
    let address = format!("/api/v1/blobs/{digest}");
    assert_eq!(server.request("HEAD", &address).send().status, 404);
    let put = || server.request("PUT", &address).body(BYTES, &value).send();
    let first = put();
    assert_eq!((first.status, first.json()), (201, json!({ "digest": digest, "size_bytes": value.len() })));
    assert_eq!(put().status, 200);
    assert_eq!(server.request("HEAD", &address).send().status, 200);

    let blob = json!({ "blob": digest });
    let run = |function: &str, args: serde_json::Value| {
        let request = json!({ "task": format!("{text}#{function}"), "args": args });
        let ran = server.post("/api/v1/runs?wait=60s", &request);
        assert_eq!(ran.status, 200, "{ran:?}");
        ran.json()
    };
    assert_eq!(run("word-count", json!({ "text": blob }))["value"]["words"], 300_000);
    let counted = run("word-count-bytes", json!([blob]));
    assert_eq!(counted["value"]["bytes"], value.len());
    // The run has a copy.
    assert_eq!(server.request("DELETE", &address).send().status, 204);
    server.request("DELETE", &address).send().problem(404, "not-found");
    let inputs = server.get(&format!("/api/v1/runs/{}/inputs", counted["run"].as_str().unwrap()));
    assert_eq!(inputs.status, 200);
    let request = json!({ "task": format!("{text}#word-count"), "args": [blob] });
    let problem = server.post("/api/v1/runs", &request).problem(422, "invalid");
    assert_eq!(problem["detail"], format!("text: there is no uploaded value {digest}"));
    assert_eq!(problem["errors"][0]["path"], json!(["text"]), "{problem}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("PUT /api/v1/blobs/")), "{problem}");
}

#[test]
fn a_value_without_its_digest_is_told_it() {
    let server = Running::start();
    let posted = server.request("POST", "/api/v1/blobs").body(BYTES, "Ada").send();
    assert_eq!(posted.status, 201, "{posted:?}");
    let digest = posted.json()["digest"].as_str().unwrap().to_owned();
    let text = server.upload(hostel_guests::TEXT);
    let request = json!({ "task": format!("{text}#greet"), "args": [{ "blob": digest }] });
    let greeted = server.post("/api/v1/runs?wait=60s", &request).json();
    assert!(greeted["value"].as_str().unwrap().contains("Ada"), "{greeted}");
}

#[test]
fn an_upload_that_is_not_what_it_says_is_not_stored() {
    let server = Running::start();
    let digest = Digest::of(b"one value").to_string();
    let address = format!("/api/v1/blobs/{digest}");
    let put = |ty: &str, body: &str| server.request("PUT", &address).body(ty, body).send();
    put(BYTES, "another value").problem(422, "wrong-digest");
    put("text/plain", "one value").problem(415, "media-type");
    server.request("PUT", "/api/v1/blobs/x").body(BYTES, "x").send().problem(422, "invalid");
    let reader = server.token_with("reader", &["read", "read:values"]);
    let with =
        Request::new(server.address, "PUT", &address).header("Authorization", &format!("Bearer {reader}"));
    with.body(BYTES, "one value").send().problem(403, "missing-scope");
    assert_eq!(server.request("HEAD", &address).send().status, 404);
    assert_eq!(server.get("/api/v1/info").json()["limits"]["blob_bytes"], 256 << 20);
}

#[test]
fn arguments_with_values_are_bounded_together() {
    let server = Running::start();
    let text = server.upload(hostel_guests::TEXT);
    let posted = server.request("POST", "/api/v1/blobs").body(BYTES, "x".repeat(2 << 20)).send();
    let blob = json!({ "blob": posted.json()["digest"] });
    let request =
        json!({ "task": format!("{text}#word-count"), "args": [blob], "options": { "max-input": "1MiB" } });
    let problem = server.post("/api/v1/runs", &request).problem(422, "invalid");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("expected at most 1 MiB, since each byte counts 1 of the 1 MiB"),
        "{problem}"
    );
    // A list takes much more memory than its bytes.
    let request = json!({ "task": format!("{text}#word-count-bytes"), "args": [blob], "options": { "max-input": "32MiB" } });
    let problem = server.post("/api/v1/runs", &request).problem(422, "invalid");
    assert!(
        problem["detail"].as_str().unwrap().contains("expected at most 1 MiB, since each byte counts 32"),
        "{problem}"
    );
    // Where neither bytes nor a text are expected, it is an object like any other.
    let arith = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{arith}#add"), "args": [blob, 1] });
    let problem = server.post("/api/v1/runs", &request).problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("expected s64, found object"), "{problem}");
}

#[test]
fn answers_with_large_values_have_places() {
    let server = Running::start();
    let text = server.upload(hostel_guests::TEXT);
    let posted = server.request("POST", "/api/v1/blobs").body(BYTES, "x".repeat(16 << 20)).send();
    assert_eq!(posted.status, 201, "{posted:?}");
    let args = json!([{ "blob": posted.json()["digest"] }]);
    let stored = server
        .post("/api/v1/runs", &json!({ "task": format!("{text}#word-count"), "args": args, "in": "1h" }));
    let inputs = format!("{}/inputs", stored.header("location").unwrap());
    let places = server.get("/api/v1/info").json()["limits"]["large_answers"].as_u64().unwrap();
    // More than the connections take while nobody reads. One token gets half of the places.
    let other = server.token_with("other", &["read:values"]);
    let mut slow: Vec<_> = (0..places / 2).map(|_| server.request("GET", &inputs).stream()).collect();
    slow.extend((0..places / 2).map(|_| server.bearer(&other, "GET", &inputs).stream()));
    assert!(slow.iter().all(|answer| answer.status == 200));
    let waited = server.get(&inputs);
    waited.problem(503, "unavailable");
    assert!(waited.header("retry-after").is_some());
    assert_eq!(server.get("/api/v1/runs").status, 200, "others are answered meanwhile");
    let first = slow.into_iter().next().unwrap().answer();
    let whole = server.request("GET", &inputs).header("Accept-Integers", "string").send();
    assert_eq!((first.status, whole.status), (200, 200));
    assert!(
        first.body == whole.body && first.json()["items"][0]["value"].as_str().unwrap().len() == 16 << 20
    );
}
