//! What is granted is there, and what is not is told.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::hostel::{Place, check};

/// Answers each request with five bytes, for as long as the process lives; gives `127.0.0.1:PORT`.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines();
            lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
            // Whoever asked may have gone.
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    place
}

#[test]
fn what_is_not_granted_is_denied() {
    let lines = [
        "run pages.wasm http://example.org/",
        "run pages.wasm https://example.org:8443/ --http example.org --http '*.example.org:*'",
        "run pages.wasm http://127.1/ --http 127.0.0.1:*",
        "map pages.wasm --over 'url=[\"http://a.example/\"]' --http b.example",
    ];
    check!("denied", Place::new().session(&lines));
}

#[test]
fn what_is_granted_goes_out() {
    let (place, server) = (Place::new(), server());
    for grant in [server.as_str(), "127.0.0.1:*", &format!("http://{server}")] {
        let ran = place.run(&format!("run pages.wasm http://{server}/ --http example.org --http {grant}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "[104, 101, 108, 108, 111]\n"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("denied"), "{}", ran.stderr);
    }
    let ran = place.run(&format!("map pages.wasm --over 'url=[\"http://{server}/\"]' --http 127.0.0.1:*"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[104,101,108,108,111]\n"), "{}", ran.stderr);
}

#[test]
fn variables_are_given_by_name() {
    let place = Place::with_data_dir();
    let lines = [
        "run peek.wasm#env-vars",
        "run peek.wasm#env-vars --env B=2 --env A=1 --env 'C=a=b c'",
        "run peek.wasm#env-vars --env PATH_OF_NOBODY",
        "run peek.wasm#env-vars --env A=1 --env A=2",
        "run peek.wasm#env-vars --env =1",
    ];
    check!("variables", place.session(&lines));
    let own =
        place.command("run peek.wasm#env-var GREETING --env GREETING").env("GREETING", "hello").output();
    let ran = crate::hostel::Ran::of(own.unwrap());
    assert_eq!(ran.stdout, "some(\"hello\")\n", "{ran}");
    // What is another value is another key; and what is kept does not tell it.
    let run = |value: &str| place.run(&format!("run peek.wasm#env-var TOKEN --env TOKEN={value}"));
    assert_eq!(run("hush-one").stdout, "some(\"hush-one\")\n");
    assert_eq!(run("hush-two").stdout, "some(\"hush-two\")\n");
    assert!(run("hush-two").last().starts_with("Cached "));
}

#[test]
fn a_mistake_in_a_variable_does_not_tell_its_value() {
    let place = Place::new();
    let tells_nothing = |line: &str, code: i32| {
        let ran = place.run(line);
        assert_eq!(ran.code, code, "{ran}");
        assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{ran}");
        ran.stderr
    };
    for typed in ["--env =hunter2", "--env==hunter2", "--env TOKEN=hunter2 --env TOKEN=hunter2b"] {
        tells_nothing(&format!("run peek.wasm#env-vars {typed}"), 2);
        tells_nothing(&format!("map peek.wasm#env-var --over name=[\"A\"] {typed}"), 2);
        tells_nothing(&format!("inspect peek.wasm {typed}"), 2);
    }
    let written = [
        "env = [\"TOKEN=hunter2\", \"=x\"]",
        "env = [\"=hunter2\"]",
        "env = [\"TOKEN=hunter2\", 3]",
        "env = {TOKEN = \"hunter2\"}",
        "env.TOKEN = \"hunter2\"",
        "env = [\"TOKEN=hunter2\", \"TOKEN\\u0000=hunter2\"]",
        "env = TOKEN=hunter2",
        "env = [\"TOKEN=hunter2]",
    ];
    for line in written {
        place.write("hostel.toml", format!("[tasks.\"peek.wasm\"]\n{line}"));
        for command in ["run peek.wasm#env-vars", "inspect peek.wasm"] {
            let told = tells_nothing(command, 2);
            assert!(told.starts_with("error: hostel.toml:2:"), "{line}: {told}");
        }
    }
    // As long as there is nothing wrong, neither.
    place.write("hostel.toml", "[tasks.\"peek.wasm\"]\nenv = \"TOKEN=hunter2\"");
    tells_nothing("inspect peek.wasm", 0);
    tells_nothing("run peek.wasm#env-vars --env TOKEN=other --states --config hostel.toml", 0);
    tells_nothing("run peek.wasm#env-vars", 4);
    tells_nothing("trust", 0);
}

#[test]
fn sockets_and_names_are_granted_by_place() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ran = place.run(&format!("run peek.wasm#connect '(127, 0, 0, 1)' {port} --net 127.0.0.0/8:{port}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    let lines = [
        "run peek.wasm#connect '(127, 0, 0, 1)' 9",
        "run peek.wasm#connect '(127, 0, 0, 1)' 9 --net tcp://127.0.0.1:8",
        "run peek.wasm#resolve db.example.org",
        "run peek.wasm#resolve db.example.org --net 127.0.0.1",
        "run peek.wasm#resolve db.example.org --lookup 127.0.0.1",
    ];
    check!("sockets", place.session(&lines));
}

#[test]
fn methods_are_granted_before_the_host() {
    let (place, server) = (Place::new(), server());
    let run = |grant: &str| place.run(&format!("run pages.wasm http://{server}/ --http '{grant} {server}'"));
    assert_eq!(run("GET,HEAD").code, 0);
    let denied = run("POST");
    assert_eq!(denied.code, 1);
    assert!(
        denied
            .stderr
            .contains(&format!("GET to http://{server} was denied (allow it with --http 'GET {server}')")),
        "{denied}"
    );
}

#[test]
fn grants_are_written_down_for_a_task() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("deep/notes")).unwrap();
    place.write("deep/notes/today.txt", "nothing to do");
    let file = "[tasks.\"../reader.wasm\"]\ndir = \"notes::/n\"\n[tasks.\"../peek.wasm#env-vars\"]\n\
                env = [\"A=secret\", \"B=1\", \"UNSET_BY_ALL\"]\nnet = \"db.example.org:5432\"\n\
                [tasks.\"../peek.wasm#env-var\"]\nenv = \"A=secret\"\nhttp = [\"GET https://example.org\"]\n\
                lookup = [\"*.example.org\"]";
    place.write("deep/hostel.toml", file);
    let lines = [
        "run reader.wasm#read-with-std /n/today.txt --config deep/hostel.toml",
        "run peek.wasm#env-var A --config deep/hostel.toml",
        "run peek.wasm#env-var A --env A=mine --config deep/hostel.toml",
        "run peek.wasm#env-vars --config deep/hostel.toml",
        "run peek.wasm#env-vars --env UNSET_BY_ALL=2 --config deep/hostel.toml",
        "inspect peek.wasm --config deep/hostel.toml",
    ];
    check!("written_grants", place.session(&lines));
}

#[test]
fn the_cache_tells_grants_apart() {
    let (place, server) = (Place::with_data_dir(), server());
    let line = format!("run pages.wasm http://{server}/ --cache inputs");
    let run = |grants: &str| place.run(&format!("{line} {grants}"));
    assert!(run("--http 127.0.0.1:*").last().starts_with("Completed in "));
    assert!(run("--http 127.0.0.1:*").last().starts_with("Cached "));
    assert_eq!(run("").code, 1, "what one may load is no answer for one who may not");
    assert!(run("--http 127.0.0.1:* --http example.org").last().starts_with("Completed in "));
}

#[test]
fn a_directory_is_read_under_the_name_it_is_given() {
    let place = Place::new();
    fs::create_dir(place.path().join("notes")).unwrap();
    place.write("notes/today.txt", "nothing to do");
    let lines = [
        "run reader.wasm#read-with-std notes/today.txt",
        "run reader.wasm#read-with-std notes/today.txt --dir notes",
        "run reader.wasm#read-with-std /n/today.txt --dir notes::/n:ro",
        "run reader.wasm#read-with-std ../today.txt --dir notes",
        "run reader.wasm#roots --dir notes::b --dir notes::a",
        "map reader.wasm#is-there-with-std --over 'path=[\"notes/today.txt\", \"notes/tomorrow.txt\"]' --dir notes",
        "run reader.wasm#roots --dir missing",
        "run reader.wasm#roots --dir notes/today.txt",
        "run reader.wasm#roots --dir notes::",
        "run reader.wasm#roots --dir notes --dir .::notes",
        "run reader.wasm#roots --dir .:wr",
        "run reader.wasm#roots --dir .:/x",
        "run reader.wasm#roots --dir .:RW",
    ];
    check!("directories", place.session(&lines));
}

#[test]
fn a_directory_is_written_where_that_is_granted() {
    let place = Place::with_data_dir();
    fs::create_dir(place.path().join("notes")).unwrap();
    let lines = [
        "run peek.wasm#write-file notes/today.txt 'much to do' --dir notes --explain-cache",
        "run peek.wasm#write-file notes/today.txt 'much to do' --dir notes:rw --explain-cache",
        "run peek.wasm#read-file n/today.txt --dir notes::n:rw --explain-cache",
        "run peek.wasm#read-file n/today.txt --dir notes::n:rw",
        "run peek.wasm#read-file n/../hostel.toml --dir notes::n:rw",
        "run peek.wasm#write-file n/now.txt done --dir notes::n:rw --cache inputs",
        "run peek.wasm#write-file n/now.txt done --dir notes::n:rw --cache inputs",
        "cache verify",
        "run reader.wasm#roots --dir notes --dir notes:rw",
    ];
    let session = place.session(&lines);
    check!("writing", session.replace(&place.path().display().to_string(), "[PLACE]"));
    assert_eq!(fs::read_to_string(place.path().join("notes/now.txt")).unwrap(), "done");
}

#[test]
fn a_guest_may_be_given_a_fixed_clock_and_a_seed() {
    let place = Place::new();
    place.write("hostel.toml", "[defaults]\nclock = \"fixed:2026-01-01T00:00:00Z\"\nrandom = \"seed:42\"\n");
    place.write("both.toml", "[defaults]\ndeterministic = true\n");
    place.write(
        "no.toml",
        "[defaults]\nclock = \"virtual\"\n\n[tasks.\"watcher.wasm\"]\ndeterministic = false\n",
    );
    let lines = [
        "run watcher.wasm#wall-clock --config hostel.toml",
        "run watcher.wasm#wall-clock --config hostel.toml --clock fixed:1970-01-01T00:00:01Z",
        "run watcher.wasm#random-number --config hostel.toml",
        "run watcher.wasm#random-number --config hostel.toml --random seed:43",
        "run watcher.wasm#wall-clock --no-config --clock noon",
        "run watcher.wasm#random-number --no-config --random 42",
        "run watcher.wasm#race 0 60000 --no-config --explain-cache",
        "run watcher.wasm#elapsed 1 --no-config --explain-cache --deterministic",
        "run watcher.wasm#elapsed 1 --no-config --clock virtual --random key",
        "run watcher.wasm#wall-clock --no-config --deterministic --clock fixed:1970-01-01T00:00:01Z",
        "map watcher.wasm#race --no-config --over 'one-ms=[0,1]' --with other-ms=60000 --explain-cache",
        "map watcher.wasm#elapsed --no-config --over 'sleep-ms=[1,2]' --deterministic",
        "run watcher.wasm#wall-clock --config both.toml",
        "run watcher.wasm#is-ready 60000 --config no.toml --explain-cache",
    ];
    check!("determinism", place.session(&lines));
}

#[test]
fn a_record_has_what_was_granted_and_what_was_denied() {
    let place = Place::new();
    fs::create_dir(place.path().join("data")).unwrap();
    let grants = "--dir data::/data:rw --env KEY=secret --http 'GET example.org' --net tcp://127.0.0.1:1 --lookup a.example";
    let ran = place.run(&format!("run pages.wasm http://b.example/ --states {grants}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Vec<_> =
        object["grants"].as_array().unwrap().iter().map(|grant| grant.as_str().unwrap()).collect();
    assert!(told[0].starts_with("dir ") && told[0].ends_with("::/data:rw"), "{told:?}");
    assert_eq!(told[1..], ["env KEY=…", "http GET example.org", "net tcp://127.0.0.1:1", "lookup a.example"]);
    assert_eq!(object["receipt"]["denials"], serde_json::json!({"http": 1}));
    assert!(!ran.stdout.contains("secret") && !ran.stderr.contains("secret"));
}

#[test]
fn no_guest_may_write_the_options_that_are_in_use_or_the_data_directory() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("work/kept")).unwrap();
    place.write("apart.toml", "[defaults]\ncache = \"none\"\n");
    let lines = [
        "run reader.wasm#roots --dir .::/d:rw",
        "map reader.wasm#read --over 'path=[\"x\"]' --dir .::/d:rw",
        "run reader.wasm#roots --dir .::/d",
        "run reader.wasm#roots --dir work::/d:rw",
        "run reader.wasm#roots --dir work::/d:rw --config work/../apart.toml",
        "run reader.wasm#roots --dir .::/d:rw --config apart.toml",
        "run reader.wasm#roots --dir .::/d:rw --no-config --cache none",
        "run reader.wasm#roots --dir work::/d:rw --data-dir work/kept",
        "run reader.wasm#roots --dir work::/d:rw --data-dir kept",
        // What another command will trust, too.
        "run reader.wasm#roots --dir DATA::/d:rw --no-data-dir",
        "run reader.wasm#roots --dir DATA/..::/d:rw --data-dir kept",
    ];
    let data = place.data_dir().display().to_string();
    let lines = lines.map(|line| line.replace("DATA", &data));
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let session = place.session(&lines);
    let session = session.replace(&place.path().display().to_string(), "[PLACE]");
    check!("trusted", session.replace(&data, "[DATA]"));
}

#[test]
fn no_guest_writes_what_grants_things_to_the_next() {
    let place = Place::with_data_dir();
    let grants = "[tasks.\"peek.wasm\"] env = \"A=stolen\"";
    for name in ["hostel.toml", "HOSTEL.TOML", "./hostel.toml"] {
        let ran = place.run(&format!("run peek.wasm#write-file here/{name} '{grants}' --dir .::here:rw"));
        assert_eq!(ran.code, 1, "{ran}");
        assert!(
            ran.stderr.contains("a hostel.toml can contain grants, so guests must not change it"),
            "{ran}"
        );
        assert!(!place.path().join(name).exists(), "{name}");
    }
    let ran = place.run("run peek.wasm#write-file here/notes.txt done --dir .::here:rw");
    assert_eq!(ran.code, 0, "{ran}");
}
