//! Made-up tasks in a world that changes: what the cache gives is what the task would have come to, every time.

mod images;
mod scripts;
mod switched;
mod world;

use std::env;

use futures_executor::block_on;
use hostel::{
    CacheMiss, CachePolicy, DirAccess, DirGrant, Grants, Host, Kept, LookUp, State, SubmitError, Task,
    TaskFuture, args,
};
use hostel_guests::PUPPET;

use self::scripts::Script;
use self::world::{SECRET, World};
use crate::{build, task};

/// How many tasks are made up if `HOSTEL_HONESTY_SCRIPTS` names no other number, and how often the world of each changes.
const SCRIPTS: u64 = 80;
const CHANGES: usize = 12;

/// Seeds of made-up tasks: half of them the same each time, the others from `HOSTEL_HONESTY_SEED`, or else drawn anew.
fn seeds() -> Vec<u64> {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let half = number("HOSTEL_HONESTY_SCRIPTS").unwrap_or(SCRIPTS).div_ceil(2);
    let drawn = number("HOSTEL_HONESTY_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("to repeat this: HOSTEL_HONESTY_SEED={drawn} HOSTEL_HONESTY_SCRIPTS={}", half * 2);
    (0..half).chain(drawn..drawn + half).collect()
}

/// A puppet that sees the world, and is cached as long as nothing else is said.
fn puppet(host: &Host, world: &World) -> Task {
    let dir = DirGrant::new(world.path(), "/world").unwrap();
    let grants = Grants { dirs: vec![dir], lookup: vec!["localhost".parse().unwrap()], ..Grants::default() };
    task(host, PUPPET, "play").cache(CachePolicy::AUTO).grants(grants)
}

fn play(puppet: &Task, script: &str) -> (TaskFuture, Vec<String>) {
    let run = puppet.submit(args![script]).unwrap();
    let answers = block_on(run.result::<Vec<String>>()).unwrap();
    (run, answers)
}

/// One host remembers in memory, one on disk alone, so that every layer is asked.
fn hosts(dir: &std::path::Path) -> [Host; 2] {
    [build(Host::builder().max_workers(1)), build(Host::builder().data_dir(dir).memory_cache_bytes(0))]
}

#[test]
fn no_hit_is_wrong_and_what_is_pure_hits_in_a_world_that_changes() {
    let data = tempfile::tempdir().unwrap();
    let seeds = seeds();
    // Remembers nothing, so that each run executes; with a key, since what is seeded follows from that.
    let forgetful = build(Host::builder().max_workers(1).memory_cache_bytes(0));
    for host in hosts(data.path()) {
        let (mut hits, mut misses) = (0, 0);
        for &seed in &seeds {
            let mut world = World::new(seed);
            let script = Script::made_up(seed);
            let deterministic = seed % 2 == 0;
            let puppet = |host| match puppet(host, &world) {
                puppet if deterministic => puppet.deterministic(),
                puppet => puppet,
            };
            let (puppet, fresh) = (puppet(&host), puppet(&forgetful));
            for _ in 0..CHANGES {
                let (run, answers) = play(&puppet, &script.text);
                let context = || format!("seed {seed}, after {:?}:\n{}", world.changes, script.text);
                match run.state() {
                    State::Cached => hits += 1,
                    _ => misses += 1,
                }
                assert!(!answers.iter().any(|answer| answer.contains(SECRET)), "{}", context());
                if script.is_pure(deterministic) {
                    let (truth, expected) = play(&fresh, &script.text);
                    assert_eq!((truth.state(), &answers), (State::Completed, &expected), "{}", context());
                    let (again, same) = play(&puppet, &script.text);
                    assert_eq!(
                        (again.state(), &same),
                        (State::Cached, &answers),
                        "{}: {}",
                        again.cache_report(),
                        context()
                    );
                } else {
                    assert_eq!(run.state(), State::Completed, "{}", context());
                    assert!(matches!(run.cache_report().kept, Kept::Touched(_)), "{}", context());
                }
                world.change();
            }
        }
        assert!(hits > 100 && misses > 100, "{hits} hits and {misses} misses show nothing");
    }
}

#[test]
fn a_change_misses_what_depends_on_it_and_nothing_else_and_taken_back_it_hits() {
    let host = build(Host::builder().max_workers(1));
    let world = World::new(1);
    let puppet = puppet(&host, &world);
    let write = |name: &str, text: &str| std::fs::write(world.path().join(name), text).unwrap();
    write("one", "1");
    write("other", "2");
    let of_exclusive = "exclusive other";
    assert_eq!([of_exclusive, of_exclusive].map(|script| play(&puppet, script).1), [["2"], ["2"]]);
    let [of_one, of_other, of_both] = ["read one", "read other", "read one\nif 1 : read other"];
    let state = |script: &str| play(&puppet, script).0.state();
    let all = || [of_one, of_other, of_both].map(state);
    assert_eq!(all(), [State::Completed; 3]);
    assert_eq!(all(), [State::Cached; 3]);
    write("other", "3");
    let (run, _) = play(&puppet, of_other);
    let LookUp::Miss(CacheMiss::Changed { what }) = run.cache_report().look_up else {
        panic!("{}", run.cache_report())
    };
    assert!(what.contains("other"), "{what}");
    assert_eq!([of_one, of_both].map(state), [State::Cached, State::Completed]);
    assert_eq!([of_exclusive, of_exclusive].map(state), [State::Completed, State::Cached]);
    // Whoever reads one and finds no 1 there does not look at the other.
    write("one", "0");
    assert_eq!(all(), [State::Completed, State::Cached, State::Completed]);
    write("other", "4");
    assert_eq!(state(of_both), State::Cached);
    write("one", "1");
    write("other", "2");
    assert_eq!(all(), [State::Cached; 3], "all of this has been seen before");
}

#[test]
fn a_result_hits_in_another_directory_with_the_same_files() {
    let host = build(Host::builder().max_workers(1));
    let worlds = [World::new(1), World::new(1)];
    worlds.iter().for_each(|world| std::fs::write(world.path().join("one"), "1").unwrap());
    let [here, there] = worlds.each_ref().map(|world| play(&puppet(&host, world), "read one").0);
    assert_eq!((here.state(), there.state()), (State::Completed, State::Cached));
    std::fs::write(worlds[1].path().join("one"), "2").unwrap();
    let [here, there] = worlds.each_ref().map(|world| play(&puppet(&host, world), "read one"));
    assert_eq!((here.0.state(), here.1), (State::Cached, vec!["1".to_owned()]));
    assert_eq!((there.0.state(), there.1), (State::Completed, vec!["2".to_owned()]));
}

#[test]
fn under_another_policy_than_auto_files_do_not_count_and_their_place_does() {
    let host = build(Host::builder().max_workers(1));
    let [world, elsewhere] = [World::new(1), World::new(1)];
    let inputs = |world: &World| puppet(&host, world).cache(CachePolicy::INPUTS);
    std::fs::write(world.path().join("one"), "1").unwrap();
    assert_eq!(play(&inputs(&world), "read one").1, ["1"]);
    std::fs::write(world.path().join("one"), "2").unwrap();
    let (run, answers) = play(&inputs(&world), "read one");
    assert_eq!((run.state(), answers), (State::Cached, vec!["1".to_owned()]), "as was asked for");
    assert_eq!(play(&inputs(&elsewhere), "read one").0.state(), State::Completed);
}

#[test]
fn insecure_randomness_is_the_same_for_one_key_and_another_for_another() {
    let [one, two] = [(); 2].map(|()| build(Host::builder().max_workers(1)));
    let play =
        |host: &Host, script: &str| play(&task(host, PUPPET, "play").cache(CachePolicy::AUTO), script).1;
    let script = "order a b c d e f g h\nseed";
    assert_eq!(play(&one, script), play(&two, script));
    assert_ne!(play(&one, "seed"), play(&one, "seed\nprint x")[..1]);
}

#[test]
fn a_clock_that_stands_and_seeded_randomness_are_part_of_the_key() {
    let host = build(Host::builder().max_workers(1));
    let puppet = task(&host, PUPPET, "play").cache(CachePolicy::AUTO);
    let at = |clock: &str, seed: &str| {
        let puppet = puppet.clone().clock(clock.parse().unwrap()).randomness(seed.parse().unwrap());
        let (run, answers) = play(&puppet, "now\nticks\nrandom\nseed");
        (run.state(), answers)
    };
    let (state, first) = at("fixed:2026-01-01T00:00:00Z", "seed:42");
    assert_eq!((state, first[0].as_str()), (State::Completed, "1767225600000000000"));
    assert_eq!(at("fixed:2026-01-01T00:00:00Z", "seed:42"), (State::Cached, first.clone()));
    let (state, later) = at("fixed:2026-01-01T00:00:01Z", "seed:42");
    assert_eq!((state, &later[2]), (State::Completed, &first[2]));
    assert_ne!(later[0], first[0]);
    let (state, other) = at("fixed:2026-01-01T00:00:00Z", "seed:43");
    assert_eq!((state, &other[0]), (State::Completed, &first[0]));
    assert_ne!(other[2], first[2]);
}

#[test]
fn deterministic_runs_come_to_the_same_on_every_host_and_are_kept() {
    let [one, two] = [(); 2].map(|()| build(Host::builder().max_workers(1)));
    let script = "now\nticks\nrandom\nsleep 3\nnow\nticks\nrandom\norder a b c d e f";
    let play = |host: &Host, script: &str, policy: CachePolicy| {
        let (run, answers) = play(&task(host, PUPPET, "play").cache(policy).deterministic(), script);
        (run.state(), answers)
    };
    let (state, answers) = play(&one, script, CachePolicy::AUTO);
    assert_eq!(state, State::Completed);
    assert_eq!(answers[..2], ["1767225600000000000", "86400000001000"]);
    assert_eq!(answers[4..6], ["1767225600003002000", "86400003003000"], "readings and the sleep");
    assert_eq!(play(&one, script, CachePolicy::AUTO), (State::Cached, answers.clone()));
    assert_eq!(play(&two, script, CachePolicy::AUTO), (State::Completed, answers.clone()));
    assert_eq!(
        play(&two, script, CachePolicy::NONE),
        (State::Completed, answers.clone()),
        "with nothing kept as with auto"
    );
    let other = play(&one, &format!("{script}\ntask"), CachePolicy::AUTO).1;
    assert_eq!(other[..2], answers[..2]);
    assert_ne!(other[2], answers[2], "other inputs, other numbers");
}

#[test]
fn a_granted_directory_that_is_not_there_is_an_error_before_anything_runs() {
    let host = build(Host::builder().max_workers(1));
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    let puppet = task(&host, PUPPET, "play").dir(DirGrant::new(&gone, "/world").unwrap());
    let error = puppet.submit(args!["list ."]).unwrap_err();
    assert_eq!(error.to_string(), format!("the directory {} is granted, but does not exist", gone.display()));
    assert_eq!(error.kind(), hostel::ErrorKind::NotFound);
}

#[test]
fn no_guest_may_write_where_the_host_keeps_what_it_trusts() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    std::fs::create_dir_all(path("work/below")).unwrap();
    std::fs::create_dir(path("data-2")).unwrap();
    std::os::unix::fs::symlink(path("work"), path("link")).unwrap();
    let check = |data: &str, dir: &str, access: DirAccess, is_refused: bool| {
        let host = build(Host::builder().max_workers(1).data_dir(path(data)));
        let grant = DirGrant::new(path(dir), "/d").unwrap().with_access(access);
        let submitted = task(&host, PUPPET, "play").dir(grant).submit(args!["list ."]);
        let Err(error) = submitted else {
            return assert!(!is_refused, "{data} {dir}");
        };
        assert!(matches!(error, SubmitError::WritableDataDir { .. }) && is_refused, "{data} {dir}: {error}");
        assert_eq!(error.kind(), hostel::ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.starts_with(&format!("{} is granted for writing", path(dir).display())), "{text}");
        assert!(text.contains(&format!("the data directory {},", path(data).display())), "{text}");
    };
    check("work/data", "work", DirAccess::Rw, true);
    check("work", "work", DirAccess::Rw, true);
    check("work", "work/below", DirAccess::Rw, true);
    check("link/data", "work", DirAccess::Rw, true);
    check("work/data", "link", DirAccess::Rw, true);
    check("work/data", "work", DirAccess::Ro, false);
    check("work/data", "work/below", DirAccess::Rw, false);
    check("data", "data-2", DirAccess::Rw, false);
}
