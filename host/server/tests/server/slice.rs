//! From an upload to a result.

use serde_json::json;

use crate::client::Request;
use crate::running::Running;

#[test]
fn a_component_is_uploaded_and_its_function_runs() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let again = server.request("HEAD", &format!("/api/v1/components/{digest}")).send();
    assert_eq!(again.status, 200);

    let task = server.get(&format!("/api/v1/tasks/{digest}%23add"));
    assert_eq!(task.status, 200, "{task:?}");
    assert_eq!(task.json()["params"][0]["type"]["kind"], "s64", "{task:?}");

    let request = json!({ "task": format!("{digest}#add"), "args": { "a": 40, "b": 2 } });
    let ran = server.post("/api/v1/runs?wait=60s", &request);
    assert_eq!(ran.status, 200, "{ran:?}");
    let run = ran.json();
    assert_eq!(
        (&run["state"], &run["value"], &run["existing"]),
        (&json!("Completed"), &json!(42), &json!(false))
    );
    let location = ran.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/runs/{}", run["run"].as_str().unwrap()));
    assert_eq!(server.get(&location).json()["value"], json!(42));
    let listed = server.get("/api/v1/runs?state=completed").json();
    assert_eq!(listed["items"][0]["run"], run["run"]);
    server.stop();
}

#[test]
fn a_run_with_an_id_is_submitted_once() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let address = "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e";
    let put = |args: serde_json::Value| {
        let request = json!({ "task": format!("{digest}#add"), "args": args, "in": "1h" });
        server.request("PUT", address).json(&request).send()
    };
    assert_eq!(put(json!([40, 2])).status, 201);
    let again = put(json!([40, 2]));
    assert_eq!((again.status, &again.json()["existing"]), (200, &json!(true)));
    assert_eq!(again.json()["waiting_for"][0]["kind"], "due");
    put(json!([40, 3])).problem(409, "id-in-use");
}

#[test]
fn repetitions_at_the_same_time_are_one_submission() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2], "in": "1h" });
    let put =
        || server.request("PUT", "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e").json(&request).send();
    let post =
        || server.request("POST", "/api/v1/runs").header("Idempotency-Key", "order 18").json(&request).send();
    for send in [&put as &(dyn Fn() -> _ + Sync), &post] {
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let sent: Vec<_> = (0..8).map(|_| scope.spawn(|| send().status)).collect();
            sent.into_iter().map(|sent| sent.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    }
}

#[test]
fn text_is_no_component() {
    let server = Running::start();
    let answer = server.request("POST", "/api/v1/components").wasm(b"(component)".to_vec()).send();
    let problem = answer.problem(422, "bad-component");
    assert!(problem["detail"].as_str().unwrap().contains("binary form"), "{problem}");
}

#[test]
fn an_idempotency_key_is_for_one_request() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let post = |args: serde_json::Value| {
        let request = json!({ "task": format!("{digest}#add"), "args": args });
        server.request("POST", "/api/v1/runs").header("Idempotency-Key", "order 17").json(&request).send()
    };
    let first = post(json!([1, 2]));
    assert_eq!(first.status, 201, "{first:?}");
    let again = post(json!([1, 2]));
    assert_eq!((again.status, &again.json()["run"]), (200, &first.json()["run"]));
    post(json!([1, 3])).problem(422, "idempotency-key-reused");
}

#[test]
fn a_browser_exchanges_the_code_once() {
    let server = Running::start();
    let code = server.login.split_once("#login=").unwrap().1;
    let log_in =
        || Request::new(server.address, "POST", "/api/v1/login").json(&json!({ "code": code })).send();
    assert_eq!(log_in().json()["token"], json!(server.token));
    log_in().problem(401, "unauthorized");
}

#[test]
fn the_token_is_a_file_of_its_owner() {
    let server = Running::start();
    let file = std::fs::metadata(server.dir().join("token")).unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
    assert!(file.len() > 40);
}
