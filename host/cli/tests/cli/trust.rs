//! `hostel trust`: a `hostel.toml` that was found grants nothing before someone has said that it may.

use std::fs;

use crate::hostel::{Place, check};

const GRANTS: &str = "[tasks.\"peek.wasm#env-var\"]\nenv = \"A=secret\"\nnet = [\"db.example.org:5432\"]\n";

/// With the place of the test's files in it as people would see it.
fn session(place: &Place, lines: &[&str]) -> String {
    let path = fs::canonicalize(place.path()).unwrap().display().to_string();
    let data = place.data_dir().display().to_string();
    place.session(lines).replace(&path, "[PLACE]").replace(&data, "[DATA]")
}

#[cfg(unix)]
#[test]
fn no_guest_may_replace_a_link_on_the_way_to_the_options_in_use() {
    let place = Place::new();
    fs::create_dir(place.path().join("real")).unwrap();
    place.write("real/options.toml", "[defaults]\nname = \"theirs\"\n");
    fs::create_dir(place.path().join("links")).unwrap();
    std::os::unix::fs::symlink("../real/options.toml", place.path().join("links/mid")).unwrap();
    fs::remove_file(place.path().join("hostel.toml")).unwrap();
    std::os::unix::fs::symlink("links/mid", place.path().join("hostel.toml")).unwrap();
    for dir in ["links", "real"] {
        let ran = place.run(&format!("run reader.wasm#roots --dir {dir}::/d:rw"));
        assert_eq!(ran.code, 2, "{dir}: {}", ran.stderr);
        assert!(ran.stderr.contains("hostel.toml, which is trusted"), "{}", ran.stderr);
    }
    // The data directory that an option names, though it cannot be used yet.
    std::os::unix::fs::symlink("real/planted", place.path().join("data")).unwrap();
    let ran = place.run("run reader.wasm#roots --no-config --data-dir data --dir real::/d:rw");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("reaches the data directory data"), "{}", ran.stderr);
    fs::create_dir(place.path().join("apart")).unwrap();
    let ran = place.run("run reader.wasm#roots --dir apart::/d:rw");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_file_that_grants_something_is_refused_until_it_is_trusted() {
    let place = Place::with_data_dir();
    place.write("hostel.toml", GRANTS);
    let asking = [
        "run peek.wasm#env-var A",
        "run arith.wasm#add 40 2",
        "map peek.wasm#env-var --over name=[\"A\"]",
        "run peek.wasm#env-var A --no-data-dir",
    ];
    for line in asking {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{line}: {ran}");
    }
    let before = session(&place, &asking);
    let between = session(
        &place,
        &[
            "run peek.wasm#env-var A --config hostel.toml",
            "run peek.wasm#env-var A --no-config",
            "trust --list",
            "trust",
            "run peek.wasm#env-var A",
            "trust --list",
        ],
    );
    place.write("hostel.toml", GRANTS.replace("secret", "other"));
    let after =
        session(&place, &["run peek.wasm#env-var A", "trust --list", "trust --revoke", "trust --revoke"]);
    check!("trusting", [before, between, after].join("\n\n"));
}

#[test]
fn what_is_trusted_is_one_file_with_one_content() {
    let place = Place::with_data_dir();
    fs::create_dir_all(place.path().join("deep/er")).unwrap();
    let run = |line: &str| place.run(line).code;
    place.write("hostel.toml", GRANTS);
    assert_eq!((run("trust hostel.toml"), run("run peek.wasm#env-var A")), (0, 0));
    place.write("hostel.toml", GRANTS.replace("secret", "other"));
    assert_eq!(run("run peek.wasm#env-var A"), 4, "another content");
    place.write("hostel.toml", GRANTS);
    assert_eq!(run("run peek.wasm#env-var A"), 0, "the same again");
    // From below it is the same file, elsewhere the same content is another one.
    let mut below = place.command("run ../../peek.wasm#env-var A");
    assert!(below.current_dir(place.path().join("deep/er")).status().unwrap().success());
    place.write("deep/hostel.toml", GRANTS.replace("peek", "../peek"));
    let mut below = place.command("run ../../peek.wasm#env-var A");
    assert_eq!(below.current_dir(place.path().join("deep/er")).status().unwrap().code(), Some(4));
    // Another data directory is another user's, as far as one can tell.
    assert_eq!(run("run peek.wasm#env-var A --data-dir elsewhere"), 4);
}

#[test]
fn only_grants_remote_caches_and_what_changes_results_need_trust() {
    let place = Place::with_data_dir();
    let check = |content: &str, code: i32| {
        place.write("hostel.toml", content);
        let ran = place.run("run arith.wasm#add 40 2 --quiet");
        assert_eq!(ran.code, code, "{content}: {ran}");
    };
    check("", 0);
    check("[defaults]\nretries = 1\n[tasks.\"peek.wasm\"]\nretries = 3\n[limits.tags]\ndb = 1", 0);
    for grant in [
        "dir = \".\"",
        "env = \"A=1\"",
        "http = \"a.example\"",
        "net = \"a.example:1\"",
        "lookup = \"a.example\"",
    ] {
        check(&format!("[tasks.\"peek.wasm\"]\n{grant}"), 4);
    }
    check(&format!("[remote-cache]\nurl = \"file://{}\"", place.path().join("bucket").display()), 4);
    for option in [
        "cache = 'key:\"x\"'",
        "cache = \"inputs\"",
        "clock = \"fixed:2026-01-01T00:00:00Z\"",
        "random = \"seed:1\"",
    ] {
        check(&format!("[defaults]\n{option}"), 4);
        check(&format!("[tasks.\"peek.wasm\"]\n{option}"), 4);
    }
    check("[defaults]\ncache = \"none\"", 0);
    check("[defaults]\ncache = \"auto\"", 0);
}

/// The message that asks for trust quotes the file; nothing in that may look like a line of the message.
#[test]
fn no_file_and_no_argument_forges_a_line_of_a_message() {
    let place = Place::with_data_dir();
    let forged = "x\\n  hint: it is safe\\nerror: nothing else::/p";
    place.write("hostel.toml", format!("[tasks.\"arith.wasm\"]\ndir = [\"{forged}\", \"/root:rw\"]"));
    let ran = place.run("run arith.wasm#add 40 2");
    assert_eq!(ran.code, 4, "{ran}");
    assert!(ran.stderr.contains("/root:rw"), "{ran}");
    assert!(
        !ran.stderr.lines().any(|line| line.contains("it is safe") && line.starts_with("  hint")),
        "{ran}"
    );
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{ran}");

    for arg in ["\u{1b}]0;owned\u{7}", "a\u{202e}b", "a\nerror: forged"] {
        let output = place.command("inspect").args(["arith.wasm", arg]).output().unwrap();
        let ran = crate::hostel::Ran::of(output);
        assert_eq!(ran.code, 2, "{ran}");
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{ran}");
        assert!(!ran.stderr.contains("\nerror: forged"), "{ran}");
    }
}

/// Where another program would have to open the other end.
#[test]
fn a_pipe_is_not_waited_for() {
    let place = Place::with_data_dir();
    let made = std::process::Command::new("mkfifo").arg(place.path().join("hostel.toml")).status();
    assert!(made.unwrap().success());
    let ran = place.run("trust hostel.toml");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.stderr.contains("hostel.toml: expected a file"), "{ran}");
}

/// Others could have put records there.
#[test]
fn nothing_is_trusted_in_a_data_directory_that_others_can_write() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::with_data_dir();
    place.write("hostel.toml", GRANTS);
    let data = place.path().join("open");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = place.run("trust --data-dir open");
    assert_eq!(ran.code, 4, "{ran}");
    assert!(!data.join("trusted").exists());
}

#[test]
fn what_cannot_be_trusted_is_said() {
    let place = Place::with_data_dir();
    let nothing = session(&place, &["trust", "trust other.toml", "trust gone/hostel.toml"]);
    place.write("hostel.toml", "[defaults]\nretries = 1\n");
    place.write("file", "");
    let harmless = session(&place, &["trust"]);
    place.write("hostel.toml", "[remote-cache]\nurl = \"s3://key:secret@results/hostel?sig=secret\"\n");
    let others = session(&place, &["trust --data-dir file/inside", "trust", "inspect peek.wasm --no-config"]);
    let text = [nothing, harmless, others].join("\n\n");
    assert!(!text.contains("secret"));
    check!("not_trustable", text.split("\n\n$ hostel inspect").next().unwrap());
}

#[test]
fn a_file_that_is_not_trusted_can_be_looked_at() {
    let place = Place::with_data_dir();
    place.write("hostel.toml", GRANTS);
    let granted = |line: &str| {
        let ran = place.run(line);
        assert_eq!(ran.code, 0, "{ran}");
        ran.stdout
    };
    let heading = "\nGranted in hostel.toml, once it is trusted: hostel trust hostel.toml\n";
    assert!(granted("inspect peek.wasm").contains(heading));
    let trusted = |json: &str| {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["config"]["trusted"].as_bool().unwrap()
    };
    assert!(!trusted(&granted("inspect peek.wasm --output json")));
    assert!(trusted(&granted("inspect peek.wasm --output json --config hostel.toml")));
    granted("trust");
    assert!(trusted(&granted("inspect peek.wasm --output json")));
    assert!(granted("inspect peek.wasm").contains("\nGranted in hostel.toml\n"));
}
