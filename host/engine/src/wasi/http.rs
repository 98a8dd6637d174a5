//! Outgoing HTTP: requests that a grant allows are sent, all others are refused, and the log says so.

use std::pin::Pin;
use std::sync::Arc;

use hostel_core::{GrantKind, Grants, HostCall, HttpGrant, HttpScheme, Touch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView, default_hooks};

use crate::guest::Guest;
use crate::log::{LogBook, cut};

/// How many requests of one attempt may be under way at once: each holds a connection of the host's.
const REQUESTS_AT_ONCE: usize = 64;

/// How much of a host's name a remark repeats: as much as a name can have.
const HOST_BYTES: usize = 256;

/// The interface that requests are sent through, in the version of the others of `wasi:http`.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// What a guest asks for: a request, and perhaps how it is to be sent.
type Requested = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
type Request = http::Request<WasiBody>;
/// What goes on until the body of a response is complete.
type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Transmission), Error>;
type Sending = Box<dyn Future<Output = Sent> + Send>;

/// What stands between a guest and the hosts it wants to talk to.
pub(crate) struct Gate {
    grants: Arc<Grants>,
    log: Arc<LogBook>,
    room: Arc<Semaphore>,
    /// Why the last request was refused, until that is asked for.
    refused: Option<Refused>,
}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No grant names where it goes.
    Denied,
    /// Nobody can tell where it goes.
    Invalid,
    /// As many are under way as may be.
    TooMany,
}

/// Where a request goes.
struct Target<'a> {
    scheme: HttpScheme,
    host: &'a str,
    port: u16,
}

impl Gate {
    pub(crate) fn new(grants: &Arc<Grants>, log: &Arc<LogBook>) -> Self {
        let room = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
        Self { grants: Arc::clone(grants), log: Arc::clone(log), room, refused: None }
    }

    /// Why the last request was refused, if it was; once.
    pub(crate) fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// Room for a request, if it may be sent. Nothing of it has left the host before: not even its name was looked up.
    fn admit(&self, method: &str, uri: &http::Uri) -> Result<OwnedSemaphorePermit, Refused> {
        let target = Target::of(uri).ok_or(Refused::Invalid)?;
        if !self.grants.allows_http(method, target.scheme, target.host, target.port) {
            self.log.remark(target.denial());
            return Err(Refused::Denied);
        }
        Arc::clone(&self.room).try_acquire_owned().map_err(|_| Refused::TooMany)
    }
}

impl From<Refused> for ErrorCode {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied => Self::HttpRequestDenied,
            Refused::Invalid => Self::HttpRequestUriInvalid,
            Refused::TooMany => Self::ConnectionLimitReached,
        }
    }
}

impl WasiHttpHooks for Gate {
    fn send_request(
        &mut self,
        request: Request,
        options: Option<RequestOptions>,
        transmission: Transmission,
    ) -> Sending {
        match self.admit(request.method().as_str(), request.uri()) {
            Ok(room) => Box::new(send(default_hooks().send_request(request, options, transmission), room)),
            Err(refused) => {
                self.refused = Some(refused);
                // Nobody waits for it: the guest is told by whoever asked for it to be sent.
                Box::new(std::future::pending())
            }
        }
    }
}

/// Offers `wasi:http/outgoing-handler`.
pub(super) fn link_handler(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let handle = |mut store: StoreContextMut<'_, Guest>, (request, options): Requested| {
        Ok((store.data_mut().calls(HostCall::Http).handle(request, options)?,))
    };
    linker.instance(HANDLER)?.func_wrap("handle", handle)
}

impl Guest {
    /// Sends a request, or says at once that it is refused: an error that came with the response would come sooner or
    /// later, and when it comes is no function of the grants.
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, ErrorCode>> {
        let response = match outgoing_handler::Host::handle(&mut self.http(), request, options) {
            Ok(response) => response,
            Err(error) => return error.downcast().map(Err),
        };
        if let Some(refused) = self.take_refused_request() {
            if refused == Refused::Denied {
                self.tally.denials.count(GrantKind::Http);
            }
            self.http().table.delete(response)?;
            return Ok(Err(refused.into()));
        }
        self.recorder.touch(Touch::Network);
        Ok(Ok(response))
    }
}

/// Keeps the room until the response is complete, or dropped by the guest.
async fn send(sending: Sending, room: OwnedSemaphorePermit) -> Sent {
    let (response, transmission) = Pin::from(sending).await?;
    let transmission = async move {
        let _room = room;
        Pin::from(transmission).await
    };
    Ok((response, Box::new(transmission)))
}

impl<'a> Target<'a> {
    /// `None` for what has more in it than a host and a port, such as a user's name: the sender and this module must
    /// never see different hosts in one text.
    fn of(uri: &'a http::Uri) -> Option<Self> {
        let scheme = match uri.scheme_str()? {
            "http" => HttpScheme::Http,
            "https" => HttpScheme::Https,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)?.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if authority.as_str() == host => scheme.usual_port(),
            None => return None,
        };
        Some(Self { scheme, host, port })
    }

    fn denial(&self) -> String {
        let Self { scheme, host, port } = *self;
        let port_text = if port == scheme.usual_port() { String::new() } else { format!(":{port}") };
        let host_text = cut(host.to_owned(), HOST_BYTES);
        let denial = format!("outgoing HTTP to {}://{host_text}{port_text} was denied", scheme.name());
        match HttpGrant::of(scheme, host, port) {
            Ok(grant) => format!("{denial} (allow it with --http {grant})"),
            Err(_) => denial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_the_sender_connects_to() {
        let check = |url: &str, expected: Option<(HttpScheme, &str, u16)>| {
            let uri = url.parse().unwrap();
            let target = Target::of(&uri).map(|target| (target.scheme, target.host, target.port));
            assert_eq!(target, expected, "{url}");
        };
        check("http://example.org/", Some((HttpScheme::Http, "example.org", 80)));
        check("https://Example.org:8443/a:1?b@c", Some((HttpScheme::Https, "Example.org", 8443)));
        check("http://[::1]/", Some((HttpScheme::Http, "[::1]", 80)));
        check("http://[::1]:8080/", Some((HttpScheme::Http, "[::1]", 8080)));
        check("http://granted.org@evil.com/", None);
        check("http://user:80@example.org:80/", None);
        check("http://example.org:/", None);
        check("ftp://example.org/", None);
        check("/path", None);
    }

    #[test]
    fn only_so_many_requests_are_under_way_at_once() {
        let grants = Grants { http: vec!["example.org".parse().unwrap()], ..Grants::default() };
        let gate = Gate::new(&Arc::new(grants), &Arc::new(LogBook::new(1 << 20, None)));
        let uri = "http://example.org/".parse().unwrap();
        let mut under_way: Vec<_> = (0..REQUESTS_AT_ONCE).map(|_| gate.admit("GET", &uri).unwrap()).collect();
        assert_eq!(gate.admit("GET", &uri).err(), Some(Refused::TooMany));
        under_way.pop();
        assert!(gate.admit("GET", &uri).is_ok());
        assert!(gate.log.lines().is_empty(), "nothing was denied");
    }

    #[test]
    fn a_denial_says_what_would_allow_it() {
        let check = |url: &str, expected: &str| {
            assert_eq!(Target::of(&url.parse().unwrap()).unwrap().denial(), expected);
        };
        check(
            "http://example.org:8080/path",
            "outgoing HTTP to http://example.org:8080 was denied (allow it with --http example.org:8080)",
        );
        check(
            "https://example.org:443/",
            "outgoing HTTP to https://example.org was denied (allow it with --http example.org)",
        );
        check(
            "https://example.org:80/",
            "outgoing HTTP to https://example.org:80 was denied (allow it with --http example.org:80)",
        );
        check("http://127.1/", "outgoing HTTP to http://127.1 was denied");
        let long = "a".repeat(1000);
        let cut = "a".repeat(HOST_BYTES);
        check(&format!("http://{long}/"), &format!("outgoing HTTP to http://{cut}… was denied"));
    }
}
