//! The HTTP API of Hostel: components, tasks, runs and events, for programs and browsers.
//!
//! [`Server::open`] opens a data directory, and [`Server::serve`] serves it on a listener of the caller, until a future of the caller
//! completes. The API is described by its [OpenAPI document](openapi_document); its JSON is that of `hostel-wire`.
//!
//! Every request passes the same guards before a handler sees it (`guard.rs`): the host that it is for, the origin of the page that has
//! sent it, its token, and the scope that the operation needs by the document. There are no cookies, and so nothing that a browser adds
//! to the requests of other pages.

// Errors of the registry are large; they become small where its calls end.
#![allow(clippy::result_large_err)]

// From the front to the base: a module uses those below it.
mod server;

mod connections;
mod openapi;

mod api;
mod assets;
mod joined;

mod batch_driver;
mod observer;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
#[path = "otel/off.rs"]
mod otel;
mod run_view;
mod scripts;
mod streaming;
mod submission;
mod timeline;
mod upload;

mod blob_args;
mod uploaded;

mod extract;
mod in_turn;
mod integers;
mod jsonl;

mod guard;

mod large;

mod app;

mod access;
mod audit;
mod batches;
mod binary;
mod blocking;
mod body;
mod expectation;
mod fair;
mod host_names;
mod login;
mod long_calls;
mod metrics;
mod peers;
mod problem;
mod rates;
mod restricted;
mod socket;
mod spans;
mod tokens;
mod trace;
mod turn;

mod bounds;
mod clock;
mod scope;

pub use audit::Change;
pub use host_names::PublicUrlError;
#[cfg(feature = "otel")]
pub use otel::{TraceExport, TraceExportError, TraceSampling};
pub use scope::{ParseScopeError, Scope};
pub use server::{Server, ServerError, Settings, openapi_document};
pub use tokens::{TokenError, owner_token_file, read_owner_token};
