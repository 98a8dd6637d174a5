//! Granted directories: what a guest sees in them, and what of it is kept.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostel_core::{ErrorKind, Failure, Grants, Limits, LogLine, LogStream, Touch, Trace, Value};
use hostel_engine::{AttemptError, AttemptOptions, LogBook, check_dirs};
use hostel_guests::{PEEK, PUPPET, READER};

use crate::world::{World, asker};
use crate::{Ran, function, run, run_as};

fn text(ran: &Ran) -> String {
    let bytes: Vec<u8> =
        ran.value().trim_matches(['[', ']']).split(", ").map(|byte| byte.parse().unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

fn error(ran: &Ran) -> String {
    match ran.failure() {
        Failure::Error(error) => error.to_wave(),
        other => panic!("expected an error, found {other:?}"),
    }
}

fn asked(trace: &Trace) -> Vec<String> {
    trace.reads().into_iter().map(|read| format!("{} {}", read.path, read.what)).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_reads_below_what_is_granted_and_nothing_else() {
    let world = World::new();
    assert_eq!(text(&world.ask("read", &["a.txt"]).await), "alpha");
    assert_eq!(text(&world.ask("read", &["sub/../link"]).await), "alpha");
    assert_eq!(text(&world.ask("read-below", &["[\"sub\"]", "c.txt"]).await), "gamma");
    for path in ["..", "../etc/passwd", "/etc/passwd", "sub/../../passwd"] {
        assert_eq!(error(&world.ask("read", &[path]).await), "\"not-permitted\"", "{path}");
    }
    world.relink("link", "/etc/passwd");
    assert_eq!(error(&world.ask("read", &["link"]).await), "\"not-permitted\"");
}

#[tokio::test(flavor = "current_thread")]
async fn programs_find_a_directory_by_the_guests_name_for_it() {
    let world = World::new();
    let ask = async |name: &str, path: &str| run_as(&asker(name), &[path], world.options()).await;
    assert_eq!(ask("read-with-std", "data/a.txt").await.value(), "\"alpha\"");
    assert_eq!(ask("list-with-std", "data/sub").await.value(), "[\"c.txt\"]");
    assert_eq!(ask("is-there-with-std", "data/none").await.value(), "false");
    let peek = run_as(&function(PEEK, "read-file"), &["data/a.txt"], world.options()).await;
    assert_eq!(peek.value(), "\"alpha\"");
    assert_eq!(run(READER, "roots", &[]).await.value(), "[]");
}

#[tokio::test(flavor = "current_thread")]
async fn the_order_of_grants_does_not_show() {
    let world = World::new();
    let roots = async |names: [&str; 3]| {
        let dirs = names.map(|name| format!("{}::{name}", world.path("sub").display()).parse().unwrap());
        let grants = Grants { dirs: dirs.to_vec(), ..Grants::default() };
        let options = AttemptOptions::new(Limits::default()).grants(Arc::new(grants));
        run_as(&asker("roots"), &[], options).await.value()
    };
    let expected = r#"["/data", "a", "b"]"#;
    assert_eq!(roots(["b", "/data/", "a"]).await, expected);
    assert_eq!(roots(["a", "b", "/data"]).await, expected);
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_written_whatever_a_guest_tries() {
    let world = World::new();
    let ran = world.ask("try-to-write", &["a.txt"]).await;
    let value = ran.value();
    let tried: Vec<_> = value.split(", ").collect();
    assert_eq!(tried.len(), 16, "{value}");
    for said in &tried {
        assert!(said.trim_end_matches([']', '"']).ends_with(": not-permitted"), "{said}");
    }
    assert!(ran.observation.is_reproducible(), "a refusal follows from the grants: {}", ran.observation);
    assert_eq!(fs::read_to_string(world.path("a.txt")).unwrap(), "alpha");
    assert!(!world.path("new").exists());
    assert_eq!(
        run_as(&function(PEEK, "write-file"), &["data/a.txt", "x"], world.options())
            .await
            .failure()
            .kind()
            .name(),
        "error"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn every_question_is_in_the_trace_once() {
    let world = World::new();
    let check = async |name: &str, args: &[&str], expected: &[&str]| {
        assert_eq!(asked(&world.trace(name, args).await), expected, "{name} {args:?}");
    };
    check("open", &["a.txt", "true", "false"], &["data/a.txt opened"]).await;
    check("open", &["none", "true", "false"], &["data/none opened"]).await;
    check("read", &["a.txt"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("read-part", &["a.txt", "1", "2"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("read-stream", &["a.txt", "0", "2", "true"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("read-stream", &["a.txt", "0", "2", "false"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("read-twice", &["a.txt"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("skip-stream", &["a.txt", "2", "2"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("print", &["a.txt", "4"], &["data/a.txt opened", "data/a.txt content"]).await;
    check("is-stream-ready", &["a.txt"], &["data/a.txt opened"]).await;
    check("stat", &["a.txt"], &["data/a.txt opened", "data/a.txt metadata"]).await;
    check("stat-at", &["link", "false"], &["data/link metadata"]).await;
    check("entries", &["sub"], &["data/sub opened", "data/sub entries"]).await;
    check("read-link", &["link"], &["data/link link"]).await;
    check("hash", &["a.txt"], &["data/a.txt opened", "data/a.txt identity"]).await;
    check("hash-at", &["link", "true"], &["data/link identity"]).await;
    let same = ["data/a.txt opened", "data/link opened", "data/a.txt identity"];
    check("is-same", &["a.txt", "link"], &same).await;
    let below = ["data/sub opened", "data/sub/c.txt opened", "data/sub/c.txt content"];
    check("read-below", &["[\"sub\"]", "c.txt"], &below).await;
}

#[tokio::test(flavor = "current_thread")]
async fn entries_come_sorted_and_times_of_access_are_not_told() {
    let world = World::new();
    let listed = world.ask("entries", &["."]).await.value();
    let expected =
        ["a.txt file", "b.txt file", "dangling link", "link link", "other.txt file", "sub directory"];
    assert_eq!(listed, format!("{expected:?}"));
    for ran in [world.ask("stat", &["a.txt"]).await, world.ask("stat-at", &["a.txt", "true"]).await] {
        let value = ran.value();
        assert!(value.contains("size: 5") && value.contains("modified: some("), "{value}");
        assert!(!value.contains("accessed: some("), "{value}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn streams_of_files_are_always_ready_and_end_where_the_file_does() {
    let world = World::new();
    world.write("long", &"0123456789".repeat(20_000));
    assert_eq!(world.ask("is-stream-ready", &["a.txt"]).await.value(), "(true, 2)");
    assert_eq!(text(&world.ask("read-stream", &["a.txt", "1", "3", "false"]).await), "lpha");
    assert_eq!(text(&world.ask("read-stream", &["long", "150000", "1000000", "true"]).await).len(), 50_000);
    assert_eq!(text(&world.ask("skip-stream", &["a.txt", "2", "2"]).await), "ph");
    assert_eq!(world.ask("read-part", &["a.txt", "3", "10"]).await.value(), "([104, 97], false)");
    assert_eq!(world.ask("read-part", &["a.txt", "5", "10"]).await.value(), "([], true)");
    let printed = world.ask("print", &["a.txt", "4"]).await;
    assert_eq!(
        (printed.value().as_str(), printed.printed(LogStream::Stdout)),
        ("4", vec!["alph".to_owned()])
    );
    assert_eq!(error(&world.ask("read-stream", &["sub", "0", "1", "true"]).await), "\"is-directory\"");
    assert_eq!(error(&world.ask("read", &["sub"]).await), "\"bad-descriptor\"");
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_changes_while_it_is_read_makes_the_attempt_unreproducible() {
    for (name, args) in
        [("read-twice", &["a.txt"][..]), ("read-on", &["a.txt"]), ("read-in-halves", &["a.txt", "5"])]
    {
        let world = Arc::new(World::new());
        let of_echo = Arc::clone(&world);
        let done = AtomicBool::new(false);
        let change = move |_: &LogLine| {
            if !done.swap(true, Ordering::SeqCst) {
                of_echo.write("a.txt", "gamma and more");
            }
        };
        let log = Arc::new(LogBook::new(1 << 20, Some(Arc::new(change))));
        let options = world.options().log(log);
        let ran = world.ask_with(name, args, options).await;
        let touches: Vec<_> = ran.observation.touches().iter().map(|touched| touched.touch).collect();
        assert!(text(&ran).starts_with("alpha"));
        if name != "read-in-halves" {
            // The guest was told that the file ends, and then that it does not.
            assert_eq!(touches, [Touch::ChangedFile], "{name}");
        } else {
            // Each byte was read once, so nothing is known to have changed; but no file is like what was read.
            assert!(touches.is_empty());
            assert!(!world.still_holds(ran.observation.trace()));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn devices_and_pipes_are_left_alone_and_are_a_touch() {
    let world = World::new();
    let made = Command::new("mkfifo").arg(world.path("pipe")).status();
    assert!(made.unwrap().success());
    let _socket = UnixListener::bind(world.path("socket")).unwrap();
    for name in ["pipe", "socket"] {
        for (ask, args) in [
            ("open", &[name, "true", "false"][..]),
            ("open", &[name, "true", "true"]),
            ("open", &[name, "false", "false"]),
            ("read", &[name]),
        ] {
            let ran = world.ask(ask, args).await;
            assert_eq!(error(&ran), "\"not-permitted\"");
            assert_eq!(ran.observation.touches()[0].touch, Touch::Device, "{name}");
        }
    }
    let trace = world.trace("stat-at", &["pipe", "true"]).await;
    assert_eq!(asked(&trace), ["data/pipe metadata"], "looking at it is a question like any other");
}

/// The memory of this process begins where nothing is mapped: to read there is an error of input and output.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "current_thread")]
async fn a_fault_of_the_file_system_is_a_touch() {
    let world = World::new();
    let dirs = vec!["/proc/self::data".parse().unwrap()];
    let options = || world.options().grants(Arc::new(Grants { dirs: dirs.clone(), ..Grants::default() }));
    for (name, args) in [
        ("read", &["mem"][..]),
        ("read-part", &["mem", "0", "10"]),
        ("read-stream", &["mem", "0", "10", "true"]),
        ("read-stream", &["mem", "0", "10", "false"]),
    ] {
        let ran = world.ask_with(name, args, options()).await;
        assert!(!error(&ran).is_empty(), "{name} {args:?}");
        let touches: Vec<_> = ran.observation.touches().iter().map(|touched| touched.touch).collect();
        assert_eq!(touches, [Touch::FileFault], "{name} {args:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_guest_has_open_at_once_is_bounded() {
    let world = World::new();
    let ran = world.ask("open-many", &["a.txt", "1000"]).await;
    assert_eq!(ran.value(), "256");
    let touches: Vec<_> = ran.observation.touches().iter().map(|touched| touched.touch).collect();
    assert_eq!(touches, [Touch::RefusedGrowth], "another limit is another result");
    assert_eq!(
        ran.printed(LogStream::Host),
        ["a file was not opened: it may have 256 files open at once (raise it with --max-open-files)"]
    );
    let within = world.ask("open-many", &["a.txt", "256"]).await;
    assert!(within.observation.is_reproducible() && within.printed(LogStream::Host).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_asks_too_much_is_not_reproducible() {
    let world = World::new();
    world.write("long", &"x".repeat(300_000));
    let touches = async |times: &str| {
        let ran = world.ask("read-scattered", &["long", "2", times]).await;
        ran.value();
        ran.observation.touches().iter().map(|touched| touched.touch).collect::<Vec<_>>()
    };
    assert_eq!(touches("99990").await, []);
    assert_eq!(touches("100010").await, [Touch::TooMuchRead]);
    let too_deep = format!("[{}]", ["\".\""; 65].join(", "));
    let ran = world.ask("read-below", &[&too_deep, "a.txt"]).await;
    assert_eq!(ran.observation.touches()[0].touch, Touch::TooMuchRead);
    let deep = format!("[{}]", ["\".\""; 63].join(", "));
    let trace = world.trace("read-below", &[&deep, "a.txt"]).await;
    assert!(world.still_holds(&trace));
}

#[tokio::test(flavor = "current_thread")]
async fn a_directory_that_cannot_be_opened_is_told_before_anything_runs() {
    let world = World::new();
    let attempt = async |dirs: &[&str]| {
        let dirs =
            dirs.iter().map(|dir| dir.replace('@', &world.path("").display().to_string()).parse().unwrap());
        let grants = Grants { dirs: dirs.collect(), ..Grants::default() };
        let checked = check_dirs(&grants).unwrap_err();
        let options = AttemptOptions::new(Limits::default()).grants(Arc::new(grants));
        let error = asker("roots").attempt(&[], &options.clone().into()).await.unwrap_err();
        assert!(matches!(error, AttemptError::Dir(_)));
        assert_eq!(error.to_string(), checked.to_string());
        (error.kind(), error.to_string().replace(&world.path("").display().to_string(), "@"))
    };
    let (kind, text) = attempt(&["@none"]).await;
    assert_eq!(
        (kind, text.as_str()),
        (ErrorKind::NotFound, "the directory @none is granted, but does not exist")
    );
    let (kind, text) = attempt(&["@sub", "@a.txt"]).await;
    assert_eq!((kind, text.as_str()), (ErrorKind::Invalid, "@a.txt is granted, but is not a directory"));
    let (kind, text) = attempt(&["@sub::d", "@::d"]).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.starts_with("`d` cannot be two directories"), "{text}");
    assert!(check_dirs(&world.grants()).is_ok());
    assert!(check_dirs(&Grants::default()).is_ok());
}

/// Two hundred listings of five hundred entries are as many as there may be.
#[tokio::test(flavor = "current_thread")]
async fn what_listings_that_are_open_have_is_bounded_in_sum() {
    let home = tempfile::TempDir::new().unwrap();
    for number in 0..500 {
        fs::write(home.path().join(number.to_string()), "").unwrap();
    }
    let play = function(PUPPET, "play");
    let listed = async |script: &str| {
        let dirs = vec![format!("{}::d", home.path().display()).parse().unwrap()];
        let grants = Arc::new(Grants { dirs, ..Grants::default() });
        let options = AttemptOptions::new(Limits::default()).grants(grants);
        run_as(&play, &[&Value::String(script.to_owned()).to_wave()], options).await
    };
    let below = listed("lists 200 .").await;
    assert_eq!(below.value(), "[\"200 done, 200 done\"]");
    assert!(below.observation.touches().is_empty() && below.printed(LogStream::Host).is_empty());

    let above = listed("lists 201 .").await;
    assert_eq!(above.value(), "[\"200 insufficient-memory, 200 insufficient-memory\"]");
    let touches: Vec<_> = above.observation.touches().iter().map(|touched| touched.touch).collect();
    assert_eq!(touches, [Touch::RefusedGrowth]);
    assert_eq!(
        above.printed(LogStream::Host),
        ["a directory was not listed: listings that are open may have 100000 entries together"]
    );
}
