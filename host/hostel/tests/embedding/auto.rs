//! The policy that holds where none is named: what is a function of its inputs is cached, and nothing else.

use futures_executor::block_on;
use hostel::{
    CachePolicy, DirAccess, DirGrant, Host, Kept, LookUp, State, Task, TaskFuture, args, begin_flow, each,
};
use hostel_guests::{ARITH, BATCH, PUPPET, WATCHER, wat};

use crate::{build, host, task, telling, until_running};

/// A task of which nothing is said.
fn plain(host: &Host, path: &str, name: &str) -> Task {
    task(host, path, name).cache(CachePolicy::default())
}

fn play(host: &Host, script: &str) -> TaskFuture {
    let run = plain(host, PUPPET, "play").submit(args![script]).unwrap();
    block_on(run.outcome());
    run
}

fn ended(run: TaskFuture) -> State {
    block_on(run.outcome());
    run.state()
}

#[test]
fn c01_what_is_pure_is_cached_by_default_for_all_processes() {
    let dir = tempfile::tempdir().unwrap();
    let add =
        |host: &Host| block_on(host.load(ARITH)).unwrap().task("add").unwrap().submit(args![1, 2]).unwrap();
    for expected in [State::Completed, State::Cached] {
        let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
        let [one, two] = [(); 2].map(|()| add(&host));
        assert_eq!((ended(one), ended(two)), (expected, State::Cached));
    }
}

#[test]
fn what_sounds_impure_and_is_not_is_cached() {
    let host = host(1);
    for script in [
        "sleep 1",
        "order a b c d e",
        "seed",
        "environment",
        "input",
        "task",
        "print text",
        "grow 1",
        "look-up localhost",
    ] {
        assert_eq!(play(&host, script).state(), State::Completed, "{script}");
        assert_eq!(play(&host, script).state(), State::Cached, "{script}");
    }
}

#[test]
fn what_touches_the_world_is_not_cached_and_the_report_says_what_it_was() {
    let host = host(1);
    for (script, said) in [
        ("now", "read the wall clock 1×, first in `"),
        ("now\nticks\nnow", "read the wall clock 2×, first in `"),
        ("ticks", "read the monotonic clock 1×"),
        ("random", "drew random numbers 1×"),
        ("run", "asked about its run 1×"),
        ("attempt", "asked about its run 1×"),
        ("grow 65000", "was refused something by a limit 1×"),
    ] {
        for _ in 0..2 {
            let run = play(&host, script);
            let report = run.cache_report();
            assert_eq!(run.state(), State::Completed, "{script}: {report}");
            let text = report.to_string();
            assert!(text.starts_with("miss (no result under this key); not stored: "), "{script}: {text}");
            assert!(text.contains(said), "{script}: {text}");
        }
    }
    assert!(play(&host, "now").cache_report().to_string().contains("unix_nanos"), "the guest's own function");
}

#[test]
fn a_run_that_wrote_is_cached_only_if_someone_names_a_policy() {
    let (host, dir) = (host(1), tempfile::tempdir().unwrap());
    let grant = DirGrant::new(dir.path(), "/desk").unwrap().with_access(DirAccess::Rw);
    let play = |policy: CachePolicy, script: &str| {
        let run = task(&host, PUPPET, "play").cache(policy).dir(grant.clone()).submit(args![script]).unwrap();
        block_on(run.outcome());
        run
    };
    let written = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    for _ in 0..2 {
        let run = play(CachePolicy::AUTO, "append observed x");
        assert_eq!(run.state(), State::Completed);
        assert!(
            run.cache_report().to_string().contains("not stored: wrote to files"),
            "{}",
            run.cache_report()
        );
    }
    assert_eq!(written("observed"), "xx");
    for expected in [State::Completed, State::Cached] {
        assert_eq!(play(CachePolicy::INPUTS, "append named x").state(), expected);
    }
    assert_eq!(written("named"), "x");
    // Who may write and does not is like any other.
    for expected in [State::Completed, State::Cached] {
        assert_eq!(play(CachePolicy::AUTO, "read named").state(), expected);
    }
    play(CachePolicy::AUTO, "append named y");
    assert_eq!(play(CachePolicy::AUTO, "read named").state(), State::Completed);
}

#[test]
fn the_touch_of_one_branch_does_not_count_for_the_other() {
    let host = host(1);
    let script = |first: &str| format!("task\nif {first} : now");
    for expected in [State::Completed, State::Cached] {
        assert_eq!(play(&host, &script("elsewhere")).state(), expected);
        assert_eq!(play(&host, &script("play")).state(), State::Completed);
    }
}

#[test]
fn runs_that_will_not_share_a_value_do_not_wait_for_each_other() {
    let host = host(1);
    let puppet = plain(&host, PUPPET, "play");
    let runs = puppet.map(args![each(vec!["now\nsleep 3600000"; 10])]).unwrap();
    runs.iter().for_each(until_running);
    // While those that may share one do.
    let sleeps = plain(&host, wat::SLEEPER, "sleep").map(args![each(vec![3_600_000; 2])]).unwrap();
    until_running(&sleeps[0]);
    assert_eq!(ended(task(&host, ARITH, "add").submit(args![1, 2]).unwrap()), State::Completed);
    assert_eq!(sleeps[1].state(), State::Pending);
}

#[test]
fn nobody_waits_for_what_will_not_be_shared_whoever_made_the_task_or_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [(); 2].map(|()| build(Host::builder().max_workers(1).data_dir(dir.path())));
    let (owner, mut told) = telling(plain(&one, PUPPET, "play"));
    let script = "now\nprint it has touched\nsleep 3600000";
    let _owner = owner.submit(args![script]).unwrap();
    assert_eq!(told.blocking_recv().as_deref(), Some("it has touched"));
    for host in [&one, &two] {
        until_running(&plain(host, PUPPET, "play").submit(args![script]).unwrap());
    }
}

#[test]
fn what_no_layer_has_room_for_is_not_waited_for() {
    let host = build(Host::builder().max_workers(2).memory_cache_bytes(0));
    let runs = plain(&host, wat::SLEEPER, "sleep").map(args![each(vec![3_600_000; 2])]).unwrap();
    runs.iter().for_each(until_running);
    let small = build(Host::builder().max_workers(1).memory_cache_bytes(4096));
    let pow = plain(&small, ARITH, "pow").submit(args![7, 20_000]).unwrap();
    block_on(pow.outcome());
    assert_eq!(pow.cache_report().kept, Kept::NoRoom, "{}", pow.cache_report());
    let transaction = small.transaction().begin();
    let within = plain(&small, ARITH, "pow").within(&transaction).submit(args![7, 20_001]).unwrap();
    block_on(within.outcome());
    block_on(transaction.commit()).unwrap();
    assert_eq!(within.cache_report().kept, Kept::NoRoom, "{}", within.cache_report());
}

#[test]
fn the_report_tells_of_hits_misses_and_what_is_kept() {
    let host = host(1);
    let add = plain(&host, ARITH, "add");
    let run = |task: &Task| {
        let run = task.submit(args![1, 2]).unwrap();
        block_on(run.outcome());
        run
    };
    let first = run(&add);
    let report = first.cache_report();
    assert_eq!(report.to_string(), "miss (no result under this key); stored");
    assert_eq!((report.policy, report.kept), (CachePolicy::AUTO, Kept::Yes));
    let second = run(&add).cache_report();
    assert_eq!(second.key, report.key);
    let LookUp::Hit(hit) = &second.look_up else { panic!("{second}") };
    assert_eq!((hit.producer, hit.layer, second.kept), (first.id(), "memory", Kept::Hit));
    assert!(hit.saved > std::time::Duration::ZERO && hit.value_bytes > 0);
    assert_eq!(
        run(&add.clone().refresh_cache(true)).cache_report().to_string(),
        "not looked up: a refresh was requested; stored"
    );
    assert_eq!(
        run(&add.clone().cache(CachePolicy::NONE)).cache_report().to_string(),
        "off: the policy is none"
    );
    let failed = plain(&host, BATCH, "process-data").submit(args![-1]).unwrap();
    block_on(failed.outcome());
    let text = failed.cache_report().to_string();
    assert_eq!(text, "miss (no result under this key); not stored: the run did not complete");
}

#[test]
fn c08_refresh_runs_and_overwrites() {
    let host = host(1);
    let add = plain(&host, ARITH, "add");
    let refreshed = add.clone().refresh_cache(true).submit(args![1, 2]).unwrap();
    block_on(refreshed.outcome());
    let [old, new] = [(); 2].map(|()| add.clone().refresh_cache(true).submit(args![1, 2]).unwrap());
    assert_eq!((ended(old), ended(new.clone())), (State::Completed, State::Completed));
    let hit = add.submit(args![1, 2]).unwrap();
    block_on(hit.outcome());
    assert_eq!(hit.history().last().unwrap().cause, Some(hostel::Event::CacheHit { producer: new.id() }));
}

#[test]
fn c02_results_are_reused_within_one_flow_run() {
    let host = host(1);
    let add = plain(&host, ARITH, "add").cache(CachePolicy::DEFAULT);
    let [monday, tuesday] = [(); 2].map(|()| add.clone().flow(&begin_flow()));
    let run = |task: &Task| ended(task.submit(args![1, 2]).unwrap());
    assert_eq!(
        (run(&monday), run(&monday), run(&tuesday)),
        (State::Completed, State::Cached, State::Completed)
    );
    let error = add.submit(args![1, 2]).unwrap_err().to_string();
    assert!(error.contains("counts the flow run, but the task belongs to none"), "{error}");
    let parameters = plain(&host, ARITH, "add").cache(CachePolicy::FLOW_PARAMETERS + CachePolicy::INPUTS);
    let on = |day: i64| parameters.clone().flow(&begin_flow().parameter("day", day));
    assert_eq!((run(&on(1)), run(&on(1)), run(&on(2))), (State::Completed, State::Cached, State::Completed));
}

#[test]
fn c06_a_key_of_ones_own_is_all_that_counts_and_is_refused_before_the_run_exists() {
    let host = host(1);
    let keyed = |name: &str, key: &str| plain(&host, ARITH, name).cache(CachePolicy::key(key));
    let run = |task: Task, a: i64, b: i64| {
        let run = task.submit(args![a, b]).unwrap();
        (block_on(run.result::<i64>()).unwrap(), run.state())
    };
    assert_eq!(run(keyed("add", "{a} and more"), 1, 2), (3, State::Completed));
    assert_eq!(run(keyed("add", "{a} and more"), 1, 5), (3, State::Cached));
    assert_eq!(run(keyed("multiply", "{a} and more"), 1, 5), (3, State::Cached), "as was asked for");
    assert_eq!(run(keyed("add", "{a} and more"), 2, 5), (7, State::Completed));
    let error = keyed("add", "{c}").submit(args![1, 2]).unwrap_err().to_string();
    assert!(error.contains(r#"column 2: unknown parameter "c""#), "{error}");
    let both = CachePolicy::key("{a}") + CachePolicy::TASK_SOURCE;
    let named = |name: &str| plain(&host, ARITH, name).cache(both.clone());
    assert_eq!(run(named("add"), 1, 2), (3, State::Completed));
    assert_eq!(run(named("multiply"), 1, 2), (2, State::Completed), "the task counts as well");
}

#[test]
fn exports_of_one_component_are_looked_at_one_by_one() {
    let host = host(1);
    for (export, expected) in [("wall-clock", State::Completed), ("seeds", State::Cached)] {
        let watch = plain(&host, WATCHER, export);
        let runs = [(); 2].map(|()| ended(watch.submit(args![]).unwrap()));
        assert_eq!(runs, [State::Completed, expected], "{export}");
    }
}

#[test]
fn c10_what_a_transaction_has_not_committed_is_not_kept_and_what_touched_something_never_is() {
    let host = host(1);
    let puppet = plain(&host, PUPPET, "play");
    let within = |transaction: &hostel::Transaction, script: &str| {
        let run = puppet.clone().within(transaction).submit(args![script]).unwrap();
        block_on(run.outcome());
        run
    };
    let transaction = host.transaction().begin();
    let [pure, impure] = ["task", "now"].map(|script| within(&transaction, script));
    assert_eq!(pure.cache_report().kept, Kept::InTransaction);
    block_on(transaction.commit()).unwrap();
    assert_eq!(pure.cache_report().kept, Kept::Yes);
    assert!(matches!(impure.cache_report().kept, Kept::Touched(_)));
    let hit = play(&host, "task");
    assert_eq!(hit.history().last().unwrap().cause, Some(hostel::Event::CacheHit { producer: pure.id() }));
    assert_eq!(play(&host, "now").state(), State::Completed);

    let transaction = host.transaction().begin();
    let undone = within(&transaction, "seed");
    block_on(transaction.rollback());
    assert_eq!((undone.state(), undone.cache_report().kept), (State::RolledBack, Kept::RolledBack));
    assert_eq!(play(&host, "seed").state(), State::Completed);
}
