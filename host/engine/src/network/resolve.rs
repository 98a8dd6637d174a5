//! From names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime_wasi::runtime::spawn_blocking;

/// The maximum number of concurrent look-ups of one attempt; others wait for them.
const AT_ONCE: usize = 4;

/// The maximum number for all attempts: far fewer than threads that may block, which loading components also needs.
const AT_ONCE_IN_ALL: usize = 64;

/// The maximum number of addresses of one name.
const ADDRESSES: usize = 64;

static ALL: Semaphore = Semaphore::const_new(AT_ONCE_IN_ALL);

/// Resolves names to addresses. It blocks.
pub(crate) trait Resolve: Send + Sync {
    /// The addresses, in the order in which to try them.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = (name, 0).to_socket_addrs()?;
        Ok(found.map(|address| address.ip().to_canonical()).collect())
    }
}

/// Calls a resolver on threads that may block, a few at once.
///
/// A look-up cannot be stopped: it keeps its place until it ends, even if its result is no longer needed.
pub(super) struct Resolver {
    resolver: Arc<dyn Resolve>,
    room: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The addresses of a name, in the resolver's order.
    pub(super) async fn resolve(&self, name: String) -> io::Result<Vec<IpAddr>> {
        let own = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
        let place = ALL.acquire().await.map_err(io::Error::other)?;
        let resolver = Arc::clone(&self.resolver);
        let asked = spawn_blocking(move || {
            let _places = (own, place);
            resolver.resolve(&name)
        });
        let mut found = asked.await?;
        found.truncate(ADDRESSES);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;

    /// Says when it is asked, and answers when it is let.
    struct Slow {
        asked: UnboundedSender<String>,
        is_open: Mutex<bool>,
        opened: Condvar,
    }

    impl Resolve for Slow {
        fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            self.asked.send(name.to_owned()).unwrap();
            let is_open = self.is_open.lock().unwrap();
            drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
            Ok(vec![[1, 1, 1, 1].into(); 1_000])
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn look_ups_that_nobody_waits_for_keep_their_places() {
        let (asked, mut names) = unbounded_channel();
        let slow = Arc::new(Slow { asked, is_open: Mutex::new(false), opened: Condvar::new() });
        let resolver = Arc::new(Resolver::new(Arc::clone(&slow) as Arc<dyn Resolve>));
        let look_up = |name: &'static str| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { resolver.resolve(name.to_owned()).await })
        };
        let first: Vec<_> = (0..AT_ONCE).map(|_| look_up("first")).collect();
        for _ in 0..AT_ONCE {
            assert_eq!(names.recv().await.unwrap(), "first");
        }
        first.iter().for_each(tokio::task::JoinHandle::abort);
        for _ in 0..1_000 {
            let dropped = look_up("dropped");
            tokio::task::yield_now().await;
            dropped.abort();
        }
        let last = look_up("last");
        tokio::task::yield_now().await;
        assert!(names.try_recv().is_err(), "more than {AT_ONCE} are under way");
        *slow.is_open.lock().unwrap() = true;
        slow.opened.notify_all();
        assert_eq!(last.await.unwrap().unwrap().len(), ADDRESSES);
        assert_eq!(names.recv().await.unwrap(), "last");
    }
}
