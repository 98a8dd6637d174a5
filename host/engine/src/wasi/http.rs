//! Outgoing HTTP: requests that a grant allows are sent, all others are refused, and a remark in the log says so.

use std::any::Any;
use std::sync::Arc;

use hostel_core::{GrantKind, HttpGrant, Touch};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{
    ErrorCode, HostFields, HostOutgoingRequest as _, Method, Scheme,
};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{
    FieldMap, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::sockets::SocketsView;
use crate::denial::{self, told};
use crate::network::{Network, OverLimit, Sent, Target, Transmission, send};

/// How many bytes of a host's name a remark repeats: as many as a name can have.
const HOST_BYTES: usize = 256;

/// How many bytes of a method a remark repeats: no known method has more than 20.
const METHOD_BYTES: usize = 64;

/// The interface that sends requests, in the version of the others of `wasi:http`.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// The interface of requests, responses and headers.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The most bytes of one set of headers or trailers, including what the host needs for each of them: twice what servers accept.
const FIELD_BYTES: usize = 16 << 10;

/// How many sets of headers one guest may hold, including requests and responses. With a body and trailers, each takes up to
/// 110 KiB of the host's memory, so that all take no more than 256 MiB.
const MAX_FIELDS: u64 = 2_000;

/// How many sets of headers may be made before they are counted again.
const FIELDS_BETWEEN_COUNTS: u64 = 200;

/// The longest path with its query: as much as servers accept.
const PATH_BYTES: usize = 8 << 10;

/// The longest method, scheme and authority: a name with a port has less.
const WORD_BYTES: usize = 1 << 10;

/// How much of a body is accepted in one write. Two writes are buffered for a request that is not yet sent, or never.
const BODY_BYTES: usize = 8 << 10;

/// The arguments of `handle`: a request, and perhaps options.
type Requested = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
type Outgoing = Resource<HostOutgoingRequest>;
type Request = http::Request<WasiBody>;
type Sending = Box<dyn Future<Output = Sent> + Send>;

/// Decides which requests of a guest are sent.
pub(crate) struct Gate {
    network: Arc<Network>,
    /// Why the last request was refused, until [`Gate::take_refused`] takes it.
    refused: Option<Refused>,
}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No grant allows its method or its target.
    Denied,
    /// Its target is not clear.
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
        let place = format!("{}://{}{port_text}", scheme.name(), told(host, HOST_BYTES));
        let is_place_granted =
            self.network.grants.http.iter().any(|grant| grant.allows_place(*scheme, host, *port));
        let needed = HttpGrant::of(*scheme, host, *port);
        let (denied, needed) = if is_place_granted {
            let denied = format!("{} to {place} was denied", told(method, METHOD_BYTES));
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

/// The guest holds as many sets of headers as it may.
#[derive(Debug, thiserror::Error)]
#[error("more than {allowed} headers and requests at once")]
pub(crate) struct TooManyFields {
    pub(crate) allowed: u64,
}

/// The bounds on requests.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(FIELD_BYTES);
    context
}

/// The sets of headers of one attempt.
#[derive(Default)]
pub(crate) struct Http {
    /// At least as many as the guest has made and not dropped.
    fields: u64,
}

/// What the interfaces of HTTP are implemented on.
pub(crate) struct HttpView<'a> {
    pub(crate) http: &'a mut Http,
    pub(crate) sockets: SocketsView<'a>,
}

/// Replaces the functions that make sets of headers, so that the host stores only so many.
pub(crate) fn link_fields<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> HttpView<'_>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[constructor]fields", move |mut store: StoreContextMut<'_, T>, (): ()| {
        Ok((HostFields::new(&mut view(store.data_mut()).make_fields()?.ctx())?,))
    })?;
    types.func_wrap(
        "[method]fields.clone",
        move |mut store: StoreContextMut<'_, T>, (fields,): (Resource<FieldMap>,)| {
            Ok((view(store.data_mut()).make_fields()?.ctx().clone(fields)?,))
        },
    )?;
    types.func_wrap(
        "[static]fields.from-list",
        move |mut store: StoreContextMut<'_, T>, (entries,): (Vec<(String, Vec<u8>)>,)| match view(
            store.data_mut(),
        )
        .make_fields()?
        .ctx()
        .from_list(entries)
        {
            Ok(fields) => Ok((Ok(fields),)),
            Err(error) => Ok((Err(error.downcast()?),)),
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces the functions that store a text of the guest in the host, so that a text that is too long is refused like a wrong one.
pub(crate) fn link_bounded<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> WasiHttpCtxView<'_>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        move |mut store: StoreContextMut<'_, T>, (request, method): (Outgoing, Method)| {
            let mut view = view(store.data_mut());
            let is_short = !matches!(&method, Method::Other(name) if name.len() > WORD_BYTES);
            Ok((if is_short { view.set_method(request, method)? } else { Err(()) },))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-scheme",
        move |mut store: StoreContextMut<'_, T>, (request, scheme): (Outgoing, Option<Scheme>)| {
            let mut view = view(store.data_mut());
            let is_short = !matches!(&scheme, Some(Scheme::Other(name)) if name.len() > WORD_BYTES);
            Ok((if is_short { view.set_scheme(request, scheme)? } else { Err(()) },))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        move |mut store: StoreContextMut<'_, T>, (request, path): (Outgoing, Option<String>)| {
            let mut view = view(store.data_mut());
            let is_short = path.as_ref().is_none_or(|path| path.len() <= PATH_BYTES);
            Ok((if is_short { view.set_path_with_query(request, path)? } else { Err(()) },))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        move |mut store: StoreContextMut<'_, T>, (request, authority): (Outgoing, Option<String>)| {
            let mut view = view(store.data_mut());
            let is_short = authority.as_ref().is_none_or(|authority| authority.len() <= WORD_BYTES);
            Ok((if is_short { view.set_authority(request, authority)? } else { Err(()) },))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Offers `wasi:http/outgoing-handler`.
pub(crate) fn link_handler<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> HttpView<'_>,
) -> wasmtime::Result<()> {
    let handle = move |mut store: StoreContextMut<'_, T>, (request, options): Requested| {
        Ok((view(store.data_mut()).handle(request, options)?,))
    };
    linker.instance(HANDLER)?.func_wrap("handle", handle)
}

impl HttpView<'_> {
    fn ctx(&mut self) -> WasiHttpCtxView<'_> {
        self.sockets.host.wasi().http()
    }

    /// The view, if the guest may make another set of headers.
    fn make_fields(&mut self) -> Result<&mut Self, TooManyFields> {
        self.http.fields += 1;
        if self.http.fields > MAX_FIELDS {
            let has_fields = |entry: &&mut (dyn Any + Send)| {
                entry.is::<FieldMap>()
                    || entry.is::<HostOutgoingRequest>()
                    || entry.is::<HostOutgoingResponse>()
            };
            let stored = self.ctx().table.iter_mut().filter(has_fields).count() as u64;
            if stored >= MAX_FIELDS {
                return Err(TooManyFields { allowed: MAX_FIELDS });
            }
            self.http.fields = stored.min(MAX_FIELDS - FIELDS_BETWEEN_COUNTS);
        }
        Ok(self)
    }

    /// Sends a request, or refuses it at once. If the error came with the response, the time of its arrival would not be a function
    /// of the grants.
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, ErrorCode>> {
        self.sockets.forget_closed_sockets();
        let response = match outgoing_handler::Host::handle(&mut self.ctx(), request, options) {
            Ok(response) => response,
            Err(error) => return error.downcast().map(Err),
        };
        let refused = self.sockets.host.wasi().gate.take_refused();
        // The number of open requests is not a function of the grants.
        if !matches!(refused, Some(Refused::Denied | Refused::Invalid)) {
            self.sockets.host.notes.touch(Touch::Network);
        }
        match refused {
            None => Ok(Ok(response)),
            Some(refused) => {
                self.ctx().table.delete(response)?;
                Ok(Err(refused.into()))
            }
        }
    }
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
        let network = Network::new(&options, &DenialBook::new(&options.log), Arc::new(SystemResolver));
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
