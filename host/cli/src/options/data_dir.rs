//! The data directory: which it is, and that no guest may write to one that is used today or another day.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use hostel::{DirAccess, DirGrant, Host, HostBuilder, create_data_dir, reaches_data_dir};

use crate::options::TaskOptions;
use crate::options::dir::Dir;
use crate::problem::{Problem, without_number};
use crate::ui::Ui;

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
    /// The data directory, if there is to be one.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        data_dir(self.data_dir.clone()).filter(|_| !self.no_data_dir)
    }

    /// A host with a data directory, if there is to be one and it can be used.
    pub(crate) fn host(&self, ui: &Ui) -> Result<HostBuilder, Problem> {
        let Some(dir) = self.dir() else {
            return Ok(Host::builder());
        };
        if dir.is_file() {
            let message = format!("data directory {}: expected a directory, found a file", dir.display());
            return Err(Problem::invalid(message));
        }
        if let Err(error) = create_data_dir(&dir) {
            let error = without_number(&error.to_string());
            ui.warning(&format!(
                "nothing is kept: the data directory {} cannot be used: {error}",
                dir.display()
            ));
            return Ok(Host::builder());
        }
        Ok(Host::builder().data_dir(dir))
    }
}

/// The data directory: the one that an option names, or the variable, or the usual one.
pub(crate) fn data_dir(option: Option<PathBuf>) -> Option<PathBuf> {
    option.or_else(named_data_dir).or_else(usual_data_dir)
}

/// Refuses grants to write to a data directory that commands find by themselves, whether this one uses it or not: a
/// later one trusts the compiled code in it, and what it says is trusted. The host itself refuses them for the one in use; the one
/// that an option names may be unusable now, and not later.
pub(crate) fn check_apart(options: &TaskOptions, host: &HostOptions) -> Result<(), Problem> {
    let grants: Vec<_> = options.dir.iter().map(Dir::grant).collect();
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
    let problem = format!("{dir} is granted to be written, which reaches the data directory {data}");
    Problem::invalid(problem)
        .hint("commands trust what is in it, also later ones: grant a directory apart from it")
}

/// The one that the variable names.
fn named_data_dir() -> Option<PathBuf> {
    env::var_os("HOSTEL_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
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
