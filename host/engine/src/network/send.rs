//! Sends a request to checked addresses, over a connection of its own whose bytes are counted.
//!
//! It works like the sender of wasmtime-wasi-http, with the same timeouts and errors, with one difference: the name is
//! looked up once, and the connection uses the addresses that were found and checked. A second look-up could return
//! different ones.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hostel_core::HttpScheme;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::traffic::Counted;
use super::{NAME_BYTES, Network, NoAddress, Target, literal};
use crate::denial::shown;

/// The default timeout of each step, as in wasmtime-wasi-http.
const STEP_TIME: Duration = Duration::from_secs(600);

/// The tasks that run until the body of a response is complete.
pub(crate) type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;
pub(crate) type Sent = Result<(Response<WasiBody>, Transmission), Error>;

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Sends a request to a granted target.
pub(crate) async fn send(
    network: Arc<Network>,
    target: Target,
    mut request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Sent {
    let options = options.unwrap_or_default();
    let connect_timeout = options.connect_timeout.unwrap_or(STEP_TIME);
    let first_byte_timeout = options.first_byte_timeout.unwrap_or(STEP_TIME);
    let between_bytes_timeout = options.between_bytes_timeout.unwrap_or(STEP_TIME);

    let stream = timeout(connect_timeout, connect(&network, &target, request.method().as_str())).await;
    let stream = stream.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = spawn(connection);

    // Only a proxy gets the scheme and the authority in the first line; the host is in its header.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let response = timeout(first_byte_timeout, sender.send_request(request)).await;
    let response = response.map_err(|_| Error::ConnectionReadTimeout)??;
    let response = response.map(|incoming| TimedBody::new(incoming, between_bytes_timeout).boxed_unsync());
    Ok((response, Box::new(async move { connection.await.map_err(Error::from) })))
}

async fn connect(network: &Network, target: &Target, method: &str) -> Result<Box<dyn Stream>, Error> {
    let addresses = network.addresses_of(method, target).await.map_err(|error| match error {
        NoAddress::Unresolvable => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None }
        }
        NoAddress::Denied => Error::DestinationIpProhibited,
    })?;
    let stream = TcpStream::connect(&*addresses).await.map_err(Error::Connect)?;
    // Below TLS, whose own bytes count too.
    let stream = Counted { stream, traffic: Arc::clone(&network.traffic) };
    match target.scheme {
        HttpScheme::Http => Ok(Box::new(stream)),
        HttpScheme::Https => {
            let connector = network.tls.connector().await.map_err(|error| {
                network.denials.remark(error.to_string());
                Error::ConfigurationError
            })?;
            let name = server_name(&target.host).ok_or(Error::TlsProtocolError)?;
            let connected = connector.connect(name, stream).await;
            Ok(Box::new(connected.map_err(|error| refused(network, &target.host, error))?))
        }
    }
}

/// The error of a handshake. If it is the certificate, a remark says why.
fn refused(network: &Network, host: &str, error: std::io::Error) -> Error {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = of_tls else { return Error::Tls(error) };
    let host = shown(host, NAME_BYTES);
    network
        .denials
        .remark(format!("the certificate of {host} was refused: {}", shown(&reason.to_string(), NAME_BYTES)));
    Error::TlsCertificateError
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    match literal(host) {
        Some(address) => Some(ServerName::from(address)),
        None => ServerName::try_from(host.to_owned()).ok(),
    }
}

/// The body of a response, with a timeout for each part.
struct TimedBody {
    incoming: Incoming,
    between: Duration,
    end: Pin<Box<Sleep>>,
}

impl TimedBody {
    fn new(incoming: Incoming, between: Duration) -> Self {
        Self { incoming, between, end: Box::pin(sleep(between)) }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(Some(Ok(frame))) => {
                let end = sleep(self.between).deadline();
                self.end.as_mut().reset(end);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => {
                ready!(self.end.as_mut().poll(cx));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
