//! Commands on a server: a client of its HTTP API, and what several commands do with it.
//!
//! - `request`, `client`: requests, repeated while the connection is lost; `address`: the address and the token.
//! - `refusal`: errors of the server as problems of the command.
//! - `task`, `submission`: from the words of the command line to a request for a run; a file is uploaded first.
//! - `following`: the end of a run, and its log.
//! - `running`, `mapping`: `hostel run` and `hostel map` on a server.
//! - `batches`: actions on all runs that match a filter, which the server does in the background.

mod address;
mod client;
mod refusal;
mod request;

mod following;
mod submission;
mod task;

mod mapping;
mod running;

mod batches;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use self::address::Address;
use crate::options::server::{ServerOptions, Unfit};
use crate::problem::Problem;
use crate::runtime;
use crate::ui::Ui;

pub(crate) use self::batches::{RemoteBatch, follow_batch, is_finished};
pub(crate) use self::client::{Client, PAGE_ITEMS, Page};
pub(crate) use self::following::{LogQuery, follow_log, is_terminal, state, until_end};
pub(crate) use self::mapping::{RemoteMap, map};
pub(crate) use self::refusal::Trouble;
pub(crate) use self::request::Request;
pub(crate) use self::running::{Running, has_completed, run};
pub(crate) use self::submission::{Submission, Words};
pub(crate) use self::task::upload;

/// A server, and a runtime for requests to it.
pub(crate) struct Remote {
    pub(crate) client: Client,
    runtime: Runtime,
}

impl Remote {
    /// The server that a command is for; `None` for this machine.
    ///
    /// # Errors
    ///
    /// [`Problem`] if the address is none, if there is no token, or if one of the options cannot be used with a server.
    pub(crate) fn of(
        ui: &Arc<Ui>,
        options: &ServerOptions,
        unfit: impl IntoIterator<Item = Unfit>,
    ) -> Result<Option<Self>, Problem> {
        let Some(named) = options.named() else { return Ok(None) };
        named.check(unfit)?;
        let address = Address::read(&named)?;
        let client = Client::new(Arc::clone(ui), address)?;
        Ok(Some(Self { client, runtime: runtime::of_a_client()? }))
    }

    /// Sends a request, and returns the answer.
    pub(crate) fn call<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Problem> {
        self.block_on(self.client.call(request))
    }

    /// Sends a request whose answer is a text.
    pub(crate) fn text(&self, request: &Request) -> Result<String, Problem> {
        let answer = self.block_on(self.client.send(request))?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Sends a request whose answer has no content.
    pub(crate) fn send(&self, request: &Request) -> Result<(), Problem> {
        self.block_on(self.client.send(request)).map(drop)
    }

    /// Waits on this thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
