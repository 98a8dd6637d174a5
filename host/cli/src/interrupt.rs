//! Ctrl-C, and SIGTERM with the same effect: the first one asks the command to end, the second one ends the process.

use std::io;
use std::sync::OnceLock;
use std::thread;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;

/// Receives Ctrl-C and SIGTERM.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Replaces the system's handling of both, which would end the process at once. This is permanent. If the system does
    /// not allow it, nothing changes.
    pub(crate) fn listen() -> Self {
        static LISTENER: OnceLock<watch::Receiver<bool>> = OnceLock::new();
        let requested = LISTENER.get_or_init(|| {
            let (send, receive) = watch::channel(false);
            // If that fails, the sender is gone, and there are no requests.
            let _ = start(send);
            receive
        });
        Self(requested.clone())
    }

    /// Whether one of them has arrived.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when one of them has arrived.
    pub(crate) async fn requested(&mut self) {
        if self.0.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Starts to listen before it returns, on its own thread, so that the second Ctrl-C works even while a write to a full pipe
/// blocks the command.
fn start(requested: watch::Sender<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut signals = Signals::listen()?;
    drop(entered);
    let listen = move || {
        runtime.block_on(async {
            signals.next().await;
            requested.send_replace(true);
            signals.next().await;
            std::process::exit(Exit::Interrupted.code().into());
        });
    };
    thread::Builder::new().name("interrupt".to_owned()).spawn(listen).map(drop)
}

/// The signals that ask the command to end.
#[cfg(unix)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Replaces the system's handling.
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        // A closed listener never yields again.
        tokio::select! {
            Some(()) = self.interrupt.recv() => {}
            Some(()) = self.terminate.recv() => {}
            else => std::future::pending().await,
        }
    }
}

/// The signals that ask the command to end.
#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    /// Replaces the system's handling.
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
