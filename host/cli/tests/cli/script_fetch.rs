//! `fetch` in JavaScript: HTTP through the host, with its grants.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use serde_json::{Value as Json, json};

use crate::hostel::{Place, Ran};
use crate::scripts::{command, place_with, printed_json};
use crate::server::{PATIENCE, ran};
use crate::web_server::{ROOT, answer, request, secure, serve};

const WEB: &str = r#"
export async function get(url) {
  const response = await fetch(url);
  return [response.status, response.ok, response.headers.get('Content-Type'), await response.text()];
}

export async function send(url, method, body) {
  const response = await fetch(url, { method, body, headers: { 'X-Mark': 'here' } });
  return response.text();
}

export async function parsed(url) {
  return (await fetch(url)).json();
}

export async function bytes(url) {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

export async function form(url) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ a: 'ä b' }) });
  return response.text();
}

export async function both(one, other) {
  const texts = await Promise.all([one, other].map(async (url) => (await fetch(url)).text()));
  return texts.sort();
}

export async function patient(url) {
  const tooSlow = new Promise((_, reject) => setTimeout(() => reject(new Error('too slow')), 100));
  return (await Promise.race([fetch(url), tooSlow])).status;
}

export async function moved(url, redirect = 'follow') {
  const response = await fetch(url, { redirect, headers: { Authorization: 'secret' } });
  return [response.status, response.redirected, response.url, await response.text()];
}

export async function reason(url, init = {}) {
  try {
    await fetch(url, init);
  } catch (error) {
    return [error.name, error.message];
  }
}

export async function twice(url) {
  const response = await fetch(url);
  await response.text();
  return response.text();
}

export const response = (url) => fetch(url);

export function decoded() {
  const sequences = [[255, 65], [226, 130, 65], [240, 128, 128], [237, 160, 128], [239, 187, 191, 65], [195], [240, 159, 153, 130]];
  const texts = sequences.map((bytes) => new TextDecoder().decode(new Uint8Array(bytes)));
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]));
  } catch (error) {
    texts.push(error.name);
  }
  return [texts, new TextEncoder().encode('ü🙂\ud800')];
}

export function resolved(url, base) {
  return new URL(url, base).href;
}
"#;

fn place() -> Option<Place> {
    place_with("web.js", WEB)
}

fn run(place: &Place, line: &str) -> Ran {
    ran(command(place, line))
}

/// The result of a function.
#[track_caller]
fn result(place: &Place, line: &str) -> Json {
    printed_json(place, &format!("run web.js#{line}"))
}

#[test]
fn fetch_sends_requests_through_the_host() {
    let Some(place) = place() else { return };
    let (address, serving) = serve(5, |request| {
        let status = if request.starts_with("GET /missing ") { "404 Not Found" } else { "200 OK" };
        answer(status, request)
    });
    let http = format!("--http {address}");
    let [status, ok, media_type, text]: [Json; 4] =
        serde_json::from_value(result(&place, &format!("get 'http://{address}/a?b=ü#c' {http}"))).unwrap();
    assert_eq!((status, ok, media_type), (200.into(), true.into(), "text/plain".into()));
    let text = text.as_str().unwrap().to_lowercase();
    assert!(
        text.starts_with("get /a?b=%c3%bc http/1.1\r\n") && text.contains(&format!("host: {address}")),
        "{text}"
    );
    assert!(text.contains("accept: */*") && text.contains("user-agent: hostel-js"), "{text}");

    let body = "xü".repeat(5_000);
    let sent = result(&place, &format!("send http://{address}/ put {body} {http}"));
    let sent = sent.as_str().unwrap();
    let head = sent.split_once("\r\n\r\n").unwrap().0.to_lowercase();
    assert!(
        head.starts_with("put / ") && head.contains("x-mark: here") && head.contains("content-length: 15000"),
        "{head}"
    );
    assert!(
        head.contains("content-type: text/plain;charset=utf-8") && sent.ends_with(&format!("\r\n\r\n{body}")),
        "{head}"
    );
    let sent = result(&place, &format!("send http://{address}/ POST '{{\"$bytes\": \"eA==\"}}' {http}"));
    let sent = sent.as_str().unwrap();
    assert!(sent.ends_with("\r\n\r\nx") && !sent.to_lowercase().contains("content-type"), "{sent}");
    let form = result(&place, &format!("form http://{address}/ {http}"));
    let form = form.as_str().unwrap();
    assert!(
        form.contains("application/x-www-form-urlencoded") && form.ends_with("\r\n\r\na=%C3%A4+b"),
        "{form}"
    );
    assert_eq!(result(&place, &format!("get http://{address}/missing {http}"))[0], 404);
    serving.join().unwrap();
}

#[test]
fn responses_are_read_as_text_json_and_bytes() {
    let Some(place) = place() else { return };
    let (address, serving) = serve(5, |request| match request.split(' ').nth(1).unwrap() {
        "/json" => answer("200 OK", r#"{"a": [1, "ü"]}"#),
        _ => answer("200 OK", &"ü🙂x".repeat(20_000)),
    });
    let http = format!("--http {address}");
    assert_eq!(result(&place, &format!("parsed http://{address}/json {http}")), json!({"a": [1, "ü"]}));
    assert_eq!(result(&place, &format!("get http://{address}/ {http}"))[3], "ü🙂x".repeat(20_000));
    let bytes = result(&place, &format!("bytes http://{address}/ {http}"));
    // Seven bytes each, in base64.
    assert_eq!(bytes["$bytes"].as_str().unwrap().len(), (20_000 * 7_usize).div_ceil(3) * 4);
    let twice = run(&place, &format!("run web.js#twice http://{address}/ {http}"));
    assert_eq!(twice.code, 1);
    assert!(twice.stderr.contains("TypeError: the body of the response was read before"), "{twice}");
    let response = run(&place, &format!("run web.js#response http://{address}/ {http}"));
    assert_eq!(response.code, 1);
    assert!(
        response.stderr.contains("a Response cannot be data: await its text(), json() or bytes()"),
        "{response}"
    );
    serving.join().unwrap();
}

#[test]
fn bytes_become_text_and_addresses_are_resolved_as_in_browsers() {
    let Some(place) = place() else { return };
    let texts = [
        "\u{fffd}A",
        "\u{fffd}A",
        "\u{fffd}\u{fffd}\u{fffd}",
        "\u{fffd}\u{fffd}\u{fffd}",
        "A",
        "\u{fffd}",
        "🙂",
        "TypeError",
    ];
    assert_eq!(result(&place, "decoded"), json!([texts, {"$bytes": "w7zwn5mC77+9"}]));
    let resolved = result(&place, "resolved ../ü?q=1#x https://Müller.example/a/b/c");
    assert_eq!(resolved, "https://xn--mller-kva.example/a/%C3%BC?q=1#x");
}

#[test]
fn requests_wait_beside_each_other_and_beside_timers() {
    let Some(place) = place() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        // Neither is answered before the other was sent.
        let mut asked: Vec<_> = (0..2)
            .map(|_| {
                let (mut socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                (request(&mut socket).unwrap(), socket)
            })
            .collect();
        for (request, socket) in &mut asked {
            let path = request.split(' ').nth(1).unwrap();
            socket.write_all(answer("200 OK", path).as_bytes()).unwrap();
        }
        drop(asked);
        // One is never answered.
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let _asked = request(&mut socket);
        assert_eq!(request(&mut socket), None);
    });
    let both = result(
        &place,
        &format!("both http://{address}/one http://{address}/other --http {address} --timeout 60s"),
    );
    assert_eq!(both, json!(["/one", "/other"]));
    let slow =
        run(&place, &format!("run web.js#patient http://{address}/never --http {address} --timeout 60s"));
    assert_eq!(slow.code, 1);
    assert!(slow.stderr.contains("Error: too slow"), "{slow}");
    serving.join().unwrap();
}

#[test]
fn redirects_are_followed_to_what_is_granted() {
    let Some(place) = place() else { return };
    let (elsewhere, other) = serve(1, |request| answer("200 OK", request));
    let to = elsewhere.clone();
    let (address, serving) = serve(7 + 21, move |request| {
        let location = match request.split(' ').nth(1).unwrap() {
            "/a/here" => "../b?c".to_owned(),
            "/elsewhere" => format!("//{to}/"),
            "/example" => "https://example.org/".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            "/again" => "/again".to_owned(),
            _ => return answer("200 OK", request),
        };
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let http = format!("--http {address} --http {elsewhere}");
    let moved = result(&place, &format!("moved http://{address}/a/here {http}"));
    assert_eq!((&moved[0], &moved[1]), (&200.into(), &true.into()), "{moved}");
    assert_eq!(moved[2], format!("http://{address}/b?c"));
    assert!(moved[3].as_str().unwrap().contains("secret"), "{moved}");
    let moved = result(&place, &format!("moved http://{address}/elsewhere {http}"));
    assert!(moved[1] == true && !moved[3].as_str().unwrap().contains("secret"), "{moved}");
    let kept = result(&place, &format!("moved http://{address}/a/here manual {http}"));
    assert_eq!(kept, json!([302, false, format!("http://{address}/a/here"), ""]));
    let refused = |path: &str, init: &str, expected: &str| {
        let found = result(&place, &format!("reason http://{address}{path} {init} {http}"));
        assert_eq!(found[0], "TypeError");
        assert!(found[1].as_str().unwrap().contains(expected), "{found}");
    };
    refused(
        "/a/here",
        r#"'{"redirect": "error"}'"#,
        "answers with a redirect, which the option redirect refuses",
    );
    refused("/example", "", "HTTP requests to example.org are not granted (--http example.org grants them)");
    refused(
        "/file",
        "",
        "redirects to \"file:///etc/passwd\": expected a URL with http or https, found file:",
    );
    refused("/again", "", "more than 20 redirects");
    other.join().unwrap();
    serving.join().unwrap();
}

#[test]
fn what_keeps_a_request_from_being_answered_is_a_type_error() {
    let Some(place) = place() else { return };
    let check = |line: &str, expected: &str| {
        let found = result(&place, &format!("reason {line}"));
        assert_eq!(found[0], "TypeError", "{found}");
        assert!(found[1].as_str().unwrap().contains(expected), "{line}: {found}");
    };
    check(
        "https://example.org/",
        "HTTP requests to example.org are not granted (--http example.org grants them)",
    );
    check("http://example.org:8080/", "(--http example.org:8080 grants them)");
    check("nowhere", "Invalid URL");
    check("ftp://example.org/", "expected a URL with http or https, found ftp:");
    check("http://user@example.org/", "a URL with a user or a password cannot be fetched");
    check(r#"http://example.org/ '{"body": "x"}'"#, "a request with the method GET has no body");
    check(r#"http://example.org/ '{"method": "A B"}'"#, "invalid method \"A B\"");
    check(
        r#"http://example.org/ '{"method": "POST", "body": [1]}'"#,
        "expected a body as a string, bytes or URLSearchParams",
    );
    check(r#"http://example.org/ '{"headers": {"a b": "c"}}'"#, "invalid header name \"a b\"");
    check(r#"http://example.org/ '{"headers": {"a": "b\nc"}}'"#, "the value of the header a has a character");
    check(
        r#"http://example.org/ '{"signal": 1}'"#,
        "fetch has no option signal: expected one of method, headers, body, redirect",
    );
    check("http://name.invalid/ --http name.invalid", "the name of name.invalid is not known");
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&format!("http://{free}/ --http {free}"), "failed: connection refused");
    let long = "a".repeat(9_000);
    check(
        &format!("http://{free}/{long} --http {free}"),
        "cannot be made: its method or its address is too long",
    );
    let denied = run(&place, "run web.js#reason https://example.org/ --states --cache none");
    let denied: Json = serde_json::from_str(&denied.stdout).unwrap();
    assert_eq!(denied["receipt"]["denials"], json!({"http": 1}), "{denied}");
}

#[test]
fn https_needs_a_trusted_certificate() {
    let Some(place) = place() else { return };
    let (port, serving) = secure(2);
    let run = |function: &str, roots: Option<&str>| {
        let line = format!("run web.js#{function} https://localhost:{port}/ --http localhost:{port}");
        let mut command = command(&place, &line);
        roots.into_iter().for_each(|file| _ = command.env("SSL_CERT_FILE", file));
        let ran = ran(command);
        assert_eq!(ran.code, 0, "{ran}");
        serde_json::from_str::<Json>(&ran.stdout).unwrap()
    };
    assert_eq!(run("get", Some(ROOT)), json!([200, true, "text/plain", "secret"]));
    let untrusted = run("reason", None);
    assert!(untrusted[1].as_str().unwrap().ends_with("failed: TLS certificate error"), "{untrusted}");
    assert_eq!(serving.join().unwrap(), 1);
}
