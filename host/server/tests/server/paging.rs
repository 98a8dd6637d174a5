//! Lists of runs, page by page: there and back.

use serde_json::{Value as Json, json};

use crate::running::Running;

fn runs(page: &Json) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    items.map(|item| item["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_leads_there_and_back() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let submit = |number: usize| {
        let request =
            json!({ "task": format!("{digest}#add"), "args": [number, 1], "in": "1h", "queue": "q" });
        let answer = server.post("/api/v1/runs", &request);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["run"].as_str().unwrap().to_owned()
    };
    let mut all: Vec<String> = (0..7).map(submit).collect();
    all.reverse();
    let get = |address: &Json| {
        server.get(address.as_str().unwrap_or_else(|| panic!("no address: {address}"))).json()
    };

    let first = server.get("/api/v1/runs?limit=3&queue=q").json();
    assert_eq!((runs(&first), &first["previous"]), (all[..3].to_vec(), &json!(null)));
    let second = get(&first["next"]);
    let third = get(&second["next"]);
    assert_eq!((runs(&second), runs(&third)), (all[3..6].to_vec(), all[6..].to_vec()));
    assert_eq!(third["next"], json!(null));
    assert!(third["previous"].as_str().unwrap().contains("queue=q"), "{third}");
    let back = get(&third["previous"]);
    assert_eq!(runs(&back), all[3..6]);
    let begin = get(&back["previous"]);
    assert_eq!((runs(&begin), &begin["previous"]), (all[..3].to_vec(), &json!(null)));
    assert_eq!(runs(&get(&begin["next"])), all[3..6]);

    // What arrives later is on the way back, nearest first.
    let later: Vec<String> = (7..11).map(submit).collect();
    let newer = get(&back["previous"]);
    assert_eq!(runs(&newer), all[..3]);
    let newest = get(&newer["previous"]);
    assert_eq!(runs(&newest), [&later[2], &later[1], &later[0]].map(Clone::clone));
    assert_eq!(runs(&get(&newest["previous"])), later[3..]);

    let problem = server.get("/api/v1/runs?before=c3&after=c3").problem(422, "invalid");
    assert_eq!(problem["detail"], "after: expected either before or after");
    server.get("/api/v1/runs?after=17").problem(422, "invalid");
}

#[test]
fn a_page_without_runs_leads_on_all_the_same() {
    let server = Running::start();
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [1, 1], "in": "1h" });
    let run = server.post("/api/v1/runs", &request).json()["run"].clone();
    let beyond = server.get("/api/v1/runs?after=cff").json();
    assert_eq!((runs(&beyond), &beyond["previous"]), (Vec::new(), &json!(null)));
    let older = server.get(beyond["next"].as_str().unwrap()).json();
    assert_eq!(older["items"][0]["run"], run);
    let before = server.get("/api/v1/runs?before=c1").json();
    assert_eq!((runs(&before), &before["next"]), (Vec::new(), &json!(null)));
    let newer = server.get(before["previous"].as_str().unwrap()).json();
    assert_eq!(newer["items"][0]["run"], run);
}
