//! The results in a data directory: looked at, removed, and collected.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    CachePolicy, ErrorKind, GcOptions, Host, ResultCache, ResultCacheError, Shutdown, State, Task, args, each,
};
use hostel_guests::ARITH;

use crate::{build, task};

fn on_disk(dir: &Path) -> Host {
    build(Host::builder().max_workers(1).data_dir(dir))
}

fn cached(host: &Host, name: &str) -> Task {
    task(host, ARITH, name).cache(CachePolicy::INPUTS)
}

fn state(task: &Task, args: hostel::Args) -> State {
    let run = task.submit(args).unwrap();
    block_on(run.outcome());
    run.state()
}

/// Keeps `x + 1` for the numbers below `count`, and the long text of a power.
fn fill(dir: &Path, count: i64) {
    let host = on_disk(dir);
    let runs = cached(&host, "add-one").map(args![each(0..count)]).unwrap();
    runs.iter().for_each(|run| _ = block_on(run.outcome()));
    // Another host may be at it, whose value counts then.
    let ended = state(&cached(&host, "pow"), args![9, 40_000]);
    assert!([State::Completed, State::Cached].contains(&ended), "{ended}");
}

fn blobs(dir: &Path) -> usize {
    let parts = fs::read_dir(dir.join("results/blobs-2")).unwrap();
    parts.map(|part| fs::read_dir(part.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn what_is_kept_can_be_listed_shown_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    // More than are read at a time.
    fill(dir.path(), 600);
    let results = ResultCache::open(dir.path()).unwrap();
    let entries: Vec<_> = results.entries().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 601);
    assert!(entries.iter().all(|entry| entry.dependency_bytes == 0 && entry.used >= entry.created));
    assert_eq!(entries.iter().filter(|entry| entry.task.ends_with("#add-one")).count(), 600);

    let long = entries.iter().find(|entry| entry.task.ends_with("#pow")).unwrap();
    let key = long.key.to_string();
    let kept = results.show(&key.to_uppercase()).unwrap();
    assert_eq!((kept.key, kept.variants.len()), (long.key, 1));
    assert_eq!(kept.variants[0].value.len() as u64, long.value_bytes);
    assert_eq!(kept.variants[0].producer, long.producer);
    assert_eq!(results.find(&key[..20]).unwrap(), long.key);

    let stats = results.stats().unwrap();
    assert_eq!((stats.entries, stats.blobs, stats.damaged), (601, 1, 0));
    assert_eq!(stats.bytes, entries.iter().map(|entry| entry.stored_bytes).sum::<u64>());
    assert_eq!(stats.tasks.iter().map(|task| task.entries).sum::<u64>(), 601);
    assert!(stats.disk_bytes > stats.blob_bytes && stats.oldest <= stats.newest);
}

#[test]
fn what_is_no_key_or_not_there_or_not_clear_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 40);
    let results = ResultCache::open(dir.path()).unwrap();
    for text in ["", "xyz", "sha256:00", &"0".repeat(65)] {
        assert_eq!(results.find(text).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
    }
    assert_eq!(results.show(&"0".repeat(64)).unwrap_err().kind(), ErrorKind::NotFound);
    // Of 41 keys some begin alike.
    let unclear = (0..16).find_map(|digit| match results.find(&format!("{digit:x}")) {
        Err(ResultCacheError::Ambiguous { candidates, .. }) => Some((digit, candidates)),
        _ => None,
    });
    let (digit, candidates) = unclear.unwrap();
    assert!(candidates.len() >= 2 && candidates.is_sorted());
    assert!(candidates.iter().all(|key| key.to_string().starts_with(&format!("{digit:x}"))));
}

#[test]
fn what_is_removed_is_computed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_disk(dir.path());
    let (add, pow) = (cached(&host, "add"), cached(&host, "pow"));
    assert_eq!(state(&add, args![1, 2]), State::Completed);
    assert_eq!(state(&pow, args![9, 40_000]), State::Completed);
    let results = host.cache().unwrap();
    let entries: Vec<_> = results.entries().map(Result::unwrap).collect();
    assert_eq!((entries.len(), blobs(dir.path())), (2, 1));
    for entry in &entries {
        let removed = results.remove(&entry.key.to_string()).unwrap();
        assert_eq!((removed.entries, removed.bytes), (1, entry.stored_bytes));
    }
    assert_eq!((results.entries().count(), blobs(dir.path())), (0, 0));
    assert_eq!(state(&add, args![1, 2]), State::Completed, "gone from memory, too");
    assert_eq!(state(&add, args![1, 2]), State::Cached);

    assert_eq!(state(&pow, args![9, 40_000]), State::Completed);
    assert_eq!(results.clear().unwrap().entries, 2);
    assert_eq!((results.entries().count(), blobs(dir.path())), (0, 0));
    assert_eq!(state(&pow, args![9, 40_000]), State::Completed);
    assert_eq!(state(&pow, args![9, 40_000]), State::Cached);
}

#[test]
fn a_value_that_two_entries_share_stays_while_one_of_them_does() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_disk(dir.path());
    let pow = cached(&host, "pow");
    assert_eq!(state(&pow, args![9, 40_000]), State::Completed);
    assert_eq!(state(&pow, args![81, 20_000]), State::Completed, "the same number");
    let results = host.cache().unwrap();
    let keys: Vec<_> = results.entries().map(|entry| entry.unwrap().key.to_string()).collect();
    assert_eq!((keys.len(), blobs(dir.path())), (2, 1));
    results.remove(&keys[0]).unwrap();
    assert_eq!(blobs(dir.path()), 1);
    results.show(&keys[1]).unwrap();
    results.remove(&keys[1]).unwrap();
    assert_eq!(blobs(dir.path()), 0);
}

#[test]
fn too_much_goes_in_the_order_of_use() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1500);
    let results = ResultCache::open(dir.path()).unwrap();
    let before: Vec<_> = results.entries().map(Result::unwrap).collect();
    let total: u64 = before.iter().map(|entry| entry.stored_bytes).sum();
    let nothing =
        results.gc(GcOptions::default().max_bytes(total).older_than(Duration::from_secs(3600))).unwrap();
    assert_eq!((nothing.removed.entries, nothing.left_entries, nothing.left_bytes), (0, 1501, total));

    let half = results.gc(GcOptions::default().max_bytes(total / 2)).unwrap();
    assert!(half.left_bytes <= total / 2 && half.left_bytes > total / 4, "{half:?}");
    assert_eq!(half.removed.bytes + half.left_bytes, total);
    let left: Vec<_> = results.entries().map(Result::unwrap).collect();
    assert_eq!(left.len() as u64, half.left_entries);
    let latest_gone = before.iter().filter(|entry| !left.contains(entry)).map(|entry| entry.used).max();
    assert!(latest_gone <= left.iter().map(|entry| entry.used).min());

    let all = results.gc(GcOptions::default().older_than(Duration::ZERO)).unwrap();
    assert_eq!((all.left_entries, all.left_bytes, blobs(dir.path())), (0, 0, 0));
}

#[test]
fn files_that_nobody_refers_to_are_removed_when_they_are_old() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    let digest = "00".repeat(32);
    let part = dir.path().join("results/blobs-2/00");
    fs::create_dir_all(&part).unwrap();
    let others = ["a stranger's file", ".new-interrupted", digest.as_str()].map(|name| part.join(name));
    others.iter().for_each(|file| fs::write(file, "left").unwrap());
    let results = ResultCache::open(dir.path()).unwrap();
    assert_eq!(results.gc(GcOptions::default()).unwrap().orphans, 0, "someone may be about to refer to them");

    let two_hours_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    for file in &others {
        fs::File::options().write(true).open(file).unwrap().set_modified(two_hours_ago).unwrap();
    }
    let swept = results.gc(GcOptions::default()).unwrap();
    assert_eq!((swept.orphans, swept.orphan_bytes), (2, 8));
    assert_eq!(others.map(|file| file.exists()), [true, false, false]);
    assert_eq!(results.entries().count(), 4);
    results.entries().for_each(|entry| _ = results.show(&entry.unwrap().key.to_string()).unwrap());
}

#[test]
fn results_are_collected_while_others_put() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2).map(|_| scope.spawn(|| fill(dir.path(), 2000))).collect();
        let results = ResultCache::open(dir.path()).unwrap();
        while !writers.iter().all(|writer| writer.is_finished()) {
            results.gc(GcOptions::default().max_bytes(50_000)).unwrap();
            results.entries().for_each(|entry| _ = entry.unwrap());
        }
    });
    let results = ResultCache::open(dir.path()).unwrap();
    results.entries().for_each(|entry| _ = results.show(&entry.unwrap().key.to_string()).unwrap());
    assert!(results.gc(GcOptions::default().max_bytes(50_000)).unwrap().left_bytes <= 50_000);
}

#[test]
fn a_directory_without_results_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let results = ResultCache::open(dir.path().join("none")).unwrap();
    assert_eq!(results.entries().count(), 0);
    assert_eq!(results.stats().unwrap().entries, 0);
    assert_eq!(results.gc(GcOptions::default().max_bytes(0)).unwrap().left_entries, 0);
    assert_eq!(results.clear().unwrap().entries, 0);
    assert!(!dir.path().join("none").exists(), "looking makes nothing");
    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(ResultCache::open(dir.path().join("file")).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(build(Host::builder().max_workers(1)).cache().is_none());
}

#[test]
fn an_index_that_is_damaged_can_be_cleared() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    fs::write(dir.path().join("results/index-2-0.sqlite"), "no database").unwrap();
    ResultCache::open(dir.path()).unwrap().clear().unwrap();
    assert_eq!(blobs(dir.path()), 0);
    fill(dir.path(), 3);
    assert_eq!(ResultCache::open(dir.path()).unwrap().entries().count(), 4);
}

/// Sets the time of last modification back by two hours, or by days.
fn set_age(file: &Path, hours: u64) {
    let then = std::time::SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
}

/// What killed processes leave: values and files in the middle of being written, of all kinds, two hours old.
fn leave_behind(dir: &Path) -> Vec<std::path::PathBuf> {
    let value = format!("results/blobs-2/00/{}", "00".repeat(32));
    let names = [
        value.as_str(),
        "results/blobs-2/00/.new-value",
        "results/.new-index",
        "results/.new-index-journal",
        "results/.new-index-wal",
        "compiled/.new-code",
        "compiled/.tmpcode",
    ];
    fs::create_dir_all(dir.join("results/blobs-2/00")).unwrap();
    let left: Vec<_> = names.into_iter().map(|name| dir.join(name)).collect();
    for file in &left {
        fs::write(file, "left").unwrap();
        set_age(file, 2);
    }
    left
}

#[test]
fn what_killed_processes_leave_behind_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    let left = leave_behind(dir.path());
    let recent = dir.path().join("compiled/.new-recent");
    fs::write(&recent, "someone is writing it").unwrap();
    let report = ResultCache::open(dir.path()).unwrap().gc(GcOptions::default()).unwrap();
    assert_eq!((report.orphans, report.orphan_bytes), (left.len() as u64, 4 * left.len() as u64));
    assert!(left.iter().all(|file| !file.exists()) && recent.exists());
    fill(dir.path(), 3);
    assert_eq!(ResultCache::open(dir.path()).unwrap().entries().count(), 4);
}

#[test]
fn values_without_any_index_are_collected() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("compiled")).unwrap();
    let left = leave_behind(dir.path());
    let report = ResultCache::open(dir.path()).unwrap().gc(GcOptions::default()).unwrap();
    assert_eq!(report.orphans, left.len() as u64);
    assert!(left.iter().all(|file| !file.exists()));
}

#[test]
fn once_a_day_the_host_collects_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let results = ResultCache::open(dir.path()).unwrap();
    results.gc(GcOptions::default()).unwrap();
    let left = leave_behind(dir.path());
    let marker = dir.path().join("results/last-sweep");
    let all_there = || left.iter().all(|file| file.exists());

    // Not long after the last time, however much is written.
    set_age(&marker, 23);
    let host = on_disk(dir.path());
    (0..5).for_each(|x| assert_eq!(state(&cached(&host, "add"), args![x, 100]), State::Completed));
    drop(host);
    assert!(all_there());

    for hours in [25, 100 * 24] {
        leave_behind(dir.path());
        set_age(&marker, hours);
        let host = on_disk(dir.path());
        assert_eq!(state(&cached(&host, "add"), args![hours as i64, 200]), State::Completed);
        let until = std::time::Instant::now() + Duration::from_secs(60);
        let is_marked = || {
            fs::metadata(&marker).unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(3600)
        };
        while !is_marked() && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(is_marked() && left.iter().all(|file| !file.exists()), "after {hours} hours");
        results.entries().for_each(|entry| _ = results.show(&entry.unwrap().key.to_string()).unwrap());
    }
}

#[test]
fn a_shutdown_waits_until_results_are_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_disk(dir.path());
    let runs = cached(&host, "add-one").map(args![each(0..300)]).unwrap();
    block_on(host.shutdown(Shutdown::Wait));
    assert!(runs.iter().all(|run| run.state() == State::Completed));
    // The host still exists, so that dropping it has written nothing.
    let results = ResultCache::open(dir.path()).unwrap();
    assert_eq!(results.entries().map(Result::unwrap).count(), 300);
    drop(host);
}
