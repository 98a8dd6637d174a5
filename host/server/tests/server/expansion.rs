//! Requests that are short, and take much memory when they are read.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::running::Running;

/// The fields of the record that a function takes a list of.
const FIELDS: usize = 256;

/// A component with functions `sparse` of a list of records whose fields are options, and `deep` of a list of tuples in tuples.
fn component() -> Vec<u8> {
    let mut fields = String::new();
    for number in 0..FIELDS {
        write!(fields, "(field \"field-{number}\" (option u8))").unwrap();
    }
    let mut deep = "(type $t0 (tuple u8))".to_owned();
    for number in 1..30 {
        write!(deep, "(type $t{number} (tuple $t{}))", number - 1).unwrap();
    }
    let text = format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "f") (param i32 i32)))
            (core instance $i (instantiate $m))
            (type $record (record {fields})) (export $r "r" (type $record))
            {deep}
            (func (export "sparse") (param "items" (list $r))
                (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (func (export "deep") (param "items" (list $t29))
                (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    );
    wat::parse_str(text).unwrap()
}

fn sparse(elements: usize) -> Json {
    json!([vec![json!({}); elements]])
}

fn deep(elements: usize) -> Json {
    let element = (0..30).fold(json!(1), |inner, _| json!([inner]));
    json!([vec![element; elements]])
}

#[test]
fn fields_may_be_left_out_up_to_a_bound_however_short_the_request_is() {
    let server = Running::start();
    let digest = server.upload_bytes(component());
    let post = |args: &Json| {
        let request = json!({ "task": format!("{digest}#sparse"), "args": args, "in": "1h" });
        server.post("/api/v1/runs", &request)
    };
    // As many as are read at once, and as many as may be.
    for elements in [1, 16, 17] {
        assert_eq!(post(&sparse(elements)).status, 201, "{elements}");
    }
    let check = |answer: Answer| {
        let problem = answer.problem(422, "invalid");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("more than ") && detail.contains(" fields are left out"), "{problem}");
    };
    check(post(&sparse(20)));
    let schedule = json!({ "task": format!("{digest}#sparse"), "args": sparse(20), "every": "1h" });
    check(server.request("PUT", "/api/v1/schedules/sparse").json(&schedule).send());
    let map = format!("{}\n{}\n", json!({ "task": format!("{digest}#sparse") }), sparse(20));
    check(server.request("POST", "/api/v1/maps").body("application/jsonl", &map).send());
    // A row has no more than its part of the text, and fewer than a run of its own.
    let row = |elements| format!("{}\n{}\n", json!({ "task": format!("{digest}#sparse") }), sparse(elements));
    let rows =
        |elements| server.request("POST", "/api/v1/maps").body("application/jsonl", row(elements)).send();
    assert_eq!(rows(1).status, 201);
    let refused = rows(2).problem(422, "invalid");
    assert!(refused["detail"].as_str().unwrap().contains("more than 2"), "{refused}");
    let mut rows = json!({ "task": format!("{digest}#sparse"), "rows": vec![sparse(1); 400] });
    rows["rows"][0] = sparse(20);
    check(server.post("/api/v1/maps", &rows));
    let to_check = format!("/api/v1/tasks/{digest}%23sparse/check");
    assert_eq!(server.post(&to_check, &json!({ "args": sparse(16) })).status, 200);
    check(server.post(&to_check, &json!({ "args": sparse(20) })));
    // Longer text may leave out more.
    let item: serde_json::Map<_, _> = (0..64).map(|number| (format!("field-{number}"), Json::Null)).collect();
    assert_eq!(post(&json!([vec![item; 900]])).status, 201);
}

#[test]
fn long_requests_are_read_in_turns_and_all_of_them() {
    let server = Running::start();
    let digest = server.upload_bytes(component());
    let request = json!({ "task": format!("{digest}#deep"), "args": deep(1000), "in": "1h" });
    let common = json!({ "task": format!("{digest}#deep"), "args": { "items": deep(1000)[0] }, "in": "1h" });
    let map = format!("{common}\n{{}}\n{{}}\n");
    let map = || server.request("POST", "/api/v1/maps").body("application/jsonl", &map).send();
    std::thread::scope(|scope| {
        let sent: Vec<_> = (0..12)
            .map(|number| {
                let (server, request) = (&server, &request);
                let map = &map;
                scope
                    .spawn(move || if number % 3 == 0 { map() } else { server.post("/api/v1/runs", request) })
            })
            .collect();
        for answer in sent.into_iter().map(|sent| sent.join().unwrap()) {
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    });
    let listed = server.get("/api/v1/runs?state=scheduled").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 8 + 4 * 2);
}

#[test]
fn a_page_of_tasks_ends_with_a_bound_of_bytes() {
    let server = Running::start();
    let digest = server.upload_bytes(component());
    let signatures = server.get("/api/v1/tasks?limit=500").json()["items"].as_array().unwrap().len();
    assert_eq!(signatures, 0, "without a name");
    let names = 200;
    for number in 0..names {
        let version = format!("/api/v1/names/sparse-{number:03}/versions/1.0.0");
        let named = server.request("PUT", &version).json(&json!({ "digest": digest })).send();
        assert!([200, 201].contains(&named.status), "{named:?}");
    }
    let (mut address, mut found, mut pages) = ("/api/v1/tasks?limit=500".to_owned(), Vec::new(), 0);
    loop {
        let answer = server.get(&address);
        assert!(answer.body.len() < 2 << 20, "{}", answer.body.len());
        let page = answer.json();
        let tasks = page["items"].as_array().unwrap().iter();
        found.extend(tasks.map(|task| task["task"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => address = next.to_owned(),
            None => break,
        }
    }
    let mut distinct = found.clone();
    distinct.dedup();
    assert_eq!((found.len(), distinct.len()), (2 * names, 2 * names));
    assert!(pages > 1, "{pages}");
}

#[test]
fn a_list_of_schedules_is_whole_however_few_are_read_at_once() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let names: Vec<_> = (0..20).map(|number| format!("schedule-{number:02}")).collect();
    for name in &names {
        let schedule = json!({ "task": format!("{digest}#add"), "args": [1, 2], "every": "1h" });
        let added = server.request("PUT", &format!("/api/v1/schedules/{name}")).json(&schedule).send();
        assert_eq!(added.status, 201, "{added:?}");
    }
    let list = |address: &str| {
        let page = server.get(address).json();
        let items = page["items"].as_array().unwrap().iter();
        let found: Vec<_> = items.map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        (found, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(list("/api/v1/schedules"), (names.clone(), None));
    let (first, next) = list("/api/v1/schedules?limit=11");
    let (rest, end) = list(&next.unwrap());
    assert_eq!(([first, rest].concat(), end), (names, None));
}
