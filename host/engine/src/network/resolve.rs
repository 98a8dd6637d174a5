//! From names to addresses.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The answer, in the order in which addresses are to be tried.
pub(crate) type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Who knows the addresses of names.
pub(crate) trait Resolve: Send + Sync {
    fn resolve(&self, name: String) -> Resolving;
}

/// The system's resolver, asked on a thread that may block.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: String) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip().to_canonical()).collect())
        })
    }
}
