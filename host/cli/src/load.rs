//! Loads components and finds tasks in them, with hints for each kind of error.

use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use hostel::{Component, Digest, FindError, Host, LoadError, MAX_COMPONENT_BYTES, bytes_text};
use hostel_wire::{ProblemObject, printable};
use tokio::time::timeout;

use crate::problem::Problem;
use crate::registered::Located;
use crate::ui::Ui;

/// The similarity at which a name is suggested for another one (Jaro-Winkler; 1 is equal).
const ALIKE: f64 = 0.8;

/// The number of files of a directory that a hint names.
const NAMED_FILES: usize = 5;

/// Report a load that takes longer than this.
const SILENT: Duration = Duration::from_secs(1);

/// Report a load only for components of this size or more: smaller ones take long only on a busy machine.
const LARGE_BYTES: RangeInclusive<u64> = 1 << 20..=MAX_COMPONENT_BYTES;

/// Loads the runtime of a script: from its compiled code, which says under which digest it was compiled, so that its file, which is large,
/// need not be read; otherwise like [`component`].
pub(crate) async fn runtime(
    ui: &Ui,
    host: &Host,
    located: &Located,
    quiet: bool,
) -> Result<Component, Problem> {
    if let Some(digest) = located.digest()
        && let Ok(Some(compiled)) = host.components().get(&digest).await
        && compiled.is_optimised()
    {
        return Ok(compiled);
    }
    component(ui, host, located, quiet).await
}

/// Loads the component in a file. Reports a long load, unless `quiet`.
pub(crate) async fn component(
    ui: &Ui,
    host: &Host,
    located: &Located,
    quiet: bool,
) -> Result<Component, Problem> {
    let path = &located.file;
    let show = || {
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        loading(path, bytes).filter(|_| !quiet).map(|text| ui.busy(&text))
    };
    let loaded = showing_if_long(SILENT, host.load(path), show).await;
    located.checked(loaded.map_err(|error| not_loaded(path, &error))?)
}

/// Reads the component in a file, in its binary form. It is not checked.
pub(crate) async fn bytes(host: &Host, path: &Path) -> Result<Vec<u8>, Problem> {
    host.read_component(path).await.map_err(|error| not_loaded(path, &error))
}

/// Reads and compiles the component in a file, to store it.
pub(crate) async fn with_bytes(ui: &Ui, host: &Host, path: &Path) -> Result<(Component, Vec<u8>), Problem> {
    let failed = |error| not_loaded(path, &error);
    let bytes = host.read_component(path).await.map_err(failed)?;
    let show = || loading(path, bytes.len() as u64).map(|text| ui.busy(&text));
    let component = showing_if_long(SILENT, host.load_bytes(bytes.clone()), show).await.map_err(failed)?;
    Ok((component, bytes))
}

/// Awaits a load. If it takes longer than `silent`, calls `show`, and drops what that returns once the load is done.
async fn showing_if_long<T, S>(
    silent: Duration,
    load: impl Future<Output = T>,
    show: impl FnOnce() -> S,
) -> T {
    let mut load = pin!(load);
    match timeout(silent, &mut load).await {
        Ok(loaded) => loaded,
        Err(_) => {
            let _shown = show();
            load.await
        }
    }
}

/// The message while a file of this size is loaded; `None` unless its size is in [`LARGE_BYTES`]. It is compiled then, unless it was
/// before, which only the engine knows.
fn loading(path: &Path, bytes: u64) -> Option<String> {
    message("loading", path, bytes)
}

/// The message while a file of this size is sent to a server, which compiles it; `None` unless its size is in [`LARGE_BYTES`].
pub(crate) fn uploading(path: &Path, bytes: u64) -> Option<String> {
    message("uploading", path, bytes)
}

fn message(what: &str, path: &Path, bytes: u64) -> Option<String> {
    let file = path.display().to_string();
    LARGE_BYTES.contains(&bytes).then(|| format!("{what} {}, {} …", printable(&file), bytes_text(bytes)))
}

/// Loads the component in a file to inspect it.
pub(crate) async fn surface(host: &Host, located: &Located) -> Result<Component, Problem> {
    let path = &located.file;
    located.checked(host.inspect(path).await.map_err(|error| not_loaded(path, &error))?)
}

/// The component in a file in WIT.
pub(crate) async fn wit(host: &Host, located: &Located) -> Result<String, Problem> {
    let path = &located.file;
    let bytes = bytes(host, path).await?;
    located.check(Digest::of(&bytes))?;
    host.wit(bytes).await.map_err(|error| not_loaded(path, &error))
}

/// The problem with a file that should be a component.
fn not_loaded(path: &Path, error: &LoadError) -> Problem {
    let file = path.display();
    match error {
        LoadError::Read { .. } if is_url(path) => {
            let problem = format!("{file} is a URL: expected a file");
            Problem::new(error.kind(), problem).hint("download the component first")
        }
        LoadError::Read { source, .. } => {
            let near = nearest_file(path).filter(|_| source.kind() == ErrorKind::NotFound);
            Problem::unreadable(file, source)
                .hints_of(near.map(|near| format!("did you mean {}?", near.display())))
        }
        LoadError::Directory { .. } => Problem::of(error.kind(), error).hints_of(files_in(path)),
        LoadError::CoreModule => {
            let adapter =
                if asks_for_preview1(path) { " --adapt wasi_snapshot_preview1.command.wasm" } else { "" };
            Problem::of(error.kind(), error)
                .within(&file)
                .hint("build it for the target wasm32-wasip2, which produces components")
                .hint(format!("or wrap it: wasm-tools component new {file}{adapter} -o component.wasm"))
        }
        LoadError::NotWebAssembly(_) => Problem::of(error.kind(), error)
            .within(&file)
            .hint("expected a component: a .wasm file, or its text form .wat"),
        LoadError::Malformed(_) => Problem::of(error.kind(), error)
            .within(&file)
            .hint(format!("wasm-tools validate {file} may show details")),
        LoadError::TooLarge { .. } | LoadError::Engine(_) => Problem::of(error.kind(), error),
        LoadError::TooComplex(_) | LoadError::TooCostly { .. } => Problem::of(error.kind(), error)
            .within(&file)
            .hint("docs/sandbox.md lists all bounds on components"),
        LoadError::Text(_) | LoadError::Unsupported { .. } | LoadError::TooDemanding(_) | _ => {
            Problem::of(error.kind(), error).within(&file)
        }
    }
}

/// Whether the path of a missing file is a URL.
fn is_url(path: &Path) -> bool {
    let schemes = ["http:", "https:", "oci:", "ftp:", "file:"];
    path.to_str().is_some_and(|path| schemes.iter().any(|scheme| path.starts_with(scheme)))
}

/// Whether a core module was made for WASI preview 1.
fn asks_for_preview1(path: &Path) -> bool {
    const NAME: &[u8] = b"wasi_snapshot_preview1";
    fs::read(path).is_ok_and(|module| module.windows(NAME.len()).any(|name| name == NAME))
}

/// The problem with the name of an export; `path` is the component's file.
pub(crate) fn not_found(path: &Path, error: &FindError) -> Problem {
    let problem = Problem::from_object(error.kind(), ProblemObject::from(error));
    let file = path.display();
    match error {
        FindError::NotFound { name, candidates } => {
            problem.hints_of(nearest(name, candidates).map(|near| format!("did you mean {file}#{near}?")))
        }
        FindError::Ambiguous { candidates, .. } | FindError::Unnamed { candidates } => {
            problem.hints_of(candidates.first().map(|first| format!("name one, such as {file}#{first}")))
        }
        FindError::NotCallable { .. } => {
            problem.hint(format!("hostel inspect {file} shows its callable functions and its imports"))
        }
        _ => problem,
    }
}

/// The most similar candidate: by its whole name, by its function alone, or as `ops.add`.
pub(crate) fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a String> {
    let likeness = |path: &str| {
        let function = path.rsplit('.').next().unwrap_or(path);
        let interface =
            path.rsplit('/').next().and_then(|path| path.split(['@', '.']).next()).unwrap_or(path);
        let short = format!("{interface}.{function}");
        [path, function, &short].map(|like| strsim::jaro_winkler(name, like)).into_iter().fold(0.0, f64::max)
    };
    let alike =
        candidates.iter().map(|path| (likeness(path), path)).filter(|(likeness, _)| *likeness >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, path)| path)
}

/// The component beside a missing file with the most similar name.
fn nearest_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    let names = components_in(directory_of(path));
    let near = nearest(&name, &names)?;
    Some(path.with_file_name(near))
}

fn files_in(dir: &Path) -> Option<String> {
    let names = components_in(dir);
    let shown: Vec<_> =
        names.iter().take(NAMED_FILES).map(|name| dir.join(name).display().to_string()).collect();
    (!shown.is_empty()).then(|| format!("components in it: {}", shown.join(", ")))
}

fn components_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    let components =
        names.filter(|name| name.extension().is_some_and(|suffix| suffix == "wasm" || suffix == "wat"));
    let mut names: Vec<_> = components.map(|name| name.display().to_string()).collect();
    names.sort();
    names
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use tokio::task::yield_now;

    use super::*;

    /// The events during a load, in order.
    async fn seen_during(
        silent: Duration,
        load: impl AsyncFnOnce(&RefCell<Vec<&'static str>>),
    ) -> Vec<&'static str> {
        struct Shown<'a>(&'a RefCell<Vec<&'static str>>);

        impl Drop for Shown<'_> {
            fn drop(&mut self) {
                self.0.borrow_mut().push("hidden");
            }
        }

        let seen = RefCell::new(vec![]);
        let load = async {
            load(&seen).await;
            seen.borrow_mut().push("loaded");
        };
        let show = || {
            seen.borrow_mut().push("shown");
            Shown(&seen)
        };
        showing_if_long(silent, load, show).await;
        seen.into_inner()
    }

    #[tokio::test]
    async fn a_load_that_takes_long_is_shown_until_it_is_done() {
        assert_eq!(seen_during(Duration::ZERO, async |_| ready(()).await).await, ["loaded"]);
        let short = async |_: &RefCell<_>| yield_now().await;
        assert_eq!(seen_during(Duration::MAX, short).await, ["loaded"]);
        let until_shown = async |seen: &RefCell<Vec<_>>| {
            while seen.borrow().is_empty() {
                yield_now().await;
            }
        };
        assert_eq!(seen_during(Duration::ZERO, until_shown).await, ["shown", "loaded", "hidden"]);
    }

    #[test]
    fn the_message_names_large_files_only() {
        let check = |file: &str, bytes, expected: Option<&str>| {
            assert_eq!(loading(Path::new(file), bytes).as_deref(), expected, "{file} {bytes}");
        };
        check("app.wasm", 0, None);
        check("app.wasm", (1 << 20) - 1, None);
        check("app.wasm", 1 << 20, Some("loading app.wasm, 1 MiB …"));
        check("dir/a\nb.wasm", 3 << 20, Some("loading dir/a\\nb.wasm, 3 MiB …"));
        check("app.wasm", MAX_COMPONENT_BYTES, Some("loading app.wasm, 256 MiB …"));
        check("app.wasm", MAX_COMPONENT_BYTES + 1, None);
    }

    #[test]
    fn a_name_that_is_nearly_right_is_recognised() {
        let candidates = ["add-one", "multiply", "acme:math/ops@1.0.0.negate"].map(str::to_owned);
        let check = |name, expected: Option<&str>| {
            assert_eq!(nearest(name, &candidates).map(String::as_str), expected, "{name}");
        };
        check("add_one", Some("add-one"));
        check("ops.negte", Some("acme:math/ops@1.0.0.negate"));
        check("negat", Some("acme:math/ops@1.0.0.negate"));
        check("frobnicate", None);
    }
}
