//! The data directory: its location, and a check that no guest may write to one that any command uses.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use hostel::{DirAccess, DirGrant, ErrorKind, Host, HostBuilder, create_data_dir, reaches_data_dir};
use hostel_wire::without_number;

use crate::apart;
use crate::options::server::Unfit;
use crate::options::task::TaskOptions;
use crate::problem::Problem;
use crate::ui::Ui;

/// Options of the host.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostOptions {
    /// Store compiled code and cached results in this directory [default: hostel in the user's data directory]
    /// [env: HOSTEL_DATA_DIR]
    #[arg(long, value_name = "DIR", help_heading = "Host")]
    data_dir: Option<PathBuf>,

    /// Store nothing on disk
    #[arg(long, conflicts_with = "data_dir", help_heading = "Host")]
    no_data_dir: bool,
}

impl HostOptions {
    /// With a server.
    pub(crate) fn unfit(&self) -> [Unfit; 2] {
        let because = "components, runs and results are those of the server";
        let unfit = |option, is_given| Unfit { option, is_given, because };
        [unfit("--data-dir", self.data_dir.is_some()), unfit("--no-data-dir", self.no_data_dir)]
    }

    /// The data directory that the command line names.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The data directory, unless it is disabled.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        data_dir(self.data_dir.clone()).filter(|_| !self.no_data_dir)
    }

    /// The data directory, created if it does not exist, for commands that need it.
    pub(crate) fn stored(&self) -> Result<PathBuf, Problem> {
        let dir = self.dir().ok_or_else(|| {
            Problem::invalid("there is no data directory: name one with --data-dir or HOSTEL_DATA_DIR")
        })?;
        if let Err(error) = create_data_dir(&dir) {
            let error = without_number(&error.to_string());
            let problem = format!("the data directory {} cannot be used: {error}", dir.display());
            return Err(Problem::new(ErrorKind::Internal, problem));
        }
        Ok(dir)
    }

    /// A host with a data directory, if it is enabled and usable. It compiles in processes of their own.
    pub(crate) fn host(&self, ui: &Ui) -> Result<HostBuilder, Problem> {
        let builder = self.host_that_compiles(ui)?;
        Ok(match apart::program() {
            Some(program) => builder.compile_program(program),
            None => builder,
        })
    }

    /// The same, but it compiles in this process.
    pub(crate) fn host_that_compiles(&self, ui: &Ui) -> Result<HostBuilder, Problem> {
        // No command looks up runs that it no longer holds.
        let mut builder = Host::builder().ended_runs(0);
        if let Some(file) = env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
            builder = builder.root_certificates(file);
        }
        let Some(dir) = self.dir() else {
            return Ok(builder);
        };
        if dir.is_file() {
            let message = format!("data directory {}: expected a directory, found a file", dir.display());
            return Err(Problem::invalid(message));
        }
        if let Err(error) = create_data_dir(&dir) {
            let error = without_number(&error.to_string());
            ui.warning(&format!(
                "nothing is stored: the data directory {} cannot be used: {error}",
                dir.display()
            ));
            return Ok(builder);
        }
        Ok(builder.data_dir(dir))
    }
}

/// The data directory from the option, the variable, or the default.
pub(crate) fn data_dir(option: Option<PathBuf>) -> Option<PathBuf> {
    option.or_else(named_data_dir).or_else(usual_data_dir)
}

/// Refuses grants to write to a data directory that commands find automatically, whether this command uses it or not: a
/// later command trusts its compiled code and its records of trusted files. The host itself refuses them for the data
/// directory in use; the one that an option names may be unusable now, and usable later.
pub(crate) fn check_apart(options: &TaskOptions, host: &HostOptions) -> Result<(), Problem> {
    let grants = options.dirs()?;
    let written: Vec<_> = grants.iter().filter(|grant| grant.access() == DirAccess::Rw).collect();
    if written.is_empty() {
        return Ok(());
    }
    let data_dirs = host.data_dir.clone().into_iter().chain(named_data_dir()).chain(usual_data_dir());
    data_dirs.into_iter().try_for_each(|data| {
        let found = written.iter().find(|grant| reaches_data_dir(grant.host(), &data));
        found.map_or(Ok(()), |grant| Err(refused(grant, &data)))
    })
}

fn refused(grant: &DirGrant, data: &Path) -> Problem {
    let (dir, data) = (grant.host().display(), data.display());
    let problem = format!("the grant to write to {dir} reaches the data directory {data}");
    Problem::invalid(problem).hint("later commands trust its content: grant a directory outside of it")
}

/// The data directory from the variable.
fn named_data_dir() -> Option<PathBuf> {
    env::var_os("HOSTEL_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// `$XDG_DATA_HOME/hostel`, or its equivalent on this system.
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
