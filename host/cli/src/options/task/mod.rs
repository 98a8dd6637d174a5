//! The options of a task, as given in one place or in several. Their names, help and values are those of
//! [`TaskSpec::KEYS`].

mod arguments;
mod dir;
mod env;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hostel::grammar::OptionTextError;
use hostel::{
    CachePolicy, DirGrant, EnvGrant, Grants, OptionKey, Signature, Task, TaskSpec, begin_flow, check_dirs,
};

use serde_json::{Map, Value as Json};

use self::env::Variable;
use crate::problem::Problem;

/// The options of a task from one place: the command line, or a table of `hostel.toml`. Or those from several places, without
/// the values that others take precedence over.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskOptions {
    given: Vec<Given>,
    /// Whether the log is written while the run executes. Only `hostel.toml` sets it.
    pub(crate) log_prints: Option<bool>,
}

/// One value of an option.
#[derive(Clone, Debug)]
struct Given {
    key: &'static OptionKey,
    text: String,
    place: Place,
}

/// The place where an option was given.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its name for messages: `--dir`, or `hostel.toml:2:7: dir`.
    pub(crate) name: String,
    /// The directory where relative paths begin, if it is not the current one.
    pub(crate) base: Option<Arc<Path>>,
}

impl Given {
    /// Whether a value given with lower precedence does not count beside this one.
    fn replaces(&self, other: &Self) -> bool {
        let variable = |given: &Self| given.key.is_secret().then(|| env::name(&given.text).to_owned());
        let is_same_variable = variable(self).is_some() && variable(self) == variable(other);
        is_same_variable || self.key.replaces(other.key)
    }
}

impl TaskOptions {
    /// Adds one value of an option. Values that may be secrets are only checked by [`TaskOptions::check`], whose messages do not
    /// show them.
    pub(crate) fn give(
        &mut self,
        key: &'static OptionKey,
        text: String,
        place: Place,
    ) -> Result<(), OptionTextError> {
        if !key.is_secret() {
            key.check(&text)?;
        }
        self.given.push(Given { key, text, place });
        Ok(())
    }

    /// These options, completed by those of `others`, over which they take precedence.
    pub(crate) fn or(mut self, others: Self) -> Self {
        let is_replaced = |other: &Given| self.given.iter().any(|given| given.replaces(other));
        let others_left: Vec<_> = others.given.into_iter().filter(|other| !is_replaced(other)).collect();
        self.given.extend(others_left);
        Self { given: self.given, log_prints: self.log_prints.or(others.log_prints) }
    }

    /// Whether the option of this name is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }

    /// Checks the names and values of variables.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.variables().try_for_each(|variable| variable.map(drop))
    }

    /// Refuses options for retries if no retries are set; `all` are the options from all places.
    pub(crate) fn check_retries(&self, all: &Self) -> Result<(), Problem> {
        const DETAILS: [&str; 3] = ["retry-delay", "retry-jitter", "retry-on"];
        let given = DETAILS.into_iter().find(|name| self.has(name)).filter(|_| !all.has("retries"));
        given.map_or(Ok(()), |name| {
            let problem = Problem::invalid(format!("--{name} is set, but retries are not"));
            Err(problem.hint("set the number of retries with --retries N"))
        })
    }

    /// The options as data, with the granted directories, and without variables.
    pub(crate) fn spec(&self) -> Result<TaskSpec, Problem> {
        let mut spec = self.spec_without_dirs()?;
        Arc::make_mut(&mut spec.grants).dirs = self.dirs()?;
        Ok(spec)
    }

    /// The options as data, without grants of directories and variables.
    pub(crate) fn spec_without_dirs(&self) -> Result<TaskSpec, Problem> {
        let mut spec = TaskSpec::default();
        let texts = self.given.iter().filter(|given| !["env", "dir"].contains(&given.key.name));
        let set = spec.set_all(texts.map(|given| (given.key.name, &*given.text)));
        set.map_err(|error| Problem::of(error.kind(), &error))?;
        Ok(spec)
    }

    /// The options by their names, with the values of variables, for a server.
    ///
    /// # Errors
    ///
    /// [`Problem`] if a directory is granted, or a variable has no value.
    pub(crate) fn for_server(&self) -> Result<Map<String, Json>, Problem> {
        if let Some(dir) = self.of("dir").next() {
            let problem =
                format!("{} cannot be granted on a server: the directory is on this machine", dir.place.name);
            return Err(Problem::invalid(problem).hint("@FILE gives a file's content as an argument"));
        }
        let mut options = BTreeMap::<_, Vec<Json>>::new();
        for Given { key, text, place } in &self.given {
            let text = if key.is_secret() {
                let grant = Variable::read(text, &place.name)?.grant(&place.name)?;
                format!("{}={}", grant.name(), grant.value())
            } else {
                text.clone()
            };
            options.entry(key.name).or_default().push(text.into());
        }
        Ok(options.into_iter().map(|(name, texts)| (name.to_owned(), texts.into())).collect())
    }

    /// The granted directories.
    pub(crate) fn dirs(&self) -> Result<Vec<DirGrant>, Problem> {
        self.of("dir").map(|given| dir::read(&given.text, &given.place)).collect()
    }

    /// The grants, without the values of variables, which are not read.
    pub(crate) fn grants_without_values(&self) -> Result<Grants, Problem> {
        let env = self.variables().map(|variable| variable.map(Variable::without_value));
        Ok(Grants { env: env.collect::<Result<_, _>>()?, ..Grants::clone(&self.spec()?.grants) })
    }

    /// The grants as text. The values of variables are neither shown nor read.
    pub(crate) fn grant_texts(&self) -> Result<Vec<String>, Problem> {
        Ok(self.grants_without_values()?.texts())
    }

    /// The options that a file may only set if it is trusted: grants, and options that may change a result.
    pub(crate) fn trusted_texts(&self) -> Result<Vec<String>, Problem> {
        let TaskSpec { cache, determinism, .. } = self.spec()?;
        let is_harmless = [CachePolicy::AUTO, CachePolicy::NONE].contains(&cache);
        let others = [
            ("cache", !is_harmless, cache.to_string()),
            ("clock", self.sets("clock"), determinism.clock.to_string()),
            ("random", self.sets("random"), determinism.randomness.to_string()),
        ];
        let others = others.into_iter().filter(|(_, is_set, _)| *is_set);
        let others = others.map(|(name, _, value)| format!("{name} {value}"));
        Ok(self.grant_texts()?.into_iter().chain(others).collect())
    }

    /// The task with these options.
    pub(crate) fn apply(&self, task: Task) -> Result<Task, Problem> {
        let mut spec = self.spec()?;
        if spec.cache.includes(&CachePolicy::FLOW_PARAMETERS) {
            let problem = format!("cache policy `{}`: a command has no flow parameters", spec.cache);
            return Err(Problem::invalid(problem).hint("`run-id` counts the command as a flow run"));
        }
        // Each command is its own flow run.
        spec.flow = spec.cache.needs_flow().then(begin_flow);
        let grants = Arc::make_mut(&mut spec.grants);
        grants.env = self.env()?;
        self.of("dir").try_for_each(|given| dir::check(&given.text, &given.place))?;
        check_dirs(grants)?;
        self.check_name(task.signature())?;
        Ok(task.with_spec(spec))
    }

    /// Whether the log is written while the run executes.
    pub(crate) fn log_prints(&self) -> bool {
        self.log_prints.unwrap_or(true)
    }

    /// The values of the option of this name.
    fn of(&self, name: &str) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.key.name == name)
    }

    /// Whether the option of this name is set here, by itself or with another one.
    fn sets(&self, name: &str) -> bool {
        let key = TaskSpec::key(name);
        key.is_some_and(|key| self.given.iter().any(|given| given.key.replaces(key)))
    }

    fn variables(&self) -> impl Iterator<Item = Result<Variable, Problem>> {
        self.of("env").map(|Given { text, place, .. }| Variable::read(text, &place.name))
    }

    /// The variables with their values.
    fn env(&self) -> Result<Vec<EnvGrant>, Problem> {
        self.of("env")
            .map(|Given { text, place, .. }| Variable::read(text, &place.name)?.grant(&place.name))
            .collect()
    }

    /// Refuses a name template that does not fit the task.
    pub(crate) fn check_name(&self, signature: &Signature) -> Result<(), Problem> {
        self.of("name").try_for_each(|Given { text, place, .. }| {
            let template = hostel::NameTemplate::parse(text, signature).map(drop);
            template.map_err(|error| Problem::of(error.kind(), &error).within(&place.name))
        })
    }
}
