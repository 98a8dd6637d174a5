//! Ctrl-C: the first one asks the command to end, the second one ends the process.

use std::io;
use std::sync::OnceLock;
use std::thread;

use futures_util::FutureExt;
use tokio::sync::watch;

use crate::exit::Exit;

/// Tells of Ctrl-C.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes Ctrl-C over from the system, which would end the process at once. From then on for good; where the
    /// system does not let us, it stays as it was.
    pub(crate) fn listen() -> Self {
        static LISTENER: OnceLock<watch::Receiver<bool>> = OnceLock::new();
        let requested = LISTENER.get_or_init(|| {
            let (send, receive) = watch::channel(false);
            // Where it does not work, the sender is gone, and nobody will ever request anything.
            let _ = start(send);
            receive
        });
        Self(requested.clone())
    }

    /// Is done when Ctrl-C was pressed.
    pub(crate) async fn requested(&mut self) {
        if self.0.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Begins to listen before it returns, on a thread of its own: so the second Ctrl-C works even while a write to a full
/// pipe blocks the command.
fn start(requested: watch::Sender<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut first = Box::pin(tokio::signal::ctrl_c());
    let entered = runtime.enter();
    // The first poll is what takes it over.
    if let Some(ended) = first.as_mut().now_or_never() {
        ended?;
    }
    drop(entered);
    let listen = move || {
        runtime.block_on(async {
            if first.await.is_err() {
                return;
            }
            requested.send_replace(true);
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(Exit::Interrupted.code().into());
            }
        });
    };
    thread::Builder::new().name("interrupt".to_owned()).spawn(listen).map(drop)
}
