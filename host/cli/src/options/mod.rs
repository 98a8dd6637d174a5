//! Options that several commands share. Their doc comments are the help, except for those of a task.

pub(crate) mod data_dir;
pub(crate) mod remote_cache;
pub(crate) mod server;
pub(crate) mod tag_limits;
pub(crate) mod task;
#[cfg(feature = "otel")]
pub(crate) mod traces;

use clap::{Args, ValueEnum};
use hostel::{HostBuilder, grammar};

use self::server::Unfit;

/// Why an option of the host cannot be used with a server.
const OF_THE_SERVER: &str = "the server decides how much it executes at once";

/// Parses a size that is not zero.
fn some_bytes(text: &str) -> Result<u64, String> {
    let bytes = Some(grammar::bytes(text)?).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected more than zero".to_owned())
}

/// The number of runs that compute at once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WorkerOptions {
    /// Compute this many runs at once, not counting those that sleep [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Host")]
    workers: Option<u16>,
}

impl WorkerOptions {
    /// With a server.
    pub(crate) const fn unfit(self) -> Unfit {
        Unfit { option: "--workers", is_given: self.workers.is_some(), because: OF_THE_SERVER }
    }

    pub(crate) fn apply(self, host: HostBuilder) -> HostBuilder {
        match self.workers {
            Some(workers) => host.max_workers(workers.into()),
            None => host,
        }
    }
}

/// The memory of all runs.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct MemoryOptions {
    /// Memory that all runs may use together, of which one may hold at most four fifths [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = some_bytes, help_heading = "Host")]
    max_host_memory: Option<u64>,
}

impl MemoryOptions {
    /// With a server.
    pub(crate) const fn unfit(self) -> Unfit {
        Unfit {
            option: "--max-host-memory",
            is_given: self.max_host_memory.is_some(),
            because: OF_THE_SERVER,
        }
    }

    pub(crate) fn apply(self, host: HostBuilder) -> HostBuilder {
        let host = host.owns_process(true);
        match self.max_host_memory {
            Some(bytes) => host.max_memory_bytes(bytes),
            None => host,
        }
    }
}

/// The form of results.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputOptions {
    /// The form of results: wave, json, or table for records and lists of records [default: wave for a
    /// run, json for a map]
    #[arg(long, short, value_name = "FORM", value_enum, hide_possible_values = true)]
    pub(crate) output: Option<Form>,
}

/// A form of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// WebAssembly value encoding, as in arguments
    Wave,
    /// JSON
    Json,
    /// Aligned columns for records, WAVE for anything else
    Table,
}
