//! Granted directories that may be written: every change that a guest can make, and that none leads out.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use hostel_core::{DirGrant, GrantKind, Grants, Limits, LogStream, Touch, Value};
use hostel_engine::{AttemptOptions, Function};
use hostel_guests::PUPPET;
use tempfile::TempDir;

use crate::{Ran, function, run_as};

/// Compiled once: each test plays much.
static PLAY: LazyLock<Function> = LazyLock::new(|| function(PUPPET, "play"));

/// A directory that guests may write, and one beside it that is not granted and has a secret.
struct Desk {
    home: TempDir,
    access: &'static str,
    limits: Limits,
}

impl Desk {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir_all(home.path().join("desk/sub")).unwrap();
        fs::create_dir(home.path().join("outside")).unwrap();
        fs::write(home.path().join("outside/secret"), "secret").unwrap();
        fs::write(home.path().join("desk/a.txt"), "alpha").unwrap();
        Self { home, access: "rw", limits: Limits::default() }
    }

    fn limited(limits: Limits) -> Self {
        Self { limits, ..Self::new() }
    }

    /// The same, read only.
    fn locked() -> Self {
        Self { access: "ro", ..Self::new() }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.home.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn grant(&self, dir: &str, guest: &str, access: &str) -> DirGrant {
        format!("{}::{guest}:{access}", self.path(dir).display()).parse().unwrap()
    }

    async fn play(&self, script: &[&str]) -> Ran {
        self.play_with(script, vec![self.grant("desk", "desk", self.access)]).await
    }

    async fn play_with(&self, script: &[&str], dirs: Vec<DirGrant>) -> Ran {
        let options = AttemptOptions::new(self.limits);
        let options = options.grants(Arc::new(Grants { dirs, ..Grants::default() }));
        run_as(&PLAY, &[&Value::String(script.join("\n")).to_wave()], options).await
    }

    /// That nothing outside was changed.
    fn is_tight(&self) -> bool {
        let outside: Vec<_> = fs::read_dir(self.path("outside")).unwrap().collect();
        let beside: Vec<_> = fs::read_dir(self.home.path()).unwrap().collect();
        self.text("outside/secret") == "secret" && outside.len() == 1 && beside.len() == 2
    }
}

fn answers(ran: &Ran) -> Vec<String> {
    let value = ran.value();
    let inner = value.trim_start_matches("[\"").trim_end_matches("\"]");
    inner.split("\", \"").map(str::to_owned).collect()
}

fn remarks(ran: &Ran) -> Vec<String> {
    ran.printed(LogStream::Host)
}

fn touches(ran: &Ran) -> Vec<Touch> {
    ran.observation.touches().iter().map(|touched| touched.touch).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn every_change_can_be_made() {
    let desk = Desk::new();
    let ran = desk
        .play(&[
            "put new.txt hello",
            "at 1 new.txt ELL",
            "append new.txt , world",
            "stream 5 new.txt --",
            "make empty",
            "make empty",
            "resize 2 a.txt",
            "resize 4 a.txt",
            "make-dir made",
            "rename new.txt made/moved.txt",
            "hard-link a.txt made/hard",
            "soft-link ../a.txt made/soft",
            "stamp 1000 made/moved.txt",
            "stamp-at 2000 made/soft",
            "sync made/moved.txt",
            "remove empty",
            "remove-dir sub",
            "remove-dir made",
            "remove none",
            "list .",
        ])
        .await;
    let expected = [
        "5",
        "3",
        "7",
        "2",
        "done",
        "exist",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "done",
        "not-empty",
        "no-entry",
        "a.txt DescriptorType::RegularFile, made DescriptorType::Directory",
    ];
    assert_eq!(answers(&ran), expected);
    assert_eq!(desk.text("desk/made/moved.txt"), "hELLo----rld");
    assert_eq!(desk.text("desk/made/hard"), "al\0\0");
    assert_eq!(fs::read_link(desk.path("desk/made/soft")).unwrap(), Path::new("../a.txt"));
    let modified = |path| fs::metadata(desk.path(path)).unwrap().modified().unwrap();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!((modified("desk/made/moved.txt"), modified("desk/a.txt")), (at(1000), at(2000)));
    assert_eq!(touches(&ran), [Touch::Writing], "{}", ran.observation);
    assert!(remarks(&ran).is_empty() && desk.is_tight());
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_written_can_be_read_by_the_same_guest_and_by_the_next() {
    let desk = Desk::new();
    let ran = desk.play(&["read a.txt", "put a.txt beta", "read a.txt", "length a.txt", "stat a.txt"]).await;
    assert_eq!(answers(&ran)[..4], ["alpha", "4", "beta", "4"]);
    assert_eq!(touches(&ran), [Touch::Writing], "it knows what it changed itself: {}", ran.observation);
    let next = desk.play(&["read a.txt"]).await;
    assert_eq!(answers(&next), ["beta"]);
    assert!(next.observation.is_reproducible() && !next.observation.trace().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_counts_as_a_touch_even_if_nothing_came_of_it() {
    let desk = Desk::new();
    for change in
        ["make a.txt", "at 0 none x", "remove none", "make-dir sub", "rename none other", "soft-link x a.txt"]
    {
        let ran = desk.play(&[change]).await;
        assert!(["exist", "no-entry"].contains(&&*answers(&ran)[0]), "{change}");
        assert_eq!(touches(&ran), [Touch::Writing], "{change}");
    }
    let ran = desk.play(&["read a.txt", "list ."]).await;
    assert!(ran.observation.is_reproducible(), "{}", ran.observation);
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_changed_in_a_directory_to_read_and_the_log_says_what_would_allow_it() {
    let desk = Desk::locked();
    let changes = [
        "put a.txt x",
        "make new",
        "at 0 a.txt x",
        "append a.txt x",
        "resize 0 a.txt",
        "stamp 0 a.txt",
        "stamp-at 0 a.txt",
        "make-dir new",
        "remove-dir sub",
        "remove a.txt",
        "rename a.txt b.txt",
        "hard-link a.txt b.txt",
        "soft-link a.txt b.txt",
        "unasked a.txt x",
    ];
    let ran = desk.play(&changes).await;
    assert_eq!(answers(&ran), vec!["not-permitted"; changes.len()]);
    assert!(ran.observation.is_reproducible(), "a refusal follows from the grants: {}", ran.observation);
    let grant = desk.grant("desk", "desk", "rw");
    let expected = ["a.txt", "new", "sub", "b.txt"]
        .map(|name| format!("writing to `desk/{name}` was denied (allow it with :rw: --dir {grant})"));
    assert_eq!(remarks(&ran), expected);
    assert_eq!(desk.text("desk/a.txt"), "alpha");
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_open_to_read_is_not_written() {
    let desk = Desk::new();
    let ran = desk.play(&["unasked a.txt x", "at 0 sub x", "put sub x"]).await;
    let expected = ["bad-descriptor", "is-directory", "is-directory"];
    assert_eq!(answers(&ran), expected);
    assert_eq!(desk.text("desk/a.txt"), "alpha");
}

/// Links that a guest did not make: to a file and a directory outside, in a chain, absolute, and to what is not there.
fn lay_traps(desk: &Desk) {
    let outside = desk.path("outside");
    for (target, link) in [
        ("../outside/secret", "file"),
        ("../outside", "dir"),
        ("chained", "chain"),
        ("sub/../file", "chained"),
        ("../outside/new", "dangling"),
        (outside.to_str().unwrap(), "absolute"),
        ("/proc/self/cwd", "magic"),
    ] {
        symlink(target, desk.path("desk").join(link)).unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_path_leads_out() {
    let desk = Desk::new();
    lay_traps(&desk);
    let absolute = desk.path("outside/secret");
    let absolute = absolute.to_str().unwrap();
    let out = ["../outside/secret", "sub/../../outside/secret", absolute, "dir/secret", "absolute/secret"];
    let ways = ["file", "chain", "magic", "dangling"];
    for path in out.iter().chain(&ways) {
        let script = [format!("put {path} x"), format!("append {path} x"), format!("stamp-at 0 {path}")];
        let script: Vec<_> = script.iter().map(String::as_str).collect();
        let ran = desk.play(&script).await;
        assert_eq!(answers(&ran), vec!["not-permitted"; 3], "{path}");
        assert_eq!(remarks(&ran), [format!("`{path}` leads outside `desk`: denied")]);
        assert!(desk.is_tight(), "{path}");
    }
    for path in out {
        let below = path.replace("secret", "new");
        let script = [
            format!("read {path}"),
            format!("make {below}"),
            format!("make-dir {below}"),
            format!("remove {path}"),
            format!("remove-dir {path}"),
            format!("rename {path} stolen"),
            format!("rename a.txt {below}"),
            format!("hard-link {path} stolen"),
            format!("hard-link a.txt {below}"),
            format!("soft-link a.txt {below}"),
            format!("soft-link {path} stolen"),
        ];
        let script: Vec<_> = script.iter().map(String::as_str).collect();
        let ran = desk.play(&script[..10]).await;
        assert_eq!(answers(&ran), vec!["not-permitted"; 10], "{path}");
        assert!(desk.is_tight() && !desk.path("desk/stolen").exists(), "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_makes_no_link_that_leads_out() {
    let desk = Desk::new();
    for target in ["/etc/passwd", "..", "../outside", "sub/../../outside"] {
        let ran = desk.play(&[&format!("soft-link {target} link")]).await;
        assert_eq!(answers(&ran), ["not-permitted"], "{target}");
        assert_eq!(remarks(&ran), [format!("`{target}` leads outside `desk`: denied")]);
        assert!(fs::symlink_metadata(desk.path("desk/link")).is_err(), "{target}");
    }
    // One that is moved up to where it does is of no use.
    let ran = desk
        .play(&["soft-link ../outside/secret sub/link", "rename sub/link link", "read link", "put link x"])
        .await;
    let denied = "not-permitted";
    assert_eq!(answers(&ran), ["done", "done", denied, denied]);
    assert_eq!(answers(&desk.play(&["read link", "append link x"]).await), [denied, denied]);
    assert!(desk.is_tight());
}

#[tokio::test(flavor = "current_thread")]
async fn what_may_only_be_read_does_not_become_writable_by_another_grant() {
    let desk = Desk::new();
    let grants = || vec![desk.grant("desk", "desk", "rw"), desk.grant("outside", "outside", "ro")];
    let changes = [
        "hard-link 2:secret mine",
        "rename 2:secret mine",
        "rename a.txt 2:a.txt",
        "hard-link a.txt 2:a.txt",
        "put 2:secret x",
    ];
    let ran = desk.play_with(&changes, grants()).await;
    assert_eq!(answers(&ran), vec!["not-permitted"; changes.len()]);
    assert!(ran.observation.is_reproducible(), "it follows from the grants: {}", ran.observation);
    assert!(desk.is_tight() && !desk.path("desk/mine").exists());
    assert_eq!(remarks(&ran).len(), 2, "{:?}", remarks(&ran));
    // A link into another grant is none into anything.
    let ran = desk.play_with(&["soft-link ../outside/secret sub/link", "put sub/link x"], grants()).await;
    assert_eq!(answers(&ran), ["done", "no-entry"]);
    // Where both may be written, a file may go from one to the other.
    let both = vec![desk.grant("desk", "desk", "rw"), desk.grant("outside", "outside", "rw")];
    let ran = desk.play_with(&["rename a.txt 2:a.txt", "hard-link 2:secret mine"], both).await;
    assert_eq!(answers(&ran), ["done", "done"]);
}

/// A desk with a configuration file, and links of the user's own that lead to it.
fn with_config(desk: &Desk) {
    fs::write(desk.path("desk/hostel.toml"), "mine").unwrap();
    fs::write(desk.path("desk/sub/hostel.toml"), "mine").unwrap();
    for (target, link) in [("hostel.toml", "link"), ("link", "chain"), ("../hostel.toml", "sub/link")] {
        symlink(target, desk.path("desk").join(link)).unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_guest_changes_a_configuration_file() {
    let desk = Desk::new();
    with_config(&desk);
    for path in ["hostel.toml", "./hostel.toml", "sub/hostel.toml", "sub/../hostel.toml", "HOSTEL.TOML"] {
        let script = [
            format!("put {path} x"),
            format!("make {path}"),
            format!("at 0 {path} x"),
            format!("append {path} x"),
            format!("resize 0 {path}"),
            format!("stamp-at 0 {path}"),
            format!("make-dir {path}"),
            format!("remove {path}"),
            format!("remove-dir {path}"),
            format!("rename {path} aside"),
            format!("rename a.txt {path}"),
            format!("rename sub {path}"),
            format!("hard-link {path} aside"),
            format!("hard-link a.txt {path}"),
            format!("soft-link a.txt {path}"),
            format!("soft-link {path} aside"),
        ];
        let script: Vec<_> = script.iter().map(String::as_str).collect();
        let ran = desk.play(&script).await;
        assert_eq!(answers(&ran), vec!["not-permitted"; script.len()], "{path}");
        let expected = format!(
            "writing to `desk/{path}` was denied: a hostel.toml can contain grants, so guests must not change it"
        );
        assert_eq!(remarks(&ran), [expected]);
        assert_eq!(ran.receipt.denials.of(GrantKind::Dir), script.len() as u64);
    }
    assert_eq!(
        (desk.text("desk/hostel.toml"), desk.text("desk/sub/hostel.toml")),
        ("mine".into(), "mine".into())
    );
    let names = fs::read_dir(desk.path("desk")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 5, "a.txt, chain, hostel.toml, link, sub");
    // To read it is another thing; its times go with it.
    let ran =
        desk.play(&["read hostel.toml", "read chain", "stamp 0 hostel.toml", "unasked hostel.toml x"]).await;
    assert_eq!(answers(&ran), ["mine", "mine", "not-permitted", "bad-descriptor"]);
}

#[tokio::test(flavor = "current_thread")]
async fn no_guest_makes_a_configuration_file_under_any_name_it_may_have() {
    for name in
        ["hostel.toml", "Hostel.TOML", "hoſtel.toml", "hostel.toml.", "hos\u{200d}tel.toml", "HOSTEL~1.TOM"]
    {
        let desk = Desk::new();
        let script = [
            format!("put {name} x"),
            format!("put sub/{name} x"),
            format!("make {name}"),
            format!("make-dir {name}"),
            format!("rename a.txt {name}"),
            format!("rename sub {name}"),
            format!("hard-link a.txt {name}"),
            format!("soft-link a.txt {name}"),
        ];
        let script: Vec<_> = script.iter().map(String::as_str).collect();
        let ran = desk.play(&script).await;
        assert_eq!(answers(&ran), vec!["not-permitted"; script.len()], "{name}");
        assert!(ran.observation.is_reproducible(), "a name is denied always: {}", ran.observation);
        let found = |dir| fs::read_dir(desk.path(dir)).unwrap().count();
        assert_eq!((found("desk"), found("desk/sub")), (2, 0), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_link_leads_a_guest_to_a_configuration_file() {
    let desk = Desk::new();
    with_config(&desk);
    for link in ["link", "chain", "sub/link"] {
        let script = [
            format!("put {link} x"),
            format!("append {link} x"),
            format!("resize 0 {link}"),
            format!("stamp-at 0 {link}"),
            format!("rename {link} aside"),
            format!("hard-link {link} aside"),
            format!("remove {link}"),
        ];
        let script: Vec<_> = script.iter().map(String::as_str).collect();
        let ran = desk.play(&script).await;
        assert_eq!(answers(&ran), vec!["not-permitted"; script.len()], "{link}");
        assert_eq!(touches(&ran), [Touch::Writing], "the link was looked at");
    }
    // Nor by links of its own, to one of those or to where one may be some day.
    let ran = desk
        .play(&["soft-link link mine", "put mine x", "remove mine", "soft-link none/hostel.toml mine"])
        .await;
    assert_eq!(answers(&ran), ["done", "not-permitted", "not-permitted", "not-permitted"]);
    assert_eq!(desk.text("desk/hostel.toml"), "mine");
    // Nor through one that is open, or that has a text which cannot be read or followed by its name.
    let name = std::ffi::OsStr::from_bytes(b"l\xff");
    fs::create_dir(desk.path("desk").join(name)).unwrap();
    fs::write(desk.path("desk").join(name).join("hostel.toml"), "mine").unwrap();
    symlink(Path::new(name).join("hostel.toml"), desk.path("desk/odd")).unwrap();
    let around = "sub/../".repeat(500);
    let script = [
        "stamp 0 link".to_owned(),
        "put odd x".to_owned(),
        "append odd x".to_owned(),
        format!("soft-link {around}link far"),
        format!("put {around}far x"),
        format!("append {around}far x"),
        format!("resize 1 {around}far"),
        format!("stamp 0 {around}far"),
        format!("stamp 0 {around}hostel.toml"),
    ];
    let before = fs::metadata(desk.path("desk/hostel.toml")).unwrap().modified().unwrap();
    let ran = desk.play(&script.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut answers_of = answers(&ran);
    assert_eq!(answers_of.remove(3), "done");
    let is_refusal =
        |answer: &String| ["not-permitted", "illegal-byte-sequence", "name-too-long"].contains(&&**answer);
    assert!(answers_of.iter().all(is_refusal), "{answers_of:?}");
    assert_eq!(fs::metadata(desk.path("desk/hostel.toml")).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_to_string(desk.path("desk").join(name).join("hostel.toml")).unwrap(), "mine");
    assert_eq!(desk.text("desk/hostel.toml"), "mine");
    // A ring of links leads nowhere.
    let ran = desk.play(&["soft-link one two", "soft-link two one", "put one x", "remove one"]).await;
    assert_eq!(answers(&ran), ["done", "done", "loop", "done"]);
}

#[tokio::test(flavor = "current_thread")]
async fn other_files_are_changed_as_ever() {
    let desk = Desk::new();
    let ran = desk
        .play(&[
            "put hostel.toml.bak x",
            "make-dir hostel",
            "rename a.txt my-hostel.toml",
            "rename sub other",
        ])
        .await;
    assert_eq!(answers(&ran), ["1", "done", "done", "done"]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_link_that_is_put_in_place_of_a_directory_meanwhile_leads_nobody_out() {
    let desk = Arc::new(Desk::new());
    fs::create_dir(desk.path("desk/swap")).unwrap();
    symlink("../outside", desk.path("desk/link")).unwrap();
    let (is_over, of_thread) = (Arc::new(AtomicBool::new(false)), Arc::clone(&desk));
    let watched = Arc::clone(&is_over);
    let swapping = std::thread::spawn(move || {
        let [swap, link, aside] = ["swap", "link", "aside"].map(|name| of_thread.path("desk").join(name));
        while !watched.load(Ordering::Relaxed) {
            fs::rename(&swap, &aside).unwrap();
            fs::rename(&link, &swap).unwrap();
            fs::rename(&swap, &link).unwrap();
            fs::rename(&aside, &swap).unwrap();
        }
    });
    let mut seen = String::new();
    for round in 0..1000 {
        let ran = desk
            .play(&[
                "repeat 300 put swap/secret inside",
                "repeat 300 read swap/secret",
                "repeat 300 append swap/secret x",
                "repeat 300 make swap/new",
                "repeat 100 stamp-at 0 swap/secret",
                "repeat 100 rename swap/new swap/newer",
                "repeat 100 remove swap/secret",
            ])
            .await;
        let said = answers(&ran);
        assert!(!said[1].contains("secret"), "{said:?}");
        assert!(desk.is_tight());
        seen += &said.concat();
        // Both worlds were seen, many times.
        if round >= 10 && seen.contains("inside") && seen.contains("not-permitted") {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(seen.contains("inside") && seen.contains("not-permitted"), "{seen}");
    let stamped = fs::metadata(desk.path("outside/secret")).unwrap().modified().unwrap();
    assert_ne!(stamped, SystemTime::UNIX_EPOCH);
}

#[tokio::test(flavor = "current_thread")]
async fn devices_and_pipes_are_left_alone() {
    let desk = Desk::new();
    assert!(Command::new("mkfifo").arg(desk.path("desk/pipe")).status().unwrap().success());
    let changes = ["put pipe x", "append pipe x", "at 0 pipe x", "stamp-at 0 pipe"];
    let ran = desk.play(&changes).await;
    assert_eq!(answers(&ran), vec!["not-permitted"; changes.len()]);
    assert_eq!(touches(&ran), [Touch::Writing, Touch::Device]);
    assert!(remarks(&ran).is_empty(), "no grant would help");
}

#[tokio::test(flavor = "current_thread")]
async fn new_files_have_ordinary_permissions() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::new();
    desk.play(&["make new", "make-dir new-dir"]).await.value();
    fs::write(desk.path("desk/usual"), "").unwrap();
    fs::create_dir(desk.path("desk/usual-dir")).unwrap();
    let mode = |name| fs::metadata(desk.path("desk").join(name)).unwrap().permissions().mode();
    assert_eq!(mode("new"), mode("usual"));
    assert_eq!(mode("new-dir"), mode("usual-dir"));
}

#[tokio::test(flavor = "current_thread")]
async fn what_may_be_written_is_bounded_and_holes_count() {
    let desk = Desk::limited(Limits { written_bytes: 10, ..Limits::default() });
    let full = "insufficient-space";
    let check = async |script: &[&str], expected: &[&str]| {
        let ran = desk.play(script).await;
        assert_eq!(answers(&ran), expected, "{script:?}");
        let refused = expected.contains(&full);
        assert_eq!(touches(&ran).contains(&Touch::RefusedGrowth), refused, "{script:?}");
        let remark = "a file was not written: it may write 10 bytes to files (raise it with --max-written)";
        assert_eq!(remarks(&ran), if refused { vec![remark] } else { vec![] }, "{script:?}");
    };
    check(&["put new 0123456789"], &["10"]).await;
    check(&["put new 0123456789a"], &[full]).await;
    check(&["put new 01234567", "at 0 new ab", "at 0 new c"], &["8", "2", full]).await;
    check(&["make hole", "at 9 hole x"], &["done", "1"]).await;
    check(&["at 20 hole x", "at 1152921504606846976 hole x"], &[full, full]).await;
    check(&["resize 0 hole", "resize 10 hole", "resize 11 hole"], &["done", "done", full]).await;
    check(&["resize 1152921504606846976 hole"], &[full]).await;
    check(&["append a.txt 12345", "append a.txt 12345", "append a.txt 1"], &["5", "5", full]).await;
    check(&["stream 0 a.txt 12345"], &["5"]).await;
    check(&["stream 0 a.txt 123456"], &[full]).await;
    check(&["stream 18446744073709551615 a.txt 1"], &[full]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_may_be_made_is_bounded() {
    let desk = Desk::limited(Limits { written_bytes: 1, ..Limits::default() });
    let ran = desk
        .play(&[
            "make-dir d",
            "repeat 499 soft-link a.txt link",
            "soft-link a.txt link",
            "repeat 998 hard-link a.txt d/x",
        ])
        .await;
    let said = answers(&ran);
    assert_eq!(said[1], "done | exist", "what was not made does not count");
    assert_eq!(said[3], "done | exist");
    let script: Vec<_> = (0..1002).map(|number| format!("make d/{number}")).collect();
    let script: Vec<_> = script.iter().map(String::as_str).collect();
    let ran = desk.play(&script).await;
    let made = answers(&ran).into_iter().filter(|said| said == "done").count();
    assert_eq!(made, 1000);
    assert_eq!(
        remarks(&ran),
        ["a file, a directory or a link was not made: it may make 1000 (raise it with --max-written)"]
    );
    assert!(touches(&ran).contains(&Touch::RefusedGrowth));
}

#[tokio::test(flavor = "current_thread")]
async fn what_may_be_open_at_once_is_bounded() {
    let desk = Desk::limited(Limits { open_files: 3, ..Limits::default() });
    let ran = desk.play(&["hold 3 a.txt", "hold 4 a.txt", "hold 9 a.txt"]).await;
    assert_eq!(answers(&ran), ["3", "3", "3"]);
    assert_eq!(
        remarks(&ran),
        ["a file was not opened: it may have 3 files open at once (raise it with --max-open-files)"]
    );
    assert_eq!(touches(&ran), [Touch::Writing, Touch::RefusedGrowth]);
}

/// Reading takes the file, a stream, and the file read before, which the guest keeps open; listing takes the directory and its
/// entries. All are closed again.
#[tokio::test(flavor = "current_thread")]
async fn streams_and_listings_count_as_open_files() {
    let check = async |open_files: u64, script: &[&str], expected: &[&str]| {
        let desk = Desk::limited(Limits { open_files, ..Limits::default() });
        let ran = desk.play(script).await;
        assert_eq!(answers(&ran), expected, "{open_files} {script:?}");
        let refused = expected.iter().any(|said| said.contains("insufficient-memory"));
        assert_eq!(touches(&ran), if refused { vec![Touch::RefusedGrowth] } else { vec![] });
    };
    check(3, &["repeat 10 read a.txt"], &["alpha"]).await;
    check(2, &["read a.txt", "read a.txt"], &["alpha", "insufficient-memory"]).await;
    check(1, &["repeat 10 part 1 2 a.txt"], &["lp, false"]).await;
    check(2, &["repeat 10 list sub"], &[""]).await;
    check(1, &["list sub"], &["insufficient-memory"]).await;
    let two = "2 insufficient-memory, 2 insufficient-memory";
    check(3, &["lists 3 sub", "repeat 3 lists 3 sub"], &[two, two]).await;
    check(4, &["lists 3 sub"], &["3 done, 3 done"]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_receipt_counts_bytes_read_and_written() {
    let desk = Desk::new();
    let receipt = desk.play(&["type a.txt", "make new"]).await.receipt;
    assert_eq!((receipt.read_bytes, receipt.written_bytes), (0, 0));
    let script = ["read a.txt", "part 1 2 a.txt", "put new 123", "append new 45", "read new"];
    let receipt = desk.play(&script).await.receipt;
    assert_eq!((receipt.read_bytes, receipt.written_bytes), (12, 5));
}

#[tokio::test(flavor = "current_thread")]
async fn many_denials_are_not_all_remarked() {
    let desk = Desk::locked();
    let script: Vec<_> = (0..100).map(|number| format!("make {number}")).collect();
    let script: Vec<_> = script.iter().map(String::as_str).collect();
    let ran = desk.play(&script).await;
    assert_eq!(answers(&ran), vec!["not-permitted"; 100]);
    assert_eq!(remarks(&ran).len(), 20);
    let ran = desk.play(&["repeat 100 read ../outside/secret", "repeat 100 stat .."]).await;
    assert_eq!(
        remarks(&ran),
        ["`../outside/secret` leads outside `desk`: denied", "`..` leads outside `desk`: denied"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_append_to_one_file_lose_nothing() {
    let desk = Arc::new(Desk::new());
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { desk.play(&["repeat 200 append log 12345678"]).await.value() })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    assert_eq!(desk.text("desk/log"), "12345678".repeat(800));
}
