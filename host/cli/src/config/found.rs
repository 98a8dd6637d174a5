//! Finds the configuration file: the named one, or the nearest `hostel.toml`, which may grant something only if it is trusted.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, iter};

use clap::Args;
use hostel::{CONFIG_FILE_NAME, ErrorKind, bytes_text};

use super::Config;
use super::trust::{MAX_BYTES, Trust, TrustBook};
use crate::options::data_dir::HostOptions;
use crate::problem::Problem;
use crate::ui::text::one_line;

/// The options for the configuration file.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Host")]
pub(crate) struct ConfigOptions {
    /// Read options from this file, see `hostel --help` [default: hostel.toml here, or in the nearest directory above,
    /// which must be trusted to grant anything: `hostel trust`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Read no options from a file
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
}

impl ConfigOptions {
    /// Reads and checks the file. A found file that grants something and is not trusted is refused.
    pub(crate) fn read(&self, host: &HostOptions) -> Result<Config, Problem> {
        let config = self.look(host)?;
        match config.trust {
            Trust::Given => Ok(config),
            Trust::Missing | Trust::Outdated => Err(not_trusted(&config, host)?),
        }
    }

    /// The same for display only: [`Config::trust`] says whether the file is trusted.
    pub(crate) fn look(&self, host: &HostOptions) -> Result<Config, Problem> {
        if let Some(path) = &self.config {
            return Config::parse(&read(path)?, path);
        }
        let Some(path) = find().filter(|_| !self.no_config) else { return Ok(Config::default()) };
        let Found { config, content } = Found::read(&path)?;
        let trust = match (config.needs_trust()?, host.dir().map(TrustBook::in_data_dir)) {
            (false, _) => Trust::Given,
            (true, None) => Trust::Missing,
            (true, Some(book)) => book.trust(&path, &content),
        };
        Ok(Config { trust, ..config })
    }
}

/// A file that the command found automatically, and its text.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) config: Config,
    pub(crate) content: String,
}

impl Found {
    /// Reads a found file, unless another user may have written it.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let metadata = fs::metadata(path).map_err(|error| Problem::unreadable(path.display(), &error))?;
        // Reading a pipe would block.
        if !metadata.is_file() {
            return Err(Problem::invalid(format!("{}: expected a file", path.display())));
        }
        check_owner(path)?;
        let content = read(path)?;
        Ok(Self { config: Config::parse(&content, path)?, content })
    }
}

/// The nearest file: in the current directory, or in one above it.
pub(crate) fn find() -> Option<PathBuf> {
    let levels = env::current_dir().ok()?.ancestors().count();
    let above = iter::successors(Some(PathBuf::new()), |path| Some(path.join("..")));
    above.take(levels).map(|dir| dir.join(CONFIG_FILE_NAME)).find(|path| path.is_file())
}

/// An error with the settings of an untrusted file.
fn not_trusted(config: &Config, host: &HostOptions) -> Result<Problem, Problem> {
    let file = &config.name;
    let what = match config.trust {
        Trust::Outdated => "has changed since it was trusted",
        Trust::Missing | Trust::Given => "is not trusted",
    };
    let granted =
        config.granted()?.into_iter().map(|(task, grants)| format!("{task:?}: {}", grants.join(", ")));
    let cache = config.remote_cache.iter().map(|cache| format!("a remote cache: {}", cache.shown()));
    let asks: Vec<_> = granted.chain(cache).collect();
    // Text of the file must not look like lines of this message.
    let asks = one_line(&asks.join("; "));
    let problem = Problem::new(ErrorKind::Denied, format!("{file} {what}, and sets {asks}"));
    let problem = match host.dir() {
        Some(_) => problem.hint(format!("if these settings are right, trust the file: hostel trust {file}")),
        None => problem.hint("trusted files are recorded in the data directory, and there is none"),
    };
    Ok(problem.hint(format!("--config {file} uses it this time, and --no-config uses no file")))
}

/// Refuses a found file that another user may have written: it could add grants to the tasks of anyone who works below it.
///
/// A group may write it: many systems give each user their own group, and content from other members of a group is not
/// trusted until the user trusts it.
#[cfg(target_os = "linux")]
fn check_owner(path: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::MetadataExt;

    const WRITABLE_BY_ALL: u32 = 0o002;
    const ROOT: u32 = 0;
    let metadata = fs::metadata(path).map_err(|error| Problem::unreadable(path.display(), &error))?;
    let (owner, me) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    let whose = if metadata.mode() & WRITABLE_BY_ALL != 0 {
        "can be written by everyone".to_owned()
    } else if owner != me && owner != ROOT {
        format!("belongs to another user (number {owner})")
    } else {
        return Ok(());
    };
    let problem = Problem::new(
        ErrorKind::Denied,
        format!("{} {whose}, who could add grants to your runs here", path.display()),
    );
    Err(problem.hint("--config FILE uses it anyway, and --no-config uses no file"))
}

/// Owners and permissions are checked on Linux only.
#[cfg(not(target_os = "linux"))]
fn check_owner(_: &Path) -> Result<(), Problem> {
    Ok(())
}

fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |error| Problem::unreadable(path.display(), &error);
    let mut content = Vec::new();
    // One more byte than allowed shows that there is more.
    let file = File::open(path).map_err(unreadable)?;
    // A file of the system, which a link may lead to, has no length, and reading it may wait for ever.
    if file.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
        return Ok(String::new());
    }
    let mut file = file.take(MAX_BYTES + 1);
    file.read_to_end(&mut content).map_err(unreadable)?;
    let wrong = |what: &str| Problem::invalid(format!("{} {what}", path.display()));
    if content.len() as u64 > MAX_BYTES {
        return Err(wrong(&format!("is over {}, the maximum for such a file", bytes_text(MAX_BYTES))));
    }
    String::from_utf8(content).map_err(|_| wrong("is not text: expected UTF-8"))
}
