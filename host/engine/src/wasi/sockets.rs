//! Sockets: TCP and UDP to granted addresses, outgoing only. Bytes are counted, and using a socket is a touch.

use std::any::Any;

use hostel_core::{GrantKind, Touch, Transport};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostIncomingDatagramStream as _, HostOutgoingDatagramStream as _, IncomingDatagram,
    IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
};
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, Network, SocketError, SocketResult, TcpSocket, UdpSocket,
};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView};

use super::state::HostView;
use crate::network::{CountedInput, CountedOutput};

/// Interfaces of which some functions are replaced, in the version of the others of `wasi:sockets`.
const TCP: &str = "wasi:sockets/tcp@0.2.12";
const UDP: &str = "wasi:sockets/udp@0.2.12";

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// The sockets of one attempt.
#[derive(Default)]
pub(crate) struct Sockets {
    /// The room of open sockets; released some time after they are closed.
    room: Vec<OwnedSemaphorePermit>,
}

/// The view on which the interfaces of sockets and of name look-up are implemented.
pub(crate) struct SocketsView<'a> {
    pub(crate) sockets: &'a mut Sockets,
    pub(crate) host: HostView<'a>,
}

impl HasData for Sockets {
    type Data<'a> = SocketsView<'a>;
}

/// Links the functions that create sockets.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> SocketsView<'_>,
) -> wasmtime::Result<()> {
    tcp_create_socket::add_to_linker::<T, Sockets>(linker, view)?;
    udp_create_socket::add_to_linker::<T, Sockets>(linker, view)
}

/// The other interfaces need this to turn errors into codes.
impl network::Host for SocketsView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.ctx(), error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.ctx(), error)
    }
}

impl network::HostNetwork for SocketsView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.ctx(), network)
    }
}

impl tcp_create_socket::Host for SocketsView<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let room = self.room_for_socket(Transport::Tcp)?;
        let socket = tcp_create_socket::Host::create_tcp_socket(&mut self.ctx(), family)?;
        self.sockets.room.push(room);
        Ok(socket)
    }
}

impl udp_create_socket::Host for SocketsView<'_> {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let room = self.room_for_socket(Transport::Udp)?;
        let socket = udp_create_socket::Host::create_udp_socket(&mut self.ctx(), family).await?;
        self.sockets.room.push(room);
        Ok(socket)
    }
}

/// Replaces the functions that transfer bytes, so that the bytes are counted. The others ask
/// [`crate::network::Network`] which addresses are allowed.
pub(crate) fn link_counted<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> SocketsView<'_>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut tcp = linker.instance(TCP)?;
    tcp.func_wrap(
        "[method]tcp-socket.finish-connect",
        move |mut store: StoreContextMut<'_, T>, (socket,)| {
            Ok((answer(view(store.data_mut()).finish_connect(socket))?,))
        },
    )?;
    let mut udp = linker.instance(UDP)?;
    udp.func_wrap(
        "[method]incoming-datagram-stream.receive",
        move |mut store: StoreContextMut<'_, T>, (stream, most)| {
            Ok((answer(view(store.data_mut()).receive(stream, most))?,))
        },
    )?;
    udp.func_wrap(
        "[method]outgoing-datagram-stream.send",
        move |mut store: StoreContextMut<'_, T>, (stream, datagrams)| {
            Ok((answer(view(store.data_mut()).send(stream, datagrams))?,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

impl SocketsView<'_> {
    fn ctx(&mut self) -> WasiSocketsCtxView<'_> {
        self.host.wasi().sockets()
    }

    /// Room for one more socket, if any address is granted for it.
    fn room_for_socket(&mut self, transport: Transport) -> SocketResult<OwnedSemaphorePermit> {
        if !self.host.network().is_granted(transport) {
            let name = transport.name();
            self.host.notes.deny(GrantKind::Net, || {
                format!("{} was denied (allow it with --net {name}://HOST:PORT)", name.to_uppercase())
            });
            return Err(ErrorCode::AccessDenied.into());
        }
        self.host.notes.touch(Touch::Network);
        self.forget_closed_sockets();
        self.host.network().room().ok_or(ErrorCode::NewSocketLimit.into())
    }

    /// Releases the room of closed sockets: closing one does not do that.
    pub(super) fn forget_closed_sockets(&mut self) {
        if self.sockets.room.is_empty() {
            return;
        }
        let is_socket = |entry: &&mut (dyn Any + Send)| entry.is::<TcpSocket>() || entry.is::<UdpSocket>();
        let open = self.host.table().iter_mut().filter(is_socket).count();
        self.sockets.room.truncate(open);
    }

    fn finish_connect(&mut self, socket: Resource<TcpSocket>) -> SocketResult<Streams> {
        let (input, output) = self.ctx().finish_connect(socket)?;
        let traffic = self.host.network().traffic.clone();
        let table = self.host.table();
        let stream = std::mem::replace(table.get_mut(&input)?, Box::new(ClosedInputStream));
        *table.get_mut(&input)? = Box::new(CountedInput { stream, traffic: traffic.clone() });
        let stream = std::mem::replace(table.get_mut(&output)?, Box::new(ClosedOutputStream));
        *table.get_mut(&output)? = Box::new(CountedOutput { stream, traffic });
        Ok((input, output))
    }

    fn receive(
        &mut self,
        stream: Resource<IncomingDatagramStream>,
        most: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        let datagrams = self.ctx().receive(stream, most)?;
        let bytes = datagrams.iter().map(|datagram| datagram.data.len()).sum();
        self.host.network().traffic.receive(bytes).map_err(|_| ErrorCode::AccessDenied)?;
        Ok(datagrams)
    }

    fn send(
        &mut self,
        stream: Resource<OutgoingDatagramStream>,
        datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        let sizes: Vec<_> = datagrams.iter().map(|datagram| datagram.data.len()).collect();
        self.host.network().traffic.check(sizes.iter().sum()).map_err(|_| ErrorCode::AccessDenied)?;
        let sent = self.ctx().send(stream, datagrams)?;
        let count = usize::try_from(sent).unwrap_or(usize::MAX);
        self.host.network().traffic.send(sizes.into_iter().take(count).sum());
        Ok(sent)
    }
}

/// An answer in the form of WASI, or the error that traps.
pub(super) fn answer<T>(answer: SocketResult<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => error.downcast().map(Err),
    }
}
