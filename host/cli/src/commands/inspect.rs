//! `hostel inspect`

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hostel::{
    Capability, Component, Export, ExportPath, Hook, Import, MissingImports, Signature, bytes_text,
};
use serde::Serialize;

use crate::arguments::short_name;
use crate::config::{Config, ConfigOptions, Trust};
use crate::exit::Exit;
use crate::load;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::color::Paint;
use crate::ui::text::printable;

/// Longer signatures have one parameter on each line.
const LINE_CHARS: usize = 100;

/// Show the tasks of a component, and the permissions that it may ask for
#[derive(Args, Debug)]
#[command(after_help = "\
A component may ask for everything that it imports. Toolchains import much that a guest never uses,
and an import grants nothing: the sandbox has no files, no variables and no network, except those
that a run is granted with --dir, --env, --http, --net and --lookup, or in hostel.toml. Grants of a
hostel.toml are shown too.

Examples:
  hostel inspect math.wasm
  hostel inspect math.wasm --output json | jq -r '.tasks[].task'")]
pub(crate) struct Inspect {
    /// The component: a .wasm or .wat file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// For people: text; for programs: json
    #[arg(long, short, value_name = "FORM", value_enum, default_value_t = Form::Text, hide_possible_values = true)]
    output: Form,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
}

impl Inspect {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let host = self.host.host(ui)?.max_workers(1).max_instances(1).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Problem::new(Exit::HostFailed, format!("no runtime: {error}")))?;
        let component = runtime.block_on(load::surface(&host, &self.file))?;
        let mut sheet = Sheet::new(self.file.display().to_string(), &component);
        sheet.grant(&self.config.look(&self.host)?, &self.file, &component)?;
        let text = match self.output {
            Form::Text => sheet.printable().text(ui.paint),
            Form::Json => serde_json::to_string_pretty(&sheet)
                .map_err(|error| Problem::new(Exit::HostFailed, error.to_string()))?,
        };
        ui.result_line(&text)?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// The report about a component, in the shape of the JSON output.
#[derive(Serialize)]
struct Sheet {
    file: String,
    digest: String,
    size_bytes: u64,
    /// Whether this host can run it.
    runnable: bool,
    not_runnable_because: Option<String>,
    #[serde(skip)]
    can_trap: bool,
    tasks: Vec<TaskEntry>,
    /// Functions that the host calls, and that cannot be run as tasks.
    hooks: Vec<&'static str>,
    not_callable: Vec<NotCallable>,
    capabilities: Vec<&'static str>,
    /// The results that the policy auto stores, in words.
    cached: String,
    imports: Vec<ImportEntry>,
    /// The file that has grants for a task, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<ConfigEntry>,
}

#[derive(Serialize)]
struct ConfigEntry {
    file: String,
    /// Whether runs get its grants; if not, they are refused.
    trusted: bool,
}

#[derive(Serialize)]
struct TaskEntry {
    /// The argument for `hostel run`.
    task: String,
    export: String,
    interface: Option<String>,
    program: bool,
    #[serde(rename = "async")]
    is_async: bool,
    params: Vec<ParamEntry>,
    result: Option<String>,
    /// The grants in the file of options, without the values of variables.
    grants: Vec<String>,
}

#[derive(Serialize)]
struct ParamEntry {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    optional: bool,
}

#[derive(Serialize)]
struct NotCallable {
    export: String,
    because: String,
}

#[derive(Serialize)]
struct ImportEntry {
    name: String,
    capability: &'static str,
    #[serde(skip)]
    of: Capability,
}

impl Sheet {
    fn new(file: String, component: &Component) -> Self {
        let exports = component.exports();
        let paths: Vec<&ExportPath> = exports.iter().map(|export| &export.path).collect();
        let mut tasks = Vec::new();
        let mut not_callable = Vec::new();
        for Export { path, callable, .. } in exports.iter().filter(|export| export.hook.is_none()) {
            match callable {
                Ok(signature) => {
                    let name = short_name(path, paths.iter().copied());
                    tasks.push(TaskEntry::new(format!("{file}#{name}"), path, signature));
                }
                Err(because) => {
                    not_callable.push(NotCallable { export: path.to_string(), because: because.clone() })
                }
            }
        }
        let asked = asked_for(component.imports().iter().map(|import| import.capability));
        Self {
            digest: component.digest().to_string(),
            size_bytes: component.size_bytes(),
            runnable: component.missing().is_none(),
            can_trap: component.missing().is_some_and(MissingImports::can_trap),
            not_runnable_because: component.missing().map(ToString::to_string),
            tasks,
            hooks: exports.iter().filter_map(|export| export.hook).map(Hook::name).collect(),
            not_callable,
            cached: cached(&asked),
            capabilities: asked.into_iter().map(Capability::name).collect(),
            imports: component.imports().iter().map(ImportEntry::new).collect(),
            config: None,
            file,
        }
    }

    /// Adds the grants of a configuration to each task.
    fn grant(&mut self, config: &Config, file: &Path, component: &Component) -> Result<(), Problem> {
        if !self.runnable {
            return Ok(());
        }
        for entry in &mut self.tasks {
            let task = component.task(&entry.export).map_err(|error| Problem::of(error.kind(), &error))?;
            entry.grants = config.of_task(file, component, &task)?.grant_texts();
        }
        if self.tasks.iter().any(|task| !task.grants.is_empty()) {
            let trusted = config.trust == Trust::Given;
            self.config = Some(ConfigEntry { file: config.name.clone(), trusted });
        }
        Ok(())
    }

    /// The same, safe for a terminal: no name in it can control the terminal, or look like another name.
    fn printable(mut self) -> Self {
        let texts = [&mut self.file, &mut self.cached].into_iter().chain(&mut self.not_runnable_because);
        let tasks = self.tasks.iter_mut().flat_map(|entry| {
            let params = entry.params.iter_mut().flat_map(|param| [&mut param.name, &mut param.ty]);
            let texts = [&mut entry.task, &mut entry.export].into_iter().chain(&mut entry.interface);
            texts.chain(&mut entry.result).chain(&mut entry.grants).chain(params)
        });
        let others = self.not_callable.iter_mut().flat_map(|entry| [&mut entry.export, &mut entry.because]);
        let imports = self.imports.iter_mut().map(|import| &mut import.name);
        let config = self.config.iter_mut().map(|config| &mut config.file);
        for text in texts.chain(tasks).chain(others).chain(imports).chain(config) {
            *text = printable(text).into_owned();
        }
        self
    }

    fn text(&self, paint: Paint) -> String {
        let mut lines = vec![
            paint.bold(&self.file),
            format!("  {}  {}", paint.dim("digest"), self.digest),
            format!("  {}    {}", paint.dim("size"), bytes_text(self.size_bytes)),
        ];
        if let Some(because) = &self.not_runnable_because {
            lines.push(format!("  {}", paint.warn(format!("cannot be run here: {because}"))));
            if self.can_trap {
                lines.push(
                    "  with --unknown-imports trap it runs, and traps if it calls the import".to_owned(),
                );
            }
        }
        lines.push(String::new());
        lines.extend(self.tasks_text(paint));
        if !self.hooks.is_empty() {
            let hooks = self.hooks.join(", ");
            lines.extend([String::new(), format!("{}: {hooks}; the host calls them", paint.bold("Hooks"))]);
        }
        if !self.not_callable.is_empty() {
            lines.extend([String::new(), paint.bold("Not callable as tasks")]);
            let entries = self.not_callable.iter();
            lines.extend(entries.map(|NotCallable { export, because }| format!("  {export}: {because}")));
        }
        lines.push(String::new());
        lines.extend(self.imports_text(paint));
        lines.extend(self.grants_text(paint));
        lines.extend([String::new(), format!("{}: {}", paint.bold("Cached"), self.cached)]);
        lines.join("\n")
    }

    /// The grants by task; empty if there are none.
    fn grants_text(&self, paint: Paint) -> Vec<String> {
        let granted = self.tasks.iter().filter(|task| !task.grants.is_empty());
        let tasks = granted.flat_map(|task| {
            let grants = task.grants.iter().map(|grant| format!("    {grant}"));
            iter::once(format!("  {}", paint.hint(&task.task))).chain(grants)
        });
        let Some(ConfigEntry { file, trusted }) = &self.config else { return Vec::new() };
        let heading = match trusted {
            true => format!("Granted in {file}"),
            false => format!("Granted in {file}, once it is trusted: hostel trust {file}"),
        };
        [String::new(), paint.bold(heading)].into_iter().chain(tasks).collect()
    }

    /// The tasks, those of one interface together.
    fn tasks_text(&self, paint: Paint) -> Vec<String> {
        if self.tasks.is_empty() {
            return vec![format!("{}: it exports no callable function", paint.bold("No tasks"))];
        }
        let mut lines = vec![paint.bold("Tasks")];
        let mut interface = &None;
        for task in &self.tasks {
            if task.interface != *interface {
                interface = &task.interface;
                lines.extend(
                    interface.iter().filter(|_| !task.program).map(|name| paint.dim(format!("  in {name}"))),
                );
            }
            lines.push(task.text(paint));
        }
        lines
    }

    fn imports_text(&self, paint: Paint) -> Vec<String> {
        let asked = asked_for(self.imports.iter().map(|import| import.of));
        if asked.is_empty() {
            return vec![format!("{}: nothing; it can only compute and return", paint.bold("May ask for"))];
        }
        let mut lines = vec![paint.bold("May ask for")];
        for capability in asked {
            let imports = self.imports.iter().filter(|import| import.of == capability);
            let names: Vec<_> = imports.map(ImportEntry::short_name).collect();
            let (what, answer) = (capability.name(), answer(capability));
            lines.push(format!("  {what:<14}  {answer:<35}  {}", paint.dim(names.join(", "))));
        }
        lines
    }
}

impl TaskEntry {
    fn new(task: String, path: &ExportPath, signature: &Signature) -> Self {
        let params = signature.params.iter().map(|param| ParamEntry {
            name: param.name.to_string(),
            ty: param.ty.to_string(),
            optional: param.is_optional(),
        });
        Self {
            task,
            export: path.to_string(),
            interface: path.interface().map(str::to_owned),
            program: is_program(path),
            is_async: signature.is_async,
            params: params.collect(),
            result: signature.result.as_ref().map(ToString::to_string),
            grants: Vec::new(),
        }
    }

    fn text(&self, paint: Paint) -> String {
        let task = paint.hint(&self.task);
        if self.program {
            return format!(
                "  {task}  a program: ARGS are its argv, --stdin its input, its stdout is the result"
            );
        }
        let indent = if self.interface.is_some() { "    " } else { "  " };
        let params: Vec<_> =
            self.params.iter().map(|ParamEntry { name, ty, .. }| format!("{name}: {ty}")).collect();
        let result = self.result.as_ref().map(|result| format!(" -> {result}")).unwrap_or_default();
        let is_async = if self.is_async { "  (async)" } else { "" };
        let line = params.join(", ");
        if self.task.len() + line.len() + result.len() <= LINE_CHARS {
            return format!("{indent}{task}({line}){result}{is_async}");
        }
        let params: String = params.iter().map(|param| format!("{indent}    {param},\n")).collect();
        format!("{indent}{task}(\n{params}{indent}){result}{is_async}")
    }
}

impl ImportEntry {
    fn new(import: &Import) -> Self {
        Self { name: import.name.clone(), capability: import.capability.name(), of: import.capability }
    }

    /// `monotonic-clock` for `wasi:clocks/monotonic-clock@0.2.6`; the whole name if it is unknown.
    fn short_name(&self) -> &str {
        if self.of == Capability::Unknown {
            return &self.name;
        }
        let interface = self.name.split('@').next().unwrap_or(&self.name);
        interface.rsplit('/').next().unwrap_or(interface)
    }
}

/// The capabilities of the imports, each once, without plumbing.
fn asked_for(capabilities: impl Iterator<Item = Capability>) -> Vec<Capability> {
    let mut asked: Vec<_> = capabilities.filter(|capability| *capability != Capability::Plumbing).collect();
    asked.sort();
    asked.dedup();
    asked
}

/// The host's answer to a guest that asks.
const fn answer(capability: Capability) -> &'static str {
    match capability {
        Capability::Clocks | Capability::Randomness | Capability::RunContext | Capability::Plumbing => {
            "granted"
        }
        Capability::Files => "denied, except with --dir DIR[:rw]",
        Capability::Environment => "denied, except with --env NAME",
        Capability::StandardInput => "empty, except for programs",
        Capability::Output => "stored as the log",
        Capability::Network => "denied, except with --net, --lookup",
        Capability::OutgoingHttp => "denied, except with --http HOST",
        Capability::Unknown => "missing on this host",
    }
}

/// The results that the policy auto stores, as far as the imports show.
fn cached(asked: &[Capability]) -> String {
    let touching: Vec<_> =
        asked.iter().filter(|capability| touches(**capability)).map(|one| one.name()).collect();
    let files = if asked.contains(&Capability::Files) {
        "; those that depend on granted files, while these are unchanged"
    } else {
        ""
    };
    match touching.as_slice() {
        [] => format!("every result{files}"),
        touching => {
            let deterministic = if asked.iter().any(|one| is_virtual(*one)) {
                "; with --deterministic, clocks and randomness do not count"
            } else {
                ""
            };
            format!("results of runs without observed use of {}{files}{deterministic}", touching.join(", "))
        }
    }
}

/// Whether `--deterministic` makes the answers reproducible.
const fn is_virtual(capability: Capability) -> bool {
    matches!(capability, Capability::Clocks | Capability::Randomness)
}

/// Whether a result may depend on an answer that the host cannot reproduce.
const fn touches(capability: Capability) -> bool {
    match capability {
        Capability::Clocks
        | Capability::Randomness
        | Capability::Network
        | Capability::OutgoingHttp
        | Capability::RunContext => true,
        Capability::Files
        | Capability::Environment
        | Capability::StandardInput
        | Capability::Output
        | Capability::Plumbing
        | Capability::Unknown => false,
    }
}

fn is_program(path: &ExportPath) -> bool {
    path.interface().is_some_and(|interface| interface.starts_with("wasi:cli/run@0.2."))
}
