//! An attempt's permissions and activity in the network, shared by sockets, look-ups and HTTP.

mod resolve;
mod send;
mod streams;
mod traffic;

pub(crate) use resolve::{Resolve, SystemResolver};
pub(crate) use send::{Sent, Transmission, send};
pub(crate) use streams::{CountedInput, CountedOutput};
pub(crate) use traffic::{OverLimit, Traffic};

use std::future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{GrantKind, Grants, HttpScheme, Limit, LimitKind, NetGrant, Transport, may_lead_to};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use self::resolve::Resolver;
use crate::denial::{self, DenialBook, shown};
use crate::options::AttemptOptions;
use crate::tls::Tls;

/// The number of remembered addresses of looked-up names. If there are more, the oldest are dropped.
const MAX_KNOWN: usize = 1_000;

/// The maximum length of a name in a remark: the maximum length of a valid name.
const NAME_BYTES: usize = 256;

/// The network as a guest may use it.
pub(crate) struct Network {
    pub(crate) grants: Arc<Grants>,
    pub(crate) denials: DenialBook,
    pub(crate) traffic: Arc<Traffic>,
    resolver: Resolver,
    tls: Arc<Tls>,
    /// A place for each open socket, look-up and request.
    room: Arc<Semaphore>,
    sockets: Limit,
    /// The addresses of names, as found by the host in this attempt.
    known: Mutex<Vec<(Box<str>, IpAddr)>>,
}

/// The target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: HttpScheme,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The reason why the guest gets no address for a name.
#[derive(Debug)]
pub(crate) enum NoAddress {
    /// It has none, or the look-up failed.
    Unresolvable,
    /// It resolves to an address that names may not have.
    Denied,
}

impl Network {
    pub(crate) fn new(
        options: &AttemptOptions,
        denials: &DenialBook,
        resolver: Arc<dyn Resolve>,
        tls: &Arc<Tls>,
    ) -> Arc<Self> {
        let limits = &options.limits;
        let room = usize::try_from(limits.sockets).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            grants: Arc::clone(&options.grants),
            denials: denials.clone(),
            traffic: Arc::new(Traffic::new(limits, denials)),
            resolver: Resolver::new(resolver),
            tls: Arc::clone(tls),
            room: Arc::new(Semaphore::new(room)),
            sockets: Limit::of(LimitKind::Sockets, limits),
            known: Mutex::default(),
        })
    }

    /// Lets sockets communicate with granted addresses only.
    pub(crate) fn open_sockets(self: &Arc<Self>, context: &mut WasiCtxBuilder) {
        context.allow_tcp(self.is_granted(Transport::Tcp)).allow_udp(self.is_granted(Transport::Udp));
        let network = Arc::clone(self);
        context
            .socket_addr_check(move |address, used| Box::pin(future::ready(network.allows(address, used))));
    }

    /// Whether anything is granted for this protocol.
    pub(crate) fn is_granted(&self, transport: Transport) -> bool {
        self.grants.net.iter().any(|grant| grant.is_for(transport))
    }

    /// Room for one more socket, look-up or request.
    pub(crate) fn room(&self) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.room).try_acquire_owned().ok();
        if room.is_none() {
            self.denials.remark(self.sockets.to_string());
        }
        room
    }

    /// The addresses of a name that the guest may know, in the resolver's order. From now on, sockets may communicate
    /// with them if the name is granted.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        let found = self.resolver.resolve(name.to_owned()).await.map_err(|_| NoAddress::Unresolvable)?;
        let bare = bare(name);
        let is_granted = |address| self.grants.net.iter().any(|grant| grant.allows_address(address));
        let mut allowed = found.clone();
        allowed.retain(|address| may_lead_to(bare, *address) || is_granted(*address));
        if allowed.is_empty() {
            let grant = self.grants.net.iter().find(|grant| grant.allows_lookup(bare));
            let port = grant.map_or_else(|| "*".to_owned(), |grant| grant.port_text());
            return Err(self.no_address(GrantKind::Lookup, bare, &found, &port));
        }
        self.remember(bare, &allowed);
        Ok(allowed)
    }

    /// The addresses for a request, after its host was found to be granted.
    pub(crate) async fn addresses_of(
        &self,
        method: &str,
        target: &Target,
    ) -> Result<Vec<SocketAddr>, NoAddress> {
        let Target { scheme, host, port } = target;
        let socket = |address| SocketAddr::new(address, *port);
        if let Some(address) = literal(host) {
            return Ok(vec![socket(address)]);
        }
        let found = self.resolver.resolve(host.clone()).await.map_err(|_| NoAddress::Unresolvable)?;
        let is_granted = |address| {
            self.grants.allows_address(Transport::Tcp, address, *port)
                || self.grants.http.iter().any(|grant| grant.allows_address(method, *scheme, address, *port))
        };
        let allowed = found.iter().filter(|address| may_lead_to(host, **address) || is_granted(**address));
        let allowed: Vec<_> = allowed.map(|address| socket(*address)).collect();
        if allowed.is_empty() {
            return Err(self.no_address(GrantKind::Http, host, &found, &port.to_string()));
        }
        Ok(allowed)
    }

    /// Records the denial, if the name has an address.
    fn no_address(&self, kind: GrantKind, name: &str, found: &[IpAddr], port: &str) -> NoAddress {
        let Some(address) = found.first() else { return NoAddress::Unresolvable };
        let is_local = may_lead_to(name, Ipv4Addr::LOCALHOST.into());
        let what = if is_local { "loopback" } else { "public" };
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let name = shown(name, NAME_BYTES);
        let denied = format!("`{name}` resolves to {address}, which is not {what}: denied");
        let option = denial::option::<NetGrant>("--net", &format!("{host}:{port}"));
        self.denials.note(kind, denial::denial(denied, option));
        NoAddress::Denied
    }

    fn remember(&self, name: &str, addresses: &[IpAddr]) {
        let mut known = self.known();
        for address in addresses {
            if !known.iter().any(|(of, at)| **of == *name && at == address) {
                known.push((name.into(), *address));
            }
        }
        let too_many = known.len().saturating_sub(MAX_KNOWN);
        known.drain(..too_many);
    }

    fn allows(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            SocketAddrUse::TcpConnect => self.allows_talk(Transport::Tcp, address),
            SocketAddrUse::UdpSend => self.allows_talk(Transport::Udp, address),
            // Not a request of the guest, so it is dropped silently.
            SocketAddrUse::UdpReceive => self.leads_to(Transport::Udp, address),
            // The system does this by itself for any sender.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind
                if address.ip().is_unspecified() && address.port() == 0 =>
            {
                true
            }
            SocketAddrUse::TcpBind
            | SocketAddrUse::UdpBind
            | SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept => {
                self.denials.note(
                    GrantKind::Net,
                    format!("binding a socket to {address} was denied: a task cannot accept connections"),
                );
                false
            }
        }
    }

    fn allows_talk(&self, transport: Transport, address: SocketAddr) -> bool {
        let allows = self.leads_to(transport, address);
        if !allows {
            let place = NetGrant::of(transport, address.ip(), address.port()).to_string();
            let option = denial::option::<NetGrant>("--net", &place);
            let denied = format!("a connection to {place} was denied");
            self.denials.note(GrantKind::Net, denial::denial(denied, option));
        }
        allows
    }

    /// Whether a grant allows the address, directly or through a name that resolved to it.
    fn leads_to(&self, transport: Transport, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        let leads = |(name, at): &(Box<str>, IpAddr)| {
            *at == ip && may_lead_to(name, ip) && self.grants.allows_name(transport, name, port)
        };
        self.grants.allows_address(transport, ip, port) || self.known().iter().any(leads)
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn known(&self) -> MutexGuard<'_, Vec<(Box<str>, IpAddr)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// `None` for text with more than a host and a port, such as a user name: the sender and the check of the grants
    /// must never see different hosts in one text.
    pub(crate) fn of(uri: &http::Uri) -> Option<Self> {
        let scheme = match uri.scheme_str()? {
            "http" => HttpScheme::Http,
            "https" => HttpScheme::Https,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)?.strip_prefix(':') {
            // Other forms are interpreted in different ways.
            Some(port) if port.starts_with(|first: char| matches!(first, '1'..='9')) => port.parse().ok()?,
            Some(_) => return None,
            None if authority.as_str() == host => scheme.usual_port(),
            None => return None,
        };
        Some(Self { scheme, host: host.to_owned(), port })
    }
}

/// The name without a final dot.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The IP address that a host is, in the only form that grants use.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests;
