//! What the layer does, whatever the service: over a store in memory, in paused time.

use std::sync::Arc;
use std::thread;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use hostel_core::CacheEntry;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Builder;
use tokio::time::advance;

use super::super::breaker::{FAILURES_TO_OPEN, FIRST_PAUSE};
use super::super::queue::QUEUE_ENTRIES;
use super::super::{Existing, MAX_ENTRIES_BYTES, RemoteCache, RemoteLayer};
use super::store::{Mood, Moody};
use super::*;

async fn objects(store: &Moody) -> Vec<Path> {
    let listed: Vec<_> = store.objects.list(None).try_collect().await.unwrap();
    listed.into_iter().map(|object| object.location).collect()
}

/// Changes what is at the paths that contain `part`.
async fn change(store: &Moody, part: &str, change: impl Fn(&mut Vec<u8>)) {
    for path in objects(store).await.iter().filter(|path| path.as_ref().contains(part)) {
        let mut content = store.objects.get(path).await.unwrap().bytes().await.unwrap().to_vec();
        change(&mut content);
        store.objects.put(path, content.into()).await.unwrap();
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_one_machine_puts_another_gets() {
    for mood in [Mood::Willing, Mood::Simple] {
        let heard = Heard::listen();
        let store = Arc::new(Moody::default());
        store.set(mood);
        conforms(&layer(&store), &layer(&store)).await;
        assert_eq!(heard.take(), [""; 0], "{mood:?}");
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_first_result_costs_one_request_and_so_does_a_look() {
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    put(&layer, "a", &entry("one")).await;
    assert_eq!(store.asked(), 1);
    got(&layer, "a").await;
    assert_eq!(store.asked(), 1);
    put(&layer, "b", &large(20_000, 1)).await;
    assert_eq!(store.asked(), 2);
    got(&layer, "b").await;
    assert_eq!(store.asked(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn equal_values_are_stored_once() {
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    for name in ["a", "b", "c"] {
        put(&layer, name, &large(20_000, 1)).await;
    }
    put(&layer, "c", &variant("world", &"x".repeat(20_000))).await;
    let objects = objects(&store).await;
    let count = |kind| objects.iter().filter(|path| path.as_ref().starts_with(kind)).count();
    assert_eq!((count("a/b/v1/entries/"), count("a/b/v1/blobs/"), objects.len()), (3, 2, 5), "{objects:?}");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn of_many_variants_the_newest_are_kept() {
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    let entries: Vec<_> = (0..12).map(|n| variant(&n.to_string(), &n.to_string())).collect();
    for entry in &entries {
        put(&layer, "a", entry).await;
    }
    let newest: Vec<_> = entries.into_iter().rev().take(CacheEntry::MAX_VARIANTS).collect();
    assert_eq!(got(&layer, "a").await, newest);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn machines_that_write_one_key_at_the_same_time_lose_nothing() {
    let store = Arc::new(Moody::default());
    let layers: Vec<_> = (0..CacheEntry::MAX_VARIANTS).map(|_| layer(&store)).collect();
    for (n, layer) in layers.iter().enumerate() {
        layer.put(&key("a"), &variant(&n.to_string(), "value"), Existing::Keep);
    }
    join_all(layers.iter().map(|layer| layer.flush(NET))).await;
    assert_eq!(got(&layers[0], "a").await.len(), CacheEntry::MAX_VARIANTS);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn whatever_is_damaged_is_missing_and_is_mended_by_the_next_put() {
    for (part, bytes) in [("entries", 10), ("entries", 20_000), ("blobs", 20_000)] {
        let damages: [fn(&mut Vec<u8>); 4] = [
            |bytes| bytes.clear(),
            |bytes| bytes.truncate(9),
            |bytes| bytes.insert(0, 0),
            |bytes| bytes[9] ^= 1,
        ];
        for damage in damages {
            let heard = Heard::listen();
            let store = Arc::new(Moody::default());
            put(&layer(&store), "a", &large(bytes, 1)).await;
            change(&store, part, damage).await;
            let layer = layer(&store);
            assert_eq!(got(&layer, "a").await, []);
            assert_eq!(got(&layer, "a").await, []);
            heard.only(&format!("found entry {} damaged", key("a")));
            put(&layer, "a", &large(bytes, 1)).await;
            assert!(got(&layer, "a").await == [large(bytes, 1)], "{part}");
            assert_eq!(heard.take(), [""; 0]);
        }
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_value_that_is_gone_is_missing_and_its_entry_is_written_anew() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    put(&layer, "a", &large(20_000, 1)).await;
    for path in objects(&store).await.iter().filter(|path| path.as_ref().contains("blobs")) {
        store.objects.delete(path).await.unwrap();
    }
    assert_eq!(got(&layer, "a").await, []);
    heard.only("its value is missing");
    put(&layer, "a", &large(20_000, 2)).await;
    assert!(got(&layer, "a").await == [large(20_000, 2)]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn of_a_damaged_object_the_whole_variants_are_used() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    put(&layer, "a", &variant("1", "one")).await;
    put(&layer, "a", &variant("2", "two")).await;
    change(&store, "entries", |bytes| *bytes.last_mut().unwrap() ^= 1).await;
    assert_eq!(got(&layer, "a").await, [variant("2", "two")]);
    heard.only("its digest does not fit");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_object_that_is_too_large_is_not_read() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    put(&layer, "a", &entry("one")).await;
    let bytes = usize::try_from(MAX_ENTRIES_BYTES).unwrap() + 1;
    change(&store, "entries", |content| content.resize(bytes, 0)).await;
    assert_eq!(got(&layer, "a").await, []);
    heard.only("it is too large");
    put(&layer, "a", &variant("world", "one")).await;
    assert_eq!(got(&layer, "a").await, [variant("world", "one")]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_outage_is_told_once_and_soon_costs_no_request() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    put(&layer, "a", &entry("one")).await;
    store.asked();
    store.set(Mood::Away);
    for _ in 0..100 {
        assert_eq!(got(&layer, "a").await, []);
    }
    assert_eq!(store.asked(), usize::try_from(FAILURES_TO_OPEN).unwrap());
    heard.only("the remote cache moody/a/b cannot be read: it is away; runs go on without it");

    store.set(Mood::Willing);
    assert_eq!(got(&layer, "a").await, []);
    advance(FIRST_PAUSE).await;
    assert_eq!(got(&layer, "a").await, [entry("one")]);
    assert_eq!(store.asked(), 1);
    store.set(Mood::Denying);
    got(&layer, "a").await;
    got(&layer, "a").await;
    heard.only("access is denied: you may not");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_put_is_tried_again_before_it_is_given_up() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    store.set(Mood::Away);
    layer.put(&key("a"), &entry("one"), Existing::Keep);
    while store.asked() == 0 {
        tokio::task::yield_now().await;
    }
    store.set(Mood::Willing);
    layer.flush(NET).await;
    assert_eq!(got(&layer, "a").await, [entry("one")]);
    assert_eq!(heard.take(), [""; 0]);

    store.set(Mood::Away);
    store.asked();
    for _ in 0..20 {
        put(&layer, "b", &entry("one")).await;
    }
    assert_eq!(store.asked(), 3);
    heard.only("the remote cache moody/a/b cannot be written: it is away; results are not uploaded");
    store.set(Mood::Willing);
    advance(FIRST_PAUSE).await;
    put(&layer, "c", &entry("one")).await;
    assert_eq!(got(&layer, "c").await, [entry("one")]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn many_puts_into_an_outage_are_told_once() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    let layer = layer(&store);
    for mood in [Mood::Away, Mood::Silent] {
        store.set(mood);
        (0..200).for_each(|n| layer.put(&key(&n.to_string()), &entry("one"), Existing::Keep));
        layer.flush(NET * 2).await;
        heard.only("cannot be written");
        store.set(Mood::Willing);
        advance(FIRST_PAUSE * 20).await;
        put(&layer, "after", &entry("one")).await;
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn whoever_may_only_read_reads() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    put(&layer(&store), "a", &entry("one")).await;
    let layer = layer(&store);
    store.set(Mood::Denying);
    for name in ["b", "c", "d", "e", "f"] {
        put(&layer, name, &entry("one")).await;
    }
    heard.only("cannot be written: access is denied");
    store.set(Mood::Willing);
    assert_eq!(got(&layer, "a").await, [entry("one")]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn nobody_waits_longer_than_was_said() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    store.set(Mood::Silent);
    let layer = layer(&store);
    let began = tokio::time::Instant::now();
    assert_eq!(got(&layer, "a").await, []);
    assert_eq!(began.elapsed().as_secs(), RemoteCache::DEFAULT_TIMEOUT.as_secs(), "of paused time");
    heard.only("cannot be read: no answer within 5s");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_full_queue_turns_away_and_says_so_once() {
    let heard = Heard::listen();
    let store = Arc::new(Moody::default());
    store.set(Mood::Silent);
    let layer = layer(&store);
    for n in 0..QUEUE_ENTRIES + 10 {
        layer.put(&key(&n.to_string()), &entry("one"), Existing::Keep);
    }
    heard.only("the remote cache moody/a/b is slower than results arrive");
    layer.flush(Duration::from_secs(1)).await;
    heard.only(&format!("{QUEUE_ENTRIES} results were not written to the remote cache moody/a/b within 1s"));
}

#[test]
fn a_thread_that_cannot_await_flushes_too() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = Arc::new(Moody::default());
    let cache = RemoteCache::from_object_store(Arc::clone(&store) as _, "a");
    let layer = RemoteLayer::start(&cache, runtime.handle());
    (0..100).for_each(|n| layer.put(&key(&n.to_string()), &entry("one"), Existing::Keep));
    layer.flush_blocking(NET);
    assert_eq!(store.asked(), 100);

    // On a thread of the runtime's own it would wait for itself.
    store.set(Mood::Silent);
    layer.put(&key("a"), &entry("one"), Existing::Keep);
    let layer = runtime.block_on(runtime.spawn(async move {
        layer.flush_blocking(Duration::MAX);
        layer
    }));
    let heard = Heard::listen();
    layer.unwrap().flush_blocking(Duration::ZERO);
    heard.only("1 results were not written");
}

#[test]
fn a_layer_whose_runtime_is_gone_is_a_miss() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let store = Arc::new(Moody::default());
    let cache = RemoteCache::from_object_store(Arc::clone(&store) as _, "a");
    let layer = RemoteLayer::start(&cache, runtime.handle());
    drop(runtime);
    layer.put(&key("a"), &entry("one"), Existing::Keep);
    thread::scope(|scope| {
        scope.spawn(|| layer.flush_blocking(NET));
    });
    assert_eq!(store.asked(), 0);
}
