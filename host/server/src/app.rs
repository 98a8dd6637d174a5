//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hostel::journal::{Journal, JournalEntry, RunLogs, SqliteJournal};
use hostel::registry::Registry;
use hostel::{Component, Digest, ErrorKind, Host, RunId, Script, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};

use crate::access::AccessTable;
use crate::audit::Audit;
use crate::batches::Batches;
use crate::blocking::Blocking;
use crate::bounds::{STREAMS, STREAMS_EACH};
use crate::clock::now;
use crate::fair::{Fair, Place};
use crate::host_names::HostNames;
use crate::in_turn::InTurn;
use crate::large::Places;
use crate::login::LoginCodes;
use crate::long_calls::{self, LongCalls};
use crate::metrics::Metrics;
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::{Counted, Rates};
use crate::spans::Spans;
use crate::tokens::{Identity, Tokens};
use crate::uploaded::Uploaded;

/// What all requests share.
pub(crate) struct App {
    pub(crate) host: Arc<Host>,
    pub(crate) journal: Arc<SqliteJournal>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) logs: Arc<RunLogs>,
    pub(crate) tokens: Tokens,
    pub(crate) logins: LoginCodes,
    pub(crate) blocking: Blocking,
    pub(crate) audit: Audit,
    pub(crate) metrics: Metrics,
    /// What may become spans.
    pub(crate) spans: Spans,
    pub(crate) batches: Batches,
    pub(crate) access: AccessTable,
    pub(crate) hosts: HostNames,
    /// Origins beside the server's own whose pages may send requests.
    pub(crate) allowed_origins: Vec<String>,
    /// The document, as it is sent.
    pub(crate) document: String,
    /// Where bodies are collected.
    pub(crate) spool: PathBuf,
    /// Values that were uploaded.
    pub(crate) uploaded: Uploaded,
    /// Requests whose arguments are uploaded values, which are in memory then.
    pub(crate) blob_requests: Semaphore,
    /// Places for calls that read or write much.
    pub(crate) long_calls: LongCalls,
    /// Values that submissions look up in the cache.
    pub(crate) look_ups: Semaphore,
    /// Uploads that are checked at once.
    pub(crate) uploads: InTurn,
    /// Places for answers with large values, which are in memory until the client has taken them.
    pub(crate) places: Places,
    /// Event streams and followed logs.
    pub(crate) streams: Fair,
    /// Whether tokens have rates: not on a loopback address.
    pub(crate) rates: Option<Rates>,
    pub(crate) started: Timestamp,
    /// Whether this process executes runs.
    pub(crate) executes: bool,
    /// The most connections at once.
    pub(crate) connections: usize,
    /// Set when the server ends: streams say goodbye.
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) draining: AtomicBool,
    pub(crate) loaded: Cache<Digest, Component>,
    pub(crate) scripts: Cache<Digest, Script>,
    /// WIT of components, or why there is none.
    pub(crate) wits: Cache<Digest, Arc<Result<String, String>>>,
    pub(crate) requests: AtomicU64,
    /// Makes the ids of requests differ between processes.
    pub(crate) instance: String,
}

impl App {
    /// The id of a new request.
    pub(crate) fn next_request_id(&self) -> Arc<str> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.instance).into()
    }

    /// The origins whose pages may send requests.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.hosts.origins().iter().chain(&self.allowed_origins).map(String::as_str)
    }

    /// Calls the journal, on a thread that may block.
    pub(crate) async fn journal<T, E>(
        &self,
        call: impl FnOnce(&SqliteJournal) -> Result<T, E> + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let journal = Arc::clone(&self.journal);
        self.blocking.run(move || call(&journal)).await
    }

    /// Calls the journal for what takes long, when it is the token's turn.
    pub(crate) async fn in_turn_of<T, E>(
        &self,
        places: &Fair,
        identity: &Identity,
        call: impl FnOnce(&SqliteJournal) -> Result<T, E> + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let place = long_calls::place(places, identity.digest).await?;
        let call = move |journal: &SqliteJournal| {
            let _place = place;
            call(journal)
        };
        self.journal(call).await
    }

    /// Calls the registry, on a thread that may block.
    pub(crate) async fn registry<T, E>(
        &self,
        call: impl FnOnce(&Registry) -> Result<T, E> + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let registry = Arc::clone(&self.registry);
        self.blocking.run(move || call(&registry)).await
    }

    /// Counts something of a token, if tokens have rates.
    pub(crate) fn count(&self, identity: &Identity, counted: Counted) -> Answer<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.take(&identity.name, counted, now()))
    }

    /// A run of the journal.
    pub(crate) async fn entry(&self, run: RunId) -> Answer<JournalEntry> {
        self.journal(move |journal| journal.get(run)).await?.ok_or_else(|| unknown_run(run))
    }

    /// A registered component, compiled.
    pub(crate) async fn component(&self, digest: Digest) -> Answer<Component> {
        if let Some(component) = self.loaded.get(&digest) {
            return Ok(component);
        }
        let component = match self.host.components().get(&digest).await? {
            Some(component) => component,
            None => {
                let bytes = self.registry(move |registry| registry.bytes(digest)).await?;
                self.host.load_bytes(bytes).await?
            }
        };
        self.loaded.insert(digest, component.clone());
        Ok(component)
    }

    /// Whether the server takes no more work.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// A place for a stream of a token, until it is dropped.
    pub(crate) fn stream(&self, token: Digest) -> Answer<Place> {
        self.streams.try_places(token, 1).ok_or_else(|| {
            let problem = format!(
                "there are too many streams: expected at most {STREAMS}, {STREAMS_EACH} of one token"
            );
            ApiProblem::new(Code::TooMany, problem).hint("close a stream that nobody reads")
        })
    }
}

/// A run that the journal does not have.
pub(crate) fn unknown_run(run: RunId) -> ApiProblem {
    ApiProblem::new(Code::Kind(ErrorKind::NotFound), format!("the journal has no run {run}"))
        .hint("it was removed, or never submitted; GET /api/v1/runs lists runs")
}
