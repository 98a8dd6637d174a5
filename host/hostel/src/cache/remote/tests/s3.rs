//! The layer against a server that speaks S3.

use std::fs;

use futures_util::future::join_all;
use hostel_core::{CacheEntry, Event, State};

use super::server::{BUCKET, Server, Speaks};
use super::*;
use crate::{Host, Shutdown, args};

#[tokio::test(flavor = "current_thread")]
async fn what_one_machine_puts_into_a_bucket_another_gets() {
    for speaks in [Speaks::All, Speaks::Unconditionally] {
        let heard = Heard::listen();
        let server = Server::start(speaks).await;
        let setting = server.cache(BUCKET, "secret");
        conforms(&start(&setting), &start(&setting)).await;
        assert_eq!(heard.take(), [""; 0]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn c11_what_a_run_on_one_machine_made_stands_for_one_on_another_until_the_bucket_is_gone() {
    let server = Server::start(Speaks::All).await;
    let setting = server.cache(BUCKET, "secret");
    let run = async || {
        let host = Host::builder().max_workers(1).max_instances(10).remote_cache(setting.clone());
        let host = host.build().unwrap();
        let add = host.load(hostel_guests::ARITH).await.unwrap().task("add").unwrap();
        let run = add.submit(args![40, 2]).unwrap();
        assert_eq!(run.result::<i64>().await.unwrap(), 42);
        host.shutdown(Shutdown::Wait).await;
        run
    };
    let first = run().await;
    assert_eq!(first.state(), State::Completed);
    let hit = run().await;
    assert_eq!(hit.state(), State::Cached);
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: first.id() }));
    drop(server);
    assert_eq!(run().await.state(), State::Completed);
}

#[tokio::test(flavor = "current_thread")]
async fn what_one_machine_puts_into_a_directory_another_gets() {
    let heard = Heard::listen();
    let dir = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(dir.path().join("made when needed")).unwrap();
    let setting = RemoteCache::from_url(url.as_str(), [("AWS_REGION", "eu")]).unwrap();
    conforms(&start(&setting), &start(&setting)).await;
    assert_eq!(heard.take(), [""; 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn machines_that_write_one_key_of_a_bucket_at_the_same_time_lose_nothing() {
    let server = Server::start(Speaks::All).await;
    let setting = server.cache(BUCKET, "secret");
    let layers: Vec<_> = (0..4).map(|_| start(&setting)).collect();
    for (n, layer) in layers.iter().enumerate() {
        layer.put(&key("pure"), &entry("value"), Existing::Keep);
        layer.put(&key("a"), &variant(&n.to_string(), "value"), Existing::Keep);
    }
    join_all(layers.iter().map(|layer| layer.flush(NET))).await;
    assert_eq!(got(&layers[0], "a").await.len(), layers.len());
    assert_eq!(got(&layers[1], "pure").await, [entry("value")]);
}

#[tokio::test(flavor = "current_thread")]
async fn whatever_bit_is_flipped_in_a_bucket_the_entry_is_missing() {
    let heard = Heard::listen();
    let server = Server::start(Speaks::All).await;
    let setting = server.cache(BUCKET, "secret");
    put(&start(&setting), "a", &large(20_000, 1)).await;
    let files = server.files();
    assert_eq!(files.len(), 2, "an entry and its value: {files:?}");
    for file in files {
        let intact = fs::read(&file).unwrap();
        for bit in (0..intact.len() * 8).step_by(intact.len() / 3 * 8 + 1) {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, damaged).unwrap();
            assert_eq!(got(&start(&setting), "a").await, [], "bit {bit} of {}", file.display());
            heard.only(&format!("found entry {} damaged", key("a")));
        }
        fs::write(&file, intact).unwrap();
    }
    assert!(got(&start(&setting), "a").await == [large(20_000, 1)]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_bucket_that_is_closed_is_a_miss() {
    let heard = Heard::listen();
    let server = Server::start(Speaks::All).await;
    let layer = start(&server.cache(BUCKET, "wrong"));
    assert_eq!(got(&layer, "a").await, []);
    assert_eq!(got(&layer, "a").await, []);
    heard.only("cannot be read: access is denied: ");
    put(&layer, "a", &entry("one")).await;
    put(&layer, "b", &variant("world", "one")).await;
    heard.only("cannot be written: access is denied: ");
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_dies_is_a_miss() {
    let heard = Heard::listen();
    let server = Server::start(Speaks::All).await;
    let layer = start(&server.cache(BUCKET, "secret"));
    put(&layer, "a", &entry("one")).await;
    (0..50).for_each(|n| layer.put(&key(&n.to_string()), &large(20_000, 1), Existing::Keep));
    assert_eq!(got(&layer, "a").await, [entry("one")]);
    drop(server);
    assert_eq!(got(&layer, "a").await, []);
    layer.flush(NET).await;
    let told = heard.take();
    let count = |what| told.iter().filter(|told| told.contains(what)).count();
    assert_eq!((count("cannot be read"), count("cannot be written")), (1, 1), "{told:#?}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_in_a_bucket_is_what_the_manual_says() {
    let server = Server::start(Speaks::All).await;
    let layer = start(&server.cache(BUCKET, "secret"));
    let value = large(20_000, 1);
    put(&layer, "a", &variant("1", "one")).await;
    put(&layer, "a", &CacheEntry { depends_on: variant("2", "").depends_on, ..value.clone() }).await;
    let hex = key("a").to_string();
    let digest = Digest::of(&value.value).hex();
    let mut files = server.files();
    files.sort();
    let [blob, entries] = &files[..] else { panic!("{files:?}") };
    assert!(entries.ends_with(format!("some/prefix/v1/entries/{}/{hex}", &hex[..2])), "{entries:?}");
    assert!(blob.ends_with(format!("some/prefix/v1/blobs/{}/{digest}", &digest[..2])), "{blob:?}");
    assert_eq!(fs::read(blob).unwrap(), value.value.to_vec());

    let content = fs::read(entries).unwrap();
    let (length, rest) = content.split_first_chunk::<8>().unwrap();
    let newest = usize::try_from(u64::from_le_bytes(*length)).unwrap();
    assert!(rest.starts_with(b"hostel entry 2\n\0"));
    assert!(rest[newest + 8..].starts_with(b"hostel entry 2\n\0"));
}
