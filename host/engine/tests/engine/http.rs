//! Outgoing HTTP: allowed where a grant says so, denied everywhere else, and never in the way.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{Failure, Grants, Limits, LogLevel, LogStream};
use hostel_engine::AttemptOptions;
use hostel_guests::PAGES;

use crate::server::{Event, Server};
use crate::{Ran, function, run_as};

const HELLO: &str = "[104, 101, 108, 108, 111]";

fn granted(http: &[&str]) -> AttemptOptions {
    let http = http.iter().map(|text| text.parse().unwrap()).collect();
    AttemptOptions::new(Limits::default()).grants(Arc::new(Grants { http, ..Grants::default() }))
}

async fn load(url: &str, options: AttemptOptions) -> Ran {
    run_as(&function(PAGES, "load-url"), &[url], options).await
}

/// Is done when the server was asked for what it never gives.
async fn asked(server: &mut Server) {
    assert_eq!(server.next().await, Event::Connected);
    assert_eq!(server.next().await, Event::Asked("GET /never HTTP/1.1".to_owned()));
}

/// What the guest was told instead of a page.
fn error(ran: &Ran) -> String {
    match ran.failure() {
        Failure::Error(error) => error.to_wave(),
        other => panic!("expected an error, found {other:?}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn to_a_granted_host() {
    let mut server = Server::start();
    let port = server.port;
    let grants = [format!("127.0.0.1:{port}"), "127.0.0.1:*".to_owned(), format!("http://127.0.0.1:{port}")];
    for grant in grants {
        let ran = load(&server.url("/page"), granted(&["example.org", &grant])).await;
        assert_eq!(ran.value(), HELLO, "{grant}");
        assert!(ran.printed(LogStream::Host).is_empty());
        assert_eq!(server.next().await, Event::Connected);
        assert_eq!(server.next().await, Event::Asked("GET /page HTTP/1.1".to_owned()));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn to_a_granted_name() {
    let server = Server::start();
    let url = server.url("/page").replace("127.0.0.1", "LocalHost");
    let ran = load(&url, granted(&["localhost:*"])).await;
    assert_eq!(ran.value(), HELLO);
}

#[tokio::test(flavor = "current_thread")]
async fn not_by_default_and_not_to_what_no_grant_names() {
    let mut server = Server::start();
    let port = server.port;
    let other_port = format!("127.0.0.1:{}", if port == 8080 { 8081 } else { 8080 });
    let https = format!("https://127.0.0.1:{port}");
    for grants in [&[][..], &["127.0.0.1"], &[&other_port], &[&https], &["localhost:*", "[::1]:*", "*.org:*"]]
    {
        let ran = load(&server.url("/page"), granted(grants)).await;
        assert!(error(&ran).contains("HttpRequestDenied"), "{grants:?}: {}", error(&ran));
        let place = format!("127.0.0.1:{port}");
        let remark = format!("outgoing HTTP to http://{place} was denied (allow it with --http {place})");
        assert_eq!(ran.printed(LogStream::Host), [remark]);
        assert!(ran.log.lines().iter().all(|line| line.level == LogLevel::Warn));
    }
    let ran = load(&format!("http://user@127.0.0.1:{port}/page"), granted(&["127.0.0.1:*"])).await;
    assert!(error(&ran).contains("HttpRequestUriInvalid"), "{}", error(&ran));
    assert!(server.is_left_alone());
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_that_does_not_resolve_is_an_error_for_the_guest() {
    let ran = load("http://name.invalid/", granted(&["name.invalid"])).await;
    assert!(error(&ran).contains("DnsError"), "{}", error(&ran));
    assert!(ran.printed(LogStream::Host).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_does_not_speak_tls_is_an_error_for_the_guest() {
    let mut server = Server::start();
    let url = server.url("/page").replace("http:", "https:");
    let ran = load(&url, granted(&["127.0.0.1:*"])).await;
    assert!(!error(&ran).contains("Denied"), "{}", error(&ran));
    assert_eq!(server.next().await, Event::Connected);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_hangs_ends_with_its_attempt() {
    let mut server = Server::start();
    let load_url = function(PAGES, "load-url");
    let inputs = load_url.signature().bind_text(vec![&*server.url("/never")].into()).unwrap();
    let options = granted(&["127.0.0.1:*"]);
    tokio::select! {
        outcome = load_url.attempt(&inputs, &options) => panic!("it was not answered: {outcome:?}"),
        () = asked(&mut server) => {}
    }
    assert_eq!(server.next().await, Event::Abandoned);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_hangs_ends_at_the_timeout() {
    let mut server = Server::start();
    let after = Duration::from_millis(500);
    let mut options = granted(&["127.0.0.1:*"]);
    options.limits.timeout = Some(after);
    let ran = load(&server.url("/never"), options).await;
    assert_eq!(ran.failure(), &Failure::TimedOut { after });
    asked(&mut server).await;
    assert_eq!(server.next().await, Event::Abandoned);
}
