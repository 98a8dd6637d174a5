//! Spans of runs and requests, as a collector gets them.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use hostel::Host;
use hostel::registry::Registry;
use hostel_server::{Settings, TraceExport, TraceSampling};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::collector::{Collector, Exported, Manner, attribute};
use crate::running::Running;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Settings of a server that sends its spans here.
fn settings(export: TraceExport) -> Settings {
    let mut settings = Settings::default();
    settings.traces = Some(export);
    settings
}

fn to(endpoint: &str) -> TraceExport {
    TraceExport::new(endpoint).unwrap()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of(span: &Span, name: &str) -> String {
    attribute(&span.attributes, name).unwrap_or_default()
}

/// The code of a span's status, and its text.
fn status(span: &Span) -> (StatusCode, String) {
    let status = span.status.clone().unwrap_or_default();
    (status.code(), status.message)
}

/// Submits a run, and waits for its end.
#[track_caller]
fn submit(server: &Running, traceparent: Option<&str>, request: &Json) -> Json {
    let post = server.request("POST", "/api/v1/runs?wait=60s");
    let post = traceparent.into_iter().fold(post, |post, trace| post.header("traceparent", trace));
    let answer: Answer = post.json(request).send();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn spans(exported: &[Exported]) -> Vec<Span> {
    exported.iter().flat_map(Exported::spans).collect()
}

/// The spans of a run: its own, and those of its attempts.
#[track_caller]
fn of_run<'a>(spans: &'a [Span], run: &Json) -> (&'a Span, Vec<&'a Span>) {
    let id = run["run"].as_str().unwrap();
    let of_it: Vec<&Span> = spans.iter().filter(|span| of(span, "hostel.run.id") == id).collect();
    let (attempts, runs): (Vec<_>, Vec<_>) = of_it.into_iter().partition(|span| span.name == "attempt");
    assert_eq!(runs.len(), 1, "{id}: {runs:?}");
    (runs[0], attempts)
}

/// The time of a span as the API writes it.
fn instant(nanos: u64) -> String {
    hostel_wire::instant(hostel::Timestamp::from_unix_nanos(nanos))
}

#[test]
fn a_run_is_a_span_below_that_of_its_caller_and_has_one_for_its_attempt() {
    let collector = Collector::start(Manner::Takes);
    let export = to(&collector.endpoint()).header("x-collector-token", "for the collector").unwrap();
    let export = export.service_name("tasks").attribute("deployment.environment.name", "test");
    let server = Running::with(settings(export));
    let token = server.token.clone();
    let digest = server.upload(hostel_guests::TEXT);
    let request = json!({
        "task": format!("{digest}#greet"), "args": ["input-no-one-may-see"], "queue": "letters", "tags": ["b", "a"],
        "options": { "name": "to {name}", "env": "PASSWORD=grant-no-one-may-see" },
    });
    let run = submit(&server, Some(SAMPLED), &request);
    assert_eq!(run["state"], "Completed", "{run}");
    server.stop();

    let exported = collector.all();
    let spans = spans(&exported);
    let (span, attempts) = of_run(&spans, &run);
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert_eq!((&*span.name, span.kind()), ("greet", SpanKind::Consumer));
    assert_eq!(status(span).0, StatusCode::Unset);
    assert_eq!(
        (json!(instant(span.start_time_unix_nano)), json!(instant(span.end_time_unix_nano))),
        (run["created"].clone(), run["history"].as_array().unwrap().last().unwrap()["at"].clone()),
        "{run}"
    );
    for (name, value) in [
        ("hostel.task", format!("{digest}#greet")),
        ("hostel.component", digest.clone()),
        ("hostel.queue", "letters".to_owned()),
        ("hostel.tags", "a,b".to_owned()),
        ("hostel.state", "Completed".to_owned()),
        ("hostel.attempts", "1".to_owned()),
        ("hostel.cached_from", String::new()),
        ("error.type", String::new()),
    ] {
        assert_eq!(of(span, name), value, "{name}");
    }
    let events: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["Started"]);

    let [attempt] = attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&span.trace_id, &span.span_id));
    assert_eq!((attempt.kind(), status(attempt).0), (SpanKind::Internal, StatusCode::Unset));
    assert_eq!(attempt.start_time_unix_nano, span.events[0].time_unix_nano);
    assert!(attempt.end_time_unix_nano > attempt.start_time_unix_nano, "{attempt:?}");
    assert!(attempt.end_time_unix_nano <= span.end_time_unix_nano, "{attempt:?}");
    assert_eq!(
        (of(attempt, "hostel.attempt.number"), of(attempt, "hostel.attempt.outcome")),
        ("1".into(), "completed".into())
    );
    assert!(of(attempt, "hostel.cpu_ms").parse::<f64>().unwrap() > 0.0, "{attempt:?}");
    assert!(of(attempt, "hostel.peak_memory_bytes").parse::<u64>().unwrap() > 0, "{attempt:?}");

    // The request is beside the run: both are below the caller.
    let posts: Vec<&Span> = spans.iter().filter(|span| span.name == "POST /api/v1/runs").collect();
    let [post] = posts[..] else { panic!("{spans:?}") };
    assert_eq!((hex(&post.trace_id), hex(&post.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert_eq!((post.kind(), status(post).0), (SpanKind::Server, StatusCode::Unset));
    assert_eq!(of(post, "http.response.status_code"), "200");
    assert_ne!(of(post, "hostel.request.id"), "");
    assert!(post.start_time_unix_nano <= span.start_time_unix_nano, "{post:?}");
    let upload = spans.iter().find(|span| span.name == "PUT /api/v1/components/{component}").unwrap();
    assert!(upload.parent_span_id.is_empty() && hex(&upload.trace_id) != TRACE, "{upload:?}");

    for request in &exported {
        assert!(request.head.starts_with("post /v1/traces http/1.1\r\n"), "{}", request.head);
        assert!(request.head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{}", request.head);
        assert!(request.head.contains("\r\nx-collector-token: for the collector\r\n"), "{}", request.head);
        let resource = request.decoded().resource_spans[0].resource.clone().unwrap().attributes;
        assert_eq!(attribute(&resource, "service.name").as_deref(), Some("tasks"));
        assert_eq!(attribute(&resource, "deployment.environment.name").as_deref(), Some("test"));
        let text = String::from_utf8_lossy(&request.body);
        for secret in [&*token, "input-no-one-may-see", "grant-no-one-may-see", "wait=", "for the collector"]
        {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_failed_run_says_so_without_what_its_guest_has_said() {
    let collector = Collector::start(Manner::Takes);
    let server = Running::with(settings(to(&collector.endpoint())));
    let digest = server.upload(hostel_guests::FLAKY);
    let fail = |how: &str| {
        let task = format!("{digest}#fail-until");
        submit(&server, None, &json!({ "task": task, "args": [9, how], "options": { "cache": "none" } }))
    };
    let runs = ["error", "trap", "exit"].map(fail);
    server.stop();

    let exported = collector.all();
    let spans = spans(&exported);
    for (run, kind, line) in [
        (&runs[0], "error", "returned an error"),
        (&runs[1], "trap", "trapped: wasm `unreachable` instruction executed"),
        (&runs[2], "exit", "exited with code 1"),
    ] {
        let (span, attempts) = of_run(&spans, run);
        let [attempt] = attempts[..] else { panic!("{attempts:?}") };
        for span in [span, attempt] {
            assert_eq!(status(span), (StatusCode::Error, line.to_owned()), "{run}");
            assert_eq!(of(span, "error.type"), kind);
        }
        assert_eq!(
            (of(span, "hostel.state"), of(attempt, "hostel.attempt.outcome")),
            ("Failed".into(), "failed".into())
        );
    }
    for request in &exported {
        let text = String::from_utf8_lossy(&request.body);
        assert!(!text.contains("attempt 1 fails"), "{text}");
    }
}

#[test]
fn every_attempt_and_a_cached_run_have_spans() {
    let collector = Collector::start(Manner::Takes);
    let server = Running::with(settings(to(&collector.endpoint())));
    let digest = server.upload(hostel_guests::FLAKY);
    let request =
        json!({ "task": format!("{digest}#fail-until"), "args": [2, "exit"], "options": { "retries": 1 } });
    let retried = submit(&server, None, &request);
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2] });
    let [producer, cached] = [(); 2].map(|()| submit(&server, Some(SAMPLED), &request));
    assert_eq!((&retried["state"], &cached["state"]), (&json!("Completed"), &json!("Cached")), "{cached}");
    server.stop();

    let spans = spans(&collector.all());
    let (span, attempts) = of_run(&spans, &retried);
    assert_eq!((of(span, "hostel.attempts"), status(span).0), ("2".to_owned(), StatusCode::Unset));
    let [first, second] = attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((status(first).0, status(second).0), (StatusCode::Error, StatusCode::Unset));
    for (number, attempt) in [("1", first), ("2", second)] {
        assert_eq!(of(attempt, "hostel.attempt.number"), number);
        assert_eq!(attempt.parent_span_id, span.span_id);
    }
    assert_ne!(first.span_id, second.span_id);
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano);
    let events: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events.first(), Some(&"Started"));
    assert!(events.contains(&"RetryPlanned"), "{events:?}");

    let (span, attempts) = of_run(&spans, &cached);
    assert_eq!((of(span, "hostel.state"), of(span, "hostel.attempts")), ("Cached".into(), "0".into()));
    assert_eq!(json!(of(span, "hostel.cached_from")), producer["run"]);
    assert_eq!((hex(&span.trace_id), attempts.len()), (TRACE.to_owned(), 0));
}

#[test]
fn the_caller_decides_about_its_trace_and_a_sampler_about_others() {
    let collector = Collector::start(Manner::Takes);
    let server = Running::with(settings(to(&collector.endpoint())));
    let digest = server.upload(hostel_guests::ARITH);
    let add = |server: &Running, trace: Option<&str>| {
        submit(server, trace, &json!({ "task": format!("{digest}#add"), "args": [40, 2] }))
    };
    add(&server, Some(NOT_SAMPLED));
    let put = server.request("PUT", "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e?wait=60s");
    let put = put.json(&json!({ "task": format!("{digest}#add"), "args": [1, 2] })).send();
    let root = put.json();
    let dir = server.stop_and_keep();
    let all = spans(&collector.all());
    let (span, _) = of_run(&all, &root);
    // The same wherever and whenever the run is exported.
    assert_eq!(
        (hex(&span.trace_id), hex(&span.span_id)),
        ("9a8e2c3f2c096b2f31bd471c458f4e4f".to_owned(), "5b5327d8e02c0eb9".to_owned())
    );
    assert!(span.parent_span_id.is_empty(), "{span:?}");
    let not_sampled = &NOT_SAMPLED[3..35];
    assert!(all.iter().all(|span| hex(&span.trace_id) != not_sampled), "{all:?}");

    let none = TraceSampling { follows_parent: true, ratio: 0.0 };
    let server = Running::again(dir, settings(to(&collector.endpoint()).sampling(none)));
    add(&server, None);
    let run = add(&server, Some(SAMPLED));
    let dir = server.stop_and_keep();
    let all = spans(&collector.all());
    of_run(&all, &run);
    assert!(all.iter().all(|span| hex(&span.trace_id) == TRACE), "{all:?}");

    let all_of_them = TraceSampling { follows_parent: false, ratio: 1.0 };
    let server = Running::again(dir, settings(to(&collector.endpoint()).sampling(all_of_them)));
    let run = add(&server, Some(NOT_SAMPLED));
    server.stop();
    let all = spans(&collector.all());
    assert_eq!(hex(&of_run(&all, &run).0.trace_id), not_sampled);
}

#[test]
fn runs_of_other_workers_are_exported_while_the_server_runs() {
    let collector = Collector::start(Manner::Takes);
    let mut settings = settings(to(&collector.endpoint()));
    settings.executes = false;
    let server = Running::with(settings);
    let digest = server.upload(hostel_guests::ARITH);
    let host = Host::builder().max_workers(1).max_instances(8).data_dir(server.dir()).build().unwrap();
    let registry = Arc::new(Registry::open(server.dir()).unwrap());
    let worker = host.worker().registry(registry).start().unwrap();
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2] });
    let run = submit(&server, Some(SAMPLED), &request);
    let id = run["run"].as_str().unwrap();
    let spans = collector.until(|span| of(span, "hostel.run.id") == id);
    assert_eq!(of_run(&spans, &run).1.len(), 1);
    drop(worker);
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("hostel_traced_total{outcome=\"exported\"}"), "{metrics}");
}

/// Waits until the metrics say that a span was dropped.
fn wait_for_a_drop(server: &Running) {
    let until = Instant::now() + Duration::from_secs(60);
    let has_dropped = |metrics: &str| {
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix("hostel_traced_total{outcome=\"dropped\"} "));
        count.is_some_and(|count| count != "0")
    };
    loop {
        let metrics = server.get("/metrics").text();
        if has_dropped(&metrics) {
            return;
        }
        assert!(Instant::now() < until, "no span is dropped: {metrics}");
    }
}

/// Executes a run with this endpoint, waits until a span was dropped if asked to, and ends the server.
fn is_unaffected(export: TraceExport, until_dropped: bool) {
    let server = Running::with(settings(export));
    let digest = server.upload(hostel_guests::ARITH);
    let request = json!({ "task": format!("{digest}#add"), "args": [40, 2] });
    assert_eq!(submit(&server, Some(SAMPLED), &request)["state"], "Completed");
    if until_dropped {
        wait_for_a_drop(&server);
    }
    assert_eq!(submit(&server, Some(SAMPLED), &request)["state"], "Cached");
    let (sender, ended) = channel();
    thread::spawn(move || {
        server.stop();
        sender.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(60)).expect("the server ends within 60 seconds");
}

#[test]
fn a_collector_that_refuses_spans_affects_nothing() {
    let collector = Collector::start(Manner::Refuses(503));
    is_unaffected(to(&collector.endpoint()), true);
    assert!(collector.all().len() > 1, "it was asked again");
    let collector = Collector::start(Manner::Refuses(401));
    is_unaffected(to(&collector.endpoint()), true);
}

#[test]
fn a_collector_that_never_answers_affects_nothing() {
    let collector = Collector::start(Manner::IsSilent);
    is_unaffected(to(&collector.endpoint()).timeout(Duration::from_millis(100)), true);
    // The server ends long before the time of the request.
    is_unaffected(to(&collector.endpoint()).timeout(Duration::from_secs(3_600)), false);
}

#[test]
fn a_collector_that_is_not_there_affects_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    is_unaffected(to(&format!("http://{address}/v1/traces")), true);
}
