//! Whether a trace still holds: the world changes in one way, and exactly what depends on that is told.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostel_core::{Grants, Stamp, Timestamp, Trace};
use hostel_engine::{Verdict, verify};

use crate::world::{World, as_if_later};

const HOLDS: &str = "";

/// What a guest asked.
type Asked<'a> = (&'a str, &'a [&'a str]);

/// Asks, changes the world, and asks whether the trace holds; once as it was, and once as if the files had been old.
async fn check(asked: Asked<'_>, change: impl Fn(&World), expected: &str) {
    for is_old in [false, true] {
        let world = World::new();
        let recorded = world.trace(asked.0, asked.1).await;
        let trace = if is_old { as_if_later(&recorded) } else { recorded };
        assert!(world.still_holds(&trace), "{asked:?}, nothing has changed");
        change(&world);
        let found = match world.verify(&trace) {
            Verdict::Holds | Verdict::HoldsAnew(_) => HOLDS.to_owned(),
            Verdict::Changed(what) => what,
        };
        assert_eq!(found, expected, "{asked:?}, old files: {is_old}");
        assert_eq!(Trace::decode(&trace.encode()), Ok(trace), "{asked:?}");
    }
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
    let other = "`data/a.txt` has other content";
    let through_link = "`data/link` has other content";
    let changed = [(READ, other), (STREAM, other), (START, other), (READ_LINK, through_link)];
    after(|world| world.write_secretly("a.txt", "ALPHA"), &changed).await;
    // What a guest did not read may change.
    after(|world| world.write_secretly("a.txt", "alPHA"), &[changed[0], changed[1], changed[3]]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn more_bytes() {
    let changed = [
        (READ, "`data/a.txt` has other content"),
        (STREAM, "`data/a.txt` has other content"),
        (READ_LINK, "`data/link` has other content"),
        (BEYOND, "`data/a.txt` has other content"),
        (STAT, "`data/a.txt` has other content"),
        (STAT_AT, "`data/a.txt` has other content"),
        (STAT_THROUGH_LINK, "`data/link` has other content"),
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
            HASH => "`data/a.txt` is another file",
            HASH_AT => "`data/link` is another file",
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
        .map(|&(asked, what)| (asked, if asked == ENTRIES { "`data/z.txt` is there now" } else { what }));
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

#[tokio::test(flavor = "current_thread")]
async fn a_file_where_there_was_none() {
    let there = "`data/none` is there now";
    let changed = [(OPEN_NONE, there), (STAT_NONE, there), (ENTRIES, there)];
    after(|world| world.write("none", ""), &changed).await;
    let below = [(ENTRIES_BELOW, "`data/sub/new` is there now")];
    after(|world| world.write("sub/new", ""), &below).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_link_that_leads_elsewhere() {
    let changed = [
        (LINK, "`data/link` leads elsewhere"),
        (READ_LINK, "`data/link` has other content"),
        (STAT_THROUGH_LINK, "`data/link` has other content"),
        (HASH_AT, "`data/link` is another file"),
        (SAME, "`data/a.txt` is another file"),
    ];
    for asked in ALL {
        // A link that is made anew has another time.
        if asked == STAT_OF_LINK {
            continue;
        }
        let expected = changed.iter().find(|(one, _)| *one == asked).map_or(HOLDS, |(_, what)| what);
        check(asked, |world| world.relink("link", "b.txt"), expected).await;
    }
    let longer = (STAT_OF_LINK, "`data/link` has other content");
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
        [(BELOW, "`data/sub/c.txt` has other content"), (ENTRIES_BELOW, "`data/sub/more` is there now")];
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
    let expected = if is_forbidden { "`data/a.txt` cannot be read any more" } else { HOLDS };
    for asked in [READ, STREAM, OPEN] {
        check(asked, forbid, expected).await;
    }
    check(STAT_AT, forbid, HOLDS).await;
}

#[tokio::test(flavor = "current_thread")]
async fn files_that_look_as_they_did_are_not_read_again() {
    let world = World::new();
    let recorded = world.trace(READ.0, READ.1).await;
    world.write("a.txt", "ALPHA");
    assert_eq!(
        world.verify(&as_if_later(&recorded)),
        Verdict::Changed("`data/a.txt` has other content".to_owned())
    );
    // With the looks of the file as it is now the old content goes unchecked: so it was not read.
    let now = as_if_later(&world.trace(READ.0, READ.1).await);
    let node = now.facts()[1].node;
    // Where the file system is not one that keeps times, there is nothing to believe.
    let Some(stamp) = now.stamp(node).copied() else { return };
    let believed = recorded.clone().with_stamps([(node, stamp)]);
    assert_eq!(world.verify(&believed), Verdict::Holds);
    // But not if the look was taken while a page that was written then may not have been written back.
    let written = u64::try_from(stamp.changed.seconds).unwrap();
    let hasty = Stamp { taken: Timestamp::from_unix_nanos((written + 59) * 1_000_000_000), ..stamp };
    assert!(!world.still_holds(&recorded.with_stamps([(node, hasty)])));
}

#[tokio::test(flavor = "current_thread")]
async fn a_trace_is_given_back_with_fresh_stamps_once_files_have_come_to_rest() {
    // Its own sources are older than any test of it.
    let world = World::new();
    let dir = format!("{}::data", env!("CARGO_MANIFEST_DIR")).parse().unwrap();
    let grants = Grants { dirs: vec![dir], ..Grants::default() };
    let options = world.options().grants(grants.clone().into());
    let ran = world.ask_with("read", &["Cargo.toml"], options).await;
    let trace = ran.observation.trace();
    assert_eq!(verify(trace, &grants), Verdict::Holds);
    let node = trace.facts()[1].node;
    // Where the file system is not one that keeps times, there are no stamps.
    if trace.stamp(node).is_none() {
        return;
    }
    let unstamped = trace.clone().with_stamps([]);
    let Verdict::HoldsAnew(anew) = verify(&unstamped, &grants) else { panic!("it can be stamped") };
    assert_eq!(anew.identity(), trace.identity());
    assert!(anew.stamp(node).unwrap().is_settled());
    assert_eq!(verify(&anew, &grants), Verdict::Holds);
}

#[tokio::test(flavor = "current_thread")]
async fn a_trace_can_do_no_more_than_ask_in_what_is_granted() {
    let world = World::new();
    let trace = world.trace(READ.0, READ.1).await;
    assert_eq!(verify(&trace, &Grants::default()), Verdict::Changed("`data` is not granted".to_owned()));
    let elsewhere = World::new();
    assert!(elsewhere.still_holds(&trace), "another directory with the same in it");
    let mut grants = world.grants();
    grants.dirs = vec!["/hopefully/not/there::data".parse().unwrap()];
    assert!(matches!(verify(&trace, &grants), Verdict::Changed(what) if what.contains("not there")));
    assert_eq!(verify(&Trace::default(), &Grants::default()), Verdict::Holds);

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

#[tokio::test(flavor = "current_thread")]
async fn one_of_many_files() {
    let world = World::new();
    let names: Vec<_> = (0..200).map(|number| format!("sub/{number}")).collect();
    names.iter().for_each(|name| world.write(name, name));
    let paths = format!("[{}]", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "));
    let trace = as_if_later(&world.trace("read-all", &[&paths]).await);
    // More files than are kept open at once.
    assert_eq!(world.verify(&trace), Verdict::Holds);
    world.write_secretly("sub/7", "7/bus");
    assert_eq!(world.verify(&trace), Verdict::Changed("`data/sub/7` has other content".to_owned()));
}
