//! The remote layer over stores in memory, over a server that speaks S3, and over servers that do not.

mod faults;
mod memory;
mod s3;
mod server;
mod store;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostel_core::{CacheEntry, CacheKey, Dependencies, Digest, RunId, Timestamp};
use object_store::ObjectStore;
use tokio::runtime::Handle;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use super::{Existing, RemoteCache, RemoteLayer};

/// Nothing here takes as long; it ends a test that hangs.
const NET: Duration = Duration::from_secs(60);

/// An entry that depends on nothing.
pub(super) fn entry(text: &str) -> CacheEntry {
    CacheEntry {
        value: text.as_bytes().into(),
        producer: RunId::from_bytes([7; 16]),
        created: Timestamp::from_unix_nanos(1_700_000_000_000_000_000),
        took: Duration::from_millis(5),
        task: "sha256:00#add".into(),
        recipe: None,
        origin: None,
        depends_on: None,
    }
}

pub(super) fn key(text: &str) -> CacheKey {
    CacheKey::from_bytes(*Digest::of(text.as_bytes()).as_bytes())
}

/// An entry that depends on a state of the world.
fn variant(world: &str, text: &str) -> CacheEntry {
    let identity = Digest::of(world.as_bytes());
    CacheEntry { depends_on: Some(Dependencies { identity, bytes: world.as_bytes().into() }), ..entry(text) }
}

fn large(bytes: usize, byte: u8) -> CacheEntry {
    CacheEntry { value: vec![byte; bytes].into(), ..entry("") }
}

/// A layer over `store`, on the runtime of the test.
fn layer(store: &Arc<impl ObjectStore>) -> RemoteLayer {
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as _;
    start(&RemoteCache::from_object_store(store, "a/b"))
}

fn start(setting: &RemoteCache) -> RemoteLayer {
    RemoteLayer::start(setting, &Handle::current())
}

/// Puts, and waits until it is written.
async fn put(layer: &RemoteLayer, name: &str, entry: &CacheEntry) {
    layer.put(&key(name), entry, Existing::Keep);
    layer.flush(NET).await;
}

async fn replace(layer: &RemoteLayer, name: &str, entry: &CacheEntry) {
    layer.put(&key(name), entry, Existing::Replace);
    layer.flush(NET).await;
}

/// What is under `name`.
async fn got(layer: &RemoteLayer, name: &str) -> Vec<CacheEntry> {
    layer.get(&key(name)).await.map(|entries| entries.to_vec()).unwrap_or_default()
}

/// What every place that keeps results does, seen from two machines.
async fn conforms(one: &RemoteLayer, other: &RemoteLayer) {
    assert_eq!(got(other, "absent").await, []);
    put(one, "a", &entry("one")).await;
    put(one, "empty", &entry("")).await;
    assert_eq!(got(other, "a").await, [entry("one")]);
    assert_eq!(got(other, "empty").await, [entry("")]);

    put(other, "a", &entry("two")).await;
    assert_eq!(got(one, "a").await, [entry("one")], "the first one counts");
    replace(other, "a", &entry("two")).await;
    assert_eq!(got(one, "a").await, [entry("two")]);

    put(one, "b", &variant("world 1", "one")).await;
    put(other, "b", &variant("world 2", "two")).await;
    assert_eq!(got(one, "b").await, [variant("world 2", "two"), variant("world 1", "one")]);
    put(one, "b", &variant("world 1", "three")).await;
    assert_eq!(got(other, "b").await, [variant("world 1", "three"), variant("world 2", "two")]);

    for bytes in [16 << 10, (16 << 10) + 1, 1 << 20] {
        let name = bytes.to_string();
        put(one, &name, &large(bytes, 1)).await;
        assert!(got(other, &name).await == [large(bytes, 1)], "{bytes}");
    }
}

/// Collects warnings of this thread until it is dropped.
struct Heard(
    Arc<Mutex<Vec<String>>>,
    #[expect(dead_code, reason = "listens until it is dropped")] DefaultGuard,
);

impl Heard {
    fn listen() -> Self {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let guard = tracing::subscriber::set_default(Ear(Arc::clone(&heard)));
        Self(heard, guard)
    }

    /// What was heard since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The only thing that was heard, which contains this.
    fn only(&self, expected: &str) {
        let heard = self.take();
        assert!(matches!(&heard[..], [one] if one.contains(expected)), "expected {expected:?}: {heard:#?}");
    }
}

struct Ear(Arc<Mutex<Vec<String>>>);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hostel") && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message(&mut self.0.lock().unwrap()));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message<'a>(&'a mut Vec<String>);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.push(format!("{value:?}"));
        }
    }
}
