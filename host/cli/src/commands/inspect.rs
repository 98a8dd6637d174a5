//! `hostel inspect`

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hostel::{Capability, Component, ErrorKind, Host, Language, MissingImports, bytes_text};
use hostel_wire::{
    ComponentObject, ConfigObject, ImportObject, NotCallableObject, ParamObject, TaskObject, printable,
};

use crate::config::{Config, ConfigOptions, Trust};
use crate::exit::Exit;
use crate::load;
use crate::loaded::{self, Loaded};
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::registered::Located;
use crate::runtime;
use crate::script_sheet;
use crate::ui::Ui;
use crate::ui::color::Paint;

/// Longer signatures have one parameter on each line.
const LINE_CHARS: usize = 100;

#[derive(Args, Debug)]
#[command(after_help = "\
A component may ask for everything that it imports. Toolchains import much that a guest never uses,
and an import grants nothing: the sandbox has no files, no variables and no network, except those
that a run is granted with --dir, --env, --http, --net and --lookup, or in hostel.toml. Grants of a
hostel.toml are shown too.

Examples:
  hostel inspect math.wasm
  hostel inspect math.wasm --wit > math.wit
  hostel inspect math.wasm --output json | jq -r '.tasks[].task'")]
pub(crate) struct Inspect {
    /// The component: a .wasm or .wat file, a .py or .js file, or the name or digest of a registered one
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// For people: text; for programs: json
    #[arg(long, short, value_name = "FORM", value_enum, default_value_t = Form::Text, hide_possible_values = true)]
    output: Form,

    /// Show the component in WIT instead: its imports, its exports and all types
    #[arg(long, conflicts_with = "output")]
    wit: bool,

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
        let host = self.host.host(ui)?.max_workers(1).max_instances(128).build()?;
        let runtime = runtime::on_this_thread()?;
        let located = loaded::locate(ui, &self.file, &self.host, false)?;
        let stored = located.script.as_ref().map(|script| script.package.language());
        if let Some(language) = stored.or_else(|| Language::of(&self.file)) {
            if self.wit {
                let problem =
                    format!("{} is a script: expected a component, which has WIT", self.file.display());
                return Err(Problem::new(ErrorKind::Invalid, problem).into());
            }
            return runtime.block_on(self.script(ui, &host, located, language));
        }
        if self.wit {
            let wit = runtime.block_on(load::wit(&host, &located))?;
            wit.lines().try_for_each(|line| ui.result_line(&printable(line)))?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let component = runtime.block_on(load::surface(&host, &located))?;
        let mut sheet = Sheet::new(self.file.display().to_string(), &component);
        sheet.grant(&self.config.look(&self.host)?, &self.file, &component)?;
        let text = match self.output {
            Form::Text => sheet.printable().text(ui.paint),
            Form::Json => serde_json::to_string_pretty(&sheet.object)
                .map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?,
        };
        ui.result_line(&text)?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    async fn script(&self, ui: &Ui, host: &Host, located: Located, language: Language) -> Result<Exit, Stop> {
        let component = load::runtime(ui, host, &located, false).await?;
        let loaded = loaded::of(component, located, &self.file).await?;
        let file = self.file.display().to_string();
        if let Some(script) = &loaded.script {
            ui.result_line(&match self.output {
                Form::Text => script_sheet::text(&file, language, script, ui.paint),
                Form::Json => format!("{:#}", script_sheet::json(&file, language, script)),
            })?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// The report about a component.
struct Sheet {
    object: ComponentObject,
    /// The capabilities that the component asks for.
    asked: Vec<Capability>,
    /// Whether it can be run although an import is missing.
    can_trap: bool,
}

impl Sheet {
    fn new(file: String, component: &Component) -> Self {
        let can_trap = component.missing().is_some_and(MissingImports::can_trap);
        let manifest = component.manifest();
        let object = ComponentObject::new(file, manifest, component.missing());
        Self { object, asked: manifest.asked_for(), can_trap }
    }

    /// Adds the grants of a configuration to each task.
    fn grant(&mut self, config: &Config, file: &Path, component: &Component) -> Result<(), Problem> {
        if !self.object.runnable {
            return Ok(());
        }
        let loaded = Loaded::component(component.clone(), file.to_owned());
        for entry in &mut self.object.tasks {
            let task = component.task(&entry.export).map_err(|error| Problem::of(error.kind(), &error))?;
            entry.grants = config.of_task(file, &loaded, &task)?.grant_texts()?;
        }
        if self.object.tasks.iter().any(|task| !task.grants.is_empty()) {
            let trusted = config.trust == Trust::Given;
            self.object.config = Some(ConfigObject::new(config.name.clone(), trusted));
        }
        Ok(())
    }

    /// The same, safe for a terminal: no name in it can control the terminal, or look like another name.
    fn printable(mut self) -> Self {
        let object = &mut self.object;
        let texts =
            [&mut object.file, &mut object.cached].into_iter().chain(&mut object.not_runnable_because);
        let tasks = object.tasks.iter_mut().flat_map(|entry| {
            let params = entry.params.iter_mut().flat_map(|param| [&mut param.name, &mut param.ty]);
            let texts = [&mut entry.task, &mut entry.export].into_iter().chain(&mut entry.interface);
            texts.chain(&mut entry.result).chain(&mut entry.grants).chain(params)
        });
        let others = object.not_callable.iter_mut().flat_map(|entry| [&mut entry.export, &mut entry.because]);
        let imports = object.imports.iter_mut().map(|import| &mut import.name);
        let config = object.config.iter_mut().map(|config| &mut config.file);
        for text in texts.chain(tasks).chain(others).chain(imports).chain(config) {
            *text = printable(text).into_owned();
        }
        self
    }

    fn text(&self, paint: Paint) -> String {
        let object = &self.object;
        let mut lines = vec![
            paint.bold(&object.file),
            format!("  {}  {}", paint.dim("digest"), object.digest),
            format!("  {}    {}", paint.dim("size"), bytes_text(object.size_bytes)),
        ];
        if let Some(because) = &object.not_runnable_because {
            lines.push(format!("  {}", paint.warn(format!("cannot be run here: {because}"))));
            if self.can_trap {
                lines.push(
                    "  with --unknown-imports trap it runs, and traps if it calls the import".to_owned(),
                );
            }
        }
        lines.push(String::new());
        lines.extend(self.tasks_text(paint));
        if !object.hooks.is_empty() {
            let hooks = object.hooks.join(", ");
            lines.extend([String::new(), format!("{}: {hooks}; the host calls them", paint.bold("Hooks"))]);
        }
        if !object.not_callable.is_empty() {
            lines.extend([String::new(), paint.bold("Not callable as tasks")]);
            let entries = object.not_callable.iter();
            lines.extend(
                entries.map(|NotCallableObject { export, because, .. }| format!("  {export}: {because}")),
            );
        }
        lines.push(String::new());
        lines.extend(self.imports_text(paint));
        lines.extend(self.grants_text(paint));
        lines.extend([String::new(), format!("{}: {}", paint.bold("Cached"), object.cached)]);
        lines.join("\n")
    }

    /// The grants by task; empty if there are none.
    fn grants_text(&self, paint: Paint) -> Vec<String> {
        let granted = self.object.tasks.iter().filter(|task| !task.grants.is_empty());
        let tasks = granted.flat_map(|task| {
            let grants = task.grants.iter().map(|grant| format!("    {grant}"));
            iter::once(format!("  {}", paint.hint(&task.task))).chain(grants)
        });
        let Some(ConfigObject { file, trusted, .. }) = &self.object.config else { return Vec::new() };
        let heading = match trusted {
            true => format!("Granted in {file}"),
            false => format!("Granted in {file}, once it is trusted: hostel trust {file}"),
        };
        [String::new(), paint.bold(heading)].into_iter().chain(tasks).collect()
    }

    /// The tasks, those of one interface together.
    fn tasks_text(&self, paint: Paint) -> Vec<String> {
        if self.object.tasks.is_empty() {
            return vec![format!("{}: it exports no callable function", paint.bold("No tasks"))];
        }
        let mut lines = vec![paint.bold("Tasks")];
        let mut interface = &None;
        for task in &self.object.tasks {
            if task.interface != *interface {
                interface = &task.interface;
                lines.extend(
                    interface.iter().filter(|_| !task.program).map(|name| paint.dim(format!("  in {name}"))),
                );
            }
            lines.push(task_text(task, paint));
        }
        lines
    }

    fn imports_text(&self, paint: Paint) -> Vec<String> {
        if self.asked.is_empty() {
            return vec![format!("{}: nothing; it can only compute and return", paint.bold("May ask for"))];
        }
        let mut lines = vec![paint.bold("May ask for")];
        for &capability in &self.asked {
            let imports = self.object.imports.iter().filter(|import| import.of == capability);
            let names: Vec<_> = imports.map(short_name).collect();
            let (what, answer) = (capability.name(), answer(capability));
            lines.push(format!("  {what:<14}  {answer:<35}  {}", paint.dim(names.join(", "))));
        }
        lines
    }
}

fn task_text(entry: &TaskObject, paint: Paint) -> String {
    let task = paint.hint(&entry.task);
    if entry.program {
        return format!(
            "  {task}  a program: ARGS are its argv, --stdin its input, its stdout is the result"
        );
    }
    let indent = if entry.interface.is_some() { "    " } else { "  " };
    let params: Vec<_> =
        entry.params.iter().map(|ParamObject { name, ty, .. }| format!("{name}: {ty}")).collect();
    let result = entry.result.as_ref().map(|result| format!(" -> {result}")).unwrap_or_default();
    let is_async = if entry.is_async { "  (async)" } else { "" };
    let line = params.join(", ");
    if entry.task.len() + line.len() + result.len() <= LINE_CHARS {
        return format!("{indent}{task}({line}){result}{is_async}");
    }
    let params: String = params.iter().map(|param| format!("{indent}    {param},\n")).collect();
    format!("{indent}{task}(\n{params}{indent}){result}{is_async}")
}

/// `monotonic-clock` for `wasi:clocks/monotonic-clock@0.2.6`; the whole name if it is unknown.
fn short_name(import: &ImportObject) -> &str {
    if import.of == Capability::Unknown {
        return &import.name;
    }
    let interface = import.name.split('@').next().unwrap_or(&import.name);
    interface.rsplit('/').next().unwrap_or(interface)
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
