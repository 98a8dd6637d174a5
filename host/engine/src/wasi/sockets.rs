//! Sockets: TCP and UDP to what is granted, outgoing alone; counted, and a touch.

use hostel_core::{GrantKind, HostCall, Touch, Transport};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
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
use wasmtime_wasi::sockets::WasiSocketsView;

use crate::guest::Guest;
use crate::network::{CountedInput, CountedOutput};

/// Interfaces of which some functions are linked anew, in the version of the others of `wasi:sockets`.
const TCP: &str = "wasi:sockets/tcp@0.2.12";
const UDP: &str = "wasi:sockets/udp@0.2.12";

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// What the other interfaces need to turn errors into codes; it tells nothing by itself.
impl network::Host for Guest {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.sockets(), error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.sockets(), error)
    }
}

impl network::HostNetwork for Guest {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl tcp_create_socket::Host for Guest {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let room = self.room_for_socket(Transport::Tcp)?;
        let socket = tcp_create_socket::Host::create_tcp_socket(&mut self.sockets(), family)?;
        self.socket_room.push(room);
        Ok(socket)
    }
}

impl udp_create_socket::Host for Guest {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let room = self.room_for_socket(Transport::Udp)?;
        let socket = udp_create_socket::Host::create_udp_socket(&mut self.sockets(), family).await?;
        self.socket_room.push(room);
        Ok(socket)
    }
}

/// Links anew what passes bytes on, so that they are counted. The rest is linked as it comes: which addresses are allowed
/// is asked of [`crate::network::Network`] there.
pub(super) fn link_counted(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut tcp = linker.instance(TCP)?;
    tcp.func_wrap("[method]tcp-socket.finish-connect", |mut store: Store<'_>, (socket,)| {
        let guest = store.data_mut().calls(HostCall::Sockets);
        let streams = guest.finish_connect(socket);
        Ok((guest.answer(streams)?,))
    })?;
    let mut udp = linker.instance(UDP)?;
    udp.func_wrap("[method]incoming-datagram-stream.receive", |mut store: Store<'_>, (stream, most)| {
        let guest = store.data_mut().calls(HostCall::Sockets);
        let datagrams = guest.receive(stream, most);
        Ok((guest.answer(datagrams)?,))
    })?;
    udp.func_wrap("[method]outgoing-datagram-stream.send", |mut store: Store<'_>, (stream, datagrams)| {
        let guest = store.data_mut().calls(HostCall::Sockets);
        let sent = guest.send(stream, datagrams);
        Ok((guest.answer(sent)?,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

type Store<'a> = StoreContextMut<'a, Guest>;

impl Guest {
    /// Room for one more socket, if any address is granted for it.
    fn room_for_socket(&mut self, transport: Transport) -> SocketResult<OwnedSemaphorePermit> {
        if !self.network().is_granted(transport) {
            let name = transport.name();
            self.deny(GrantKind::Net, || {
                format!("{} was denied (allow it with --net {name}://HOST:PORT)", name.to_uppercase())
            });
            return Err(ErrorCode::AccessDenied.into());
        }
        self.recorder.touch(Touch::Network);
        self.forget_closed_sockets();
        self.network().room().ok_or(ErrorCode::NewSocketLimit.into())
    }

    /// Makes room for others where sockets have been closed: whoever closes one does not come by here.
    pub(super) fn forget_closed_sockets(&mut self) {
        if self.socket_room.is_empty() {
            return;
        }
        let open = self
            .sockets()
            .table
            .iter_mut()
            .filter(|entry| entry.is::<TcpSocket>() || entry.is::<UdpSocket>());
        let open = open.count();
        self.socket_room.truncate(open);
    }

    fn finish_connect(&mut self, socket: Resource<TcpSocket>) -> SocketResult<Streams> {
        let (input, output) = self.sockets().finish_connect(socket)?;
        let traffic = self.network().traffic.clone();
        let table = self.sockets().table;
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
        let datagrams = self.sockets().receive(stream, most)?;
        let bytes = datagrams.iter().map(|datagram| datagram.data.len()).sum();
        self.network().traffic.receive(bytes).map_err(|_| ErrorCode::AccessDenied)?;
        Ok(datagrams)
    }

    fn send(
        &mut self,
        stream: Resource<OutgoingDatagramStream>,
        datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        let sizes: Vec<_> = datagrams.iter().map(|datagram| datagram.data.len()).collect();
        self.network().traffic.check(sizes.iter().sum()).map_err(|_| ErrorCode::AccessDenied)?;
        let sent = self.sockets().send(stream, datagrams)?;
        let count = usize::try_from(sent).unwrap_or(usize::MAX);
        self.network().traffic.send(sizes.into_iter().take(count).sum());
        Ok(sent)
    }

    /// An answer as WASI has it, unless the guest did what it must not.
    pub(super) fn answer<T>(&mut self, answer: SocketResult<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => error.downcast().map(Err),
        }
    }
}
