//! Results that machines share: here, hosts that have nothing else in common.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use hostel::object_store::memory::InMemory;
use hostel::object_store::{self, ObjectStoreExt};
use hostel::{
    CacheEntry, CacheKey, CachePolicy, Event, Host, LookUp, RemoteCache, Shutdown, State, Task, TaskFuture,
    Type, Value, VerifyOptions, args,
};
use hostel_core::CacheRecord;
use hostel_guests::ARITH;

use crate::{build, task};

/// A host on another machine.
fn machine(bucket: &Arc<InMemory>) -> Host {
    let cache = RemoteCache::from_object_store(Arc::clone(bucket) as _, "results");
    build(Host::builder().max_workers(1).remote_cache(cache))
}

fn add(host: &Host) -> Task {
    task(host, ARITH, "add").cache(CachePolicy::INPUTS + CachePolicy::TASK_SOURCE)
}

fn run(task: &Task) -> TaskFuture {
    let future = task.submit(args![40, 2]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 42);
    future
}

#[test]
fn what_one_host_computed_another_takes() {
    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    let first = run(&add(&here));
    assert_eq!(first.state(), State::Completed);
    drop(here);

    let there = machine(&bucket);
    let hit = run(&add(&there));
    assert_eq!(hit.state(), State::Cached);
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: first.id() }));
    assert_eq!(run(&add(&there)).state(), State::Cached);
}

#[test]
fn a_host_that_shut_down_has_shared_everything() {
    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    run(&add(&here));
    block_on(here.shutdown(Shutdown::Wait));
    assert_eq!(run(&add(&machine(&bucket))).state(), State::Cached);
}

#[test]
fn results_of_a_transaction_are_shared_when_it_is_committed() {
    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    let transaction = here.transaction().begin();
    run(&add(&here).within(&transaction));
    let there = machine(&bucket);
    assert_eq!(run(&add(&there)).state(), State::Completed, "it is not committed yet");
    drop(there);

    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    let transaction = here.transaction().begin();
    run(&add(&here).within(&transaction));
    block_on(transaction.commit()).unwrap();
    block_on(here.shutdown(Shutdown::Wait));
    assert_eq!(run(&add(&machine(&bucket))).state(), State::Cached);
}

#[test]
fn a_refreshed_result_takes_the_place_of_the_shared_one() {
    let bucket = Arc::<InMemory>::default();
    run(&add(&machine(&bucket)));
    let refreshed = run(&add(&machine(&bucket)).refresh_cache(true));
    assert_eq!(refreshed.state(), State::Completed);
    let hit = run(&add(&machine(&bucket)));
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: refreshed.id() }));
}

#[test]
fn a_shared_result_that_is_too_old_is_replaced() {
    let bucket = Arc::<InMemory>::default();
    run(&add(&machine(&bucket)));
    let later = run(&add(&machine(&bucket)).cache_expiration(Duration::from_nanos(1)));
    assert_eq!(later.state(), State::Completed);
    let hit = run(&add(&machine(&bucket)));
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: later.id() }));
}

/// They are kept in the data directory, for `cache verify`.
#[test]
fn inputs_are_not_shared() {
    let [bucket, dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let url = format!("file://{}", bucket.path().display());
    let cache = RemoteCache::from_url(&url, std::iter::empty::<(&str, &str)>()).unwrap();
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()).remote_cache(cache));
    let run = add(&host).submit(args![40_404_040, 2]).unwrap();
    assert_eq!(block_on(run.result::<i64>()).unwrap(), 40_404_042);
    let results = host.cache().unwrap();
    let key = results.entries().next().unwrap().unwrap().key.to_string();
    let kept = results.show(&key).unwrap();
    assert!(kept.variants[0].recipe.as_ref().unwrap().contains("40404040"));
    drop(host);

    let object = bucket.path().join("v1/entries").join(&key[..2]).join(&key);
    let shared = String::from_utf8_lossy(&std::fs::read(object).unwrap()).into_owned();
    assert!(shared.contains("#add") && !shared.contains("40404040"), "{shared}");
}

/// The modes of everything below a directory: of directories, and of files.
#[cfg(unix)]
fn modes_below(dir: &Path) -> std::collections::BTreeSet<(bool, u32)> {
    use std::os::unix::fs::PermissionsExt;
    let mut modes = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        modes.insert((metadata.is_dir(), metadata.permissions().mode() & 0o7777));
        if metadata.is_dir() {
            modes.extend(modes_below(&path));
        }
    }
    modes
}

#[cfg(unix)]
#[test]
fn a_directory_is_shared_with_those_who_have_rights_in_it_and_with_nobody_if_the_host_creates_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("bucket");
    for (existing, of_dirs, of_files) in [
        (None, 0o700, 0o600),
        (Some(0o700), 0o700, 0o600),
        (Some(0o750), 0o750, 0o640),
        (Some(0o2770), 0o2770, 0o660),
        (Some(0o1777), 0o1777, 0o644),
    ] {
        if let Some(mode) = existing {
            std::fs::create_dir(&dir).unwrap();
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let none = std::iter::empty::<(&str, &str)>();
        let cache = RemoteCache::from_url(&format!("file://{}", dir.display()), none).unwrap();
        let host = build(Host::builder().max_workers(1).remote_cache(cache));
        run(&add(&host));
        block_on(host.shutdown(Shutdown::Wait));
        let expected = std::collections::BTreeSet::from([(true, of_dirs), (false, of_files)]);
        assert_eq!(modes_below(&dir), expected, "{existing:?}");
        let own = std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777;
        assert_eq!(own, existing.unwrap_or(0o700));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn what_came_from_a_remote_cache_can_be_told_apart_computed_again_and_removed() {
    let bucket = Arc::<InMemory>::default();
    run(&add(&machine(&bucket)));
    let dir = tempfile::tempdir().unwrap();
    let with_disk = || {
        let cache = RemoteCache::from_object_store(Arc::clone(&bucket) as _, "results");
        build(Host::builder().max_workers(1).data_dir(dir.path()).remote_cache(cache))
    };
    let host = with_disk();
    assert_eq!(run(&add(&host)).state(), State::Cached);
    let own = add(&host).submit(args![1, 2]).unwrap();
    assert_eq!(block_on(own.result::<i64>()).unwrap(), 3);
    let results = host.cache().unwrap();
    let origins = || {
        let mut origins: Vec<_> = results.entries().map(|entry| entry.unwrap().origin).collect();
        origins.sort();
        origins
    };
    assert_eq!(origins(), [None, Some(Arc::from("InMemory/results"))]);

    // Its inputs are those of the run here, since none have come with it.
    let verified = block_on(host.verify_cache(VerifyOptions::new(10).only_from_remote())).unwrap();
    assert_eq!((verified.same, verified.different.len(), verified.skipped), (1, 0, vec![]));
    assert_eq!(block_on(host.verify_cache(10)).unwrap().same, 2);

    // Another host finds it on disk, and says where it came from.
    drop(host);
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
    let report = run(&add(&host)).cache_report();
    let LookUp::Hit(hit) = &report.look_up else { panic!("{report}") };
    assert_eq!((hit.layer, hit.origin.as_deref()), ("disk", Some("InMemory/results")));
    assert!(report.to_string().contains("from the remote cache InMemory/results"), "{report}");

    let results = host.cache().unwrap();
    assert_eq!(results.remove_from_remote().unwrap().entries, 1);
    assert_eq!(results.entries().map(|entry| entry.unwrap().origin).collect::<Vec<_>>(), [None]);
    assert_eq!(run(&add(&host)).state(), State::Completed, "also from memory");
    assert_eq!(results.remove_from_remote().unwrap().entries, 0);
}

/// A key of the user's own names no task, so a record under it may claim any.
#[test]
fn a_remote_record_does_not_say_what_is_computed_again() {
    let bucket = Arc::<InMemory>::default();
    let policy = || CachePolicy::key("answer");
    let machine = |dir: Option<&Path>| {
        let cache = RemoteCache::from_object_store(Arc::clone(&bucket) as _, "results");
        let builder = Host::builder().max_workers(1).remote_cache(cache);
        build(match dir {
            Some(dir) => builder.data_dir(dir),
            None => builder,
        })
    };
    let first = machine(None);
    let future = task(&first, ARITH, "add").cache(policy()).submit(args![40, 2]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 42);
    let key = future.cache_report().key.unwrap();
    drop(first);

    // 80 is what `multiply` makes of the inputs.
    let hex = key.to_string();
    let path = object_store::path::Path::from(format!("results/v1/entries/{}/{hex}", &hex[..2]));
    let object = block_on(async { bucket.get(&path).await.unwrap().bytes().await.unwrap() });
    let entry = CacheRecord::read(&object[8..], &key).unwrap().complete().unwrap();
    let forged = CacheEntry {
        task: entry.task.replace("#add", "#multiply").into(),
        value: Value::S64(80).to_canonical(&Type::S64).unwrap().into(),
        origin: Some(Arc::from("s3://trusted")),
        ..entry
    };
    let (record, _) = forged.to_record(&key);
    let object = [&(record.len() as u64).to_le_bytes()[..], &record].concat();
    block_on(bucket.put(&path, object.into())).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let host = machine(Some(dir.path()));
    let future = task(&host, ARITH, "add").cache(policy()).submit(args![40, 2]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 80, "the remote cache is believed");
    assert!(!future.cache_report().to_string().contains("trusted"), "{}", future.cache_report());
    let verified = block_on(host.verify_cache(VerifyOptions::new(10).only_from_remote())).unwrap();
    let [different] = &verified.different[..] else { panic!("{verified:?}") };
    assert_eq!((&*different.kept, &*different.found), ("80", "42"));
}

/// Replaces the value of the only entry in the bucket, and everything that says so.
fn replace(bucket: &InMemory, key: CacheKey, value: Arc<[u8]>) {
    let hex = key.to_string();
    let path = object_store::path::Path::from(format!("results/v1/entries/{}/{hex}", &hex[..2]));
    let object = block_on(async { bucket.get(&path).await.unwrap().bytes().await.unwrap() });
    let entry = CacheRecord::read(&object[8..], &key).unwrap().complete().unwrap();
    let (record, _) = CacheEntry { value, ..entry }.to_record(&key);
    let object = [&(record.len() as u64).to_le_bytes()[..], &record].concat();
    block_on(bucket.put(&path, object.into())).unwrap();
}

#[test]
fn a_shared_value_that_no_run_can_use_is_replaced() {
    let other_type = Value::String("42".into()).to_canonical(&Type::String).unwrap();
    for useless in [other_type, Vec::new()] {
        let bucket = Arc::<InMemory>::default();
        let first = machine(&bucket);
        let key = run(&add(&first)).cache_report().key.unwrap();
        drop(first);
        replace(&bucket, key, useless.into());
        assert_eq!(run(&add(&machine(&bucket))).state(), State::Completed);
        assert_eq!(run(&add(&machine(&bucket))).state(), State::Cached);
    }
}

/// So long that it stands beside its entry.
#[test]
fn a_long_result_is_shared() {
    let bucket = Arc::<InMemory>::default();
    let digits = |host: &Host| {
        let pow = task(host, ARITH, "pow").cache(CachePolicy::INPUTS).submit(args![9, 40_000]).unwrap();
        let digits = block_on(pow.result::<String>()).unwrap();
        (pow.state(), digits)
    };
    let (state, computed) = digits(&machine(&bucket));
    assert_eq!((state, computed.len()), (State::Completed, 38_170));
    assert!(digits(&machine(&bucket)) == (State::Cached, computed));
}
