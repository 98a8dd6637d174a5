//! `hostel runtime install`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hostel::registry::{ComponentName, Naming, Push};
use hostel::{ErrorKind, Grants, Language, Script, ScriptError, Timestamp};

use crate::exit::Exit;
use crate::load;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::runtime;
use crate::ui::Ui;

/// Store a runtime, and use it for its language from now on
#[derive(Args, Debug)]
#[command(after_help = "\
bash runtimes/build.sh in Hostel's source makes the files. The runtime is compiled first, which
takes some seconds.

Examples:
  hostel runtime install python target/runtimes/python.wasm
  hostel runtime install js target/runtimes/js.wasm")]
pub(crate) struct Install {
    /// The language: python or js
    #[arg(value_name = "LANGUAGE", value_parser = language(), hide_possible_values = true)]
    language: Language,

    /// The runtime: a component
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    host: HostOptions,
}

impl Install {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let dir = self.host.stored()?;
        let host = self.host.host(ui)?.max_workers(1).max_instances(16).optimise(false).build()?;
        let on_this_thread = runtime::on_this_thread()?;
        let (component, bytes) = on_this_thread.block_on(load::with_bytes(ui, &host, &self.file))?;
        let tried = on_this_thread.block_on(Script::read(&component, "probe", probe(self.language)));
        let found = match tried {
            Ok(script) => script.task("f").is_ok(),
            Err(ScriptError::Source(_)) => false,
            Err(error) => return Err(Problem::of(error.kind(), &error).within(self.file.display()).into()),
        };
        if !found {
            let (file, title) = (self.file.display(), self.language.title());
            let problem = format!("{file} is the runtime of another language: expected one for {title}");
            return Err(Problem::invalid(problem).into());
        }
        let name = self.language.runtime_name().parse::<ComponentName>();
        let name = name.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?;
        let grants = Grants::default();
        let naming = Naming { name, version: None, grants: &grants, accept: true, may_grant: true };
        let (by, at) = (registered::person(), Timestamp::from(SystemTime::now()));
        let push = Push { bytes: &bytes, manifest: component.manifest(), naming: Some(naming), by: &by, at };
        registered::open(&dir)?.push(&push).map_err(|error| registered::failed(&error))?;
        ui.result_line(&component.digest().to_string())?;
        ui.flush()?;
        ui.note(&format!("{} functions run with it from now on", self.language.title()));
        Ok(Exit::Completed)
    }
}

/// Parses the name of a language.
fn language() -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(Language::ALL.map(Language::name));
    names.try_map(|name| Language::named(&name).ok_or_else(|| "expected python or js".to_owned()))
}

/// A source that no other language has, with the function `f`.
const fn probe(language: Language) -> &'static str {
    match language {
        Language::Python => "def f(): pass",
        Language::JavaScript => "export const f = () => {};",
    }
}
