//! Calls that block: of the journal, the registry and files. They run off the async threads, a bounded number at once.

use std::sync::Arc;

use hostel::ErrorKind;
use tokio::sync::Semaphore;

use crate::bounds::BLOCKING;
use crate::problem::{Answer, ApiProblem, Code};

/// Runs calls that block.
#[derive(Clone, Debug)]
pub(crate) struct Blocking(Arc<Semaphore>);

impl Default for Blocking {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BLOCKING)))
    }
}

impl Blocking {
    /// Runs a call. It goes on if the future is dropped, and keeps its place until it has ended.
    pub(crate) async fn run<T, E>(&self, call: impl FnOnce() -> Result<T, E> + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let gone = |what: &str| ApiProblem::new(Code::Kind(ErrorKind::Internal), what);
        let place = Arc::clone(&self.0).acquire_owned().await.map_err(|_| gone("the server has ended"))?;
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            call()
        });
        work.await.map_err(|_| gone("an internal call has failed"))?.map_err(ApiProblem::from)
    }
}
