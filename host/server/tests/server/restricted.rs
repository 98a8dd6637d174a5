//! Tokens that may do something with some runs only.

use serde_json::{Value as Json, json};

use crate::client::{Answer, Request};
use crate::running::Running;

/// A server with the component `acme.math`, and a run in each of the queues `day` and `night`, which have ended.
struct Place {
    server: Running,
    digest: String,
    day: String,
    night: String,
}

impl Place {
    fn new() -> Self {
        let server = Running::start();
        let digest = server.upload(hostel_guests::ARITH);
        let version = server.request("PUT", "/api/v1/names/acme.math/versions/1.0.0");
        assert_eq!(version.json(&json!({ "digest": digest })).send().status, 201);
        let submit = |queue: &str| {
            let request =
                json!({ "task": "acme.math#add", "args": [40, 2], "queue": queue, "tags": [queue] });
            let ran = server.post("/api/v1/runs?wait=60s", &request);
            assert_eq!(ran.status, 200, "{ran:?}");
            ran.json()["run"].as_str().unwrap().to_owned()
        };
        let (day, night) = (submit("day"), submit("night"));
        Self { server, digest, day, night }
    }

    fn token(&self, name: &str, scopes: &[&str], restricted: &[&str]) -> Client<'_> {
        let request = json!({ "name": name, "scopes": scopes, "restricted": restricted });
        let answer = self.server.post("/api/v1/tokens", &request);
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["restricted"], json!(restricted));
        Client { server: &self.server, token: answer.json()["token"].as_str().unwrap().to_owned() }
    }
}

/// Someone with a token.
struct Client<'a> {
    server: &'a Running,
    token: String,
}

impl Client<'_> {
    fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(self.server.address, method, &format!("/api/v1{path}"));
        request.header("Authorization", &format!("Bearer {}", self.token))
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    fn post(&self, path: &str, body: &Json) -> Answer {
        self.request("POST", path).json(body).send()
    }

    /// The request is refused, in words with these parts.
    #[track_caller]
    fn refused(answer: &Answer, parts: &[&str]) {
        let problem = answer.problem(403, "missing-scope");
        let detail = problem["detail"].as_str().unwrap();
        parts.iter().for_each(|part| assert!(detail.contains(part), "{part}: {detail}"));
    }
}

#[test]
fn a_token_sees_only_its_runs() {
    let place = Place::new();
    let client = place.token("night", &[], &["read queue:night", "read:values queue:night"]);
    let listed = client.get("/runs").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["items"][0]["run"], json!(place.night));
    assert_eq!(client.get(&format!("/runs/{}", place.night)).json()["value"], 42);
    for rest in ["/result", "/inputs", "/attempts", "/events", "/logs", "/receipt", "/children", "/cache"] {
        assert_eq!(client.get(&format!("/runs/{}{rest}", place.night)).status, 200, "{rest}");
        let parts = ["\"night\" has the scope read", " only for some runs (read", "not for this run"];
        Client::refused(&client.get(&format!("/runs/{}{rest}", place.day)), &parts);
    }
    Client::refused(&client.get(&format!("/runs/{}", place.day)), &["not for this run"]);
    let head = client.request("HEAD", &format!("/runs/{}", place.day)).send();
    assert_eq!(head.status, 403);
    for path in
        ["/events", "/counts", "/components", "/tasks", "/workers", "/limits", "/batches", "/schedules"]
    {
        Client::refused(&client.get(path), &["only for some runs", "needs it for all"]);
    }
    // Nothing that it has not at all.
    let cancel = client.request("POST", &format!("/runs/{}/cancel", place.night)).send();
    Client::refused(&cancel, &["has no scope cancel"]);
    let info = client.get("/info").json();
    assert_eq!(info["token"]["restricted"], json!(["read queue:night", "read:values queue:night"]));
}

#[test]
fn values_are_shown_of_some_runs() {
    let place = Place::new();
    let client = place.token("values", &["read"], &["read:values tag:ni*"]);
    assert_eq!(client.get("/runs").json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(client.get(&format!("/runs/{}", place.night)).json()["value"], 42);
    assert_eq!(client.get(&format!("/runs/{}", place.day)).json().get("value"), None);
    Client::refused(
        &client.get(&format!("/runs/{}/result", place.day)),
        &["read:values", "not for this run"],
    );
    Client::refused(&client.get("/runs?error=x"), &["has no scope read:values"]);
}

#[test]
fn a_token_submits_and_cancels_only_where_it_may() {
    let place = Place::new();
    let only = ["run queue:night task:acme.*#add", "cancel task:acme.math#add"];
    let client = place.token("submit", &["read"], &only);
    let request =
        |task: &str, queue: &str| json!({ "task": task, "args": [1, 2], "queue": queue, "in": "1h" });
    let stored = client.post("/runs", &request("acme.math#add", "night"));
    assert_eq!(stored.status, 201, "{stored:?}");
    let run = stored.json()["run"].as_str().unwrap().to_owned();
    // The same component by its digest is the same task.
    let by_digest = request(&format!("{}#add", place.digest), "night");
    assert_eq!(client.post("/runs", &by_digest).status, 201);
    Client::refused(
        &client.post("/runs", &request("acme.math#add", "day")),
        &["scope run", "not for this run"],
    );
    Client::refused(&client.post("/runs", &request("acme.math#pow", "night")), &["not for this run"]);
    let put = client.request("PUT", "/runs/01a227a3-bf8d-74ea-902d-08c41636443e");
    Client::refused(&put.json(&request("acme.math#add", "day")).send(), &["not for this run"]);
    let map = |queue: &str| {
        client
            .post("/maps", &json!({ "task": "acme.math#add", "rows": [[1, 2]], "queue": queue, "in": "1h" }))
    };
    assert_eq!(map("night").status, 201);
    Client::refused(&map("day"), &["not for this run"]);
    // The run that has a key may be one that the token may do nothing with.
    let mut unique = request("acme.math#add", "night");
    unique["unique"] = json!("key:replace");
    Client::refused(&client.post("/runs", &unique), &["a unique key needs it for all runs of the queue"]);
    let of_queue = place.token("of-queue", &[], &["run queue:night"]);
    // Replacing a run cancels it.
    Client::refused(&of_queue.post("/runs", &unique), &["cancel"]);
    let may_cancel = place.token("may-cancel", &[], &["run queue:night", "cancel queue:night"]);
    assert_eq!(may_cancel.post("/runs", &unique).status, 201);
    unique["unique"] = json!("other-key");
    assert_eq!(of_queue.post("/runs", &unique).status, 201);
    assert_eq!(client.request("POST", &format!("/runs/{run}/cancel")).send().status, 200);
    // Without its name, it is another task. The component stays, because it has another name.
    let other = place.server.request("PUT", "/api/v1/names/other.math/versions/1.0.0");
    assert_eq!(other.json(&json!({ "digest": place.digest })).send().status, 201);
    let removed = place.server.request("DELETE", "/api/v1/components/acme.math@1.0.0").send();
    assert_eq!(removed.status, 204, "{removed:?}");
    Client::refused(&client.request("POST", &format!("/runs/{run}/cancel")).send(), &["not for this run"]);
    let retry = client.post("/batches", &json!({ "action": "retry", "filter": "queue:night error:x" }));
    let problem = retry.problem(403, "missing-scope");
    assert_eq!(problem["scopes"], json!(["run", "read:values"]), "{problem}");
}

#[test]
fn a_scope_for_some_runs_is_checked_when_the_token_is_made() {
    let server = Running::start();
    let check = |restricted: Json, expected: &str| {
        let request = json!({ "name": "a", "scopes": [], "restricted": restricted });
        let problem = server.post("/api/v1/tokens", &request).problem(422, "invalid");
        assert!(problem["detail"].as_str().unwrap().starts_with(expected), "{problem}");
    };
    check(json!([]), "scopes: expected at least one");
    check(json!(["write queue:a"]), "restricted: unknown scope \"write\"");
    check(json!(["admin queue:a"]), "restricted: the scope admin is not about runs");
    check(json!(["run"]), "restricted: the scope run has no condition");
    check(json!(["run colour:red"]), "restricted: invalid condition \"colour:red\"");
    check(json!(vec!["run queue:a"; 33]), "restricted: expected at most 32");
}
