//! A server, from its settings to its end.

use std::future::pending;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::future::join;
use hostel::journal::{Journal as _, JournalError, JournalPlace, OpenJournalError, RunLogs, SqliteJournal};
use hostel::registry::Registry;
use hostel::schedules::ScheduleThread;
use hostel::{BuildError, ErrorKind, HostBuilder, QueueName, Worker, WorkerError};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use quick_cache::sync::Cache;
use tokio::net::TcpListener;
use tokio::sync::oneshot::channel;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::csrf::{ConfigError, CsrfLayer};
use utoipa_axum::router::OpenApiRouter;

use crate::access::AccessTable;
use crate::api;
use crate::app::App;
use crate::assets;
use crate::audit::{Audit, Change};
use crate::batch_driver::drive;
use crate::batches::Batches;
use crate::blocking::Blocking;
use crate::bounds::{
    BLOB_REQUESTS, CONNECTIONS, LAST_SPANS, LOADED, LOOK_UPS, SCRIPTS, STREAMS, STREAMS_EACH, UPLOADS, WITS,
};
use crate::clock::now;
use crate::connections::Connections;
use crate::fair::Fair;
use crate::guard::{admit, complete, cross_origin};
use crate::host_names::{HostNames, PublicUrlError};
use crate::in_turn::InTurn;
use crate::integers::as_texts;
use crate::large::Places;
use crate::login::LoginCodes;
use crate::long_calls::LongCalls;
use crate::metrics::Metrics;
use crate::observer::observe;
use crate::openapi;
use crate::otel::Exporter;
#[cfg(feature = "otel")]
use crate::otel::{TraceExport, TraceExportError};
use crate::problem::{ApiProblem, Code};
use crate::rates::Rates;
use crate::spans::Spans;
use crate::tokens::{TokenError, Tokens, secret};
use crate::uploaded::Uploaded;

/// How long browsers need not ask again whether a page of another origin may send a request.
const PREFLIGHT_TIME: Duration = Duration::from_secs(600);

/// How often a server looks whether its journal is still there.
const LOOK: Duration = Duration::from_secs(1);

/// The settings of a server. The default is for one person on one machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whether it executes runs and fires schedules. Default: yes.
    pub executes: bool,
    /// The queues whose runs it executes. Default: all.
    pub queues: Vec<QueueName>,
    /// The address under which others reach it: `https://hostel.example`. Default: none.
    pub public_url: Option<String>,
    /// Whether a proxy before it encrypts connections. Without one, only a loopback address is served. Default: no.
    pub behind_proxy: bool,
    /// Origins whose pages may send requests and read answers, beside its own. Default: none.
    pub allowed_origins: Vec<String>,
    /// The most connections at once. When there are as many, one that waits for its client or for a run gives way to a new one. Default: 512.
    pub connections: usize,
    /// When it ends, how long it waits for its runs. Default: 30 seconds.
    pub drain: Duration,
    /// Where spans of runs and requests are sent. Default: nowhere.
    #[cfg(feature = "otel")]
    pub traces: Option<TraceExport>,
    audit: Audit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            executes: true,
            queues: Vec::new(),
            public_url: None,
            behind_proxy: false,
            allowed_origins: Vec::new(),
            connections: CONNECTIONS,
            drain: Duration::from_secs(30),
            #[cfg(feature = "otel")]
            traces: None,
            audit: Audit::default(),
        }
    }
}

impl Settings {
    /// Calls a function with each request that may have changed something, after its answer. It must not block.
    #[must_use]
    pub fn on_change(mut self, on_change: impl Fn(&Change<'_>) + Send + Sync + 'static) -> Self {
        self.audit = Audit::new(on_change);
        self
    }
}

/// A server was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The host.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The journal or the registry.
    #[error(transparent)]
    Journal(#[from] OpenJournalError),
    /// The tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The worker.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The public address.
    #[error(transparent)]
    PublicUrl(#[from] PublicUrlError),
    /// The collector of traces.
    #[cfg(feature = "otel")]
    #[error(transparent)]
    Traces(#[from] TraceExportError),
    /// An origin whose pages may send requests.
    #[error("invalid origin {origin:?}: expected one such as https://hostel.example; `*` is refused")]
    Origin {
        /// The text.
        origin: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// Others could reach the address, and read tokens on the way.
    #[error(
        "{address} can be reached from other machines, and connections are not encrypted: expected a loopback address, or a proxy \
         before the server that encrypts them"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The journal, or its log (`-wal`), was removed, replaced or emptied while the server used it.
    #[error("the journal {} or its -wal was removed, replaced or emptied while the server was using it", path.display())]
    Gone {
        /// The journal.
        path: PathBuf,
    },
    /// The journal cannot be used any more.
    #[error(transparent)]
    Failed(Arc<JournalError>),
    /// The system.
    #[error("the system refused what a server needs: {0}")]
    Io(#[from] std::io::Error),
}

impl ServerError {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Build(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Token(error) => error.kind(),
            Self::Worker(error) => error.kind(),
            #[cfg(feature = "otel")]
            Self::Traces(error) => error.kind(),
            Self::PublicUrl(_) | Self::Origin { .. } | Self::Exposed { .. } => ErrorKind::Invalid,
            Self::Failed(error) => error.kind(),
            Self::Gone { .. } | Self::Io(_) => ErrorKind::Unavailable,
        }
    }
}

/// A server on one data directory.
///
/// ```no_run
/// use hostel::Host;
/// use hostel_server::{Server, Settings};
/// use tokio::net::TcpListener;
///
/// # async fn demo(shutdown: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:4700").await?;
/// let server = Server::open("data".as_ref(), Host::builder(), listener.local_addr()?, Settings::default())?;
/// println!("{}", server.login_url()?);
/// server.serve(listener, shutdown).await?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    app: Arc<App>,
    router: Router,
    settings: Settings,
    address: SocketAddr,
    exporter: Option<Exporter>,
}

impl Server {
    /// Opens a data directory for a server at this address. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`ServerError`] if a setting is not accepted, or the directory cannot be used.
    pub fn open(
        data_dir: &Path,
        host: HostBuilder,
        address: SocketAddr,
        settings: Settings,
    ) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() && !settings.behind_proxy {
            return Err(ServerError::Exposed { address });
        }
        let hosts = HostNames::new(address, settings.public_url.as_deref())?;
        let csrf = csrf(&hosts, &settings.allowed_origins)?;
        let cors = cors(&settings.allowed_origins);
        let journal = Arc::new(SqliteJournal::open(data_dir)?);
        let host = host.data_dir(data_dir).journal(Arc::clone(&journal) as _).build()?;
        let (router, document) = document();
        let metrics = Metrics::default();
        let (spans, exporter) = spans(&settings, &metrics)?;
        let app = Arc::new(App {
            host: Arc::new(host),
            registry: Arc::new(Registry::open(data_dir)?),
            logs: Arc::new(RunLogs::open(data_dir)?),
            tokens: Tokens::open(data_dir)?,
            logins: LoginCodes::default(),
            blocking: Blocking::default(),
            audit: settings.audit.clone(),
            metrics,
            spans,
            batches: Batches::default(),
            access: AccessTable::of(&document),
            hosts,
            allowed_origins: settings.allowed_origins.clone(),
            document: document_text(&document),
            spool: PathBuf::from(data_dir),
            uploaded: Uploaded::of(data_dir),
            blob_requests: Semaphore::new(BLOB_REQUESTS),
            long_calls: LongCalls::default(),
            look_ups: Semaphore::new(LOOK_UPS),
            uploads: InTurn::new(UPLOADS),
            places: Places::default(),
            streams: Fair::with_most_each(STREAMS, STREAMS_EACH),
            rates: (!address.ip().is_loopback()).then(Rates::default),
            started: now(),
            executes: settings.executes,
            connections: settings.connections,
            closing: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            loaded: Cache::new(LOADED),
            scripts: Cache::new(SCRIPTS),
            wits: Cache::new(WITS),
            requests: AtomicU64::new(1),
            instance: secret()?.chars().take(8).collect(),
            journal,
        });
        let router = router.with_state(Arc::clone(&app));
        let router = guarded(router, &app, csrf, cors);
        Ok(Self { app, router, settings, address, exporter })
    }

    /// The address with a one-time code, with which a browser gets the first token within ten minutes. The code is in the fragment, which
    /// no browser sends.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn login_url(&self) -> std::io::Result<String> {
        let code = secret()?;
        self.app.logins.add(&code, Instant::now());
        let base = self.settings.public_url.clone();
        let base = base.unwrap_or_else(|| format!("http://{}", self.address));
        Ok(format!("{}/#login={code}", base.trim_end_matches('/')))
    }

    /// Serves until `shutdown` completes. Then it claims no more runs, waits for its own as long as the settings say while it goes on
    /// answering, gives the rest back, ends its streams, sends the last spans for up to five seconds, and returns.
    ///
    /// # Errors
    ///
    /// [`ServerError`] if the worker cannot be started, or if the journal is damaged or gone: then the server has ended by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once: claimed runs are given back.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServerError> {
        let Self { app, router, settings, exporter, .. } = self;
        let executor = if settings.executes { Some(Executor::start(&app, &settings)?) } else { None };
        let mut ended = Ok(());
        let end = async {
            ended = match executor {
                Some(executor) => executor.until(shutdown, &app, settings.drain).await,
                None => tokio::select! {
                    () = shutdown => Ok(()),
                    error = lost(&app) => Err(error),
                },
            };
            app.draining.store(true, Ordering::Relaxed);
            app.closing.send_replace(true);
        };
        let batches = drive(Arc::clone(&app));
        let connections =
            Connections::new(Arc::clone(&app), router, settings.connections).serve(&listener, end);
        let has_exporter = exporter.is_some();
        let ((last_event, no_more_events), (last_span, no_more_spans)) = (channel::<()>(), channel::<()>());
        let mut observer = pin!(observe(Arc::clone(&app), no_more_events.map(drop)));
        let mut exporter = pin!(export(exporter, &app, no_more_spans.map(drop)));
        tokio::select! {
            () = connections => {}
            () = batches => {}
            () = &mut observer => {}
            () = &mut exporter => {}
        }
        if has_exporter {
            drop(last_event);
            let events = observer.map(|()| drop(last_span));
            // What is not sent then is lost.
            _ = timeout(LAST_SPANS, join(events, exporter)).await;
        }
        ended
    }
}

/// Completes when the journal is lost: its files were removed, replaced or emptied, so that nothing that this process has open will ever be
/// as it was. Only a new process can go on, with what is there then.
async fn lost(app: &App) -> ServerError {
    let place = match JournalPlace::of(&app.spool) {
        Ok(place) => place,
        Err(error) => return error.into(),
    };
    loop {
        sleep(LOOK).await;
        if place.is_gone() {
            return ServerError::Gone { path: place.path().to_owned() };
        }
        let journal = Arc::clone(&app.journal);
        let read = spawn_blocking(move || journal.last_event()).await;
        // Other errors may pass.
        if let Ok(Err(error @ JournalError::DamagedFile { .. })) = read {
            return ServerError::Failed(Arc::new(error));
        }
    }
}

/// What may become spans, and what sends them, if anything does.
#[cfg(feature = "otel")]
fn spans(settings: &Settings, metrics: &Metrics) -> Result<(Spans, Option<Exporter>), ServerError> {
    let Some(traces) = &settings.traces else { return Ok((Spans::default(), None)) };
    let (spans, exporter) = Exporter::new(traces, metrics)?;
    Ok((spans, Some(exporter)))
}

#[cfg(not(feature = "otel"))]
fn spans(_: &Settings, _: &Metrics) -> Result<(Spans, Option<Exporter>), ServerError> {
    Ok((Spans::default(), None))
}

/// Sends spans until `end` completes, and then the last ones. Without an exporter it does nothing, without an end.
async fn export(exporter: Option<Exporter>, app: &App, end: impl Future<Output = ()>) {
    match exporter {
        Some(exporter) => exporter.run(Arc::clone(&app.journal), app.blocking.clone(), end).await,
        None => pending().await,
    }
}

/// The routes, and the document about them.
fn document() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let router = OpenApiRouter::with_openapi(openapi::begin()).merge(api::router());
    let (router, mut document) = router.split_for_parts();
    openapi::finish(&mut document);
    (router, document)
}

fn document_text(document: &utoipa::openapi::OpenApi) -> String {
    // Cannot fail: all keys are texts.
    document.to_pretty_json().unwrap_or_default()
}

/// The OpenAPI document of this version.
pub fn openapi_document() -> String {
    document_text(&document().1)
}

/// The layer that refuses changes by pages of other origins.
type Csrf = CsrfLayer<fn(tower_http::csrf::ProtectionError) -> Response>;

fn csrf(hosts: &HostNames, allowed: &[String]) -> Result<Csrf, ServerError> {
    let mut layer = CsrfLayer::new();
    for origin in hosts.origins().iter().chain(allowed) {
        let added = layer.add_trusted_origin(origin);
        layer = added.map_err(|source| ServerError::Origin { origin: origin.clone(), source })?;
    }
    let refuse: fn(_) -> Response = |_| cross_origin().into_response();
    Ok(layer.with_rejection_response(refuse))
}

/// The layer that lets pages of allowed origins read answers; none without such an origin.
fn cors(allowed: &[String]) -> Option<CorsLayer> {
    // All of them: what `csrf` accepts as an origin is ASCII, and so a value of a header.
    let origins: Vec<_> = allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let name = HeaderName::from_static;
    let sent = [
        AUTHORIZATION,
        CONTENT_TYPE,
        name("accept-integers"),
        name("idempotency-key"),
        name("last-event-id"),
        name("traceparent"),
    ];
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE])
        .allow_headers(sent)
        .expose_headers([LOCATION, RETRY_AFTER, name("x-request-id")])
        .max_age(PREFLIGHT_TIME);
    Some(layer)
}

/// The routes behind their guards, the first of which is the last layer.
fn guarded(router: Router, app: &Arc<App>, csrf: Csrf, cors: Option<CorsLayer>) -> Router {
    let router = router
        .route_layer(from_fn_with_state(Arc::clone(app), admit))
        .merge(assets::router())
        .method_not_allowed_fallback(async || {
            ApiProblem::new(Code::MethodNotAllowed, "the address does not have this method")
                .hint("GET /api/v1/openapi.json has all addresses and methods")
        })
        .fallback(assets::no_page)
        .layer(from_fn(as_texts))
        .layer(csrf);
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn_with_state(Arc::clone(app), complete))
}

/// What executes runs and fires schedules.
struct Executor {
    worker: Worker,
    schedules: ScheduleThread,
}

impl Executor {
    fn start(app: &Arc<App>, settings: &Settings) -> Result<Self, ServerError> {
        let worker = app.host.worker().registry(Arc::clone(&app.registry));
        let worker = worker.queues(settings.queues.iter().cloned()).start()?;
        let report = |problem: &str| tracing::warn!("{problem}");
        let schedules = ScheduleThread::start(Arc::clone(&app.journal), Arc::clone(&app.registry), report)?;
        Ok(Self { worker, schedules })
    }

    /// Executes until `shutdown` completes, and then drains; or until the journal cannot be used any more.
    async fn until(
        self,
        shutdown: impl Future<Output = ()>,
        app: &App,
        drain: Duration,
    ) -> Result<(), ServerError> {
        let Self { worker, mut schedules } = self;
        let lost = tokio::select! {
            () = shutdown => None,
            () = worker.ended() => None,
            path = schedules.gone() => Some(ServerError::Gone { path }),
            error = lost(app) => Some(error),
        };
        app.draining.store(true, Ordering::Relaxed);
        drop(schedules);
        let lost = lost.or_else(|| worker.failure().map(ServerError::Failed));
        worker.drain(if lost.is_none() { drain } else { Duration::ZERO }).await;
        lost.map_or(Ok(()), Err)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
