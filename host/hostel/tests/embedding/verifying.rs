//! Results that are kept are computed again and compared.

use futures_executor::block_on;
use hostel::{CachePolicy, Host, TaskFuture, UnknownImports, Verification, args, begin_flow};
use hostel_guests::{ARITH, ASYNCY, PUPPET, TEXT, wat};

use crate::{build, task};

fn on_disk(dir: &tempfile::TempDir) -> Host {
    build(Host::builder().max_workers(1).data_dir(dir.path()))
}

fn run(future: TaskFuture) {
    block_on(future.outcome());
}

fn verified(host: &Host, sample: usize) -> Verification {
    block_on(host.verify_cache(sample)).unwrap()
}

#[test]
fn what_is_kept_as_a_function_of_its_inputs_comes_out_the_same() {
    let dir = tempfile::tempdir().unwrap();
    {
        let host = on_disk(&dir);
        let cached = |path, name| task(&host, path, name).cache(CachePolicy::AUTO);
        (0..20_i64).for_each(|n| run(cached(ARITH, "add").submit(args![n, 1]).unwrap()));
        run(cached(ARITH, "pow").submit(args![7, 50_000]).unwrap());
        run(cached(TEXT, "greet").submit(args!["Ada"]).unwrap());
        run(cached(ASYNCY, "double").submit(args![7]).unwrap());
        run(cached(PUPPET, "play").submit(args!["seed\norder a b c d e"]).unwrap());
        run(cached(PUPPET, "play").deterministic().submit(args!["now\nrandom"]).unwrap());
        let trapping = cached(wat::UNKNOWN_IMPORT, "double").unknown_imports(UnknownImports::Trap);
        run(trapping.submit(args![21]).unwrap());
    }
    // Another process, which has loaded none of the components.
    let host = on_disk(&dir);
    let all = verified(&host, 1000);
    assert_eq!((all.same, all.different, all.skipped), (26, vec![], vec![]));
    assert_eq!(verified(&host, 5).same, 5);
    assert_eq!(verified(&host, 0), Verification::default());
    // It is compared, and neither taken from the cache nor put there.
    assert_eq!(host.cache().unwrap().stats().unwrap().entries, 26);
}

#[test]
fn what_was_kept_because_someone_asked_for_it_may_come_out_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_disk(&dir);
    let inputs = |name| task(&host, name, "play").cache(CachePolicy::INPUTS);
    let one = inputs(PUPPET).submit(args!["ticks\nrandom"]).unwrap();
    let kept = block_on(one.result::<hostel::Value>()).unwrap().to_wave();
    run(inputs(PUPPET).submit(args!["task"]).unwrap());
    let verification = verified(&host, 10);
    assert_eq!(verification.same, 1);
    let [different] = &verification.different[..] else { panic!("{verification:?}") };
    assert_eq!((&different.kept, &different.policy), (&kept, &CachePolicy::INPUTS));
    assert_ne!(different.found, kept);
}

#[test]
fn what_cannot_be_computed_again_is_skipped_and_the_reason_told() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_disk(&dir);
    let daily = task(&host, ARITH, "add").cache(CachePolicy::DEFAULT).flow(&begin_flow());
    run(daily.submit(args![1, 2]).unwrap());
    let greet = task(&host, TEXT, "greet").cache(CachePolicy::AUTO);
    run(greet.submit(args!["x".repeat(100_000)]).unwrap());
    let verification = verified(&host, 10);
    let mut because: Vec<_> = verification.skipped.iter().map(|skipped| skipped.because.as_str()).collect();
    because.sort_unstable();
    assert_eq!(
        (verification.same, because),
        (0, vec!["its inputs were not stored", "its key is bound to a flow run"])
    );
    run(task(&host, ARITH, "add").cache(CachePolicy::AUTO).submit(args![5, 5]).unwrap());
    drop(host);
    std::fs::remove_dir_all(dir.path().join("compiled")).unwrap();
    let verification = verified(&on_disk(&dir), 10);
    let gone = "the compiled code of its component is not available";
    assert_eq!(verification.skipped.iter().filter(|skipped| skipped.because == gone).count(), 1);
}

#[test]
fn without_a_data_directory_there_is_nothing_to_verify() {
    let host = build(Host::builder().max_workers(1));
    run(task(&host, ARITH, "add").cache(CachePolicy::AUTO).submit(args![1, 2]).unwrap());
    assert_eq!(verified(&host, 10), Verification::default());
}
