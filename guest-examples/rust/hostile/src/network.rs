//! The network, straight on WASI's interfaces.

use std::net::IpAddr;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingRequest, Scheme,
};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

/// Far more redirects than anybody means.
const REDIRECTS: u32 = 20;

type Result<T> = std::result::Result<T, String>;

pub(crate) fn connect(address: &str, port: u16) -> Result<()> {
    let (family, remote) = parse(address, port)?;
    let socket = create_tcp_socket(family).map_err(text)?;
    socket.start_connect(&instance_network(), remote).map_err(text)?;
    socket.subscribe().block();
    socket.finish_connect().map(drop).map_err(text)
}

pub(crate) fn listen(address: &str, port: u16) -> Result<()> {
    let (family, local) = parse(address, port)?;
    let socket = create_tcp_socket(family).map_err(text)?;
    socket.start_bind(&instance_network(), local).map_err(text)?;
    socket.finish_bind().map_err(text)?;
    socket.start_listen().map_err(text)
}

pub(crate) fn send(address: &str, port: u16) -> Result<()> {
    let (family, remote) = parse(address, port)?;
    let socket = create_udp_socket(family).map_err(text)?;
    let anywhere = if address.contains(':') { "::" } else { "0.0.0.0" };
    socket.start_bind(&instance_network(), parse(anywhere, 0)?.1).map_err(text)?;
    socket.finish_bind().map_err(text)?;
    socket.stream(Some(remote)).map(drop).map_err(text)
}

pub(crate) fn look_up(name: &str) -> Result<()> {
    resolve_addresses(&instance_network(), name).map(drop).map_err(text)
}

/// The body's length and status are enough: it is about where it got to.
pub(crate) fn get(url: &str, headers: &[(String, String)]) -> Result<String> {
    let mut url = url.to_owned();
    for _ in 0..REDIRECTS {
        let response = answer(&ask(&url, headers)?)?;
        let status = response.status();
        let location = response.headers().get("location").into_iter().next();
        match location {
            Some(location) if (300..400).contains(&status) => {
                url = String::from_utf8_lossy(&location).into_owned();
            }
            _ => return Ok(format!("{url} answered {status}")),
        }
    }
    Err("too many redirects".to_owned())
}

/// Sends a request and does not wait.
pub(crate) fn ask(url: &str, headers: &[(String, String)]) -> Result<FutureIncomingResponse> {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let fields = Fields::from_list(&headers).map_err(|error| format!("{error:?}"))?;
    let (authority, path) = parts(url)?;
    let request = OutgoingRequest::new(fields);
    let prepared = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    prepared.map_err(|()| "not a URL".to_owned())?;
    handle(request, None).map_err(|error| format!("{error:?}"))
}

/// A request that is only kept.
pub(crate) fn with_header(value: &str) -> Result<OutgoingRequest> {
    let fields = Fields::from_list(&[("x".to_owned(), value.as_bytes().to_vec())]);
    fields.map(OutgoingRequest::new).map_err(|error| format!("{error:?}"))
}

/// Which of its texts may be so long.
pub(crate) fn long_winded(bytes: usize) -> Vec<String> {
    let request = OutgoingRequest::new(Fields::new());
    let text = "x".repeat(bytes);
    let path = format!("/{}", &text[1..]);
    let said = [
        ("method", request.set_method(&Method::Other(text.clone()))),
        ("scheme", request.set_scheme(Some(&Scheme::Other(text.clone())))),
        ("authority", request.set_authority(Some(&text))),
        ("path", request.set_path_with_query(Some(&path))),
    ];
    said.into_iter().filter(|(_, said)| said.is_ok()).map(|(name, _)| name.to_owned()).collect()
}

/// As much as is taken before the host wants to have it sent.
pub(crate) fn unsent_body() -> u64 {
    let request = OutgoingRequest::new(Fields::new());
    let stream = request.body().and_then(|body| body.write().map(|stream| (body, stream)));
    let (body, stream) = stream.expect("a request has a body");
    let mut written = 0;
    while let Ok(room @ 1..) = stream.check_write() {
        stream.write(&vec![0; room as usize]).expect("there is room");
        written += room;
    }
    drop((stream, body));
    written
}

fn answer(asked: &FutureIncomingResponse) -> Result<IncomingResponse> {
    asked.subscribe().block();
    match asked.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        Some(Err(())) | None => Err("the response was lost".to_owned()),
    }
}

fn parts(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("not a URL: {url}"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

fn parse(address: &str, port: u16) -> Result<(IpAddressFamily, IpSocketAddress)> {
    Ok(match address.parse::<IpAddr>().map_err(|error| error.to_string())? {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let address = Ipv4SocketAddress { port, address: (a, b, c, d) };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(address))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            let address = (a, b, c, d, e, f, g, h);
            let address = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    })
}

fn text(error: ErrorCode) -> String {
    error.name().to_owned()
}
