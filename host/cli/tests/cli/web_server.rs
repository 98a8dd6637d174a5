//! Small HTTP servers for scripts to talk to, with TLS and without.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::PATIENCE;

/// The root that has signed the certificate of [`secure`] servers, as a file.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/engine/tls/root.pem");

const CERTIFICATE: &[u8] = include_bytes!("../../../engine/tests/engine/tls/localhost.pem");
const KEY: &[u8] = include_bytes!("../../../engine/tests/engine/tls/localhost.key");

/// Serves so many requests, one after the other, and answers each with what `answer` makes of it. Returns the address.
pub(crate) fn serve(
    requests: usize,
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        for _ in 0..requests {
            let (mut socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let request = request(&mut socket).expect("a whole request");
            socket.write_all(answer(&request).as_bytes()).unwrap();
        }
    });
    (address, serving)
}

/// Takes so many connections with TLS, and answers the requests of those that trust its certificate, which is for localhost and
/// 127.0.0.1. Returns the port, and at the end the number of requests.
pub(crate) fn secure(connections: usize) -> (u16, JoinHandle<usize>) {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(builder.with_single_cert(certificates, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let mut requests = 0;
        for _ in 0..connections {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            if request(&mut stream).is_some() {
                requests += 1;
                stream.write_all(answer("200 OK", "secret").as_bytes()).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        }
        requests
    });
    (port, serving)
}

/// An answer with this status, and this text.
pub(crate) fn answer(status: &str, text: &str) -> String {
    let length = text.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

/// A request with its body; `None` if the connection ends before.
pub(crate) fn request(connection: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut part = [0; 1024];
        match connection.read(&mut part) {
            Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
            Ok(0) | Err(_) => return None,
        }
    }
    Some(String::from_utf8(request).unwrap())
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = lengths.map(|(_, length)| length.parse::<usize>().unwrap()).sum();
    request.len() >= head.len() + "\r\n\r\n".len() + length
}
