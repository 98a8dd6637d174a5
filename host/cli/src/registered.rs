//! Components of the registry in place of files: `NAME`, `NAME@VERSION` and `sha256:DIGEST`.

use std::env;
use std::path::{Path, PathBuf};

use hostel::registry::{ComponentRef, OpenJournalError, Registry, RegistryError, Resolved};
use hostel::{Component, Digest, ErrorKind, ScriptManifest, ScriptPackage};

use crate::options::data_dir::HostOptions;
use crate::problem::Problem;
use crate::ui::Ui;

/// Where a component is.
#[derive(Debug)]
pub(crate) struct Located {
    /// Its file.
    pub(crate) file: PathBuf,
    /// The digest that it must have; `None` for any.
    digest: Option<Digest>,
    /// Its version, if nobody who may grant has registered or accepted it: a client of the server has.
    pub(crate) untrusted: Option<ComponentRef>,
    /// The script of the registry that is meant, and that this component executes.
    pub(crate) script: Option<StoredScript>,
}

/// A script of the registry.
#[derive(Debug)]
pub(crate) struct StoredScript {
    pub(crate) package: ScriptPackage,
    pub(crate) manifest: ScriptManifest,
}

impl Located {
    /// Whether it is of the registry.
    pub(crate) const fn is_registered(&self) -> bool {
        self.digest.is_some()
    }

    /// The digest, if it is of the registry.
    pub(crate) const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The component, if it is the one that was registered.
    pub(crate) fn checked(&self, component: Component) -> Result<Component, Problem> {
        self.check(component.digest()).map(|()| component)
    }

    /// Whether a component with this digest is the one that was registered.
    pub(crate) fn check(&self, found: Digest) -> Result<(), Problem> {
        match self.digest {
            Some(digest) if digest != found => {
                let problem = format!("{digest} is damaged: {} is another component", self.file.display());
                Err(Problem::new(ErrorKind::Internal, problem).hint("push it again"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The component that a text stands for: a file, or else one of the registry. Says, unless `quiet`, if a later version waits to be
/// accepted.
pub(crate) fn locate(ui: &Ui, path: &Path, host: &HostOptions, quiet: bool) -> Result<Located, Problem> {
    let file = || Located { file: path.to_owned(), digest: None, untrusted: None, script: None };
    let Some(text) = path.to_str().filter(|text| !text.contains(['/', '\\'])) else { return Ok(file()) };
    if path.exists() {
        return Ok(file());
    }
    // Nobody names a file so.
    let is_meant = text.starts_with("sha256:") || text.contains('@');
    let reference = match text.parse::<ComponentRef>() {
        Ok(reference) => reference,
        Err(error) if is_meant => return Err(Problem::of(error.kind(), &error)),
        Err(_) => return Ok(file()),
    };
    let Some(registry) = existing(host)? else {
        return if is_meant { Err(unknown(&reference)) } else { Ok(file()) };
    };
    match registry.resolve(&reference) {
        Ok(resolved) => {
            if !quiet {
                tell_of_waiting(ui, &resolved);
            }
            let untrusted = resolved.untrusted();
            Ok(Located { untrusted, ..registered(&registry, resolved.digest)? })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !is_meant => Ok(file()),
        Err(error) => Err(failed(&error)),
    }
}

/// A component of the registry, or the runtime of a script.
fn registered(registry: &Registry, digest: Digest) -> Result<Located, Problem> {
    let of_registry = |error: RegistryError| failed(&error);
    let file = |digest| registry.file(digest).map_err(of_registry);
    let component = registry.component(&ComponentRef::Digest(digest)).map_err(of_registry)?;
    let Some(manifest) = component.manifest.script else {
        return Ok(Located { file: file(digest)?, digest: Some(digest), untrusted: None, script: None });
    };
    let bytes = registry.bytes(digest).map_err(of_registry)?;
    let package = ScriptPackage::decode(&bytes).map_err(|error| Problem::of(ErrorKind::Internal, &error))?;
    let runtime = manifest.runtime;
    Ok(Located {
        file: file(runtime)?,
        digest: Some(runtime),
        untrusted: None,
        script: Some(StoredScript { package, manifest }),
    })
}

/// The registry of the data directory, if there is one. It is not created.
fn existing(host: &HostOptions) -> Result<Option<Registry>, Problem> {
    // Every registry has it from its first component on.
    let Some(dir) = host.dir().filter(|dir| dir.join("components").is_dir()) else { return Ok(None) };
    open(&dir).map(Some)
}

/// Opens the registry of a data directory.
pub(crate) fn open(data_dir: &Path) -> Result<Registry, Problem> {
    Registry::open(data_dir).map_err(|error: OpenJournalError| Problem::of(error.kind(), &error))
}

fn unknown(reference: &ComponentRef) -> Problem {
    let error = RegistryError::NotFound { component: reference.clone() };
    failed(&error)
}

/// An error of the registry, with what to do next.
pub(crate) fn failed(error: &RegistryError) -> Problem {
    let problem = Problem::of(error.kind(), error);
    if let RegistryError::NoRuntime { .. } = error {
        problem.hint("hostel runtime install LANGUAGE FILE installs one")
    } else if let RegistryError::NotFound { .. } = error {
        problem.hint("hostel components ls shows all; hostel push FILE --name NAME adds one")
    } else if let RegistryError::NoneAccepted { name, newest } = error {
        problem.hint(format!("hostel components accept {name}@{newest}"))
    } else if let RegistryError::NotTrusted { component } = error {
        problem.hint(format!("hostel components accept {component} (with its version)"))
    } else {
        problem
    }
}

fn tell_of_waiting(ui: &Ui, resolved: &Resolved) {
    if let (Some(used), Some(waiting)) = (&resolved.version, &resolved.waiting) {
        let (name, used) = (&used.name, &used.version);
        ui.note(&format!(
            "{name} is {used}: {waiting} asks for more and was not accepted (hostel components diff {name}@{used} \
             {name}@{waiting})"
        ));
    }
}

/// Who runs this command, as the system says.
pub(crate) fn person() -> String {
    let names = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(|name| env::var(name).ok());
    let mut names = names.filter(|name| !name.is_empty() && !name.contains(char::is_control));
    names.next().map_or_else(|| "unknown".to_owned(), |name| name.chars().take(100).collect())
}
