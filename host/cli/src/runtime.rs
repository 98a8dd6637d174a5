//! The async runtimes of the command.

use std::io;

use hostel::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use crate::problem::Problem;

/// A runtime on this thread, with timers: runs execute on threads of the host.
pub(crate) fn on_this_thread() -> Result<Runtime, Problem> {
    Builder::new_current_thread().enable_time().build().map_err(refused)
}

/// A runtime on this thread, with timers and sockets, for requests to a server.
pub(crate) fn of_a_client() -> Result<Runtime, Problem> {
    Builder::new_current_thread().enable_all().build().map_err(refused)
}

/// A runtime with threads and sockets, for a server.
pub(crate) fn of_a_server() -> Result<Runtime, Problem> {
    Builder::new_multi_thread().enable_all().build().map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` passes it")]
fn refused(error: io::Error) -> Problem {
    Problem::new(ErrorKind::Internal, format!("no runtime: {error}"))
}
