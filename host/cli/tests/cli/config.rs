//! `hostel.toml`

use std::fs;

use crate::hostel::{Place, check};

const USUAL: &str = r#"
[defaults]
retries = 1
tags = ["all"]

[tasks."batch.wasm"]
retry-delay = ["1ms", "2ms"]

[tasks."batch.wasm#process-data"]
retries = 2
name = "item {item}"
tags = ["db"]
priority = 3
version = "2"
description = "Fails for what is negative"
max-memory = "64MiB"
max-log = 100000
retry-on = ["error", "trap"]

[tasks."elevator.wasm"]
log-prints = false
retry-jitter = 0.3

[limits.tags]
db = 1

[limits.rates]
all = "1000/1s"
"#;

#[test]
fn options_come_from_the_nearest_file() {
    let place = Place::with_data_dir();
    place.write("hostel.toml", USUAL);
    fs::create_dir_all(place.path().join("deep/er")).unwrap();
    let lines = [
        "run batch.wasm#process-data item=-3",
        "run batch.wasm 'process-data(-3)' --retries 0 --name 'the {item}'",
        "run ./batch.wasm#process-data item=-3 --no-config",
        "run elevator.wasm#explain-tasks",
        "run batch.wasm#process-data item=3 --states --tag more --quiet",
        "map batch.wasm#process-data --over 'item=[1, -2]' --states --quiet",
        "map batch.wasm#process-data --over 'item=[1, 2]' --tag-limit db=2 --rate-limit all=10/1ms",
        "run batch.wasm#process-data item=-3 --config missing.toml",
        "run batch.wasm#process-data item=-3 --config deep",
        "run batch.wasm#process-data item=-3 --config deep/hostel.toml --no-config",
    ];
    check!("config", place.session(&lines));
    let ran = crate::hostel::Ran::of(
        place
            .command("run ../../batch.wasm#process-data item=-3")
            .current_dir(place.path().join("deep/er"))
            .output()
            .unwrap(),
    );
    assert!(
        ran.last().starts_with("item -3: Failed in ") && ran.stderr.contains("of 3 failed"),
        "{}",
        ran.stderr
    );

    // A nearer one, whose paths begin where it stands.
    place.write("deep/hostel.toml", "[tasks.\"../batch.wasm\"]\nretries = 3");
    let ran = crate::hostel::Ran::of(
        place
            .command("run ../../batch.wasm#process-data item=-3")
            .current_dir(place.path().join("deep/er"))
            .output()
            .unwrap(),
    );
    assert!(ran.last().contains("(4 attempts): "), "{}", ran.stderr);
    let ran = place.run("run batch.wasm#process-data item=-3 --config deep/hostel.toml");
    assert!(ran.last().contains("(4 attempts): "), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_place() {
    let place = Place::with_data_dir();
    let files = [
        "[defaults\nretries = 3",
        "retries = 3",
        "[default]\nretries = 3",
        "defaults = 3",
        "[defaults]\nretires = 3",
        "[defaults]\nretries = 3\nretries = 4",
        "[defaults]\nretries = -1",
        "[defaults]\nretries = \"many\"",
        "[defaults]\nretries = [3]",
        "[defaults]\nretry-delay = 1",
        "[defaults]\nretry-delay = [\"1s\", \"often\"]",
        "[defaults]\nretry-delay = []",
        "[defaults]\nretry-jitter = nan",
        "[defaults]\nretry-on = [\"error\", \"tarp\"]",
        "[defaults]\ntimeout = 5",
        "[defaults]\ntimeout = \"0s\"",
        "[defaults]\nrun-timeout = \"0s\"",
        "[defaults]\nmax-memory = \"5GiB\"",
        "[defaults]\nmax-memory = true",
        "[defaults]\ncache = \"moon\"",
        "[defaults]\ntags = [\"a,b\"]",
        "[defaults]\ntags = 3",
        "[defaults]\npriority = 1.5",
        "[defaults]\nlog-prints = \"no\"",
        "[defaults]\nhttp = [\"example.org\"]",
        "[defaults]\nname = 3",
        "[defaults]\nname = \"{x}\"",
        "[tasks.\"arith.wasm\"]\nhttp = [\"example.org/\"]",
        "[tasks.\"arith.wasm\"]\nnet = \"example.org\"",
        "[tasks.\"arith.wasm\"]\nenv = [\"=x\"]",
        "[tasks.\"arith.wasm\"]\nlookup = 3",
        "[tasks.\"arith.wasm\"]\ndir = \"gone\"",
        "[tasks.\"arith.wasm\"]\ndir = [\".::/a\", \"gone:RW\"]",
        "[tasks.\"arith.wasm\"]\ndir = \"::/a\"",
        "[tasks.\"arith.wasm\"]\nenv = \"UNSET_BY_ALL\"",
        "[defaults]\nmax-host-memory = \"1GiB\"",
        "[defaults]\ntag-limit = { db = 2 }",
        "[tasks]\n\"#add\" = {}",
        "[tasks.\"arith.wasm#add\"]\nretires = 3",
        "[tasks.arith.wasm]\nretries = 3",
        "[tasks.\"arith.wasm#ad\"]\nretries = 3",
        "[tasks.\"arith.wasm#add\"]\n[tasks.\"./arith.wasm#add\"]",
        "[limits]\ntag = { db = 2 }",
        "[limits.tags]\ndb = 0",
        "[limits.tags]\n\"a,b\" = 1",
        "[limits.rates]\napi = 10",
    ];
    let mut session = String::new();
    for file in files {
        place.write("hostel.toml", file);
        let ran = place.run("run arith.wasm#add 40 2 --config hostel.toml");
        let code = if file.contains("gone") { 3 } else { 2 };
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{file}");
        session += &format!("{file}\n{ran}\n");
    }
    check!("wrong_config", session.trim_end());
    place.write("hostel.toml", b"[defaults]\nname = \"\xff\"");
    assert_eq!(
        place.run("run arith.wasm#add 40 2").stderr,
        "error: hostel.toml is not text: expected UTF-8\n"
    );
    place.write("hostel.toml", "#".repeat(2 << 20));
    let ran = place.run("run arith.wasm#add 40 2");
    assert_eq!(ran.stderr, "error: hostel.toml is over 1 MiB, the maximum for such a file\n");
}

#[test]
fn what_is_said_for_others_does_not_matter() {
    let place = Place::with_data_dir();
    // A delay without retries is none of a task's that has none.
    place.write("hostel.toml", "[defaults]\nretry-delay = \"1h\"\n[limits.tags]\ndb = 1");
    assert_eq!(place.run("map arith.wasm#add-one --over x=0..3 --quiet").stderr, "");
    place.write(
        "hostel.toml",
        "[tasks.\"missing.wasm#nothing\"]\nretries = 3\n[tasks.\"text.wasm#nothing\"]\n",
    );
    assert_eq!(place.run("run arith.wasm#add 40 2 --quiet").stderr, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_everyone_may_write_is_not_obeyed() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    place.write("hostel.toml", "[defaults]\ncache = \"none\"\n");
    fs::set_permissions(place.path().join("hostel.toml"), Permissions::from_mode(0o666)).unwrap();
    let ran = place.run("run add-one.wat 1");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert_eq!(
        ran.stderr,
        "error: hostel.toml can be written by everyone, who could add grants to your runs here\n  \
         hint: --config FILE uses it anyway, and --no-config uses no file\n"
    );
    for fine in ["--config hostel.toml", "--no-config"] {
        assert_eq!(place.run(&format!("run add-one.wat 1 --no-data-dir {fine}")).stdout, "2\n");
    }
    // A group may: on many systems each user has one.
    fs::set_permissions(place.path().join("hostel.toml"), Permissions::from_mode(0o664)).unwrap();
    assert_eq!(place.run("run add-one.wat 1").stdout, "2\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_another_user_is_not_obeyed() {
    use std::os::unix::fs::chown;

    const NOBODY: u32 = 65534;
    let place = Place::new();
    place.write("hostel.toml", "[defaults]\ncache = \"none\"\n");
    let file = place.path().join("hostel.toml");
    if chown(&file, Some(NOBODY), None).is_err() {
        // Only root can give a file away.
        return;
    }
    let expected = format!(
        "error: hostel.toml belongs to another user (number {NOBODY}), who could add grants to your runs here\n  \
         hint: --config FILE uses it anyway, and --no-config uses no file\n"
    );
    for command in ["run add-one.wat 1", "map add-one.wat --over x=0..2", "inspect add-one.wat", "trust"] {
        let ran = place.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{command}");
        assert_eq!(ran.stderr, expected, "{command}");
    }
    for fine in ["--config hostel.toml", "--no-config"] {
        assert_eq!(place.run(&format!("run add-one.wat 1 {fine}")).stdout, "2\n");
    }
    chown(&file, Some(0), None).unwrap();
    assert_eq!(place.run("run add-one.wat 1").stdout, "2\n", "one's own, or root's");
}
