//! `hostel serve`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use crate::hostel::{Place, Ran};
use crate::server::{PATIENCE, Server, Watchdog, ran};

/// Sends a request without a body, and returns the answer.
fn get(address: &str, path: &str, token: &str) -> String {
    send(address, "GET", path, token)
}

fn send(address: &str, method: &str, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The address that a server prints, without its code.
fn address(server: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let (address, code) = line.trim().split_once("/#login=").unwrap_or_else(|| panic!("{line:?}"));
    assert!(code.len() > 40, "{line:?}");
    address.strip_prefix("http://").unwrap().to_owned()
}

#[test]
fn a_server_answers_executes_and_drains() {
    let place = Place::with_data_dir();
    let mut server = place.start("serve --addr 127.0.0.1:0 --workers 1");
    let address = address(&mut server);
    let token = fs::read_to_string(place.data_dir().join("token")).unwrap();
    let info = get(&address, "/api/v1/info", token.trim());
    assert!(info.starts_with("HTTP/1.1 200") && info.contains("\"executes\":true"), "{info}");
    assert!(get(&address, "/api/v1/info", "x").starts_with("HTTP/1.1 401"));

    let run = place.run("delay arith.wasm#add 40 2");
    let path = format!("/api/v1/runs/{}?wait=60s", run.stdout.trim());
    let ended = get(&address, &path, token.trim());
    assert!(ended.contains("\"state\":\"Completed\",\"value\":42"), "{ended}");

    let terminated = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let ran = Ran::of(server.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn lines_about_changes_are_json_if_asked_for() {
    let place = Place::with_data_dir();
    let mut server = place.start("serve --addr 127.0.0.1:0 --workers 0 --log-format json");
    let address = address(&mut server);
    let token = fs::read_to_string(place.data_dir().join("token")).unwrap();
    let answer = send(&address, "DELETE", "/api/v1/tokens/none", token.trim());
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    let ran = Ran::of(server.wait_with_output().unwrap());
    let line: serde_json::Value = serde_json::from_str(ran.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["method"], &line["path"], &line["status"], &line["token"]),
        (&"DELETE".into(), &"/api/v1/tokens/none".into(), &404.into(), &"owner".into())
    );
    let id = line["request_id"].as_str().unwrap();
    assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{line}: {answer}");
}

#[test]
fn an_address_that_others_reach_needs_a_proxy() {
    let place = Place::with_data_dir();
    let ran = place.run("serve --addr 0.0.0.0:0");
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("--behind-proxy"), "{}", ran.stderr);
    let ran = place.run("serve --addr 127.0.0.1:0 --public-url hostel.example");
    assert!(ran.stderr.contains("invalid public address \"hostel.example\""), "{}", ran.stderr);
    let ran = place.run("serve --addr 127.0.0.1:0 --allow-origin '*'");
    assert!(ran.stderr.contains("invalid origin \"*\""), "{}", ran.stderr);
}

#[test]
fn an_answer_from_the_cache_outlives_the_server() {
    let mut server = Server::start("--workers 1");
    assert_eq!(server.completed("run arith.wasm#add 40 2"), "42");
    let digest = ::hostel::Digest::of(&fs::read(hostel_guests::ARITH).unwrap());
    let (path, body) = (
        "/api/v1/runs/01a227a3-bf8d-74ea-902d-08c41636443e",
        format!(r#"{{"task":"{digest}#add","args":[40,2]}}"#),
    );
    let check = |server: &Server, status: u16, existing: bool| {
        let answer = server.request("PUT", path, &body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("\"state\":\"Cached\",\"value\":42"), "{answer}");
        assert!(answer.contains(&format!("\"existing\":{existing}")), "{answer}");
    };
    check(&server, 201, false);
    // Killed.
    server.restart("--workers 0");
    check(&server, 200, true);
    let listed = server.completed("runs ls state:cached --output json");
    assert_eq!(listed.matches("\"run\":").count(), 1, "{listed}");
}

#[test]
fn spans_go_where_the_environment_says() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/base", collector.local_addr().unwrap());
    let place = Place::with_data_dir();
    let mut command = place.command("serve --addr 127.0.0.1:0 --workers 0");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).env("OTEL_SERVICE_NAME", "tasks");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-collector=its%20token");
    let mut server =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watchdog = Watchdog::of(&server);
    let address = address(&mut server);
    let token = fs::read_to_string(place.data_dir().join("token")).unwrap();
    get(&address, "/api/v1/info", token.trim());
    // If the server were killed meanwhile, nothing would come.
    let (sender, accepted) = channel();
    thread::spawn(move || sender.send(collector.accept().unwrap().0));
    let stream = accepted.recv_timeout(PATIENCE).expect("the server connects to the collector");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut lines, mut head) = (BufReader::new(&stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(lines.read_line(&mut head).unwrap(), 0, "{head}");
    }
    assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-collector: its token\r\n"), "{head}");
    let length = head.to_ascii_lowercase();
    let length =
        length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    lines.read_exact(&mut body).unwrap();
    let body = String::from_utf8_lossy(&body);
    for part in ["tasks", "GET /api/v1/info"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(!body.contains(token.trim()), "{body}");
    // It does not answer, and the server ends.
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    let ran = Ran::of(server.wait_with_output().unwrap());
    drop(watchdog);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("its"), "{ran:?}");
}

#[test]
fn a_collector_that_cannot_be_is_refused_at_the_start() {
    let place = Place::with_data_dir();
    let refused = |name: &str, value: &str| {
        let mut command = place.command("serve --addr 127.0.0.1:0 --workers 0");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318").env(name, value);
        let ran = ran(command);
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    };
    let stderr = refused("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    assert!(stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT: invalid address \"collector:4318\""), "{stderr}");
    let stderr = refused("OTEL_EXPORTER_OTLP_HEADERS", "hunter2");
    assert!(
        stderr.contains("OTEL_EXPORTER_OTLP_HEADERS: header 1") && !stderr.contains("hunter2"),
        "{stderr}"
    );
}
