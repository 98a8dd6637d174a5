//! `hostel serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hostel::{ErrorKind, QueueName, grammar};
use hostel_server::{Change, Server, ServerError, Settings};
use hostel_wire::{printable, without_number};
use tokio::net::TcpListener;

use super::worker::LOST;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
#[cfg(feature = "otel")]
use crate::options;
use crate::options::MemoryOptions;
use crate::options::data_dir::HostOptions;
use crate::options::remote_cache::RemoteCacheOptions;
use crate::problem::{Problem, Stop};
use crate::runtime;
use crate::time::now;
use crate::ui::Ui;

/// The most lines about changes that wait to be written.
const MAX_NOTES: usize = 1_024;

/// The form of lines about changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    fn line(self, change: &Change<'_>) -> String {
        match self {
            Self::Text => printable(&change.to_string()).into_owned(),
            Self::Json => serde_json::json!({
                "at": hostel_wire::instant(now()),
                "method": change.method,
                "path": change.path,
                "status": change.status,
                "token": change.token,
                "request_id": change.request_id,
                "trace_id": change.trace_id,
            })
            .to_string(),
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
The API is under /api/v1; /api/v1/openapi.json describes it. Requests need a token: the first one
is in the file token of the data directory. The address that is printed has a code with which a
browser gets it, once and within ten minutes.

The server is for this machine. For others, put a proxy before it that encrypts connections, and
start it with --behind-proxy and --public-url.

With OTEL_EXPORTER_OTLP_ENDPOINT in the environment it sends spans of runs and requests to a
collector of OpenTelemetry; docs/server.md has the other variables.

Ctrl-C or SIGTERM: it takes no more runs, waits for those that it executes while it goes on
answering, gives the rest back to other workers, and ends. A second one stops it at once.

Examples:
  hostel serve
  curl -H \"Authorization: Bearer $(cat DIR/token)\" http://127.0.0.1:4700/api/v1/info
  hostel serve --addr 0.0.0.0:4700 --behind-proxy --public-url https://hostel.example")]
pub(crate) struct Serve {
    /// Listen on this address; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4700")]
    addr: SocketAddr,

    /// The address under which others reach it
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// A proxy before it encrypts connections: allow addresses that other machines reach
    #[arg(long)]
    behind_proxy: bool,

    /// Let pages of this origin send requests and read answers, too; can be given several times
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// Execute only runs of this queue; can be given several times [default: all queues]
    #[arg(long, value_name = "NAME")]
    queue: Vec<QueueName>,

    /// When it is stopped, wait this long for its runs to end
    #[arg(long, value_name = "TIME", value_parser = grammar::duration, default_value = "30s")]
    drain: Duration,

    /// The form of the lines about changes: text, or json with an object on each line
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Write no lines about changes, only problems
    #[arg(long, short)]
    quiet: bool,

    /// Compute this many runs at once, not counting those that sleep; 0 executes none and serves only the API [default: one
    /// for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1024), help_heading = "Host")]
    workers: Option<u16>,

    #[command(flatten)]
    remote_cache: RemoteCacheOptions,

    #[command(flatten)]
    memory: MemoryOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Serve {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let dir = self.host.stored()?;
        let host = self.memory.apply(self.host.host(ui)?);
        let host = self.remote_cache.apply(host, None)?;
        let host = match self.workers {
            Some(workers) if workers > 0 => host.max_workers(workers.into()),
            Some(_) | None => host,
        };
        let runtime = runtime::of_a_server()?;
        // Written by another thread: one that nobody reads must not keep requests waiting.
        let (notes, written) = sync_channel(MAX_NOTES);
        let of_notes = Arc::clone(ui);
        let writer = thread::spawn(move || written.into_iter().for_each(|note: String| of_notes.note(&note)));
        let mut settings = Settings::default();
        settings.executes = self.workers != Some(0);
        settings.queues.clone_from(&self.queue);
        settings.public_url.clone_from(&self.public_url);
        settings.behind_proxy = self.behind_proxy;
        settings.allowed_origins.clone_from(&self.allow_origin);
        settings.drain = self.drain;
        #[cfg(feature = "otel")]
        {
            settings.traces = options::traces::export()?;
        }
        let (is_quiet, form) = (self.quiet, self.log_format);
        let settings = settings.on_change(move |change| {
            if !is_quiet {
                // Without room the line is left out.
                _ = notes.try_send(form.line(change));
            }
        });
        runtime.block_on(async {
            let mut interrupt = Interrupt::listen();
            let listener = TcpListener::bind(self.addr).await.map_err(|error| self.no_address(&error))?;
            let address = listener.local_addr().map_err(|error| self.no_address(&error))?;
            let server = Server::open(&dir, host, address, settings).map_err(refused)?;
            let login = server.login_url();
            let login = login.map_err(|error| refused(ServerError::Io(error)))?;
            ui.result_line(&login)?;
            ui.flush()?;
            server.serve(listener, interrupt.requested()).await.map_err(refused)?;
            Ok::<_, Stop>(())
        })?;
        // Its sender is gone with the server: it has written all.
        _ = writer.join();
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn no_address(&self, error: &std::io::Error) -> Problem {
        let error = without_number(&error.to_string());
        let problem = format!("cannot listen on {}: {error}", self.addr);
        Problem::new(ErrorKind::Unavailable, problem).hint("choose another address with --addr")
    }
}

fn refused(error: ServerError) -> Problem {
    let problem = Problem::of(error.kind(), &error);
    if let ServerError::Exposed { .. } = error {
        problem.hint("put a proxy that encrypts connections before it, and add --behind-proxy")
    } else if let ServerError::Gone { .. } = error {
        problem.hint(LOST)
    } else {
        problem
    }
}
