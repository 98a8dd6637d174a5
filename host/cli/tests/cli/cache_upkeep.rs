//! `hostel cache`: looking at cached results, and removing them.

use std::fs;

use crate::hostel::{FILTERS, Place, Ran};

/// What differs from one time to the next, beside the usual.
const ALSO: [(&str, &str); 7] = [
    (r"(?m)^[0-9a-f]{12} ", "[KEY] "),
    (r"\b[0-9a-f]{8}#", "[ID]#"),
    (r"\b\d+ (min|h)\b", "[TIME]"),
    (r"\[TIME\] +", "[TIME]  "),
    (r#"_ms":\d+"#, r#"_ms":[MS]"#),
    (r#"(dependency_bytes":)[1-9]\d*"#, "$1[SIZE]"),
    (r"(on disk +|disk_bytes.:)[\d.]+( [KM]iB)?", "$1[SIZE]"),
];

#[track_caller]
fn check(name: &str, text: &str) {
    let filters: Vec<_> = FILTERS.into_iter().chain(ALSO).collect();
    insta::with_settings!({ filters => filters, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// A place with a few results: short ones, and one long enough to have a file of its own.
fn filled() -> Place {
    let place = Place::with_data_dir();
    for line in [
        "map arith.wasm#add-one --over x=0..3 --cache inputs --workers 1",
        "run text.wasm#greet Ada --cache inputs",
        "run arith.wasm#pow 9 40000 --cache inputs",
    ] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    place
}

fn keys(place: &Place) -> Vec<String> {
    let listed = place.run("cache ls --output json");
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let key = |line: &str| line.strip_prefix("{\"key\":\"").unwrap()[..64].to_owned();
    listed.stdout.lines().map(key).collect()
}

#[test]
fn c14_results_are_listed_shown_and_counted() {
    let place = filled();
    let keys = keys(&place);
    let mut session = place.session(&["cache ls", "cache ls --output json", "cache stats"]);
    session += "\n\n";
    let shown = format!("cache show {}", &keys[3][..20]);
    session += &place.session(&[&shown, &format!("{shown} --output json"), "cache stats --output json"]);
    check("cache_shown", &session.replace(&keys[3], "[THE KEY]").replace(&keys[3][..20], "[KEY]"));
    assert_eq!(
        place.run(&format!("cache show {}", keys[4])).stdout.lines().last().unwrap().len(),
        38_170 + 14
    );
}

#[test]
fn what_a_result_depends_on_is_shown() {
    let place = Place::with_data_dir();
    fs::create_dir(place.path().join("notes")).unwrap();
    place.write("notes/today.txt", "nothing to do");
    assert_eq!(place.run("run reader.wasm#read-with-std notes/today.txt --dir notes").code, 0);
    let [key] = &keys(&place)[..] else { panic!("one result is kept") };
    let show = format!("cache show {key}");
    let session = place.session(&[&show, &format!("{show} --output json")]);
    let session = session.replace(&place.path().display().to_string(), "[DIR]");
    check("cache_dependencies", &session.replace(key, "[THE KEY]"));
}

#[test]
fn c14_results_are_removed() {
    let place = filled();
    let keys = keys(&place);
    let mut session = place.session(&[&format!("cache rm {} {}", keys[0], &keys[1][..30])]) + "\n\n";
    let again = place.run("map arith.wasm#add-one --over x=0..3 --cache inputs --quiet --states");
    assert_eq!(again.stdout.matches("\"Completed\"").count(), 2, "{}", again.stdout);
    assert_eq!(again.stdout.matches("\"Cached\"").count(), 1, "{}", again.stdout);
    session += &place.session(&[
        "cache gc",
        "cache gc --older-than 30d --max-bytes 1GiB --output json",
        "cache gc --max-bytes 500",
        "cache clear",
        "cache clear",
        "run text.wasm#greet Ada --cache inputs",
    ]);
    for (index, key) in keys.iter().enumerate() {
        session =
            session.replace(key, &format!("[KEY {index}]")).replace(&key[..30], &format!("[KEY {index}]"));
    }
    check("cache_removed", &session.replace(&place.data_dir().display().to_string(), "[DIR]"));
}

#[test]
fn what_cannot_be_found_is_said_with_what_may_be_meant() {
    let place = filled();
    let keys = keys(&place);
    let near = format!("{}0000", &keys[2][..8]);
    let lines = [
        "cache show 0000000000000000".to_owned(),
        format!("cache rm {near}"),
        format!("cache rm {} 0000000000000000", keys[0]),
        "cache show nonsense".to_owned(),
        "cache rm".to_owned(),
        "cache gc --older-than 3".to_owned(),
        "cache gc --older-than -3d".to_owned(),
        "cache gc --max-bytes -1".to_owned(),
        "cache verify --sample 0".to_owned(),
        "cache verify --sample -1".to_owned(),
        "cache ls --data-dir text.wasm".to_owned(),
        "cache ls --data-dir nowhere".to_owned(),
        "cache stats --data-dir nowhere".to_owned(),
        "cache clear --data-dir nowhere".to_owned(),
        "cache gc --data-dir nowhere".to_owned(),
        "cache show 00 --data-dir nowhere".to_owned(),
        "cache verify --data-dir nowhere".to_owned(),
        "cache verify --data-dir nowhere --output json".to_owned(),
    ];
    let session = place.session(&lines.each_ref().map(String::as_str));
    let session =
        session.replace(&near, "[NEAR]").replace(&keys[2], "[THE KEY]").replace(&keys[0], "[ANOTHER KEY]");
    check("cache_unknown", &session);
    assert_eq!(self::keys(&place).len(), 5, "nothing was removed");
    assert!(!place.path().join("nowhere").exists());
}

#[test]
fn a_check_that_compared_nothing_says_so() {
    let place = Place::with_data_dir();
    assert_eq!(place.run("run arith.wasm#add 40 2 --cache run-id").code, 0);
    let ran = place.run("cache verify");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no result was computed again\n"), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("1 result not compared:\n"), "{}", ran.stderr);
}

#[test]
fn keys_that_begin_alike_are_told_apart() {
    let place = Place::with_data_dir();
    assert_eq!(place.run("map arith.wasm#add-one --over x=0..40 --cache inputs --quiet").code, 0);
    let unclear = (0..16).map(|digit| place.run(&format!("cache show {digit:x}"))).find(|ran| ran.code == 2);
    let unclear = unclear.expect("of forty keys two begin alike");
    assert!(
        unclear.stderr.starts_with("error: several cached results have keys that begin with "),
        "{}",
        unclear.stderr
    );
    assert!(unclear.stderr.ends_with("  hint: give more digits of the key\n"), "{}", unclear.stderr);
}

#[test]
fn a_list_that_nobody_reads_on_is_no_error() {
    let place = Place::with_data_dir();
    assert_eq!(place.run("map arith.wasm#add-one --over x=0..2000 --cache inputs --quiet").code, 0);
    for line in ["cache ls", "cache ls --output json"] {
        let mut child = place.start(line);
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_directory_in_the_place_of_a_value_keeps_nothing_from_being_removed() {
    let place = filled();
    assert_eq!(place.run("run arith.wasm#pow 9 40001 --cache inputs").code, 0);
    let values = crate::cache::files(&place.data_dir().join("results/blobs-2"));
    let [empty, full] = &values[..] else { panic!("two values are files of their own: {values:?}") };
    for value in [empty, full] {
        fs::remove_file(value).unwrap();
        fs::create_dir(value).unwrap();
    }
    fs::write(full.join("note"), "not of the host").unwrap();
    let cleared = place.run("cache clear");
    assert_eq!(cleared.code, 0, "{}", cleared.stderr);
    assert!(cleared.stdout.starts_with("removed 6 results"), "{}", cleared.stdout);
    let warning = format!("warning: {} cannot be removed: expected a file", full.display());
    assert!(cleared.stderr.contains(&warning), "{}", cleared.stderr);
    assert_eq!(cleared.stderr.matches("warning").count(), 1, "{}", cleared.stderr);
    assert!(!empty.exists() && full.join("note").exists());
    assert_eq!(place.run("cache ls").stdout, "");
}

#[test]
fn damaged_results_are_told_of_and_do_not_hide_the_others() {
    let place = filled();
    for file in crate::cache::files(&place.data_dir().join("results/blobs-2")) {
        fs::remove_file(file).unwrap();
    }
    let shown = place.run(&format!("cache show {}", keys(&place)[4]));
    assert_eq!(shown.code, 5);
    assert!(shown.stderr.ends_with(" is damaged (its value is missing)\n"), "{}", shown.stderr);
    assert_eq!(place.run("cache ls").stdout.lines().count(), 6);
    assert_eq!(place.run(&format!("cache rm {}", keys(&place)[4])).code, 0);
}
