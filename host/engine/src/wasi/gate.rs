//! Which requests are sent: those that a grant allows. All others are refused, and a remark in the log says so.

use std::sync::Arc;

use hostel_core::{GrantKind, HttpGrant};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpHooks};

use crate::denial::{self, shown};
use crate::network::{Network, OverLimit, Sent, Target, Transmission, send};

/// The maximum length of a host name in a remark: the maximum length of a valid name.
const HOST_BYTES: usize = 256;

/// The maximum length of a method in a remark: no known method has more than 20.
const METHOD_BYTES: usize = 64;

/// How much of a body is accepted in one write. Two writes are buffered for a request that is not yet sent, or never.
const BODY_BYTES: usize = 8 << 10;

type Request = http::Request<WasiBody>;
type Sending = Box<dyn Future<Output = Sent> + Send>;

/// Decides which requests of a guest are sent.
pub(crate) struct Gate {
    network: Arc<Network>,
    /// Why the last request was refused, until [`Gate::take_refused`] takes it.
    refused: Option<Refused>,
}

/// The reason why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No grant allows its method or its target.
    Denied,
    /// Its target is ambiguous.
    Invalid,
    /// The limit on sockets and requests is reached.
    TooMany,
}

impl Gate {
    pub(crate) fn new(network: &Arc<Network>) -> Self {
        Self { network: Arc::clone(network), refused: None }
    }

    /// Takes the reason why the last request was refused, if it was.
    pub(crate) fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// The target of a request and room for it, if it may be sent. Nothing has left the host before that, not even a look-up of
    /// the target's name.
    fn admit(&self, request: &Request) -> Result<(Target, OwnedSemaphorePermit), Refused> {
        let target = Target::of(request.uri()).ok_or(Refused::Invalid)?;
        let method = request.method().as_str();
        let Target { scheme, host, port } = &target;
        if !self.network.grants.allows_http(method, *scheme, host, *port) {
            self.network.denials.note(GrantKind::Http, self.denial(&target, method));
            return Err(Refused::Denied);
        }
        let room = self.network.room().ok_or(Refused::TooMany)?;
        Ok((target, room))
    }

    fn denial(&self, target: &Target, method: &str) -> String {
        let Target { scheme, host, port } = target;
        let port_text = if *port == scheme.usual_port() { String::new() } else { format!(":{port}") };
        let place = format!("{}://{}{port_text}", scheme.name(), shown(host, HOST_BYTES));
        let is_place_granted =
            self.network.grants.http.iter().any(|grant| grant.allows_place(*scheme, host, *port));
        let needed = HttpGrant::of(*scheme, host, *port);
        let (denied, needed) = if is_place_granted {
            let denied = format!("{} to {place} was denied", shown(method, METHOD_BYTES));
            (denied, needed.and_then(|grant| grant.only(method)))
        } else {
            (format!("outgoing HTTP to {place} was denied"), needed)
        };
        let needed = needed.ok().filter(|_| method.len() <= METHOD_BYTES);
        let option = needed.and_then(|grant| denial::option::<HttpGrant>("--http", &grant.to_string()));
        denial::denial(denied, option)
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
        // Reports faults of the response's body to embedders that made the request: there are none here.
        _transmission: Transmission,
    ) -> Sending {
        match self.admit(&request) {
            Ok((target, room)) => {
                let sending = send(Arc::clone(&self.network), target, request, options);
                Box::new(keep(room, sending))
            }
            Err(refused) => {
                self.refused = Some(refused);
                // It is never polled: `handle` reports the refusal to the guest.
                Box::new(std::future::pending())
            }
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_BYTES
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if is_over_limit(error) { ErrorCode::ConnectionTerminated } else { ErrorCode::HttpProtocolError }
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        let unreachable = [std::io::ErrorKind::HostUnreachable, std::io::ErrorKind::NetworkUnreachable];
        if error.kind() == std::io::ErrorKind::TimedOut {
            ErrorCode::ConnectionTimeout
        } else if unreachable.contains(&error.kind()) {
            ErrorCode::DestinationUnavailable
        } else {
            ErrorCode::ConnectionRefused
        }
    }
}

/// Whether the attempt's own limit ended the connection.
fn is_over_limit(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.and_then(std::io::Error::get_ref).is_some_and(|source| source.is::<OverLimit>())
}

/// Holds the room until the response is complete, or the guest drops it.
async fn keep(room: OwnedSemaphorePermit, sending: impl Future<Output = Sent>) -> Sent {
    let (response, transmission) = sending.await?;
    let transmission = async move {
        let _room = room;
        Box::into_pin(transmission).await
    };
    Ok((response, Box::new(transmission)))
}

#[cfg(test)]
mod tests {
    use hostel_core::{Grants, HttpScheme, Limits};
    use http_body_util::{BodyExt as _, Empty};

    use super::*;
    use crate::denial::DenialBook;
    use crate::log::LogBook;
    use crate::network::SystemResolver;
    use crate::options::AttemptOptions;

    /// A gate with these grants, and the log it remarks in.
    fn gate(http: &[&str], limits: Limits) -> (Gate, Arc<LogBook>) {
        let http = http.iter().map(|text| text.parse().unwrap()).collect();
        let options = AttemptOptions::new(limits).grants(Arc::new(Grants { http, ..Grants::default() }));
        let denials = DenialBook::new(&options.log);
        let network = Network::new(&options, &denials, Arc::new(SystemResolver), &Arc::default());
        (Gate::new(&network), options.log)
    }

    fn request(method: &str, url: &str) -> Request {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        http::Request::builder().method(method).uri(url).body(body).unwrap()
    }

    #[test]
    fn a_target_is_what_the_sender_connects_to() {
        let check = |url: &str, expected: Option<(HttpScheme, &str, u16)>| {
            let target = Target::of(&url.parse().unwrap());
            let target = target.as_ref().map(|target| (target.scheme, &*target.host, target.port));
            assert_eq!(target, expected, "{url}");
        };
        check("http://example.org/", Some((HttpScheme::Http, "example.org", 80)));
        check("https://Example.org:8443/a:1?b@c", Some((HttpScheme::Https, "Example.org", 8443)));
        check("http://[::1]/", Some((HttpScheme::Http, "[::1]", 80)));
        check("http://[::1]:8080/", Some((HttpScheme::Http, "[::1]", 8080)));
        check("http://granted.org@evil.com/", None);
        check("http://user:80@example.org:80/", None);
        check("http://example.org:/", None);
        check("http://example.org:+80/", None);
        check("http://example.org:080/", None);
        check("ftp://example.org/", None);
        check("/path", None);
    }

    #[test]
    fn only_so_many_requests_are_under_way_at_once() {
        let (gate, log) = gate(&["example.org"], Limits { sockets: 3, ..Limits::default() });
        let admit = || gate.admit(&request("GET", "http://example.org/"));
        let mut under_way: Vec<_> = (0..3).map(|_| admit().unwrap()).collect();
        assert_eq!(admit().err(), Some(Refused::TooMany));
        assert_eq!(admit().err(), Some(Refused::TooMany));
        under_way.pop();
        assert!(admit().is_ok());
        let texts: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["it may have 3 sockets and requests at once (raise it with --max-sockets)"]);
    }

    #[test]
    fn a_denial_says_what_would_allow_it() {
        let check = |method: &str, url: &str, expected: &str| {
            let (gate, log) = gate(&["GET granted.org", "HEAD granted.org"], Limits::default());
            assert_eq!(gate.admit(&request(method, url)).err(), Some(Refused::Denied));
            assert_eq!(log.lines()[0].text, expected);
        };
        check(
            "GET",
            "http://example.org:8080/path",
            "outgoing HTTP to http://example.org:8080 was denied (allow it with --http example.org:8080)",
        );
        check(
            "GET",
            "https://example.org:443/",
            "outgoing HTTP to https://example.org was denied (allow it with --http example.org)",
        );
        check(
            "GET",
            "https://example.org:80/",
            "outgoing HTTP to https://example.org:80 was denied (allow it with --http example.org:80)",
        );
        check(
            "POST",
            "http://granted.org/",
            "POST to http://granted.org was denied (allow it with --http 'POST granted.org')",
        );
        check("A'`id`'", "http://granted.org/", "A''id'' to http://granted.org was denied");
        check("A'`id`'", "http://a'b$(id).org/", "outgoing HTTP to http://a'b$(id).org was denied");
        check(
            "GET",
            "http://[::1]:8080/",
            "outgoing HTTP to http://[::1]:8080 was denied (allow it with --http '[::1]:8080')",
        );
        let (long, cut) = ("A".repeat(1000), "A".repeat(METHOD_BYTES));
        check(&long, "http://granted.org/", &format!("{cut}… to http://granted.org was denied"));
        check("GET", "http://127.1/", "outgoing HTTP to http://127.1 was denied");
        let long = "a".repeat(1000);
        let cut = "a".repeat(HOST_BYTES);
        check("GET", &format!("http://{long}/"), &format!("outgoing HTTP to http://{cut}… was denied"));
    }
}
