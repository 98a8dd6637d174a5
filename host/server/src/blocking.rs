//! Calls that block: of the journal, the registry and files. They run off the async threads, a bounded number at once. Tokens take turns.

use hostel::{Digest, ErrorKind};

use crate::bounds::BLOCKING;
use crate::fair::Fair;
use crate::problem::{Answer, ApiProblem, Code};

tokio::task_local! {
    /// The token whose request is answered.
    static TOKEN: Digest;
}

/// What stands for the token of those that have none.
pub(crate) const NO_TOKEN: Digest = Digest::from_bytes([0; 32]);

/// Runs calls that block.
#[derive(Clone, Debug)]
pub(crate) struct Blocking(Fair);

impl Default for Blocking {
    fn default() -> Self {
        Self(Fair::new(BLOCKING))
    }
}

/// Does work whose calls that block are those of a token. All calls outside such work, which are those of the server itself and of requests
/// without a token, take turns with the tokens as if they were one.
pub(crate) async fn of_token<F: Future>(token: Digest, work: F) -> F::Output {
    TOKEN.scope(token, work).await
}

/// The token whose request is answered; the same for all that have none.
pub(crate) fn token() -> Digest {
    TOKEN.try_with(|token| *token).unwrap_or(NO_TOKEN)
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
        let place = self.0.place(token()).await.ok_or_else(|| gone("the server has ended"))?;
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            call()
        });
        work.await.map_err(|_| gone("an internal call has failed"))?.map_err(ApiProblem::from)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_call_of_another_token_waits_for_one_of_many() {
        let [greedy, modest] = [b"greedy".as_slice(), b"modest"].map(Digest::of);
        let blocking = Blocking(Fair::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let call = |token: Digest| {
            let order = Arc::clone(&order);
            let note = move || {
                order.lock().unwrap().push(token);
                Ok::<_, ApiProblem>(())
            };
            Box::pin(of_token(token, blocking.run(note)))
        };
        let (end, ended) = mpsc::channel::<()>();
        let mut first =
            Box::pin(of_token(greedy, blocking.run(move || Ok::<_, ApiProblem>(ended.recv().is_ok()))));
        assert!(poll!(&mut first).is_pending());
        let (mut second, mut third, mut other) = (call(greedy), call(greedy), call(modest));
        for waiting in [&mut second, &mut third, &mut other] {
            assert!(poll!(waiting).is_pending());
        }
        end.send(()).unwrap();
        let ended = futures_util::join!(first, second, third, other);
        assert!(ended.0.unwrap() && ended.1.is_ok() && ended.2.is_ok() && ended.3.is_ok());
        assert_eq!(*order.lock().unwrap(), [greedy, modest, greedy]);
    }
}
