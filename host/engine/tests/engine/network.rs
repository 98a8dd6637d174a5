//! Sockets, look-ups, variables and requests: what is granted is there, and what is not is denied and told.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread;

use hostel_core::{Grants, Limits, LogStream};
use hostel_engine::AttemptOptions;
use hostel_guests::PUPPET;

use crate::server::{Event, Server};
use crate::{Ran, function, run_as};

/// A script's answers, in WAVE, with what is granted.
async fn play(script: &[&str], grants: Grants, limits: Limits) -> Ran {
    let options = AttemptOptions::new(limits).grants(Arc::new(grants));
    run_as(&function(PUPPET, "play"), &[&format!("{:?}", script.join("\n"))], options).await
}

async fn answer(line: &str, grants: Grants) -> (String, Ran) {
    let ran = play(&[line], grants, Limits::default()).await;
    let value = ran.value();
    let answer = value.strip_prefix("[\"").and_then(|value| value.strip_suffix("\"]"));
    (answer.unwrap_or(&value).to_owned(), ran)
}

fn net(grants: &[&str]) -> Grants {
    Grants { net: grants.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() }
}

fn http(grants: &[&str]) -> Grants {
    Grants { http: grants.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() }
}

/// Gives back what it is sent, to whoever calls; gives its port.
fn tcp_echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut text = Vec::new();
            // Whoever called may be gone.
            let _ = connection.read_to_end(&mut text);
            let _ = connection.write_all(&text);
        }
    });
    port
}

/// Gives back the first datagram it is sent, after a stranger has sent one too.
fn udp_echo() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut datagram = [0; 100];
        let (length, from) = socket.recv_from(&mut datagram).unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"from a stranger", from).unwrap();
        socket.send_to(&datagram[..length], from).unwrap();
    });
    port
}

#[tokio::test(flavor = "current_thread")]
async fn tcp_to_what_is_granted() {
    let port = tcp_echo();
    for grant in ["127.0.0.1:PORT", "tcp://127.0.0.0/8:*", "*:PORT"] {
        let (said, ran) =
            answer(&format!("tcp 127.0.0.1:{port} hello"), net(&[&grant.replace("PORT", &port.to_string())]))
                .await;
        assert_eq!(said, "hello", "{grant}");
        assert!(!ran.observation.is_reproducible() && ran.printed(LogStream::Host).is_empty());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_tcp_to_what_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = format!("127.0.0.1:{port}");
    for (grant, remark) in [
        ("udp://*:*", "TCP was denied (allow it with --net tcp://HOST:PORT)".to_owned()),
        (
            "tcp://127.0.0.2:*",
            format!("a connection to tcp://{place} was denied (allow it with --net tcp://{place})"),
        ),
        (
            "localhost:*",
            format!("a connection to tcp://{place} was denied (allow it with --net tcp://{place})"),
        ),
    ] {
        let (said, ran) = answer(&format!("tcp {place} hello"), net(&[grant])).await;
        assert_eq!(said, "access-denied", "{grant}");
        assert_eq!(ran.printed(LogStream::Host), [remark]);
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody knocked");
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_leads_to_what_was_found_for_it() {
    let port = tcp_echo();
    let connect = format!("tcp 127.0.0.1:{port} hello");
    let ran = play(&["addresses localhost", &connect], net(&["tcp://localhost:*"]), Limits::default()).await;
    assert!(ran.value().contains("127.0.0.1") && ran.value().ends_with("\"hello\"]"), "{}", ran.value());
}

#[tokio::test(flavor = "current_thread")]
async fn names_are_looked_up_where_granted() {
    let lookup = |text: &str| Grants { lookup: vec![text.parse().unwrap()], ..Grants::default() };
    for name in ["localhost", "LOCALHOST"] {
        let (said, ran) = answer(&format!("addresses {name}"), lookup("localhost")).await;
        assert!(said.split(' ').any(|address| address == "127.0.0.1" || address == "::1"), "{name}: {said}");
        assert!(!ran.observation.is_reproducible());
    }
    let (said, ran) = answer("addresses localhost", lookup("example.org")).await;
    assert_eq!(said, "access-denied");
    let remark = "looking up `localhost` was denied (allow it with --lookup localhost, or with --net localhost:PORT \
                  to also connect)";
    assert_eq!(ran.printed(LogStream::Host), [remark]);
    assert!(ran.observation.is_reproducible(), "a denial follows from the grants");
    let (said, ran) = answer("addresses 127.0.0.1", Grants::default()).await;
    assert_eq!((&*said, ran.observation.is_reproducible()), ("127.0.0.1", true), "an address is its own");
    let (said, _) = answer("addresses name.invalid", lookup("*.invalid")).await;
    assert_eq!(said, "name-unresolvable");
    for odd in ["127.1", "0x7f.1", "2130706433", "::ffff:127.0.0.1/", "[::1"] {
        let (said, _) = answer(&format!("addresses {odd}"), lookup("*.org")).await;
        assert_eq!(said, "access-denied", "{odd}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn datagrams_to_and_from_what_is_granted_alone() {
    let port = udp_echo();
    let (said, _) =
        answer(&format!("udp 127.0.0.1:{port} hello"), net(&[&format!("udp://127.0.0.1:{port}")])).await;
    assert_eq!(said, "hello", "what a stranger sent is not seen");
    let (said, ran) = answer("udp 127.0.0.1:9 hello", net(&["udp://127.0.0.1:8"])).await;
    assert_eq!(said, "access-denied");
    let place = "udp://127.0.0.1:9";
    let remark = format!("a connection to {place} was denied (allow it with --net {place})");
    assert_eq!(ran.printed(LogStream::Host), [remark]);
    let (said, ran) = answer("udp 127.0.0.1:9 hello", net(&["tcp://*:*"])).await;
    assert_eq!(said, "access-denied");
    assert_eq!(ran.printed(LogStream::Host), ["UDP was denied (allow it with --net udp://HOST:PORT)"]);
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_calls_a_guest() {
    for (line, expected) in [
        ("listen 0.0.0.0:0", "listen: access-denied"),
        ("listen 127.0.0.1:0", "bind: access-denied"),
        ("bind-udp 127.0.0.1:0", "access-denied"),
        ("bind-udp 0.0.0.0:5353", "access-denied"),
        ("bind-udp 0.0.0.0:0", "bound"),
    ] {
        let (said, ran) = answer(line, net(&["*:*"])).await;
        assert_eq!(said, expected, "{line}");
        let remarks = ran.printed(LogStream::Host);
        assert_eq!(
            remarks.iter().any(|remark| remark.ends_with("a task cannot accept connections")),
            said != "bound"
        );
    }
}

#[tokio::test(flavor = "current_thread")]
async fn only_so_many_sockets_are_open_at_once() {
    let limits = Limits { sockets: 3, ..Limits::default() };
    let ran =
        play(&["sockets 2", "sockets 3", "sockets 4", "sockets 4", "sockets 3"], net(&["*:1"]), limits).await;
    assert_eq!(ran.value(), r#"["2", "3", "new-socket-limit", "new-socket-limit", "3"]"#);
    let remark = "it may have 3 sockets and requests at once (raise it with --max-sockets)";
    assert_eq!(ran.printed(LogStream::Host), [remark]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_goes_over_a_connection_is_limited() {
    let port = tcp_echo();
    let line = format!("tcp 127.0.0.1:{port} hello");
    let limits = |network_bytes| Limits { network_bytes, ..Limits::default() };
    let run = async |bytes| play(&[&line], net(&["*:*"]), limits(bytes)).await;
    assert_eq!(run(11).await.value(), r#"["hello"]"#, "below it");
    assert_eq!(run(10).await.value(), r#"["hello"]"#, "at it");
    for too_few in [9, 4] {
        let ran = run(too_few).await;
        assert_eq!(ran.value(), r#"["the limit of network bytes is reached"]"#, "above it");
        let remark =
            format!("it may send and receive {too_few} bytes over the network (raise it with --max-network)");
        assert_eq!(ran.printed(LogStream::Host), [remark]);
    }
    let port = udp_echo();
    let ran = play(&[&format!("udp 127.0.0.1:{port} hello")], net(&["*:*"]), limits(4)).await;
    assert_eq!(ran.value(), r#"["access-denied"]"#);
}

#[tokio::test(flavor = "current_thread")]
async fn variables_are_those_that_are_granted_in_the_order_of_their_names() {
    let env = ["B=2", "A=", "C=a=b"].iter().map(|text| text.parse().unwrap()).collect();
    let ran = play(&["environment"], Grants { env, ..Grants::default() }, Limits::default()).await;
    assert_eq!(ran.value(), r#"["[(\"A\", \"\"), (\"B\", \"2\"), (\"C\", \"a=b\")]"]"#);
    assert!(ran.observation.is_reproducible(), "they are part of the key");
}

#[tokio::test(flavor = "current_thread")]
async fn odd_forms_of_an_address_are_not_taken_for_names() {
    let mut server = Server::start();
    let port = server.port;
    for host in
        ["127.1", "0x7f.1", "0x7f000001", "2130706433", "127.0.0.1.", "[::ffff:127.0.0.1]", "localhost."]
    {
        let grants = http(&["127.0.0.1:*", "[::1]:*", "*.org:*", "*.localhost:*"]);
        let (said, _) = answer(&format!("http GET http://{host}:{port}/page"), grants).await;
        assert!(said.contains("HttpRequestDenied"), "{host}: {said}");
    }
    assert!(server.is_left_alone());
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_says_which_host_it_is_for_and_no_other() {
    let mut server = Server::start();
    let (port, grants) = (server.port, || http(&["127.0.0.1:*"]));
    for header in [
        "Host: elsewhere",
        "host: elsewhere",
        "Connection: close",
        "Transfer-Encoding: chunked",
        "Upgrade: h2c",
        "Proxy-Authorization: x",
        "HTTP2-Settings: x",
        "Keep-Alive: x",
        "a: b\\r\\nHost: elsewhere",
        "a\\r\\nHost: elsewhere",
        "Content-Length: 5;Content-Length: 6",
    ] {
        let (said, _) = answer(&format!("http GET http://127.0.0.1:{port}/page {header}"), grants()).await;
        assert!(!said.starts_with("200"), "{header}: {said}");
    }
    for path in ["/=http://elsewhere/", "/=elsewhere", "/a b", "/a\\r\\nHost: elsewhere", "/=*"] {
        let (said, _) = answer(&format!("http GET http://127.0.0.1:{port}{path}"), grants()).await;
        assert!(!said.starts_with("200"), "{path}: {said}");
    }
    for header in ["Content-Length: 7 | hello", "Content-Length: 3 | hello"] {
        let (said, _) = answer(&format!("http POST http://127.0.0.1:{port}/page {header}"), grants()).await;
        assert!(!said.starts_with("200"), "{header}: {said}");
    }
    let (said, _) = answer(&format!("http GET http://127.0.0.1:{port}/page a: b"), grants()).await;
    assert_eq!(said, "200 hello");
    let mut asked = Vec::new();
    while let Some(event) = server.seen() {
        asked.push(event);
    }
    let is_honest = |event: &Event| !matches!(event, Event::Asked(line) if line != "GET /page HTTP/1.1" && line != "POST /page HTTP/1.1");
    assert!(asked.iter().all(is_honest), "{asked:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn methods_are_granted_by_name() {
    let server = Server::start();
    let url = server.url("/page");
    let grants = || http(&["GET,PURGE 127.0.0.1:*"]);
    for method in ["GET", "PURGE"] {
        assert_eq!(answer(&format!("http {method} {url}"), grants()).await.0, "200 hello");
    }
    for method in ["POST", "get", "Purge", "DELETE"] {
        let (said, ran) = answer(&format!("http {method} {url}"), grants()).await;
        assert!(said.contains("HttpRequestDenied"), "{method}: {said}");
        let place = format!("127.0.0.1:{}", server.port);
        let denied = format!("{method} to http://{place} was denied");
        let remark = match method {
            "get" | "Purge" => denied,
            _ => format!("{denied} (allow it with --http '{method} {place}')"),
        };
        assert_eq!(ran.printed(LogStream::Host), [remark]);
    }
}
