//! Name look-up: of granted names, to addresses that the guest may know.

use std::net::IpAddr;
use std::vec;

use hostel_core::{GrantKind, LookupGrant, Touch};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, SocketResult, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};

use super::sockets::{SocketsView, answer};
use crate::denial::{self, shown};
use crate::network::{NoAddress, bare};

/// The interface, in the version of the others of `wasi:sockets`.
const LOOKUP: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// The maximum length of a name in a remark: the maximum length of a valid name.
const NAME_BYTES: usize = 256;

/// A look-up, from which the guest takes one address after the other.
enum Lookup {
    UnderWay(AbortOnDropJoinHandle<Result<Vec<IpAddr>, NoAddress>>),
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

/// Links `wasi:sockets/ip-name-lookup`.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> SocketsView<'_>,
    table: fn(&mut T) -> &mut ResourceTable,
) -> wasmtime::Result<()> {
    let mut instance = linker.instance(LOOKUP)?;
    instance.resource("resolve-address-stream", ResourceType::host::<Lookup>(), move |mut store, rep| {
        table(store.data_mut()).delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap(
        "resolve-addresses",
        move |mut store: StoreContextMut<'_, T>, (network, name): (Resource<Network>, String)| {
            Ok((answer(view(store.data_mut()).look_up(&network, &name))?,))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        move |mut store: StoreContextMut<'_, T>, (lookup,): (Resource<Lookup>,)| {
            Ok((view(store.data_mut()).host.table().get_mut(&lookup)?.next(),))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.subscribe",
        move |mut store: StoreContextMut<'_, T>,
              (lookup,): (Resource<Lookup>,)|
              -> wasmtime::Result<(Resource<DynPollable>,)> {
            Ok((subscribe(view(store.data_mut()).host.table(), lookup)?,))
        },
    )
}

impl SocketsView<'_> {
    fn look_up(&mut self, network: &Resource<Network>, name: &str) -> SocketResult<Resource<Lookup>> {
        self.host.table().get(network)?;
        if let Ok(address) = name.parse() {
            return self.push(Lookup::Done(Ok(vec![address].into_iter())));
        }
        if !self.host.network().grants.allows_lookup(bare(name)) {
            self.host.notes.deny(GrantKind::Lookup, || denied(bare(name)));
            return Err(ErrorCode::AccessDenied.into());
        }
        self.host.notes.touch(Touch::Network);
        self.forget_closed_sockets();
        let network = self.host.network();
        let room = network.room().ok_or(ErrorCode::NewSocketLimit)?;
        let (network, name) = (network.clone(), name.to_owned());
        self.push(Lookup::UnderWay(spawn(async move {
            let _room = room;
            network.look_up(&name).await
        })))
    }

    fn push(&mut self, lookup: Lookup) -> SocketResult<Resource<Lookup>> {
        Ok(self.host.table().push(lookup)?)
    }
}

/// The remark contains the option that allows one name, but no option for a pattern, which would grant many names.
fn denied(name: &str) -> String {
    let is_one = name.parse::<LookupGrant>().is_ok_and(|grant| grant.allows(name));
    let option = denial::option::<LookupGrant>("--lookup", name).filter(|_| is_one);
    let option = option.map(|option| format!("{option}, or with --net {name}:PORT to also connect"));
    denial::denial(format!("looking up `{}` was denied", shown(name, NAME_BYTES)), option)
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
             db.example.org:PORT to also connect)"
        );
        let check = |name: &str, expected: &str| {
            assert_eq!(denied(name), format!("looking up `{expected}` was denied"))
        };
        for name in ["x --dir /:rw", "$(id)", "*.org", "*", "-x", "", "a:80"] {
            check(name, name);
        }
        check("x` (allow it with --dir /:rw)", "x' (allow it with --dir /:rw)");
        check("x\ny\u{1b}[2J", r"x\ny\u{1b}[2J");
        check(&"a".repeat(1000), &format!("{}…", "a".repeat(NAME_BYTES)));
    }
}
