//! `hostel push`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hostel::registry::{ComponentRef, Manifest, Naming, Push as Pushing};
use hostel::{Grants, Host, Language, Timestamp};
use hostel_wire::{PushedObject, printable};
use serde_json::json;

use super::cache::{Form, FormOptions};
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::load;
use crate::loaded::{self, Loaded};
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::remote::{Remote, Request, Trouble, upload};
use crate::runtime;
use crate::ui::Ui;

/// The status of something that was not there before.
const CREATED: u16 = 201;

#[derive(Args, Debug)]
#[command(after_help = "\
A component is compiled before it is stored. Without a version it becomes the next one: 1.0.1 if
its functions are the same, 1.1.0 if there are more, 2.0.0 if one was removed or changed.

The first version of a name is accepted, and so is one that asks for no more than the accepted one
before it, by its imports and by the grants in hostel.toml. A version that asks for more is stored,
but its name does not stand for it until it is accepted: with --accept, or later with
hostel components accept.

The name, a version of it, and the digest can be used in place of the file.

A script is stored with the runtime that is installed for its language, and is always executed by
that one. The runtime stays as long as a script needs it.

Examples:
  hostel push math.wasm --name acme.math
  hostel push math.wasm --name acme.math@1.2.0 --accept
  hostel run acme.math#add 40 2
  hostel run $(hostel push math.wasm)#add 40 2
  hostel push tasks.py --name acme.tasks
  hostel push math.wasm --name acme.math --server https://hostel.example")]
pub(crate) struct Push {
    /// The component, a .wasm or .wat file; or the script, a .py or .js file
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

    #[command(flatten)]
    server: ServerOptions,
}

impl Push {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.on(ui, &remote);
        }
        let Some(dir) = self.host.dir() else {
            return Err(Problem::invalid("there is no data directory to store the component in").into());
        };
        let config = self.config.look(&self.host)?;
        let host = self.host.host(ui)?.max_workers(1).max_instances(16).optimise(false).build()?;
        let runtime = runtime::on_this_thread()?;
        let (loaded, bytes, manifest) = runtime.block_on(self.read(ui, &host))?;
        if let Some(missing) = loaded.component.missing() {
            ui.warning(&format!("it cannot be run here: {missing}"));
        }
        let grants = self.grants(&config, &loaded, &manifest)?;
        let naming = self.name.as_ref().and_then(|name| match name {
            ComponentRef::Named { name, version } => Some(Naming {
                name: name.clone(),
                version: version.clone(),
                grants: &grants,
                accept: self.accept,
                may_grant: true,
            }),
            ComponentRef::Digest(_) => None,
        });
        let by = registered::person();
        let at = Timestamp::from(SystemTime::now());
        let push = Pushing { bytes: &bytes, manifest: &manifest, naming, by: &by, at };
        let pushed = registered::open(&dir)?.push(&push).map_err(|error| registered::failed(&error))?;
        let is_new = pushed.version.as_ref().map_or(pushed.is_new, |version| version.is_new);
        self.tell(ui, &PushedObject::from(&pushed), is_new)?;
        Ok(Exit::Completed)
    }

    /// What the file has, with its bytes and its manifest.
    async fn read(&self, ui: &Ui, host: &Host) -> Result<(Loaded, Vec<u8>, Manifest), Problem> {
        let Some(language) = Language::of(&self.file) else {
            let (component, bytes) = load::with_bytes(ui, host, &self.file).await?;
            let manifest = component.manifest().clone();
            return Ok((Loaded::component(component, self.file.clone()), bytes, manifest));
        };
        let loaded = loaded::load(ui, host, &self.file, &self.host, false).await?;
        let package = loaded.script.as_ref().map(|script| script.package(language)).transpose();
        let package =
            package.map_err(|error| Problem::of(error.kind(), &error).within(self.file.display()))?;
        let (bytes, manifest) = package.unwrap_or_else(|| (Vec::new(), loaded.component.manifest().clone()));
        Ok((loaded, bytes, manifest))
    }

    /// To a server.
    fn on(&self, ui: &Arc<Ui>, remote: &Remote) -> Result<Exit, Stop> {
        let uploaded = remote.block_on(upload(&remote.client, ui, &self.file))?;
        let digest = uploaded.digest.to_string();
        let Some(ComponentRef::Named { name, version }) = &self.name else {
            let object = PushedObject::unnamed(uploaded.digest, uploaded.is_new);
            self.tell(ui, &object, uploaded.is_new)?;
            return Ok(Exit::Completed);
        };
        let (name, body) =
            (name.to_string(), json!({ "digest": digest, "accept_capabilities": self.accept }));
        let request = match version {
            Some(version) => Request::put(&["names", &name, "versions", &version.to_string()]),
            // A component becomes one version of a name.
            None => Request::post(&["names", &name]).repeatable(),
        };
        let request = request.json(&body);
        let (mut object, is_new) = match remote.block_on(remote.client.try_send(&request)) {
            Ok(answer) => (remote.client.read::<PushedObject>(&answer)?, answer.status == CREATED),
            Err(Trouble::Refused(refusal)) if refusal.code == "capability-change" => {
                let pushed = refusal.more.get("pushed").cloned().unwrap_or_default();
                let Ok(object) = serde_json::from_value(pushed) else { return Err(refusal.problem.into()) };
                (object, true)
            }
            Err(Trouble::Refused(refusal)) => {
                return Err(remote.block_on(remote.client.refusal(&request, refusal)).into());
            }
            Err(trouble) => return Err(Problem::from(trouble).into()),
        };
        object.new = uploaded.is_new;
        self.tell(ui, &object, is_new)?;
        Ok(Exit::Completed)
    }

    /// All grants of its tasks in the configuration.
    fn grants(&self, config: &Config, loaded: &Loaded, manifest: &Manifest) -> Result<Grants, Problem> {
        let mut all = Grants::default();
        if loaded.component.missing().is_some() {
            return Ok(all);
        }
        for export in manifest.exports.iter().filter(|export| export.callable.is_ok()) {
            let Ok(task) = loaded.task(&export.path.to_string()) else { continue };
            let granted = config.of_task(&self.file, loaded, &task)?.grants_without_values()?;
            add(&mut all.http, granted.http);
            add(&mut all.dirs, granted.dirs);
            add(&mut all.env, granted.env);
            add(&mut all.net, granted.net);
            add(&mut all.lookup, granted.lookup);
        }
        Ok(all)
    }

    /// Shows what was pushed, and whether it was there before.
    fn tell(&self, ui: &Ui, object: &PushedObject, is_new: bool) -> Result<(), Stop> {
        ui.result_line(&match self.form.output {
            Form::Table => object.component.clone(),
            Form::Json => to_json(object),
        })?;
        ui.flush()?;
        if !is_new {
            ui.note(&format!("{} was stored before", object.component));
        }
        if object.version.as_ref().is_some_and(|version| !version.accepted) {
            tell_that_it_waits(ui, object);
        }
        Ok(())
    }
}

fn tell_that_it_waits(ui: &Ui, object: &PushedObject) {
    let PushedObject { component, compared_with, diff, .. } = object;
    let than = compared_with.as_ref().map_or_else(String::new, |compared| format!(" than {compared}"));
    ui.warning(&format!("{component} asks for more{than}, and is not used until it is accepted"));
    for demand in diff.iter().flat_map(|diff| &diff.more) {
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
