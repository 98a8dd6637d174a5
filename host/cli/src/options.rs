//! Options that several commands share. Their doc comments are the help.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use clap::{Args, ValueEnum};
use hostel::{CachePolicy, Grants, Host, HostBuilder, HttpGrant, Limits, Task};

use crate::problem::{Problem, without_number};
use crate::ui::Ui;
use crate::units;

/// How a task is run.
#[derive(Args, Clone, Debug)]
pub(crate) struct TaskOptions {
    /// Stop a run after this long: 200ms, 1.5s, 2m
    #[arg(long, value_name = "TIME", value_parser = units::duration, help_heading = "Limits")]
    timeout: Option<Duration>,

    /// Memory that one run may use [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, help_heading = "Limits")]
    max_memory: Option<u64>,

    /// Log that is kept of one run [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, help_heading = "Limits")]
    max_log: Option<u64>,

    /// Size of one run's arguments [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, help_heading = "Limits")]
    max_input: Option<u64>,

    /// Size of one run's result [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, help_heading = "Limits")]
    max_result: Option<u64>,

    /// Allow outgoing HTTP to this host: HOST, HOST:PORT or HOST:*, or *.DOMAIN for all below it; with http:// or
    /// https:// in front, only that; can be given several times
    #[arg(long, value_name = "HOST", help_heading = "Grants")]
    http: Vec<HttpGrant>,

    /// Reuse results of runs that share these facts: `inputs + task-source`, or `none`
    #[arg(long, value_name = "POLICY", default_value_t, help_heading = "Cache")]
    cache: CachePolicy,

    /// Run although the cache has a result, and keep the new one
    #[arg(long, help_heading = "Cache")]
    refresh_cache: bool,
}

impl TaskOptions {
    /// The limits, within their bounds.
    pub(crate) fn limits(&self) -> Result<Limits, Problem> {
        let usual = Limits::default();
        let limits = Limits {
            timeout: self.timeout,
            memory_bytes: self.max_memory.unwrap_or(usual.memory_bytes),
            log_bytes: self.max_log.unwrap_or(usual.log_bytes),
            input_bytes: self.max_input.unwrap_or(usual.input_bytes),
            result_bytes: self.max_result.unwrap_or(usual.result_bytes),
            ..usual
        };
        limits.validate()?;
        Ok(limits)
    }

    /// The task with these options.
    pub(crate) fn apply(&self, task: Task, limits: Limits) -> Task {
        let grants = Grants { http: self.http.clone() };
        task.limits(limits).grants(grants).cache(self.cache).refresh_cache(self.refresh_cache)
    }
}

/// How the host is set up.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostOptions {
    /// Keep compiled code and cached results there [default: hostel in the user's data directory]
    /// [env: HOSTEL_DATA_DIR]
    #[arg(long, value_name = "DIR", help_heading = "Host")]
    data_dir: Option<PathBuf>,

    /// Keep nothing on disk
    #[arg(long, conflicts_with = "data_dir", help_heading = "Host")]
    no_data_dir: bool,
}

impl HostOptions {
    /// A host with a data directory, if there is to be one and it can be used.
    pub(crate) fn host(&self, ui: &Ui) -> Result<HostBuilder, Problem> {
        let named = || env::var_os("HOSTEL_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let dir = self.data_dir.clone().or_else(named).or_else(usual_data_dir);
        let Some(dir) = dir.filter(|_| !self.no_data_dir) else {
            return Ok(Host::builder());
        };
        if dir.is_file() {
            let message = format!("data directory {}: expected a directory, found a file", dir.display());
            return Err(Problem::invalid(message));
        }
        if let Err(error) = fs::create_dir_all(&dir) {
            let error = without_number(&error.to_string());
            ui.warning(&format!(
                "nothing is kept: the data directory {} cannot be made: {error}",
                dir.display()
            ));
            return Ok(Host::builder());
        }
        Ok(Host::builder().data_dir(dir))
    }
}

/// How many runs compute at once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WorkerOptions {
    /// Compute this many runs at once, not counting those that sleep [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Host")]
    workers: Option<u16>,
}

impl WorkerOptions {
    pub(crate) fn apply(self, host: HostBuilder) -> HostBuilder {
        match self.workers {
            Some(workers) => host.max_workers(workers.into()),
            None => host,
        }
    }
}

/// The form in which values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// WebAssembly value encoding, as the arguments are read
    Wave,
    /// JSON
    Json,
    /// Aligned columns for records, WAVE for anything else
    Table,
}

/// `$XDG_DATA_HOME/hostel`, or what stands for it on this system.
fn usual_data_dir() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = if cfg!(windows) { absolute("LOCALAPPDATA") } else { absolute("XDG_DATA_HOME") };
    let base = base.or_else(|| {
        let home = env::home_dir().filter(|home| home.is_absolute())?;
        let in_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
        Some(home.join(in_home))
    });
    base.map(|base| base.join("hostel"))
}
