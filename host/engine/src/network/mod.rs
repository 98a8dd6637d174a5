//! What one attempt may do in the network, and what it did: shared by sockets, look-ups and HTTP.

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
use crate::denial::{self, DenialBook, told};
use crate::options::AttemptOptions;

/// How many addresses of looked-up names are remembered; after that the oldest are forgotten.
const MAX_KNOWN: usize = 1_000;

/// How much of a name a remark repeats: as much as a name can have.
const NAME_BYTES: usize = 256;

/// What stands between a guest and the network.
pub(crate) struct Network {
    pub(crate) grants: Arc<Grants>,
    pub(crate) denials: DenialBook,
    pub(crate) traffic: Arc<Traffic>,
    resolver: Resolver,
    /// For sockets, look-ups and requests, as many as may be at once.
    room: Arc<Semaphore>,
    sockets: Limit,
    /// Where names lead, as the host found it in this attempt.
    known: Mutex<Vec<(Box<str>, IpAddr)>>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: HttpScheme,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a name has no address for the guest.
#[derive(Debug)]
pub(crate) enum NoAddress {
    /// It has none, or none could be found out.
    Unresolvable,
    /// It leads to where names may not lead.
    Denied,
}

impl Network {
    pub(crate) fn new(
        options: &AttemptOptions,
        denials: &DenialBook,
        resolver: Arc<dyn Resolve>,
    ) -> Arc<Self> {
        let limits = &options.limits;
        let room = usize::try_from(limits.sockets).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            grants: Arc::clone(&options.grants),
            denials: denials.clone(),
            traffic: Arc::new(Traffic::new(limits, denials)),
            resolver: Resolver::new(resolver),
            room: Arc::new(Semaphore::new(room)),
            sockets: Limit::of(LimitKind::Sockets, limits),
            known: Mutex::default(),
        })
    }

    /// Lets sockets talk to what is granted, and to nothing else.
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

    /// The addresses of a name that the guest may know, in the order of the resolver's; from now on they may be talked to
    /// as far as the name may be.
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

    /// The addresses that a request may go to, once it is clear that its host is granted.
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

    /// Says why there is none, if there was one.
    fn no_address(&self, kind: GrantKind, name: &str, found: &[IpAddr], port: &str) -> NoAddress {
        let Some(address) = found.first() else { return NoAddress::Unresolvable };
        let is_local = may_lead_to(name, Ipv4Addr::LOCALHOST.into());
        let what = if is_local { "loopback" } else { "public" };
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let name = told(name, NAME_BYTES);
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
            // Nothing that the guest asked for: it is dropped without a word.
            SocketAddrUse::UdpReceive => self.leads_to(Transport::Udp, address),
            // What the system does by itself for whoever sends first.
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

    /// Whether a grant does, by the address or by a name that led there.
    fn leads_to(&self, transport: Transport, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        let leads = |(name, at): &(Box<str>, IpAddr)| {
            *at == ip && may_lead_to(name, ip) && self.grants.allows_name(transport, name, port)
        };
        self.grants.allows_address(transport, ip, port) || self.known().iter().any(leads)
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn known(&self) -> MutexGuard<'_, Vec<(Box<str>, IpAddr)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// `None` for what has more in it than a host and a port, such as a user's name: the sender and who checks the grants
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
            // Nothing else is understood by all in the same way.
            Some(port) if port.starts_with(|first: char| matches!(first, '1'..='9')) => port.parse().ok()?,
            Some(_) => return None,
            None if authority.as_str() == host => scheme.usual_port(),
            None => return None,
        };
        Some(Self { scheme, host: host.to_owned(), port })
    }
}

/// The name without the dot that may end it.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The address that a host is, in the one form that grants know of it.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests;
