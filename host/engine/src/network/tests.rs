//! Where names lead, with a resolver that says what a test wants.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::{io, thread};

use hostel_core::{Grants, HttpScheme, LimitKind, Limits, Transport};
use http_body_util::{BodyExt as _, Empty, Full};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_http::{Error, WasiBody};

use super::*;
use crate::log::LogBook;

/// Gives one answer after the other, and the last one for ever; counts how often it was asked.
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Resolve for Scripted {
    fn resolve(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(asked).or(self.answers.last()).cloned();
        answer.ok_or_else(|| io::Error::other("there is no such name"))
    }
}

/// A network, and what it leans on.
struct World {
    network: Arc<Network>,
    resolver: Arc<Scripted>,
    log: Arc<LogBook>,
}

impl World {
    fn new(grants: &Grants, limits: Limits, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        let resolver = Arc::new(Scripted { answers, asked: AtomicUsize::new(0) });
        let options = AttemptOptions::new(limits).grants(Arc::new(grants.clone()));
        let denials = DenialBook::new(&options.log);
        let network =
            Network::new(&options, &denials, Arc::clone(&resolver) as Arc<dyn Resolve>, &Arc::default());
        Self { network, resolver, log: options.log }
    }

    fn remarks(&self) -> Vec<String> {
        self.log.lines().into_iter().map(|line| line.text).collect()
    }

    async fn get(&self, url: &str) -> Result<String, Error> {
        let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
        self.send(http::Request::get(url).body(empty).unwrap()).await
    }

    /// Sends a request as if it were granted, and gives the body of the response.
    async fn send(&self, request: http::Request<WasiBody>) -> Result<String, Error> {
        let target = Target::of(request.uri()).unwrap();
        let (response, transmission) = send(Arc::clone(&self.network), target, request, None).await?;
        let body = response.into_body().collect().await?;
        Box::into_pin(transmission).await?;
        Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
    }
}

fn grants(http: &[&str], net: &[&str], lookup: &[&str]) -> Grants {
    Grants {
        http: http.iter().map(|text| text.parse().unwrap()).collect(),
        net: net.iter().map(|text| text.parse().unwrap()).collect(),
        lookup: lookup.iter().map(|text| text.parse().unwrap()).collect(),
        ..Grants::default()
    }
}

/// Answers the first request with five bytes; gives its port, and the head of the request later.
fn server() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let head = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&head);
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut byte = [0];
        while !heard.lock().unwrap().ends_with("\r\n\r\n") {
            connection.read_exact(&mut byte).unwrap();
            heard.lock().unwrap().push(char::from(byte[0]));
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    });
    (port, head)
}

/// Whether nobody has connected to a listener.
fn is_left_alone(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_to_a_name_does_not_reach_this_machine_or_its_neighbours() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
    {
        let world = World::new(&grants(&["db.corp:*"], &[], &[]), Limits::default(), &[&[address]]);
        let error = world.get(&format!("http://db.corp:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::DestinationIpProhibited), "{address}: {error}");
        let address = address.parse::<IpAddr>().unwrap();
        let grant =
            if address.is_ipv6() { format!("'[{address}]:{port}'") } else { format!("{address}:{port}") };
        let remark = format!(
            "`db.corp` resolves to {address}, which is not public: denied (allow it with --net {grant})"
        );
        assert_eq!(world.remarks(), [remark]);
        assert_eq!(world.network.denials.take_uncounted(), [GrantKind::Http]);
    }
    assert!(is_left_alone(&listener));
}

#[tokio::test(flavor = "current_thread")]
async fn a_grant_of_the_address_lets_names_lead_there() {
    for form in ["net", "http"] {
        let (port, head) = server();
        let address = format!("127.0.0.1:{port}");
        let (net, http) = if form == "net" { (&*address, "db.corp") } else { ("10.0.0.1:1", &*address) };
        let world =
            World::new(&grants(&["db.corp:*", http], &[net], &[]), Limits::default(), &[&["127.0.0.1"]]);
        assert_eq!(world.get(&format!("http://db.corp:{port}/a?b")).await.unwrap(), "hello", "{form}");
        assert!(head.lock().unwrap().starts_with("GET /a?b HTTP/1.1\r\n"), "{head:?}");
    }
    // For another port it does not.
    let world =
        World::new(&grants(&["db.corp:*"], &["127.0.0.1:1"], &[]), Limits::default(), &[&["127.0.0.1"]]);
    assert!(matches!(world.get("http://db.corp:2/").await, Err(Error::DestinationIpProhibited)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_goes_to_what_was_checked_and_not_to_what_is_found_later() {
    let (port, _) = server();
    let address = format!("127.0.0.1:{port}");
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.2"]];
    let world = World::new(&grants(&["db.corp:*", &address], &[], &[]), Limits::default(), answers);
    assert_eq!(world.get(&format!("http://db.corp:{port}/")).await.unwrap(), "hello");
    assert_eq!(world.resolver.asked.load(Ordering::SeqCst), 1, "nobody asked again");
    // Rebound to where it may not lead, the next request fails.
    assert!(matches!(
        world.get(&format!("http://db.corp:{port}/")).await,
        Err(Error::DestinationIpProhibited)
    ));
}

#[tokio::test(flavor = "current_thread")]
async fn of_many_addresses_only_those_that_are_allowed_are_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::new(
        &grants(&["a.org:*"], &[], &[]),
        Limits::default(),
        &[&["127.0.0.1", "1.1.1.1", "10.0.0.1"]],
    );
    let target = Target { scheme: HttpScheme::Http, host: "a.org".to_owned(), port };
    let addresses = world.network.addresses_of("GET", &target).await.unwrap();
    assert_eq!(addresses, [SocketAddr::from(([1, 1, 1, 1], port))]);
    assert!(world.remarks().is_empty() && is_left_alone(&listener));
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_that_nobody_knows_is_no_denial() {
    let world = World::new(&grants(&["a.org"], &[], &["a.org"]), Limits::default(), &[]);
    assert!(matches!(world.get("http://a.org/").await, Err(Error::DnsError { .. })));
    assert!(matches!(world.network.look_up("a.org").await, Err(NoAddress::Unresolvable)));
    assert!(world.remarks().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_of_this_machine_leads_nowhere_else() {
    let (port, _) = server();
    let world =
        World::new(&grants(&["localhost:*"], &[], &[]), Limits::default(), &[&["127.0.0.1"], &["1.1.1.1"]]);
    assert_eq!(world.get(&format!("http://localhost:{port}/")).await.unwrap(), "hello");
    assert!(matches!(world.get("http://localhost:9/").await, Err(Error::DestinationIpProhibited)));
    let remark =
        "`localhost` resolves to 1.1.1.1, which is not loopback: denied (allow it with --net 1.1.1.1:9)";
    assert_eq!(world.remarks(), [remark]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_looked_up_may_be_talked_to_at_the_granted_port() {
    let granted = grants(&[], &["tcp://db.org:5432", "10.0.0.1:80"], &["other.org"]);
    let answers: &[&[&str]] = &[&["1.1.1.1", "10.1.2.3", "10.0.0.1"], &["2.2.2.2"], &["127.0.0.1"]];
    let world = World::new(&granted, Limits::default(), answers);
    let talks = |used, address: &str| world.network.allows(address.parse().unwrap(), used);
    assert!(!talks(SocketAddrUse::TcpConnect, "1.1.1.1:5432"), "nobody asked where it leads");
    let texts = |found: Vec<IpAddr>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(world.network.look_up("db.org").await.unwrap()), ["1.1.1.1", "10.0.0.1"]);
    assert!(talks(SocketAddrUse::TcpConnect, "1.1.1.1:5432"));
    assert!(talks(SocketAddrUse::TcpConnect, "10.0.0.1:80"));
    for (used, address) in [
        (SocketAddrUse::TcpConnect, "1.1.1.1:80"),
        (SocketAddrUse::UdpSend, "1.1.1.1:5432"),
        (SocketAddrUse::TcpConnect, "10.1.2.3:5432"),
        (SocketAddrUse::TcpConnect, "10.0.0.1:5432"),
        (SocketAddrUse::TcpConnect, "127.0.0.1:5432"),
    ] {
        assert!(!talks(used, address), "{used:?} {address}");
    }
    // A name that may be looked up and no more.
    assert_eq!(texts(world.network.look_up("other.org").await.unwrap()), ["2.2.2.2"]);
    assert!(!talks(SocketAddrUse::TcpConnect, "2.2.2.2:5432"));
    // Rebound: the name is known to lead elsewhere by now, but not there.
    assert!(matches!(world.network.look_up("db.org").await, Err(NoAddress::Denied)));
    assert!(!talks(SocketAddrUse::TcpConnect, "127.0.0.1:5432"));
    let remarks = world.remarks();
    assert!(
        remarks.contains(
            &"`db.org` resolves to 127.0.0.1, which is not public: denied (allow it with --net 127.0.0.1:5432)"
                .to_owned()
        ),
        "{remarks:?}"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn only_so_many_addresses_are_remembered() {
    let answers: Vec<Vec<String>> =
        (0..16_u8).map(|net| (0..64_u8).map(|host| format!("1.1.{net}.{host}")).collect()).collect();
    let answers: Vec<Vec<&str>> =
        answers.iter().map(|answer| answer.iter().map(String::as_str).collect()).collect();
    let answers: Vec<&[&str]> = answers.iter().map(Vec::as_slice).collect();
    let world = World::new(&grants(&[], &["a.org:1"], &[]), Limits::default(), &answers);
    for _ in 0..16 {
        world.network.look_up("a.org").await.unwrap();
    }
    let talks = |address: &str| world.network.leads_to(Transport::Tcp, address.parse().unwrap());
    assert!(talks("1.1.15.63:1") && talks("1.1.0.24:1") && !talks("1.1.0.23:1"));
}

#[test]
fn a_socket_takes_no_address_of_its_own() {
    let world = World::new(&grants(&[], &["*:*"], &[]), Limits::default(), &[]);
    let may = |used, address: &str| world.network.allows(address.parse().unwrap(), used);
    assert!(may(SocketAddrUse::TcpBind, "0.0.0.0:0") && may(SocketAddrUse::UdpBind, "[::]:0"));
    for (used, address) in [
        (SocketAddrUse::TcpBind, "0.0.0.0:80"),
        (SocketAddrUse::UdpBind, "127.0.0.1:0"),
        (SocketAddrUse::TcpListen, "0.0.0.0:0"),
        (SocketAddrUse::TcpAccept, "1.1.1.1:1"),
    ] {
        assert!(!may(used, address), "{used:?} {address}");
    }
    assert_eq!(world.network.denials.take_uncounted().len(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_counted_and_ends_at_the_limit() {
    let run = async |network_bytes| {
        let (port, head) = server();
        let limits = Limits { network_bytes, ..Limits::default() };
        let world = World::new(&grants(&[], &[], &[]), limits, &[]);
        let ran = world.get(&format!("http://127.0.0.1:{port}/")).await;
        let head = head.lock().unwrap().len() as u64;
        (ran.is_ok(), head, world)
    };
    let (completed, sent, world) = run(1 << 20).await;
    let received = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".len() as u64;
    assert!(completed);
    assert_eq!(
        (world.network.traffic.sent_bytes(), world.network.traffic.received_bytes()),
        (sent, received)
    );
    assert!(run(sent + received).await.0, "at the limit");
    let (completed, _, world) = run(sent + received - 1).await;
    assert!(!completed, "above it");
    let limits = Limits { network_bytes: sent + received - 1, ..Limits::default() };
    assert_eq!(world.remarks(), [Limit::of(LimitKind::Network, &limits).to_string()]);
    assert!(!run(sent - 1).await.0, "it is not even sent");
}

#[tokio::test(flavor = "current_thread")]
async fn a_body_that_is_too_long_is_not_sent() {
    let (port, _) = server();
    let limits = Limits { network_bytes: 1_000, ..Limits::default() };
    let world = World::new(&grants(&[], &[], &[]), limits, &[]);
    let body = Full::new(vec![0; 2_000].into()).map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::post(format!("http://127.0.0.1:{port}/")).body(body).unwrap();
    assert!(world.send(request).await.is_err());
    assert!(world.network.traffic.sent_bytes() <= 1_000);
    assert_eq!(world.remarks().len(), 1);
}
