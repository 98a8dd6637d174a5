//! `urllib` in scripts: HTTP through the host, with its grants.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::hostel::{Place, Ran};
use crate::scripts::{command, place_with};
use crate::server::ran;
use crate::web_server::{ROOT, answer, secure, serve};

const WEB: &str = r#"
import json
import urllib.error
import urllib.request

def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return [answer.status, answer.headers["Content-Type"], answer.read().decode()]

def put(url, text):
    request = urllib.request.Request(url, data=text.encode(), method="PUT", headers={"X-Mark": "here"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()

def reason(url):
    try:
        urllib.request.urlopen(url, timeout=20)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        return [type(error.reason).__name__, str(error)]
"#;

/// Serves so many requests, and answers each with what it was.
fn echo(requests: usize) -> (String, thread::JoinHandle<()>) {
    serve(requests, |request| {
        answer(if request.contains("/missing") { "404 Not Found" } else { "200 OK" }, request)
    })
}

fn run(place: &Place, line: &str) -> Ran {
    ran(command(place, line))
}

#[test]
fn urllib_sends_requests_through_the_host() {
    let Some(place) = place_with("web.py", WEB) else { return };
    let (address, serving) = echo(3);
    let http = format!("--http {address}");
    let got = run(&place, &format!("run web.py#get http://{address}/a?b=c {http}"));
    assert_eq!(got.code, 0, "{got}");
    let [status, media_type, text]: [serde_json::Value; 3] = serde_json::from_str(&got.stdout).unwrap();
    assert_eq!((status, media_type), (200.into(), "text/plain".into()));
    let text = text.as_str().unwrap().to_lowercase();
    assert!(
        text.starts_with("get /a?b=c http/1.1\r\n") && text.contains(&format!("host: {address}")),
        "{text}"
    );
    assert!(text.contains("user-agent: python-urllib/3."), "{text}");

    let body = "x".repeat(10_000);
    let sent = run(&place, &format!("run web.py#put http://{address}/ {body} {http}"));
    assert_eq!(sent.code, 0, "{sent}");
    let sent: String = serde_json::from_str(&sent.stdout).unwrap();
    assert!(sent.starts_with("PUT / ") && sent.to_lowercase().contains("x-mark: here"), "{sent}");
    assert!(sent.ends_with(&format!("\r\n\r\n{body}")), "{}", sent.len());

    let missing = run(&place, &format!("run web.py#reason http://{address}/missing {http}"));
    assert_eq!(missing.stdout, "404\n", "{missing}");
    serving.join().unwrap();
}

#[test]
fn what_keeps_a_request_from_being_answered_is_the_reason() {
    let Some(place) = place_with("web.py", WEB) else { return };
    let check = |line: &str, kind: &str, text: &str| {
        let ran = run(&place, &format!("run web.py#reason {line}"));
        assert_eq!(ran.code, 0, "{line}: {ran}");
        let [found, message]: [String; 2] = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found, kind, "{message}");
        assert!(message.starts_with("<urlopen error ") && message.contains(text), "{message}");
    };
    let denied = "HTTP requests to example.org are not granted (--http example.org grants them)";
    check("https://example.org/", "PermissionError", denied);
    check("http://example.org/", "PermissionError", denied);
    check("ftp://example.org/", "PermissionError", "Permission denied");
    check("gopher://example.org/", "str", "unknown url type: gopher");
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&format!("http://{free}/ --http {free}"), "ConnectionRefusedError", "Connection refused");
    // A server that does not speak TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut hello = [0; 16];
        socket.read_exact(&mut hello).unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    check(&format!("https://{address}/ --http {address}"), "OSError", "");
    serving.join().unwrap();
}

#[test]
fn https_needs_a_trusted_certificate() {
    let Some(place) = place_with("web.py", WEB) else { return };
    let (port, serving) = secure(4);
    let run = |function: &str, host: &str, roots: Option<&str>| {
        let address = format!("{host}:{port}");
        let line = format!("run web.py#{function} https://{address}/ --http {address}");
        let mut command = command(&place, &line);
        roots.into_iter().for_each(|file| _ = command.env("SSL_CERT_FILE", file));
        let ran = ran(command);
        assert_eq!(ran.code, 0, "{ran}");
        ran
    };
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(run("get", host, Some(ROOT)).stdout, "[200,\"text/plain\",\"secret\"]\n");
    }
    let untrusted = run("reason", "localhost", None);
    assert_eq!(untrusted.stdout, "[\"OSError\",\"<urlopen error TLS failed: TlsCertificateError>\"]\n");
    let remark = "the certificate of localhost was refused: ";
    assert!(untrusted.stderr.contains(remark) && untrusted.stderr.contains("UnknownIssuer"), "{untrusted}");
    let without_roots = run("reason", "localhost", Some("none.pem"));
    assert!(
        without_roots.stdout.starts_with("[\"OSError\",\"<urlopen error ConfigurationError"),
        "{without_roots}"
    );
    let remark = "the root certificates in none.pem cannot be read: ";
    assert!(without_roots.stderr.contains(remark), "{without_roots}");
    assert_eq!(serving.join().unwrap(), 2);
}
