//! Options for the limits of an attempt. Their doc comments are the help.

use std::time::Duration;

use clap::Args;
use hostel::{Limits, LimitsError, grammar};

/// Limits of an attempt, and of a run's log.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Stop an attempt after this long: 200ms, 1.5s, 2m, 1d
    #[arg(long, value_name = "TIME", value_parser = grammar::timeout, allow_hyphen_values = true)]
    pub(crate) timeout: Option<Duration>,

    /// Stop an attempt that waits for this long without computing
    #[arg(long, value_name = "TIME", value_parser = grammar::timeout, allow_hyphen_values = true)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Stop an attempt when it has used this much fuel, about one unit for each instruction; counting slows it down by a few
    /// percent; to measure the fuel of a run, use a large limit and --receipt
    #[arg(long, value_name = "FUEL", value_parser = grammar::number)]
    pub(crate) max_fuel: Option<u64>,

    /// Memory that an attempt may use [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_memory: Option<u64>,

    /// Size of a run's log, all its attempts together [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_log: Option<u64>,

    /// Lines in a run's log, all its attempts together [default: 100,000]
    #[arg(long, value_name = "N", value_parser = grammar::number)]
    pub(crate) max_log_lines: Option<u64>,

    /// Size of a run's arguments, and of the data that a program reads from a pipe as its stdin [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_input: Option<u64>,

    /// Size of an attempt's result [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_result: Option<u64>,

    /// Files and listings that an attempt may have open at once [default: 256]
    #[arg(long, value_name = "N", value_parser = grammar::number)]
    pub(crate) max_open_files: Option<u64>,

    /// Bytes that an attempt may write to files [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_written: Option<u64>,

    /// Sockets and HTTP requests that an attempt may have open at once [default: 64]
    #[arg(long, value_name = "N", value_parser = grammar::number)]
    pub(crate) max_sockets: Option<u64>,

    /// Bytes that an attempt may send and receive over the network [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes)]
    pub(crate) max_network: Option<u64>,

    /// Handles of resources that an attempt may have at once [default: 100,000]
    #[arg(long, value_name = "N", value_parser = grammar::number)]
    pub(crate) max_handles: Option<u64>,

    /// Calls of async functions, streams and futures that an attempt may have at once [default: 1,000]
    #[arg(long, value_name = "N", value_parser = grammar::number)]
    pub(crate) max_subtasks: Option<u64>,
}

impl LimitOptions {
    /// These options, completed by those of `others`.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            timeout: self.timeout.or(others.timeout),
            idle_timeout: self.idle_timeout.or(others.idle_timeout),
            max_fuel: self.max_fuel.or(others.max_fuel),
            max_memory: self.max_memory.or(others.max_memory),
            max_log: self.max_log.or(others.max_log),
            max_log_lines: self.max_log_lines.or(others.max_log_lines),
            max_input: self.max_input.or(others.max_input),
            max_result: self.max_result.or(others.max_result),
            max_open_files: self.max_open_files.or(others.max_open_files),
            max_written: self.max_written.or(others.max_written),
            max_sockets: self.max_sockets.or(others.max_sockets),
            max_network: self.max_network.or(others.max_network),
            max_handles: self.max_handles.or(others.max_handles),
            max_subtasks: self.max_subtasks.or(others.max_subtasks),
        }
    }

    /// The limits, within their bounds.
    pub(crate) fn limits(self) -> Result<Limits, LimitsError> {
        let usual = Limits::default();
        let limits = Limits {
            timeout: self.timeout,
            idle_timeout: self.idle_timeout,
            fuel: self.max_fuel,
            memory_bytes: self.max_memory.unwrap_or(usual.memory_bytes),
            log_bytes: self.max_log.unwrap_or(usual.log_bytes),
            log_lines: self.max_log_lines.unwrap_or(usual.log_lines),
            input_bytes: self.max_input.unwrap_or(usual.input_bytes),
            result_bytes: self.max_result.unwrap_or(usual.result_bytes),
            open_files: self.max_open_files.unwrap_or(usual.open_files),
            written_bytes: self.max_written.unwrap_or(usual.written_bytes),
            sockets: self.max_sockets.unwrap_or(usual.sockets),
            network_bytes: self.max_network.unwrap_or(usual.network_bytes),
            handles: self.max_handles.unwrap_or(usual.handles),
            subtasks: self.max_subtasks.unwrap_or(usual.subtasks),
            ..usual
        };
        limits.validate()?;
        Ok(limits)
    }
}
