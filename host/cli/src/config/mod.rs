//! `hostel.toml`: options in a file, for all tasks or for one.

mod document;
mod found;
mod key;
#[cfg(test)]
mod precedence;
mod trust;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel::grammar::tag;
use hostel::{DirAccess, DirGrant, Task, may_replace};
use toml::Spanned;
use toml::de::{DeString, DeValue};

use self::document::{Document, entries};
use self::key::Key;
use crate::loaded::Loaded;
use crate::options::data_dir::{HostOptions, check_apart};
use crate::options::remote_cache::NamedCache;
use crate::options::tag_limits::{self, TagLimitOptions};
use crate::options::task::{Place, TaskOptions};
use crate::problem::Problem;
use crate::task_ref::FileTask;

pub(crate) use self::found::{ConfigOptions, Found, find};
pub(crate) use self::trust::{Trust, TrustBook};

/// The table of options for all tasks.
const DEFAULTS: &str = "defaults";

/// The tables of a file.
const TABLES: [&str; 4] = [DEFAULTS, "tasks", "limits", "remote-cache"];

/// A hint at the table of the remote cache.
const URL_HINT: &str = "the remote cache has its own table: [remote-cache], and below it url = \"…\"";

/// Options of the whole command, which have no key.
const OF_THE_COMMAND: [&str; 23] = [
    "as-completed",
    "config",
    "data-dir",
    "explain-cache",
    "fail-fast",
    "json",
    "keep-going",
    "max-failures",
    "max-host-memory",
    "no-config",
    "no-data-dir",
    "no-remote-cache",
    "output",
    "over",
    "quiet",
    "receipt",
    "record",
    "refresh-cache",
    "server",
    "states",
    "stdin",
    "with",
    "workers",
];

/// A hint at the tables of limits on tags.
const LIMITS_HINT: &str = "limits on tags have their own tables: [limits.tags] and [limits.rates]";

/// A hint at the tables of options.
const OPTIONS_HINT: &str = "put options into [defaults], or into [tasks.\"FILE#EXPORT\"] for one task";

/// The content of a file; empty if there is none.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// The file's name for output; empty if there is none.
    pub(crate) name: String,
    /// The file's path; `None` if there is none.
    file: Option<PathBuf>,
    defaults: TaskOptions,
    tasks: Vec<TaskTable>,
    pub(crate) limits: TagLimitOptions,
    pub(crate) remote_cache: Option<NamedCache>,
    /// Whether its grants are trusted.
    pub(crate) trust: Trust,
}

/// The options for a task, or for all tasks in a component.
#[derive(Debug)]
struct TaskTable {
    /// The name as written: `math.wasm#add`.
    name: String,
    /// The path of the component's file.
    path: PathBuf,
    /// The same as written, which may be the name of a registered component.
    source: PathBuf,
    export: Option<String>,
    options: TaskOptions,
    place: String,
}

impl Config {
    fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let document = Document::new(&name, text);
        let mut config = Self { name: name.clone(), file: Some(path.to_owned()), ..Self::default() };
        for (name, value) in entries(document.parse()?.get_ref()) {
            match name.get_ref().as_ref() {
                DEFAULTS => config.defaults = options(&document, path, DEFAULTS, value)?,
                "tasks" => config.tasks = tasks(&document, path, value)?,
                "limits" => config.limits = limits(&document, value)?,
                "remote-cache" => config.remote_cache = Some(remote_cache(&document, value)?),
                other => {
                    let problem = document.unknown(name.span(), "table", other, &TABLES);
                    let hint = match other {
                        "url" => Some(URL_HINT),
                        _ if Key::named(other).is_some() => Some(OPTIONS_HINT),
                        _ => None,
                    };
                    return Err(problem.hints_of(hint.map(str::to_owned)));
                }
            }
        }
        Ok(config)
    }

    /// The grants of the file, by the name of their table.
    pub(crate) fn granted(&self) -> Result<Vec<(&str, Vec<String>)>, Problem> {
        let tables = self.tasks.iter().map(|table| (&*table.name, &table.options));
        let tables = tables.chain([(DEFAULTS, &self.defaults)]);
        let mut granted = tables
            .map(|(name, options)| Ok((name, options.trusted_texts()?)))
            .collect::<Result<Vec<_>, Problem>>()?;
        granted.retain(|(_, texts)| !texts.is_empty());
        Ok(granted)
    }

    /// Whether the file needs trust: it sets more than options that cannot change a result.
    pub(crate) fn needs_trust(&self) -> Result<bool, Problem> {
        Ok(self.remote_cache.is_some() || !self.granted()?.is_empty())
    }

    /// Whether a task has a limit of fuel.
    pub(crate) fn limits_fuel(&self) -> bool {
        let options = self.tasks.iter().map(|table| &table.options).chain([&self.defaults]);
        options.into_iter().any(|options| options.has("max-fuel"))
    }

    /// Checks that no guest may write the file itself, or the data directories that commands find automatically.
    pub(crate) fn check_grants(&self, options: &TaskOptions, host: &HostOptions) -> Result<(), Problem> {
        check_apart(options, host)?;
        let Some(file) = &self.file else { return Ok(()) };
        let reaches = |grant: &&DirGrant| grant.access() == DirAccess::Rw && may_replace(grant.host(), file);
        let grants = options.dirs()?;
        let Some(grant) = grants.iter().find(reaches) else { return Ok(()) };
        let (dir, file) = (grant.host().display(), file.display());
        let problem = format!("the grant to write to {dir} reaches {file}, which is trusted");
        let hint = "grant a directory below it, name a file elsewhere with --config, or use --no-config";
        Err(Problem::invalid(problem).hint(hint))
    }

    /// The options of a task: those for it alone, completed by those for its file, and by the defaults.
    pub(crate) fn of_task(&self, path: &Path, loaded: &Loaded, task: &Task) -> Result<TaskOptions, Problem> {
        self.of_export(path, |export| {
            let found = loaded.task(export).map_err(|error| Problem::of(error.kind(), &error))?;
            Ok(found.is_same_function(task))
        })
    }

    /// The same for a task of which it is known whether the name of an export is meant for it.
    pub(crate) fn of_export(
        &self,
        path: &Path,
        is_meant: impl Fn(&str) -> Result<bool, Problem>,
    ) -> Result<TaskOptions, Problem> {
        let file = fs::canonicalize(path).ok();
        // A registered component has no file of its name.
        let is_of_file = |table: &&TaskTable| match &file {
            Some(_) => fs::canonicalize(&table.path).ok() == file,
            None => table.source == path,
        };
        let (mut of_task, mut of_file) = (None, None);
        for table in self.tasks.iter().filter(is_of_file) {
            let found = table.export.as_deref().map(&is_meant).transpose();
            let found = found.map_err(|error| error.within(&table.place));
            let place = match found.map_err(Problem::into_invalid)? {
                None => &mut of_file,
                Some(true) => &mut of_task,
                Some(false) => continue,
            };
            if place.replace(table.options.clone()).is_some() {
                let place = &table.place;
                return Err(Problem::invalid(format!("{place}: an earlier table has the same task or file")));
            }
        }
        Ok(of_task.unwrap_or_default().or(of_file.unwrap_or_default()).or(self.defaults.clone()))
    }
}

/// Parses a table of options.
fn options(
    document: &Document<'_>,
    path: &Path,
    table: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<TaskOptions, Problem> {
    let mut options = TaskOptions::default();
    let base: Option<Arc<Path>> = path.parent().map(Arc::from);
    for (name, value) in entries(document.table(table, value)?) {
        let Some(key) = Key::named(name.get_ref()) else {
            return Err(no_key(document, name, value));
        };
        if key.is_grant() && table == DEFAULTS {
            let problem = format!("{} is not allowed here: nothing can be granted to all tasks", key.name());
            let hint =
                "put grants into [tasks.\"FILE#EXPORT\"], or into [tasks.\"FILE\"] for all tasks of a file";
            return Err(document.problem(name.span(), problem).hint(hint));
        }
        let name = format!("{}: {}", document.place(value.span()), key.name());
        let set = key.set(&mut options, value.get_ref(), &Place { name, base: base.clone() });
        set.map_err(|expected| match key.is_secret() {
            true => document.problem(value.span(), format!("{}: {expected}", key.name())),
            false => document.wrong(key.name(), value, &expected),
        })?;
    }
    options.check()?;
    Ok(options)
}

/// An error for a name that is not an option of a task.
fn no_key(document: &Document<'_>, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Problem {
    let (span, name) = (name.span(), name.get_ref());
    if OF_THE_COMMAND.contains(&name.as_ref()) {
        let problem = format!("{name} is not allowed here: it is an option of the whole command, --{name}");
        return document.problem(span, problem);
    }
    let problem = document.unknown(span, "option", name, &Key::names());
    problem.hints_of(misplaced(name, value.get_ref()))
}

/// A hint for a name that is not an option, if its purpose can be guessed.
fn misplaced(name: &str, value: &DeValue<'_>) -> Option<String> {
    let hint = match name {
        "url" | "remote-cache" => URL_HINT,
        "tag-limit" | "rate-limit" => LIMITS_HINT,
        _ if value.is_table() => "put the name of a task in quotes: [tasks.\"FILE#EXPORT\"]",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Parses the tables of tasks, whose files are relative to the directory of the document.
fn tasks(
    document: &Document<'_>,
    path: &Path,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<TaskTable>, Problem> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let tables = entries(document.table("tasks", value)?).into_iter().map(|(name, value)| {
        let reference = FileTask::parse(name.get_ref());
        let reference = reference.map_err(|error| document.problem(name.span(), error))?;
        let options = options(document, path, name.get_ref(), value)?;
        Ok(TaskTable {
            name: name.get_ref().to_string(),
            path: dir.join(&reference.path),
            source: reference.path,
            export: reference.export,
            options,
            place: document.place(name.span()),
        })
    });
    tables.collect()
}

/// Parses the table of the remote cache.
fn remote_cache(document: &Document<'_>, value: &Spanned<DeValue<'_>>) -> Result<NamedCache, Problem> {
    let mut cache = None;
    for (name, value) in entries(document.table("remote-cache", value)?) {
        if name.get_ref() != "url" {
            let known = ["url"];
            let problem = document.unknown(name.span(), "option of the remote cache", name.get_ref(), &known);
            let is_option = Key::named(name.get_ref()).is_some();
            return Err(problem.hints_of(is_option.then(|| OPTIONS_HINT.to_owned())));
        }
        let url = value.get_ref().as_str().ok_or_else(|| {
            let found = value.get_ref().type_str();
            document.wrong("url", value, &format!("expected a string, found {found}"))
        })?;
        cache = Some(NamedCache { url: url.to_owned(), place: document.place(value.span()) });
    }
    cache.ok_or_else(|| {
        document.problem(value.span(), "remote-cache: expected `url`, found nothing").hint(URL_HINT)
    })
}

/// Parses the limits on tags.
fn limits(document: &Document<'_>, value: &Spanned<DeValue<'_>>) -> Result<TagLimitOptions, Problem> {
    let mut limits = TagLimitOptions::default();
    for (name, value) in entries(document.table("limits", value)?) {
        match name.get_ref().as_ref() {
            "tags" => limits.tag_limit = by_tag(document, "limits.tags", value, tag_limits::runs)?,
            "rates" => limits.rate_limit = by_tag(document, "limits.rates", value, tag_limits::rate)?,
            other => return Err(document.unknown(name.span(), "table of limits", other, &["tags", "rates"])),
        }
    }
    Ok(limits)
}

fn by_tag<T>(
    document: &Document<'_>,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    limit: fn(&str) -> Result<T, String>,
) -> Result<Vec<(hostel::Tag, T)>, Problem> {
    let limits = entries(document.table(name, value)?).into_iter().map(|(name, value)| {
        let tag = tag(name.get_ref()).map_err(|message| document.problem(name.span(), message))?;
        let limit =
            limit(&key::plain(value.get_ref())).map_err(|expected| document.wrong(&tag, value, &expected));
        Ok((tag, limit?))
    });
    limits.collect()
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;
    use crate::commands::map::Map;
    use crate::commands::run::Run;

    #[test]
    fn every_option_has_a_key_or_a_table_or_is_of_the_command() {
        let in_tables = ["tag", "tag-limit", "rate-limit", "remote-cache"];
        let new = clap::Command::new;
        let commands = [Run::augment_args(new("run")), Map::augment_args(new("map"))];
        let arguments = commands.iter().flat_map(clap::Command::get_arguments);
        let options: Vec<_> = arguments.filter_map(|argument| argument.get_long()).collect();
        for &option in &options {
            let is_known = in_tables.contains(&option) || OF_THE_COMMAND.contains(&option);
            assert!(is_known != Key::named(option).is_some(), "{option}");
        }
        for option in OF_THE_COMMAND {
            assert!(options.contains(&option), "{option}");
        }
    }
}
