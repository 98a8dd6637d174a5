//! The committed OpenAPI document is that of the code.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value as Json;

#[test]
fn the_document_is_committed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = hostel_server::openapi_document() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == document,
        "write host/server/openapi.json again: run this test with UPDATE_OPENAPI=1"
    );
}

#[test]
fn operations_have_names_of_their_own_and_say_what_they_answer() {
    let document: Json = serde_json::from_str(&hostel_server::openapi_document()).unwrap();
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}"));
            assert!(names.insert(name.to_owned()), "{name}");
            assert!(operation["security"].is_array(), "{name} does not say who may use it");
            assert!(operation["responses"]["default"].is_object(), "{name}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{name}");
        }
    }
    assert!(names.len() > 40, "{names:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    let document: Json = serde_json::from_str(&hostel_server::openapi_document()).unwrap();
    let mut open = vec![&document];
    while let Some(json) = open.pop() {
        match json {
            Json::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Json::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap_or_default();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                open.extend(members.values());
            }
            Json::Array(items) => open.extend(items),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}
