//! `hostel push`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hostel::registry::{ComponentRef, Naming, Push as Pushing, Pushed, PushedVersion};
use hostel::{Component, Grants, Timestamp};
use hostel_wire::{PushedObject, printable};

use super::cache::{Form, FormOptions};
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::load;
use crate::loaded::{Language, Loaded};
use crate::options::data_dir::HostOptions;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::runtime;
use crate::ui::Ui;

/// Store a component in the registry, under a name and a version
#[derive(Args, Debug)]
#[command(after_help = "\
A component is compiled before it is stored. Without a version it becomes the next one: 1.0.1 if
its functions are the same, 1.1.0 if there are more, 2.0.0 if one was removed or changed.

The first version of a name is accepted, and so is one that asks for no more than the accepted one
before it, by its imports and by the grants in hostel.toml. A version that asks for more is stored,
but its name does not stand for it until it is accepted: with --accept, or later with
hostel components accept.

The name, a version of it, and the digest can be used in place of the file.

Examples:
  hostel push math.wasm --name acme.math
  hostel push math.wasm --name acme.math@1.2.0 --accept
  hostel run acme.math#add 40 2
  hostel run $(hostel push math.wasm)#add 40 2")]
pub(crate) struct Push {
    /// The component: a .wasm or .wat file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The name, and perhaps the version; without a name, only its digest stands for it
    #[arg(long, value_name = "NAME[@VERSION]", value_parser = name)]
    name: Option<ComponentRef>,

    /// Accept what this version asks for
    #[arg(long, requires = "name")]
    accept: bool,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,
}

impl Push {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let Some(dir) = self.host.dir() else {
            return Err(Problem::invalid("there is no data directory to store the component in").into());
        };
        if let Some(language) = Language::of(&self.file) {
            let (file, title) = (self.file.display(), language.title());
            let problem = format!("{file} is {title} source: expected a component");
            return Err(Problem::invalid(problem)
                .hint(format!("hostel run {file}#FUNCTION runs it as it is"))
                .into());
        }
        let config = self.config.look(&self.host)?;
        let host = self.host.host(ui)?.max_workers(1).max_instances(1).optimise(false).build()?;
        let runtime = runtime::on_this_thread()?;
        let (component, bytes) = runtime.block_on(load::with_bytes(ui, &host, &self.file))?;
        if let Some(missing) = component.missing() {
            ui.warning(&format!("it cannot be run here: {missing}"));
        }
        let grants = self.grants(&config, &component)?;
        let naming = self.name.as_ref().and_then(|name| match name {
            ComponentRef::Named { name, version } => Some(Naming {
                name: name.clone(),
                version: version.clone(),
                grants: &grants,
                accept: self.accept,
            }),
            ComponentRef::Digest(_) => None,
        });
        let by = registered::person();
        let at = Timestamp::from(SystemTime::now());
        let manifest = component.manifest();
        let push = Pushing { bytes: &bytes, manifest, naming, by: &by, at };
        let pushed = registered::open(&dir)?.push(&push).map_err(|error| registered::failed(&error))?;
        self.tell(ui, &pushed)?;
        Ok(Exit::Completed)
    }

    /// All grants of its tasks in the configuration.
    fn grants(&self, config: &Config, component: &Component) -> Result<Grants, Problem> {
        let mut all = Grants::default();
        if component.missing().is_some() {
            return Ok(all);
        }
        let loaded = Loaded::component(component.clone(), self.file.clone());
        for export in component.exports().iter().filter(|export| export.callable.is_ok()) {
            let Ok(task) = component.task(&export.path.to_string()) else { continue };
            let granted = config.of_task(&self.file, &loaded, &task)?.grants_without_values()?;
            add(&mut all.http, granted.http);
            add(&mut all.dirs, granted.dirs);
            add(&mut all.env, granted.env);
            add(&mut all.net, granted.net);
            add(&mut all.lookup, granted.lookup);
        }
        Ok(all)
    }

    fn tell(&self, ui: &Ui, pushed: &Pushed) -> Result<(), Stop> {
        let object = PushedObject::from(pushed);
        ui.result_line(&match self.form.output {
            Form::Table => object.component.clone(),
            Form::Json => to_json(&object),
        })?;
        ui.flush()?;
        let is_new = pushed.version.as_ref().map_or(pushed.is_new, |version| version.is_new);
        if !is_new {
            ui.note(&format!("{} was stored before", object.component));
        }
        if let Some(version) = pushed.version.as_ref().filter(|version| version.version.accepted.is_none()) {
            tell_that_it_waits(ui, &object.component, version);
        }
        Ok(())
    }
}

fn tell_that_it_waits(ui: &Ui, component: &str, pushed: &PushedVersion) {
    let than = pushed.compared.as_ref().map_or_else(String::new, |compared| format!(" than {compared}"));
    ui.warning(&format!("{component} asks for more{than}, and is not used until it is accepted"));
    for demand in &pushed.diff.more {
        ui.note(&format!("  + {}", printable(&demand.to_string())));
    }
    ui.hint(&format!("hostel components accept {component}"));
}

/// Adds those that are not there.
fn add<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    more.into_iter().for_each(|one| {
        if !all.contains(&one) {
            all.push(one);
        }
    });
}

/// Parses `NAME[@VERSION]`.
fn name(text: &str) -> Result<ComponentRef, String> {
    match text.parse::<ComponentRef>() {
        Ok(ComponentRef::Digest(_)) => Err("expected a name; a digest is found from the file".to_owned()),
        Ok(name) => Ok(name),
        Err(error) => Err(error.to_string()),
    }
}
