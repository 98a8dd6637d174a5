//! What can be asked of the network, straight on WASI's interfaces.

use std::net::{IpAddr, SocketAddr};

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::{InputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

const CHUNK_BYTES: u64 = 1 << 16;

/// What is asked.
pub(crate) enum Question<'a> {
    /// `addresses NAME`: all addresses of a name.
    Addresses(&'a str),
    /// `tcp ADDRESS:PORT TEXT`: what comes back after a text was sent.
    Tcp(&'a str, &'a str),
    /// `udp ADDRESS:PORT TEXT`: the first datagram that comes back.
    Udp(&'a str, &'a str),
    /// `listen ADDRESS:PORT`: waits to be called.
    Listen(&'a str),
    /// `bind-udp ADDRESS:PORT`: takes an address of its own.
    BindUdp(&'a str),
    /// `sockets COUNT`: opens so many, and closes them again.
    Sockets(usize),
    /// `http METHOD URL HEADERS`: the body of the response; headers with `;` between them; a body of what follows ` | `.
    Http { method: &'a str, url: &'a str, headers: &'a str },
}

type Answer = Result<String, String>;

/// The answer in words; one that cannot be given is the error's name.
pub(crate) fn answer(question: Question<'_>) -> String {
    let answer = match question {
        Question::Addresses(name) => addresses(name).map_err(text),
        Question::Tcp(address, text) => tcp(address, text),
        Question::Udp(address, text) => udp(address, text),
        Question::Listen(address) => listen(address),
        Question::BindUdp(address) => bind_udp(address),
        Question::Sockets(count) => sockets(count).map_err(text),
        Question::Http { method, url, headers } => http(method, url, headers),
    };
    answer.unwrap_or_else(|error| error)
}

fn addresses(name: &str) -> Result<String, ErrorCode> {
    let stream = resolve_addresses(&instance_network(), name)?;
    let mut found = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => found.push(IpAddr::from([a, b, c, d]).to_string()),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => {
                found.push(IpAddr::from([a, b, c, d, e, f, g, h]).to_string());
            }
            Ok(None) => return Ok(found.join(" ")),
            Err(ErrorCode::WouldBlock) => stream.subscribe().block(),
            Err(error) => return Err(error),
        }
    }
}

fn tcp(address: &str, sent: &str) -> Answer {
    let address = parse(address)?;
    let socket = create_tcp_socket(family(address)).map_err(text)?;
    socket.start_connect(&instance_network(), of_wasi(address)).map_err(text)?;
    let (input, output) = loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            connected => break connected.map_err(text)?,
        }
    };
    output.blocking_write_and_flush(sent.as_bytes()).map_err(|error| stream_text(&error))?;
    socket.shutdown(ShutdownType::Send).map_err(text)?;
    read(&input)
}

fn udp(address: &str, sent: &str) -> Answer {
    let address = parse(address)?;
    let socket = create_udp_socket(family(address)).map_err(text)?;
    let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 8], 0).into() };
    socket.start_bind(&instance_network(), of_wasi(any)).and_then(|()| socket.finish_bind()).map_err(text)?;
    let (input, output) = socket.stream(None).map_err(text)?;
    while output.check_send().map_err(text)? == 0 {
        output.subscribe().block();
    }
    let datagram = OutgoingDatagram { data: sent.into(), remote_address: Some(of_wasi(address)) };
    output.send(&[datagram]).map_err(text)?;
    loop {
        let received = input.receive(1).map_err(text)?;
        match received.into_iter().next() {
            Some(datagram) => return Ok(String::from_utf8_lossy(&datagram.data).into_owned()),
            None => input.subscribe().block(),
        }
    }
}

fn listen(address: &str) -> Answer {
    let address = parse(address)?;
    let socket = create_tcp_socket(family(address)).map_err(text)?;
    bind(&socket, address).map_err(|error| format!("bind: {}", text(error)))?;
    socket
        .start_listen()
        .and_then(|()| socket.finish_listen())
        .map_err(|error| format!("listen: {}", text(error)))?;
    Ok("listens".to_owned())
}

fn bind(socket: &TcpSocket, address: SocketAddr) -> Result<(), ErrorCode> {
    socket.start_bind(&instance_network(), of_wasi(address))?;
    socket.finish_bind()
}

fn bind_udp(address: &str) -> Answer {
    let address = parse(address)?;
    let socket = create_udp_socket(family(address)).map_err(text)?;
    socket
        .start_bind(&instance_network(), of_wasi(address))
        .and_then(|()| socket.finish_bind())
        .map_err(text)?;
    Ok("bound".to_owned())
}

fn sockets(count: usize) -> Result<String, ErrorCode> {
    let opened: Result<Vec<_>, _> = (0..count).map(|_| create_tcp_socket(IpAddressFamily::Ipv4)).collect();
    opened.map(|opened| opened.len().to_string())
}

fn http(method: &str, url: &str, headers: &str) -> Answer {
    let (headers, body) = headers.split_once(" | ").unwrap_or((headers, ""));
    let request = request(method, url, headers)?;
    let outgoing = request.body().map_err(|()| "no body")?;
    let response = handle(request, None).map_err(|error| format!("{error:?}"))?;
    if !body.is_empty() {
        let stream = outgoing.write().map_err(|()| "no stream")?;
        stream.blocking_write_and_flush(body.as_bytes()).map_err(|error| stream_text(&error))?;
    }
    OutgoingBody::finish(outgoing, None).map_err(|error| format!("{error:?}"))?;
    response.subscribe().block();
    let response = match response.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(error))) => return Err(format!("{error:?}")),
        Some(Err(())) | None => return Err("the response was lost".to_owned()),
    };
    let body = response.consume().map_err(|()| "the response has no body")?;
    let stream = body.stream().map_err(|()| "the body was taken already")?;
    Ok(format!("{} {}", response.status(), read(&stream)?))
}

fn request(method: &str, url: &str, headers: &str) -> Result<OutgoingRequest, String> {
    let fields = Fields::new();
    for header in headers.split(';').filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ").ok_or_else(|| format!("NAME: VALUE: {header}"))?;
        let value = value.replace("\\r", "\r").replace("\\n", "\n");
        fields.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("no URL: {url}"))?;
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // `http://HOST/=PATH` is for paths that do not begin with a slash.
    let path = path.strip_prefix("/=").unwrap_or(path);
    let request = OutgoingRequest::new(fields);
    let method = if method == "GET" { Method::Get } else { Method::Other(method.to_owned()) };
    request.set_method(&method).map_err(|()| "no such method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "no such scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "no such host")?;
    request.set_path_with_query(Some(path)).map_err(|()| "no such path")?;
    Ok(request)
}

fn read(stream: &InputStream) -> Answer {
    let mut content = Vec::new();
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => content.extend(chunk),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&content).into_owned()),
            Err(error) => return Err(stream_text(&error)),
        }
    }
}

fn parse(address: &str) -> Result<SocketAddr, String> {
    address.parse().map_err(|_| format!("ADDRESS:PORT: {address}"))
}

const fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

fn of_wasi(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

fn text(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn stream_text(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}
