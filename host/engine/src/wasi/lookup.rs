//! Name look-up: of names that are granted, to addresses that may be known.

use std::net::IpAddr;
use std::vec;

use hostel_core::{GrantKind, HostCall, LookupGrant, Touch};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, SocketResult, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};
use wasmtime_wasi::sockets::WasiSocketsView;

use crate::denial::{self, told};
use crate::guest::Guest;
use crate::network::{NoAddress, bare};

/// The interface, in the version of the others of `wasi:sockets`.
const LOOKUP: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// How much of a name a remark repeats: as much as a name can have.
const NAME_BYTES: usize = 256;

/// What a look-up comes to: the guest takes one address after the other.
enum Lookup {
    UnderWay(AbortOnDropJoinHandle<Result<Vec<IpAddr>, NoAddress>>),
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

type Store<'a> = StoreContextMut<'a, Guest>;

/// Offers `wasi:sockets/ip-name-lookup`.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(LOOKUP)?;
    instance.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, rep| {
        store.data_mut().sockets().table.delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap(
        "resolve-addresses",
        |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
            let guest = store.data_mut().calls(HostCall::Sockets);
            let lookup = guest.look_up(&network, &name);
            Ok((guest.answer(lookup)?,))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (lookup,): (Resource<Lookup>,)| {
            let guest = store.data_mut().calls(HostCall::Sockets);
            Ok((guest.sockets().table.get_mut(&lookup)?.next(),))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>,
         (lookup,): (Resource<Lookup>,)|
         -> wasmtime::Result<(Resource<DynPollable>,)> {
            Ok((subscribe(store.data_mut().calls(HostCall::Sockets).sockets().table, lookup)?,))
        },
    )
}

impl Guest {
    fn look_up(&mut self, network: &Resource<Network>, name: &str) -> SocketResult<Resource<Lookup>> {
        self.sockets().table.get(network)?;
        if let Ok(address) = name.parse() {
            return self.push(Lookup::Done(Ok(vec![address].into_iter())));
        }
        if !self.network().grants.allows_lookup(bare(name)) {
            self.deny(GrantKind::Lookup, || denied(bare(name)));
            return Err(ErrorCode::AccessDenied.into());
        }
        self.recorder.touch(Touch::Network);
        self.forget_closed_sockets();
        let network = self.network();
        let room = network.room().ok_or(ErrorCode::NewSocketLimit)?;
        let (network, name) = (network.clone(), name.to_owned());
        self.push(Lookup::UnderWay(spawn(async move {
            let _room = room;
            network.look_up(&name).await
        })))
    }

    fn push(&mut self, lookup: Lookup) -> SocketResult<Resource<Lookup>> {
        Ok(self.sockets().table.push(lookup)?)
    }
}

/// Says how to allow it for what is one name: a guest may ask for a pattern, which is a grant of many.
fn denied(name: &str) -> String {
    let is_one = name.parse::<LookupGrant>().is_ok_and(|grant| grant.allows(name));
    let option = denial::option::<LookupGrant>("--lookup", name).filter(|_| is_one);
    let option = option.map(|option| format!("{option}, or with --net {name}:PORT to connect too"));
    denial::denial(format!("looking up `{}` was denied", told(name, NAME_BYTES)), option)
}

impl Lookup {
    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        if let Self::UnderWay(lookup) = self {
            match poll_noop(std::pin::Pin::new(lookup)) {
                Some(found) => self.finish(found),
                None => return Err(ErrorCode::WouldBlock),
            }
        }
        match self {
            Self::Done(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Self::Done(Err(error)) => Err(*error),
            Self::UnderWay(_) => Err(ErrorCode::WouldBlock),
        }
    }

    fn finish(&mut self, found: Result<Vec<IpAddr>, NoAddress>) {
        *self = Self::Done(match found {
            Ok(addresses) => Ok(addresses.into_iter()),
            Err(NoAddress::Unresolvable) => Err(ErrorCode::NameUnresolvable),
            Err(NoAddress::Denied) => Err(ErrorCode::AccessDenied),
        });
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Self::UnderWay(lookup) = self {
            let found = lookup.await;
            self.finish(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_says_what_would_allow_one_name() {
        assert_eq!(
            denied("db.example.org"),
            "looking up `db.example.org` was denied (allow it with --lookup db.example.org, or with --net \
             db.example.org:PORT to connect too)"
        );
        let check =
            |name: &str, shown: &str| assert_eq!(denied(name), format!("looking up `{shown}` was denied"));
        for name in ["x --dir /:rw", "$(id)", "*.org", "*", "-x", "", "a:80"] {
            check(name, name);
        }
        check("x` (allow it with --dir /:rw)", "x' (allow it with --dir /:rw)");
        check("x\ny\u{1b}[2J", r"x\ny\u{1b}[2J");
        check(&"a".repeat(1000), &format!("{}…", "a".repeat(NAME_BYTES)));
    }
}
