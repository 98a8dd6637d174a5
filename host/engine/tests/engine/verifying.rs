//! Whether a trace still holds: the world changes in one way, and exactly what depends on that is told.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hostel_core::{
    Answer, Fact, FileKind, Grants, MAX_TRACE_DEPTH, Node, Question, Recorded, Trace, TraceRecorder,
};
use hostel_engine::{Verdict, verify};

use crate::world::World;

const HOLDS: &str = "";

/// What a guest asked.
type Asked<'a> = (&'a str, &'a [&'a str]);

/// Asks, changes the world, and asks whether the trace holds.
async fn check(asked: Asked<'_>, change: impl Fn(&World), expected: &str) {
    let world = World::new();
    let trace = world.trace(asked.0, asked.1).await;
    assert!(world.still_holds(&trace), "{asked:?}, nothing has changed");
    change(&world);
    let found = match world.verify(&trace) {
        Verdict::Holds => HOLDS.to_owned(),
        Verdict::Changed(what) => what,
        Verdict::Stopped => panic!("nobody stopped it"),
    };
    assert_eq!(found, expected, "{asked:?}");
    assert_eq!(Trace::decode(&trace.encode()), Ok(trace), "{asked:?}");
}

const READ: Asked<'static> = ("read", &["a.txt"]);
const READ_LINK: Asked<'static> = ("read", &["link"]);
const STREAM: Asked<'static> = ("read-stream", &["a.txt", "0", "2", "true"]);
const START: Asked<'static> = ("read-part", &["a.txt", "0", "2"]);
const BEYOND: Asked<'static> = ("read-part", &["a.txt", "6", "9"]);
const OPEN: Asked<'static> = ("open", &["a.txt", "true", "false"]);
const OPEN_NONE: Asked<'static> = ("open", &["none", "true", "false"]);
const STAT: Asked<'static> = ("stat", &["a.txt"]);
const STAT_AT: Asked<'static> = ("stat-at", &["a.txt", "true"]);
const STAT_NONE: Asked<'static> = ("stat-at", &["none", "true"]);
const STAT_OF_LINK: Asked<'static> = ("stat-at", &["link", "false"]);
const STAT_THROUGH_LINK: Asked<'static> = ("stat-at", &["link", "true"]);
const ENTRIES: Asked<'static> = ("entries", &["."]);
const ENTRIES_BELOW: Asked<'static> = ("entries", &["sub"]);
const LINK: Asked<'static> = ("read-link", &["link"]);
const HASH: Asked<'static> = ("hash", &["a.txt"]);
const HASH_AT: Asked<'static> = ("hash-at", &["link", "true"]);
const SAME: Asked<'static> = ("is-same", &["a.txt", "link"]);
const BELOW: Asked<'static> = ("read-below", &["[\"sub\"]", "c.txt"]);

const ALL: [Asked<'static>; 19] = [
    READ,
    READ_LINK,
    STREAM,
    START,
    BEYOND,
    OPEN,
    OPEN_NONE,
    STAT,
    STAT_AT,
    STAT_NONE,
    STAT_OF_LINK,
    STAT_THROUGH_LINK,
    ENTRIES,
    ENTRIES_BELOW,
    LINK,
    HASH,
    HASH_AT,
    SAME,
    BELOW,
];

/// Makes one change; `changed` lists what does not hold then, and all else does.
async fn after(change: impl Fn(&World) + Copy, changed: &[(Asked<'static>, &str)]) {
    for asked in ALL {
        let expected = changed.iter().find(|(one, _)| *one == asked).map_or(HOLDS, |(_, what)| what);
        check(asked, change, expected).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_bytes_of_the_same_size_with_the_old_time() {
    let other = "`data/a.txt` has different content";
    let through_link = "`data/link` has different content";
    let changed = [(READ, other), (STREAM, other), (START, other), (READ_LINK, through_link)];
    after(|world| world.write_secretly("a.txt", "ALPHA"), &changed).await;
    // What a guest did not read may change.
    after(|world| world.write_secretly("a.txt", "alPHA"), &[changed[0], changed[1], changed[3]]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn more_bytes() {
    let changed = [
        (READ, "`data/a.txt` has different content"),
        (STREAM, "`data/a.txt` has different content"),
        (READ_LINK, "`data/link` has different content"),
        (BEYOND, "`data/a.txt` has different content"),
        (STAT, "`data/a.txt` has different content"),
        (STAT_AT, "`data/a.txt` has different content"),
        (STAT_THROUGH_LINK, "`data/link` has different content"),
    ];
    after(|world| world.write_secretly("a.txt", "alpha and more"), &changed).await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_bytes_written_again() {
    let changed = [
        (STAT, "`data/a.txt` was written to"),
        (STAT_AT, "`data/a.txt` was written to"),
        (STAT_THROUGH_LINK, "`data/link` was written to"),
    ];
    after(|world| world.touch("a.txt"), &changed).await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_bytes_in_another_file() {
    for asked in ALL {
        let expected = match asked {
            HASH => "`data/a.txt` is a different file",
            HASH_AT => "`data/link` is a different file",
            STAT | STAT_AT => "`data/a.txt` was written to",
            STAT_THROUGH_LINK => "`data/link` was written to",
            _ => HOLDS,
        };
        check(asked, |world| world.replace("a.txt"), expected).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_gone() {
    let gone = "`data/a.txt` is gone";
    let changed =
        [READ, STREAM, START, BEYOND, OPEN, STAT, STAT_AT, HASH, SAME, ENTRIES].map(|asked| (asked, gone));
    let through_link = [READ_LINK, STAT_THROUGH_LINK, HASH_AT].map(|asked| (asked, "`data/link` is gone"));
    let changed = [&changed[..], &through_link].concat();
    after(|world| world.remove("a.txt"), &changed).await;
    let renamed = changed
        .iter()
        .map(|&(asked, what)| (asked, if asked == ENTRIES { "`data/z.txt` exists now" } else { what }));
    after(|world| world.rename("a.txt", "z.txt"), &renamed.collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_directory_in_place_of_a_file() {
    let else_now = "`data/a.txt` is something else now";
    let of_file = [READ, STREAM, START, BEYOND, OPEN, STAT, STAT_AT, HASH, SAME, ENTRIES]
        .map(|asked| (asked, else_now));
    let of_link = [
        (READ_LINK, "`data/link` is something else now"),
        (STAT_THROUGH_LINK, "`data/link` is something else now"),
    ];
    for asked in ALL {
        // The number of a file that is gone may be given to the next.
        if asked == HASH_AT {
            continue;
        }
        let changed = of_file.iter().chain(&of_link).find(|(one, _)| *one == asked);
        check(asked, |world| world.replace_by_dir("a.txt"), changed.map_or(HOLDS, |(_, what)| what)).await;
    }
}

/// Opening the pipe would block until there is a writer.
#[tokio::test(flavor = "current_thread")]
async fn a_pipe_in_place_of_a_file() {
    let make_pipe = |world: &World, name: &str| {
        assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
    };
    let replace = |world: &World| {
        world.remove("a.txt");
        make_pipe(world, "a.txt");
    };
    for asked in [READ, STREAM, OPEN, STAT] {
        check(asked, replace, "`data/a.txt` cannot be examined").await;
    }
    check(READ_LINK, replace, "`data/link` cannot be examined").await;
    check(STAT_AT, replace, "`data/a.txt` is something else now").await;
    check(OPEN_NONE, |world| make_pipe(world, "none"), "`data/none` cannot be examined").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_where_there_was_none() {
    let there = "`data/none` exists now";
    let changed = [(OPEN_NONE, there), (STAT_NONE, there), (ENTRIES, there)];
    after(|world| world.write("none", ""), &changed).await;
    let below = [(ENTRIES_BELOW, "`data/sub/new` exists now")];
    after(|world| world.write("sub/new", ""), &below).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_link_that_leads_elsewhere() {
    let changed = [
        (LINK, "`data/link` points elsewhere"),
        (READ_LINK, "`data/link` has different content"),
        (STAT_THROUGH_LINK, "`data/link` has different content"),
        (HASH_AT, "`data/link` is a different file"),
        (SAME, "`data/a.txt` is a different file"),
    ];
    for asked in ALL {
        // A link that is made anew has another time.
        if asked == STAT_OF_LINK {
            continue;
        }
        let expected = changed.iter().find(|(one, _)| *one == asked).map_or(HOLDS, |(_, what)| what);
        check(asked, |world| world.relink("link", "b.txt"), expected).await;
    }
    let longer = (STAT_OF_LINK, "`data/link` has different content");
    check(longer.0, |world| world.relink("link", "other.txt"), longer.1).await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_nobody_asked_about() {
    after(|world| world.write("other.txt", "something else"), &[]).await;
    let below = |world: &World| {
        world.write("sub/c.txt", "GAMMA");
        fs::create_dir(world.path("sub/more")).unwrap();
        world.write("sub/more/d.txt", "delta");
    };
    let changed =
        [(BELOW, "`data/sub/c.txt` has different content"), (ENTRIES_BELOW, "`data/sub/more` exists now")];
    after(below, &changed).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_the_host_may_not_read_any_more() {
    let forbid = |world: &World| {
        fs::set_permissions(world.path("a.txt"), Permissions::from_mode(0o0)).unwrap();
    };
    let world = World::new();
    forbid(&world);
    // Root may read everything.
    let is_forbidden = fs::read(world.path("a.txt")).is_err();
    let expected = if is_forbidden { "`data/a.txt` can no longer be read" } else { HOLDS };
    for asked in [READ, STREAM, OPEN] {
        check(asked, forbid, expected).await;
    }
    check(STAT_AT, forbid, HOLDS).await;
}

/// The guest has the file open all the time. The host has closed it when it comes back to it, and its name leads elsewhere.
#[tokio::test(flavor = "current_thread")]
async fn all_facts_of_a_file_are_asked_of_one_file() {
    let world = World::new();
    let names: Vec<_> = (0..200).map(|number| format!("sub/{number}")).collect();
    names.iter().for_each(|name| world.write(name, name));
    let others = format!("[{}]", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "));
    let trace = world.trace("read-around", &["a.txt", &others]).await;
    assert_eq!(world.verify(&trace), Verdict::Holds);
    let between = |before: &str, after: &str| {
        world.write("a.txt", before);
        let asked = Cell::new(0);
        let switch = || {
            asked.set(asked.get() + 1);
            if asked.get() == 150 {
                world.write("new", after);
                world.rename("new", "a.txt");
            }
            false
        };
        verify(&trace, &world.grants(), &switch)
    };
    let changed = Verdict::Changed("`data/a.txt` changed while it was checked".to_owned());
    // Neither file is `alpha`: the first has the bytes that are checked first, the second has the others.
    assert_eq!(between("al...", "..p.a"), changed);
    assert_eq!(between("alpha", "..p.a"), changed);
    assert_eq!(between("alpha", "alpha"), changed);
}

/// As above, but the link points to the first file again, unchanged, before the second pass begins.
#[tokio::test(flavor = "current_thread")]
async fn a_link_that_briefly_pointed_elsewhere_is_noticed() {
    let world = World::new();
    let names: Vec<_> = (0..200).map(|number| format!("sub/{number}")).collect();
    names.iter().for_each(|name| world.write(name, name));
    let others = format!("[{}]", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "));
    let trace = world.trace("read-around", &["link", &others]).await;
    world.write("a.txt", "al...");
    world.write("b.txt", "..p.a");
    // One call for each fact, and one after the single piece of each content.
    let is_content = |fact: &&Fact| matches!(fact.question, Question::Content { len: 1.., .. });
    let first_pass = trace.facts().len() + trace.facts().iter().filter(is_content).count();
    let asked = Cell::new(0);
    let verdict = verify(&trace, &world.grants(), &|| {
        asked.set(asked.get() + 1);
        match asked.get() {
            150 => world.relink("link", "b.txt"),
            again if again == first_pass + 1 => world.relink("link", "a.txt"),
            _ => {}
        }
        false
    });
    assert_eq!(verdict, Verdict::Changed("`data/link` changed while it was checked".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn entries_of_an_open_directory_may_change_during_verification() {
    let world = World::new();
    let trace = world.trace(BELOW.0, BELOW.1).await;
    let asked = Cell::new(0);
    let verdict = verify(&trace, &world.grants(), &|| {
        asked.set(asked.get() + 1);
        fs::create_dir(world.path(&format!("sub/{}", asked.get()))).unwrap();
        false
    });
    assert_eq!(verdict, Verdict::Holds);
}

/// A guest may have read the first file again after the second. So both must be as they were at one moment.
#[tokio::test(flavor = "current_thread")]
async fn all_answers_hold_at_one_moment() {
    let world = World::new();
    let trace = world.trace("read-all", &["[\"a.txt\", \"b.txt\"]"]).await;
    // Asks to open the first, for its content, and between its pieces; then comes the second.
    let with_change_before = |most: u32, change: &dyn Fn()| {
        let asked = Cell::new(0);
        verify(&trace, &world.grants(), &|| {
            asked.set(asked.get() + 1);
            if asked.get() == most {
                change();
            }
            false
        })
    };
    assert_eq!(with_change_before(u32::MAX, &|| {}), Verdict::Holds);
    world.write("b.txt", "BETA");
    let turn = || {
        world.write("a.txt", "ALPHA");
        world.write("b.txt", "beta");
    };
    let changed = Verdict::Changed("`data/a.txt` changed while it was checked".to_owned());
    assert_eq!(with_change_before(4, &turn), changed);
    // What is not there is asked for again as well.
    world.write("a.txt", "alpha");
    let world_of_none = World::new();
    let trace_of_none = world_of_none.trace("open", &["none", "true", "false"]).await;
    let appears = Cell::new(0);
    let verdict = verify(&trace_of_none, &world_of_none.grants(), &|| {
        appears.set(appears.get() + 1);
        if appears.get() == 2 {
            world_of_none.write("none", "");
        }
        false
    });
    assert_eq!(verdict, Verdict::Changed("`data/none` exists now".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn verifying_stops_when_nobody_waits_for_it() {
    let world = World::new();
    world.write("long", &"x".repeat(1 << 20));
    let trace = world.trace("read", &["long"]).await;
    let asked = Cell::new(0);
    let stop_after = |most| {
        asked.set(0);
        verify(&trace, &world.grants(), &|| {
            asked.set(asked.get() + 1);
            asked.get() > most
        })
    };
    assert_eq!(stop_after(0), Verdict::Stopped);
    assert_eq!(stop_after(5), Verdict::Stopped);
    assert_eq!(stop_after(1000), Verdict::Holds);
    assert!(asked.get() >= 16, "asked between pieces, {} times", asked.get());
    // It is also called before each question, in both passes, when no content is read.
    let trace = world.trace(STAT.0, STAT.1).await;
    let stops = |most| {
        let left = Cell::new(most);
        verify(&trace, &world.grants(), &|| left.replace(left.get() - 1) == 0)
    };
    (0..4).for_each(|most| assert_eq!(stops(most), Verdict::Stopped));
    assert_eq!(stops(4), Verdict::Holds);
}

#[tokio::test(flavor = "current_thread")]
async fn a_trace_can_do_no_more_than_ask_in_what_is_granted() {
    let world = World::new();
    let trace = world.trace(READ.0, READ.1).await;
    assert_eq!(
        verify(&trace, &Grants::default(), &|| false),
        Verdict::Changed("`data` is not granted".to_owned())
    );
    let elsewhere = World::new();
    assert!(elsewhere.still_holds(&trace), "another directory with the same in it");
    let mut grants = world.grants();
    grants.dirs = vec!["/hopefully/not/there::data".parse().unwrap()];
    assert!(
        matches!(verify(&trace, &grants, &|| false), Verdict::Changed(what) if what.contains("does not exist"))
    );
    assert_eq!(verify(&Trace::default(), &Grants::default(), &|| false), Verdict::Holds);

    // Bytes that were tampered with: whatever they ask, the answer is a verdict.
    let bytes = world.trace(BELOW.0, BELOW.1).await.encode();
    for index in 0..bytes.len() {
        for flip in [1, 4, 0x80] {
            let mut forged = bytes.clone();
            forged[index] ^= flip;
            if let Ok(forged) = Trace::decode(&forged) {
                world.verify(&forged);
            }
        }
    }
    assert!(Path::new("/etc").exists());
}

#[test]
fn an_empty_trace_holds_without_grants() {
    let trace = TraceRecorder::new(["data"]).into_trace();
    assert_eq!(verify(&trace, &Grants::default(), &|| true), Verdict::Holds);
}

#[test]
fn an_answer_that_does_not_match_its_question_does_not_hold() {
    let world = World::new();
    let mut recorder = TraceRecorder::new(["data"]);
    let data = recorder.root(0).unwrap();
    recorder.record(data, Question::Content { start: 0, len: 0 }, Answer::Same(true));
    let expected = Verdict::Changed("`data` cannot be examined".to_owned());
    assert_eq!(world.verify(&recorder.into_trace()), expected);
}

/// Records a successful opening.
fn opened(recorder: &mut TraceRecorder, from: Node, path: &str, kind: FileKind) -> Node {
    let open = Question::Open { path: path.into(), follow: true, directory: kind == FileKind::Directory };
    match recorder.record(from, open, Answer::Opened(kind)) {
        Recorded::Kept(Some(node)) => node,
        other => panic!("{path}: {other:?}"),
    }
}

/// Both were closed before they are compared, because many files were opened in between.
#[test]
fn two_deeply_nested_files_are_compared() {
    let world = World::new();
    let mut recorder = TraceRecorder::new(["data"]);
    let data = recorder.root(0).unwrap();
    let mut nested = |first| {
        let first = opened(&mut recorder, data, first, FileKind::Directory);
        let dir =
            (2..MAX_TRACE_DEPTH).fold(first, |dir, _| opened(&mut recorder, dir, ".", FileKind::Directory));
        opened(&mut recorder, dir, "a.txt", FileKind::File)
    };
    let (one, other) = (nested("."), nested("sub/.."));
    for number in 0..200 {
        world.write(&format!("sub/{number}"), "");
        opened(&mut recorder, data, &format!("sub/{number}"), FileKind::File);
    }
    recorder.record(one, Question::SameAs { other }, Answer::Same(true));
    recorder.record(other, Question::SameAs { other: one }, Answer::Same(true));
    assert_eq!(world.verify(&recorder.into_trace()), Verdict::Holds);
}

/// Counts the open files in `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn few_files_are_open_at_once_and_none_afterwards() {
    let world = World::new();
    let names: Vec<_> = (0..300).map(|number| format!("sub/{number}")).collect();
    let mut recorder = TraceRecorder::new(["data"]);
    let data = recorder.root(0).unwrap();
    for name in &names {
        let open = Question::Open { path: name.as_str().into(), follow: true, directory: false };
        recorder.record(data, open, Answer::Opened(FileKind::File));
        world.write(name, name);
    }
    let open_files = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let paths = descriptors.filter_map(|one| fs::read_link(one.unwrap().path()).ok());
        paths.filter(|path| path.starts_with(world.path("sub"))).count()
    };
    let most = Cell::new(0);
    let verdict = verify(&recorder.into_trace(), &world.grants(), &|| {
        most.set(most.get().max(open_files()));
        false
    });
    // The paths to two nodes.
    let expected = 2 * MAX_TRACE_DEPTH as usize + 2;
    assert_eq!((verdict, most.get(), open_files()), (Verdict::Holds, expected, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn one_of_many_files() {
    let world = World::new();
    let names: Vec<_> = (0..200).map(|number| format!("sub/{number}")).collect();
    names.iter().for_each(|name| world.write(name, name));
    let paths = format!("[{}]", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "));
    let trace = world.trace("read-all", &[&paths]).await;
    // More files than are kept open at once.
    assert_eq!(world.verify(&trace), Verdict::Holds);
    world.write_secretly("sub/7", "7/bus");
    assert_eq!(world.verify(&trace), Verdict::Changed("`data/sub/7` has different content".to_owned()));
}
