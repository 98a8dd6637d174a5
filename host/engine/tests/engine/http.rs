//! Outgoing HTTP: allowed where a grant says so, denied everywhere else, and never in the way.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{Failure, Grants, Limit, LimitKind, Limits, LogLevel, LogStream, Touch};
use hostel_engine::AttemptOptions;
use hostel_guests::{HOSTILE, PAGES, wat};

use crate::server::{Event, Server};
use crate::{Ran, function, run, run_as, run_with};

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
        let touches: Vec<_> = ran.observation.touches().iter().map(|touched| touched.touch).collect();
        assert!(touches.contains(&Touch::Network), "{grant}: {touches:?}");
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
    let options = Arc::new(granted(&["127.0.0.1:*"]));
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

#[tokio::test(flavor = "current_thread")]
async fn what_requests_take_of_the_host_is_bounded_without_a_grant() {
    let hoard = function(HOSTILE, "hoard");
    let without_end = ["4294967295", "16000"];
    for (handles, allowed) in [(1_000, 1_000), (2_000, 2_000), (1_000_000, 2_000)] {
        let ran = run_with(&hoard, &without_end, Limits { handles, ..Limits::default() }).await;
        let expected = Limit { kind: LimitKind::Handles, allowed };
        assert!(
            matches!(ran.failure(), Failure::Limit { limit, .. } if *limit == expected),
            "{:?}",
            ran.outcome
        );
        let remarks = ran.printed(LogStream::Host);
        let expected: &[&str] = match handles > allowed {
            true => &["more than 2000 headers and requests at once are never allowed"],
            false => &[],
        };
        assert_eq!(remarks, expected);
        assert!(ran.receipt.peak_memory_bytes < 4 << 20, "{}", ran.receipt.peak_memory_bytes);
    }
    // The timers of this one.
    let flood = run(wat::HOSTILE_HANDLES, "flood", &[]).await;
    let expected = Limit { kind: LimitKind::Handles, allowed: 10_000 };
    assert!(
        matches!(flood.failure(), Failure::Limit { limit, .. } if *limit == expected),
        "{:?}",
        flood.outcome
    );
    let remark = "more than 10000 handles of the host at once are never allowed";
    assert_eq!(flood.printed(LogStream::Host), [remark]);
    assert_eq!(run(HOSTILE, "hoard", &["1999", "16000"]).await.value(), "1999");
    let trap = run(HOSTILE, "hoard", &["1", "17000"]).await;
    assert!(trap.trap().message.contains("total size of fields exceeds limit"));
    assert_eq!(run(HOSTILE, "unsent-body", &[]).await.value(), "16384");
}

#[tokio::test(flavor = "current_thread")]
async fn texts_of_a_request_have_a_longest() {
    let check = async |bytes: &str, allowed: &str| {
        assert_eq!(run(HOSTILE, "long-winded", &[bytes]).await.value(), allowed, "{bytes}");
    };
    check("60", r#"["method", "scheme", "authority", "path"]"#).await;
    check("1024", r#"["method", "authority", "path"]"#).await;
    check("1025", r#"["path"]"#).await;
    check("8192", r#"["path"]"#).await;
    check("8193", "[]").await;
}

/// The linker takes an older version of an interface for the one it has: the functions that are linked anew too.
#[tokio::test(flavor = "current_thread")]
async fn a_path_is_as_bounded_in_all_versions_of_the_interface() {
    for patch in 0..=12 {
        let text = LONG_PATH.replace("VERSION", &format!("0.2.{patch}"));
        let component = crate::ENGINE.load_bytes(text.as_bytes()).unwrap();
        let set = component.function(Some("set")).unwrap();
        for (bytes, refused) in [("8192", "0"), ("8193", "1")] {
            assert_eq!(
                run_with(&set, &[bytes], Limits::default()).await.value(),
                refused,
                "0.2.{patch}: {bytes}"
            );
        }
    }
}

/// Sets a path of so many bytes, all of them slashes; 1 if it is refused.
const LONG_PATH: &str = r#"
(component
  (import "wasi:http/types@VERSION" (instance $http
    (export "fields" (type $fields (sub resource)))
    (export "outgoing-request" (type $request (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $request))))
    (export "[method]outgoing-request.set-path-with-query"
      (func (param "self" (borrow $request)) (param "path-with-query" (option string)) (result (result))))))
  (core module $mem
    (memory (export "memory") 1))
  (core instance $mem (instantiate $mem))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $request (canon lower (func $http "[constructor]outgoing-request")))
  (core func $path
    (canon lower (func $http "[method]outgoing-request.set-path-with-query") (memory (core memory $mem "memory"))))
  (core module $m
    (import "mem" "memory" (memory 1))
    (import "http" "fields" (func $fields (result i32)))
    (import "http" "request" (func $request (param i32) (result i32)))
    (import "http" "path" (func $path (param i32 i32 i32 i32) (result i32)))
    (func (export "set") (param $bytes i32) (result i32)
      (memory.fill (i32.const 0) (i32.const 47) (local.get $bytes))
      (call $path (call $request (call $fields)) (i32.const 1) (i32.const 0) (local.get $bytes))))
  (core instance $i (instantiate $m
    (with "mem" (instance $mem))
    (with "http" (instance
      (export "fields" (func $fields))
      (export "request" (func $request))
      (export "path" (func $path))))))
  (func (export "set") (param "bytes" u32) (result u32) (canon lift (core func $i "set"))))
"#;
