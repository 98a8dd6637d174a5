//! Outgoing HTTP for guests: sending is a touch, and the host's memory for a guest is bounded.

use std::any::Any;

use hostel_core::Touch;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{
    ErrorCode, HostFields, HostOutgoingRequest as _, Method, Scheme,
};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpCtxView, WasiHttpView};

use super::gate::Refused;
use super::sockets::SocketsView;
use crate::meter::Meter;

/// The interface that sends requests, in the version of the others of `wasi:http`.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// The interface of requests, responses and headers.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The maximum number of sets of headers of one guest, including requests and responses. With a body and trailers, each
/// takes up to 110 KiB of the host's memory, so all of them take no more than 256 MiB.
const MAX_FIELDS: u64 = 2_000;

/// What the host may have for a set of headers, with a request, a body and trailers.
const SET_BYTES: u64 = 110 << 10;

/// So many sets of headers are not counted as memory of the host: most guests send one request at a time.
const FEW_FIELDS: u64 = 16;

/// The most new sets of headers after which they are counted again.
const FIELDS_BETWEEN_COUNTS: u64 = 200;

/// The maximum length of a path with its query: as much as servers accept.
const PATH_BYTES: usize = 8 << 10;

/// The maximum length of method, scheme and authority: a name with a port is shorter.
const WORD_BYTES: usize = 1 << 10;

/// The arguments of `handle`: a request, and perhaps options.
type Requested = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
type Outgoing = Resource<HostOutgoingRequest>;

/// The guest holds as many sets of headers as it may.
#[derive(Debug, thiserror::Error)]
#[error("more than {allowed} headers and requests at once")]
pub(crate) struct TooManyFields {
    pub(crate) allowed: u64,
}

/// The sets of headers of one attempt.
pub(crate) struct Http {
    /// At least as many as the guest has created and not dropped.
    fields: u64,
    /// When there may be more than this, they are counted.
    room: u64,
    /// For how many of them memory is taken.
    taken: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self { fields: 0, room: FEW_FIELDS, taken: FEW_FIELDS }
    }
}

/// The view on which the interfaces of HTTP are implemented.
pub(crate) struct HttpView<'a> {
    pub(crate) http: &'a mut Http,
    pub(crate) meter: &'a mut Meter,
    pub(crate) sockets: SocketsView<'a>,
}

/// Replaces the functions that create sets of headers, so that the host stores only so many.
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

/// Links `wasi:http/outgoing-handler`.
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

    /// The view, if the guest may create another set of headers.
    fn make_fields(&mut self) -> wasmtime::Result<&mut Self> {
        if self.http.fields >= self.http.room {
            self.make_room()?;
        }
        self.http.fields += 1;
        Ok(self)
    }

    /// Counts the sets of headers, and takes memory for as many more, or for some.
    fn make_room(&mut self) -> wasmtime::Result<()> {
        let has_fields = |entry: &&mut (dyn Any + Send)| {
            entry.is::<FieldMap>() || entry.is::<HostOutgoingRequest>() || entry.is::<HostOutgoingResponse>()
        };
        let stored = self.ctx().table.iter_mut().filter(has_fields).count() as u64;
        if stored >= MAX_FIELDS {
            return Err(TooManyFields { allowed: MAX_FIELDS }.into());
        }
        let room = stored + stored.clamp(FEW_FIELDS / 2, FIELDS_BETWEEN_COUNTS);
        let missing = room.saturating_sub(self.http.taken);
        if missing > 0 && !self.meter.grow_beside(missing * SET_BYTES) {
            return Err(wasmtime::Error::msg("the host has no memory for more headers"));
        }
        let Http { fields, room: known, taken } = self.http;
        (*fields, *known, *taken) = (stored, room, room.max(*taken));
        Ok(())
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
