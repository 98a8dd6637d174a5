//! What tasks are found in: a component, or a script with the runtime of its language.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use hostel::registry::{ComponentRef, RegistryError};
use hostel::{
    Component, ErrorKind, FindError, Grants, Host, Language, Script, ScriptError, ScriptFailure,
    ScriptPackage, Task, bytes_text,
};
use hostel_wire::printable;

use crate::load;
use crate::options::data_dir::HostOptions;
use crate::problem::Problem;
use crate::registered::{self, Located, StoredScript};
use crate::ui::Ui;

/// The longest source.
const MAX_SOURCE_BYTES: u64 = ScriptPackage::MAX_SOURCE_BYTES as u64;

/// A component, and what of it has tasks.
pub(crate) struct Loaded {
    pub(crate) component: Component,
    /// The component's file.
    pub(crate) file: PathBuf,
    /// The functions of a script, which the component executes.
    pub(crate) script: Option<Script>,
    /// Its version in the registry, if nobody who may grant has registered or accepted it.
    untrusted: Option<ComponentRef>,
}

impl Loaded {
    /// A component in a file.
    pub(crate) const fn component(component: Component, file: PathBuf) -> Self {
        Self { component, file, script: None, untrusted: None }
    }

    /// Refuses grants for a version that a client of the server has registered, and that nobody has accepted who may grant.
    pub(crate) fn check_grants(&self, grants: &Grants) -> Result<(), Problem> {
        match &self.untrusted {
            Some(component) if !grants.is_empty() => {
                Err(registered::failed(&RegistryError::NotTrusted { component: component.clone() }))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The task with this name.
    pub(crate) fn task(&self, name: &str) -> Result<Task, FindError> {
        match &self.script {
            Some(script) => script.task(name),
            None => self.component.task(name),
        }
    }

    /// The only task.
    pub(crate) fn only_task(&self) -> Result<Task, FindError> {
        match &self.script {
            Some(script) => script.only_task(),
            None => self.component.only_task(),
        }
    }
}

/// Where the component is that has the tasks of a path: itself, or the runtime of its language.
pub(crate) fn locate(ui: &Ui, path: &Path, host: &HostOptions, quiet: bool) -> Result<Located, Problem> {
    match Language::of(path) {
        Some(language) => runtime_of(ui, language, path, host),
        None => registered::locate(ui, path, host, quiet),
    }
}

/// Loads what a path stands for: a component, or a script.
pub(crate) async fn load(
    ui: &Ui,
    host: &Host,
    path: &Path,
    options: &HostOptions,
    quiet: bool,
) -> Result<Loaded, Problem> {
    let located = locate(ui, path, options, quiet)?;
    let component = match (&located.script, Language::of(path)) {
        (None, None) => load::component(ui, host, &located, quiet).await?,
        _ => load::runtime(ui, host, &located, quiet).await?,
    };
    of(component, located, path).await
}

/// What a path stands for, whose component is loaded.
pub(crate) async fn of(component: Component, located: Located, path: &Path) -> Result<Loaded, Problem> {
    let script = match (&located.script, Language::of(path)) {
        (Some(StoredScript { package, manifest }), _) => {
            let stored = Script::stored(&component, package, manifest);
            Some(stored.map_err(|error| Problem::of(error.kind(), &error).within(path.display()))?)
        }
        (None, Some(_)) => Some(read(&component, path).await?),
        (None, None) => None,
    };
    Ok(Loaded { component, file: located.file, script, untrusted: located.untrusted })
}

async fn read(runtime: &Component, path: &Path) -> Result<Script, Problem> {
    let read = Script::read(runtime, file_name(path), source(path)?).await;
    read.map_err(|error| {
        if let ScriptError::Source(failure) = &error {
            return bad_source(path, failure);
        }
        Problem::of(error.kind(), &error).within(path.display())
    })
}

/// The name of a script's file, by which tracebacks call it. Not its directory: the name is part of the cache key.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The source text in a file.
pub(crate) fn source(path: &Path) -> Result<String, Problem> {
    let unreadable = |error| Problem::unreadable(path.display(), &error);
    let mut source = Vec::new();
    // Opening a FIFO would wait.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problem::invalid(format!("{}: expected a file", path.display())));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_SOURCE_BYTES + 1).read_to_end(&mut source).map_err(unreadable)?;
    if source.len() as u64 > MAX_SOURCE_BYTES {
        let problem = format!("{} is longer than {}", path.display(), bytes_text(MAX_SOURCE_BYTES));
        return Err(Problem::invalid(problem).hint("give large data as an argument, as @FILE"));
    }
    // Editors on Windows write the mark, and Python skips it, too.
    let source = source.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(source);
    String::from_utf8(source).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::invalid(format!("{} is not UTF-8: the first other byte is at {at}", path.display()))
    })
}

fn bad_source(path: &Path, failure: &ScriptFailure) -> Problem {
    let file = path.display();
    let ScriptFailure::Syntax { message, line, column, text } = failure else {
        return Problem::invalid(format!("{file}: {}", printable(&failure.to_string())));
    };
    let shown = text.trim_start();
    let removed = text.chars().count() - shown.chars().count();
    let caret = " ".repeat((*column as usize).saturating_sub(1 + removed));
    let problem = format!("{file}:{line}:{column}: {}", printable(message));
    Problem::invalid(format!("{problem}\n{}\n{caret}^", printable(shown)))
}

fn runtime_of(ui: &Ui, language: Language, path: &Path, host: &HostOptions) -> Result<Located, Problem> {
    let name = language.runtime_name();
    let located = registered::locate(ui, Path::new(&name), host, true)?;
    if located.is_registered() {
        return Ok(located);
    }
    let title = language.title();
    if host.dir().is_none() {
        let problem = format!("{} needs the {title} runtime, which is in a data directory", path.display());
        return Err(Problem::invalid(problem).hint("leave out --no-data-dir"));
    }
    let problem = format!("{} needs the {title} runtime, which is not installed", path.display());
    let install = format!("hostel runtime install {} FILE installs one", language.name());
    let build = format!("`bash runtimes/build.sh {}` in Hostel's source makes one", language.name());
    Err(Problem::new(ErrorKind::NotFound, problem).hint(install).hint(build))
}
