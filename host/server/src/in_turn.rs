//! Work that a few requests do at once, and that goes on when its client has gone. Tokens take turns.

use hostel::{Digest, ErrorKind};

use crate::blocking::of_token;
use crate::fair::Fair;
use crate::problem::{Answer, ApiProblem, Code};

/// Turns for such work.
#[derive(Clone, Debug)]
pub(crate) struct InTurn(Fair);

impl InTurn {
    /// So many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self(Fair::new(most))
    }

    /// Does the work of a request of this token when it is its turn. Work that has begun keeps its turn to its end, also if nobody waits for it any more: nothing interrupts
    /// the compiler, and uploads that were given up one after the other would otherwise all be compiled before those that come later.
    ///
    /// # Errors
    ///
    /// Those of the work.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        token: Digest,
        work: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
        let internal = |what: &str| ApiProblem::new(Code::Kind(ErrorKind::Internal), what);
        let turn = self.0.place(token).await.ok_or_else(|| internal("the server has ended"))?;
        let work = of_token(token, async move {
            let _turn = turn;
            work.await
        });
        tokio::spawn(work).await.map_err(|_| internal("an internal call has failed"))?
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};
    use tokio::sync::oneshot::channel;

    use super::*;

    #[tokio::test]
    async fn work_that_was_given_up_keeps_its_turn_until_it_ends() {
        let (turns, token) = (InTurn::new(1), Digest::of(b"a"));
        let (end, ended) = channel::<()>();
        let mut given_up = Box::pin(turns.run(token, async { Ok(ended.await.is_ok()) }));
        assert!(poll!(&mut given_up).is_pending());
        drop(given_up);
        // What never had its turn is not done.
        let mut never = Box::pin(turns.run(token, async { panic!("it has begun") as Answer<()> }));
        assert!(poll!(&mut never).is_pending());
        drop(never);
        let mut next = Box::pin(turns.run(token, async { Ok(7) }));
        assert!((&mut next).now_or_never().is_none());
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
    }
}
