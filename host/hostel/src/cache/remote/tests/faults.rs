//! Servers that do what none should.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::server::{BUCKET, cache};
use super::*;

/// What a server says to every request, and what it does then.
#[derive(Clone, Copy)]
struct Says {
    text: &'static str,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Closes,
    Waits,
}

/// A server at an address, for as long as the set is kept.
async fn server(says: Says) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((connection, _)) = listener.accept().await {
            connections.spawn(answer(connection, says));
        }
    });
    (address, server)
}

/// Reads until a request is there, and says the same to each.
async fn answer(mut connection: TcpStream, says: Says) {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read_buf(&mut read).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    // Fails when the client goes away, which it may.
    let _ = connection.write_all(says.text.as_bytes()).await;
    match says.then {
        Then::Closes => _ = connection.shutdown().await,
        Then::Waits => std::future::pending().await,
    }
}

/// A miss and one warning.
async fn is_a_miss(address: SocketAddr, expected: &str) {
    let heard = Heard::listen();
    let layer = start(&cache(address, BUCKET, "secret"));
    assert_eq!(got(&layer, "a").await, []);
    assert_eq!(got(&layer, "a").await, []);
    heard.only(expected);
}

/// Nothing is kept, and one warning.
async fn is_not_kept(address: SocketAddr, expected: &str) {
    let heard = Heard::listen();
    let layer = start(&cache(address, BUCKET, "secret"));
    put(&layer, "a", &entry("one")).await;
    put(&layer, "b", &variant("world", "one")).await;
    heard.only(expected);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_answer_is_a_miss() {
    let check = async |text, expected| {
        let (address, _server) = server(Says { text, then: Then::Closes }).await;
        is_a_miss(address, &format!("cannot be read: {expected}")).await;
    };
    let unavailable = "HTTP/1.1 503 Slow Down\r\nContent-Length: 8\r\nConnection: close\r\n\r\nSlowDown";
    check(unavailable, "Server returned non-2xx status code: 503 Service Unavailable: SlowDown").await;
    check(
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "Server returned non-2xx status code: 500",
    )
    .await;
    let denied = "HTTP/1.1 403 No\r\nContent-Length: 6\r\nConnection: close\r\n\r\nyou no";
    check(denied, "access is denied: Server returned non-2xx status code: 403 Forbidden: you no").await;
    let missing = "HTTP/1.1 404 No\r\nContent-Length: 12\r\nConnection: close\r\n\r\nNoSuchBucket";
    check(missing, "the bucket or directory is missing: ").await;
    check("220 smtp.example.org ESMTP\r\n", "").await;
    check("", "").await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_kept_is_told() {
    let check = async |text, expected: &str| {
        let (address, _server) = server(Says { text, then: Then::Closes }).await;
        is_not_kept(address, &format!("cannot be written: {expected}")).await;
    };
    let missing = "HTTP/1.1 404 No\r\nContent-Length: 12\r\nConnection: close\r\n\r\nNoSuchBucket";
    check(missing, "the bucket or directory is missing: ").await;
    check("HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "access is denied: ").await;
    check("HTTP/1.1 507 Full\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "").await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_said_badly_is_a_miss() {
    const LAST: &str = "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nETag: \"a\"\r\nConnection: close\r\n";
    let check = async |text: String, expected| {
        let (address, _server) = server(Says { text: text.leak(), then: Then::Closes }).await;
        let heard = Heard::listen();
        let layer = start(&cache(address, BUCKET, "secret"));
        assert_eq!(got(&layer, "a").await, []);
        heard.only(expected);
    };
    check(format!("HTTP/1.1 200 OK\r\n{LAST}Content-Length: 6\r\n\r\nabcdef"), "damaged (it is too short)")
        .await;
    check(format!("HTTP/1.1 200 OK\r\n{LAST}Content-Length: 99\r\n\r\nabc"), "cannot be read").await;
    check(
        format!("HTTP/1.1 200 OK\r\n{LAST}Content-Length: 99999999999\r\n\r\nabc"),
        "damaged (it is too large)",
    )
    .await;
    check(format!("HTTP/1.1 200 OK\r\n{LAST}\r\nwithout a length"), "cannot be read").await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_an_error_without_an_end_only_the_beginning_is_read() {
    for (status, expected) in
        [("403 No", "403 Forbidden: xxx"), ("503 Slow Down", "503 Service Unavailable: xxx")]
    {
        let text = format!("HTTP/1.1 {status}\r\n\r\n{}", "x".repeat(1 << 20));
        let (address, _server) = server(Says { text: text.leak(), then: Then::Waits }).await;
        is_a_miss(address, expected).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_there_is_a_miss() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    is_a_miss(address, "cannot be read: ").await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_server_that_never_comes_to_an_end_is_a_miss_in_time() {
    for text in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"] {
        let (address, _server) = server(Says { text, then: Then::Waits }).await;
        let heard = Heard::listen();
        let layer = start(&cache(address, BUCKET, "secret").timeout(Duration::from_secs(2)));
        let began = Instant::now();
        assert_eq!(got(&layer, "a").await, []);
        assert_eq!(began.elapsed().as_secs(), 2, "of paused time");
        heard.only("cannot be read: no answer within 2s");
        layer.put(&key("a"), &entry("one"), Existing::Keep);
        layer.flush(Duration::from_secs(1)).await;
        heard.only("1 results were not written");
    }
}
