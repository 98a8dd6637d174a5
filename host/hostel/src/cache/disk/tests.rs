//! What the disk layer promises: entries as they were put, whoever puts, whatever breaks.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use hostel_core::{Dependencies, Digest, RunId};
use rusqlite::{Connection, StatementStatus, params};
use tempfile::TempDir;

use super::*;

/// Longer than what stands in a record.
const LONG: usize = 40_000;

fn key(number: u64) -> CacheKey {
    CacheKey::from_bytes(*Digest::of(&number.to_le_bytes()).as_bytes())
}

/// An entry whose value follows from its number, so that whatever is read can be checked.
fn entry(number: u64, value_bytes: usize) -> CacheEntry {
    let pattern = key(number);
    CacheEntry {
        value: pattern.as_bytes().iter().copied().cycle().take(value_bytes).collect(),
        producer: RunId::from_bytes([7; 16]),
        created: Timestamp::from_unix_nanos(1_700_000_000_000_000_000),
        took: Duration::from_millis(3),
        task: Arc::from("sha256:00#task"),
        recipe: None,
        origin: None,
        depends_on: None,
    }
}

fn in_world(world: u8, number: u64) -> CacheEntry {
    let dependencies = Dependencies { identity: Digest::of(&[world]), bytes: Arc::from([world]) };
    CacheEntry { depends_on: Some(dependencies), ..entry(number, 10) }
}

fn open(dir: &Path) -> DiskLayer {
    DiskLayer::open(dir)
}

/// What another process would find.
fn found(dir: &Path, number: u64) -> Option<Arc<[CacheEntry]>> {
    open(dir).get(&key(number)).unwrap()
}

fn one(entry: CacheEntry) -> Option<Arc<[CacheEntry]>> {
    Some(Arc::from([entry]))
}

/// A directory with entries in it: short values, and one long one at the end.
fn filled(entries: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    (0..entries).for_each(|number| layer.put(&key(number), &entry(number, size(number, entries))).unwrap());
    dir
}

fn size(number: u64, entries: u64) -> usize {
    if number + 1 == entries { LONG } else { 20 + number as usize % 200 }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect();
    files.sort();
    files
}

fn copied(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in files(from) {
        let copy = to.path().join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, copy).unwrap();
    }
    to
}

#[test]
fn what_is_put_is_there_at_once_and_later_for_everyone() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(&dir.path().join("made when needed"));
    for number in 0..50 {
        let put = entry(number, if number % 10 == 0 { LONG } else { 30 });
        layer.put(&key(number), &put).unwrap();
        assert_eq!(layer.get(&key(number)).unwrap(), one(put), "before it is written");
    }
    layer.flush();
    let other = open(&dir.path().join("made when needed"));
    for number in 0..50 {
        let put = entry(number, if number % 10 == 0 { LONG } else { 30 });
        assert_eq!(layer.get(&key(number)).unwrap(), one(put.clone()), "when it is written");
        assert_eq!(other.get(&key(number)).unwrap(), one(put), "to others");
    }
    drop(layer);
    assert_eq!(found(&dir.path().join("made when needed"), 1), one(entry(1, 30)));
}

#[test]
fn entries_that_are_too_long_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    let (short, long) = (in_world(1, 1), CacheEntry { depends_on: None, ..entry(1, LONG) });
    layer.put(&key(1), &short).unwrap();
    layer.put(&key(1), &long).unwrap();
    layer.flush();
    let up_to = |longest| layer.get_up_to(&key(1), longest).unwrap();
    assert_eq!(up_to(u64::MAX).unwrap()[..], [long, short.clone()]);
    assert_eq!(up_to(1 << 10), one(short));
    assert_eq!(up_to(1), None);
}

#[test]
fn nothing_is_made_where_nothing_is_put() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(found(&dir.path().join("none"), 1), None);
    assert!(!dir.path().join("none").exists());
}

#[test]
fn of_each_variant_the_newest_is_kept_and_not_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    let mut expected: Arc<[CacheEntry]> = Arc::from([]);
    for step in 0..30_u64 {
        let put = if step % 7 == 3 { entry(step, 5) } else { in_world((step * 5 % 11) as u8, step) };
        layer.put(&key(0), &put).unwrap();
        expected = put.with_others(&expected);
        assert_eq!(layer.get(&key(0)).unwrap().as_ref(), Some(&expected), "step {step}");
        if step % 3 == 0 {
            layer.flush();
            assert_eq!(found(dir.path(), 0).as_ref(), Some(&expected), "step {step}, written");
        }
    }
    assert_eq!(expected.len(), CacheEntry::MAX_VARIANTS);
}

#[test]
fn a_million_waiting_entries_are_not_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    // More than the queue holds, by number and by size.
    for number in 0..120_000 {
        layer.put(&key(number), &entry(number, 10)).unwrap();
    }
    for number in 120_000..120_020 {
        layer.put(&key(number), &entry(number, 4 << 20)).unwrap();
    }
    layer.flush();
    for number in (0..120_000).step_by(5000) {
        assert_eq!(found(dir.path(), number), one(entry(number, 10)));
    }
    assert_eq!(found(dir.path(), 120_019), one(entry(120_019, 4 << 20)));
}

#[test]
fn statements_that_are_executed_for_each_result_use_the_index_and_are_prepared_once() {
    let check = |index: &Connection, sql: &str| {
        let statement = index.prepare_cached(sql).unwrap();
        let status = |status| statement.get_status(status);
        assert!(status(StatementStatus::Run) >= 40, "{sql}");
        let rest =
            [StatementStatus::RePrepare, StatementStatus::FullscanStep, StatementStatus::Sort].map(status);
        assert_eq!(rest, [0, 0, 0], "{sql}");
    };
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    (0..40).for_each(|number| layer.put(&key(number), &entry(number, 10)).unwrap());
    layer.flush();
    let results = layer.results();
    results
        .write(|index| {
            check(index, index::EXISTING);
            Ok(())
        })
        .unwrap();
    results
        .read(|index| {
            (0..40).try_for_each(|number| index::under(index, &key(number), u64::MAX).map(drop))?;
            check(index, index::UNDER);
            Ok(())
        })
        .unwrap();
}

#[test]
fn not_too_many_keys_are_held_until_results_are_written() {
    let held = Arc::new(());
    // Without a writer.
    let queue = queue::Queue::default();
    (0..5000).for_each(|_| queue.hold(Box::new(Arc::clone(&held))));
    assert_eq!(Arc::strong_count(&held), 1 + 1000);
    drop(queue);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn whatever_is_put_together_is_there_together() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    layer.put(&key(1), &entry(9, 10)).unwrap();
    layer.put_together(&[(key(1), entry(1, 10)), (key(2), entry(2, LONG))]).unwrap();
    assert_eq!(found(dir.path(), 1), one(entry(1, 10)), "not what was put before");
    assert_eq!(found(dir.path(), 2), one(entry(2, LONG)));
    layer.put_together(&[]).unwrap();
}

#[test]
fn what_cannot_be_put_together_is_not_there_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    layer.put_together(&[(key(0), entry(0, 10))]).unwrap();
    // A file where a blob's directory must be.
    let blob = Digest::of(&entry(2, LONG).value);
    fs::create_dir_all(layer.results.layout.blobs()).unwrap();
    fs::write(layer.results.blobs.path(&blob).parent().unwrap(), "").unwrap();
    let error = layer.put_together(&[(key(1), entry(1, 10)), (key(2), entry(2, LONG))]).unwrap_err();
    assert!(matches!(error, CacheLayerError::Medium { .. }), "{error}");
    assert_eq!([0, 1, 2].map(|number| found(dir.path(), number).is_some()), [true, false, false]);
}

#[test]
fn many_hosts_write_and_read_one_directory_at_once() {
    const HOSTS: u64 = 6;
    const EACH: u64 = 300;
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for host in 0..HOSTS {
            let dir = dir.path();
            scope.spawn(move || {
                let layer = open(dir);
                for number in 0..EACH {
                    // Half of the keys are everyone's.
                    let number = if number % 2 == 0 { number } else { host * EACH + number };
                    layer.put(&key(number), &entry(number, 50)).unwrap();
                    let other = (number * 7) % (HOSTS * EACH);
                    if let Some(read) = layer.get(&key(other)).unwrap() {
                        assert_eq!(&read[..], [entry(other, 50)]);
                    }
                }
            });
        }
    });
    for host in 0..HOSTS {
        for number in 0..EACH {
            let number = if number % 2 == 0 { number } else { host * EACH + number };
            assert_eq!(found(dir.path(), number), one(entry(number, 50)));
        }
    }
}

#[test]
fn what_another_version_keeps_beside_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let others = ["index-1-0.sqlite", "index-3-7.sqlite-wal", "index-2-x.sqlite", "blobs-1"];
    fs::create_dir(dir.path().join("results")).unwrap();
    others
        .iter()
        .for_each(|name| fs::write(dir.path().join("results").join(name), "of another version").unwrap());
    let layer = open(dir.path());
    layer.put(&key(1), &entry(1, LONG)).unwrap();
    layer.flush();
    assert_eq!(found(dir.path(), 1), one(entry(1, LONG)));
    drop(layer);
    for name in others {
        assert_eq!(fs::read(dir.path().join("results").join(name)).unwrap(), b"of another version", "{name}");
    }
}

#[test]
fn an_entry_under_another_key_is_not_taken() {
    let dir = filled(3);
    let index = Connection::open(dir.path().join("results").join("index-2-0.sqlite")).unwrap();
    let [one, other] = [0, 1].map(|number| *key(number).as_bytes());
    index.execute("DELETE FROM entries WHERE key = ?1", [other]).unwrap();
    // Its start is what it is found by.
    let start = (u64::from_be_bytes(other[..8].try_into().unwrap()) >> 17) as i64;
    index
        .execute("UPDATE entries SET key = ?2, start = ?3 WHERE key = ?1", params![one, other, start])
        .unwrap();
    drop(index);
    let error = open(dir.path()).get(&key(1)).unwrap_err();
    assert!(error.to_string().contains("damaged (it belongs to another key)"), "{error}");
}

#[test]
fn keys_that_begin_alike_are_told_apart() {
    const ALIKE: u64 = 20;
    let alike = |last: u64| {
        let mut bytes = [0xab; 32];
        bytes[31] = last as u8;
        CacheKey::from_bytes(bytes)
    };
    let dir = tempfile::tempdir().unwrap();
    let layer = open(dir.path());
    // Twice, and with more entries than one key can have.
    for number in (0..ALIKE).chain(0..ALIKE) {
        layer.put(&alike(ALIKE - number), &entry(number, 10)).unwrap();
        layer.flush();
    }
    let results = ResultCache::open(dir.path()).unwrap();
    assert_eq!(results.entries().count() as u64, ALIKE);
    for number in 0..ALIKE {
        assert_eq!(open(dir.path()).get(&alike(ALIKE - number)).unwrap(), one(entry(number, 10)));
    }
    let error = results.find("ababab").unwrap_err();
    let ResultCacheError::Ambiguous { candidates, .. } = error else { panic!("{error}") };
    assert_eq!(candidates, [1, 2, 3, 4, 5].map(alike));
    assert_eq!(results.find(&alike(7).to_string()).unwrap(), alike(7));
    assert_eq!(results.remove(&alike(7).to_string()).unwrap().entries, 1);
    assert_eq!(results.entries().count() as u64, ALIKE - 1);
    assert_eq!(open(dir.path()).get(&alike(7)).unwrap(), None);
    assert!(matches!(results.find(&alike(7).to_string()), Err(ResultCacheError::NotFound { .. })));
}

#[test]
fn a_value_that_is_missing_shortened_or_changed_is_a_miss_and_is_replaced() {
    let dir = filled(1);
    let [blob] = &files(&dir.path().join("results").join("blobs-2"))[..] else { panic!("one value is long") };
    let intact = fs::read(blob).unwrap();
    let changed = intact.iter().map(|byte| byte ^ 1).collect();
    for damaged in [None, Some(Vec::new()), Some(intact[1..].to_vec()), Some(changed)] {
        match damaged {
            None => fs::remove_file(blob).unwrap(),
            Some(damaged) => fs::write(blob, damaged).unwrap(),
        }
        let layer = open(dir.path());
        assert!(matches!(layer.get(&key(0)), Err(CacheLayerError::Damaged { .. })));
        layer.put(&key(0), &entry(0, LONG)).unwrap();
        layer.flush();
        assert_eq!(found(dir.path(), 0), one(entry(0, LONG)));
    }
}

#[test]
fn what_is_no_index_is_set_aside() {
    for content in [&b""[..], b"no database", &[0; 8192]] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("results")).unwrap();
        fs::write(dir.path().join("results").join("index-2-0.sqlite"), content).unwrap();
        assert_eq!(found(dir.path(), 1), None);
        let layer = open(dir.path());
        layer.put(&key(1), &entry(1, 10)).unwrap();
        layer.flush();
        assert_eq!(found(dir.path(), 1), one(entry(1, 10)));
        assert_eq!(
            fs::read(dir.path().join("results").join("index-2-0.sqlite")).unwrap(),
            content,
            "for those who want to know"
        );
        assert!(dir.path().join("results").join("index-2-1.sqlite").exists());
    }
}

#[test]
fn those_who_hold_an_index_that_was_set_aside_merely_miss() {
    let dir = filled(20);
    let holder = open(dir.path());
    assert!(holder.get(&key(1)).unwrap().is_some());
    fs::write(dir.path().join("results").join("index-2-1.sqlite"), "").unwrap();
    let other = open(dir.path());
    other.put(&key(100), &entry(100, 10)).unwrap();
    other.flush();
    assert_eq!(holder.get(&key(100)).unwrap(), None);
    holder.put(&key(1), &entry(1, 10)).unwrap();
    holder.flush();
    drop((holder, other));
    assert_eq!(found(dir.path(), 100), one(entry(100, 10)));
}

/// Flips bits of a file all over its length, each in a copy of its own, and reads everything.
fn flip_all_over(dir: &Path, name: &str, flips: u64, entries: u64) {
    let length = fs::metadata(dir.join("results").join(name)).unwrap().len();
    let (mut before, mut after) = (0, 0);
    for flip in 0..flips {
        // The first hundred bytes, which say what the file is, and then all regions of it.
        let byte = if flip < 100 { flip } else { flip * length / flips + flip % 97 } % length;
        let damaged = copied(dir);
        flip_bit(&damaged.path().join("results").join(name), byte, (flip % 8) as u32);
        before += right(damaged.path(), entries, &format!("{name}, byte {byte}"));
        // And whatever it was, the results have a place again.
        let layer = open(damaged.path());
        for number in 0..entries {
            layer.put(&key(number), &entry(number, size(number, entries))).unwrap();
        }
        drop(layer);
        after += right(damaged.path(), entries, &format!("{name}, byte {byte}, later"));
    }
    assert!(before < flips * entries, "damage is noticed");
    assert!(after * 20 >= flips * entries * 19, "{after} of {}", flips * entries);
}

/// How many entries are read, all of which must be right.
#[track_caller]
fn right(dir: &Path, entries: u64, what: &str) -> u64 {
    let layer = open(dir);
    let mut read = 0;
    for number in 0..entries {
        if let Ok(Some(found)) = layer.get(&key(number)) {
            assert_eq!(&found[..], [entry(number, size(number, entries))], "{what}");
            read += 1;
        }
    }
    read
}

fn flip_bit(file: &Path, byte: u64, bit: u32) {
    let mut file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut read = [0];
    file.seek(SeekFrom::Start(byte)).unwrap();
    file.read_exact(&mut read).unwrap();
    file.seek(SeekFrom::Start(byte)).unwrap();
    file.write_all(&[read[0] ^ 1 << bit]).unwrap();
}

#[test]
fn whatever_bit_of_the_index_is_flipped_nothing_wrong_is_read() {
    let dir = filled(40);
    // With all of it in the database, and nothing in the log.
    let results = Results::of_data_dir(dir.path());
    assert!(results.exists().unwrap());
    results.shorten_log(0);
    assert_eq!(fs::metadata(dir.path().join("results/index-2-0.sqlite-wal")).unwrap().len(), 0);
    flip_all_over(dir.path(), "index-2-0.sqlite", 300, 40);
}

#[test]
fn whatever_bit_of_the_log_is_flipped_nothing_wrong_is_read() {
    let dir = filled(0);
    let layer = open(dir.path());
    for number in 0..40 {
        layer.put(&key(number), &entry(number, size(number, 40))).unwrap();
        if number % 5 == 0 {
            layer.flush();
        }
    }
    layer.flush();
    // As a process leaves it that is killed: copied while it is open.
    let left = copied(dir.path());
    drop(layer);
    fs::remove_file(left.path().join("results").join("index-2-0.sqlite-shm")).unwrap();
    flip_all_over(left.path(), "index-2-0.sqlite-wal", 200, 40);
}

#[test]
fn whatever_bit_of_a_value_is_flipped_nothing_wrong_is_read() {
    let dir = filled(1);
    let [blob] = &files(&dir.path().join("results").join("blobs-2"))[..] else { panic!("one value is long") };
    let name = blob.strip_prefix(dir.path().join("results")).unwrap().to_str().unwrap();
    flip_all_over(dir.path(), name, 100, 1);
}

#[test]
fn results_that_are_removed_while_a_host_runs_are_put_anew() {
    let dir = filled(5);
    let layer = open(dir.path());
    layer.put(&key(100), &entry(100, 10)).unwrap();
    layer.flush();
    assert!(layer.get(&key(1)).unwrap().is_some());
    fs::remove_dir_all(dir.path().join("results")).unwrap();
    layer.put(&key(200), &entry(200, 10)).unwrap();
    layer.flush();
    assert_eq!(layer.get(&key(200)).unwrap(), one(entry(200, 10)));
    assert_eq!(found(dir.path(), 200), one(entry(200, 10)));
    assert_eq!(found(dir.path(), 100), None);
}

#[test]
fn a_long_log_that_was_left_is_shortened_by_whoever_comes_next() {
    let dir = filled(0);
    let layer = open(dir.path());
    (0..8000).for_each(|number| layer.put(&key(number), &entry(number, 1000)).unwrap());
    layer.flush();
    // As a process leaves it that is killed.
    let left = copied(dir.path());
    let log = || fs::metadata(left.path().join("results/index-2-0.sqlite-wal")).unwrap().len();
    assert!(log() > LEFT_LOG_BYTES, "{}", log());
    assert_eq!(found(left.path(), 7999), one(entry(7999, 1000)));
    assert_eq!(log(), 0);
    for number in (0..8000).step_by(500) {
        assert_eq!(found(left.path(), number), one(entry(number, 1000)));
    }
}

#[test]
fn use_is_noted_and_not_at_every_hit() {
    let dir = filled(1);
    let used = || {
        let results = Results::of_data_dir(dir.path());
        results.read(|index| index::under(index, &key(0), u64::MAX)).unwrap().unwrap()[0].used
    };
    let put = used();
    assert!(put > entry(0, 0).created, "what is put is of use now, whenever it was made");
    let layer = open(dir.path());
    assert!(layer.get(&key(0)).unwrap().is_some());
    layer.flush();
    assert_eq!(used(), put, "less than an hour ago");

    layer.results().write(|index| Ok(index.execute("UPDATE entries SET used = 0", ())?)).unwrap();
    assert!(layer.get(&key(0)).unwrap().is_some());
    layer.flush();
    let noted = used();
    assert!(noted >= put, "for the first time after long");
    assert!(layer.get(&key(0)).unwrap().is_some());
    layer.flush();
    assert_eq!(used(), noted);
}
