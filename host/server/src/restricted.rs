//! Scopes for some runs only: those of a queue, of a task, or with a tag.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use hostel::journal::{QueueName, RunHead, RunSpec, Tags};
use hostel::registry::{Registry, RegistryError};
use hostel::{ComponentName, Digest, TaskKey};

use crate::scope::{ParseScopeError, Scope};

/// The most characters of a pattern.
const PATTERN_CHARS: usize = 200;

/// The scopes that are about runs.
const OF_RUNS: [Scope; 4] = [Scope::Read, Scope::ReadValues, Scope::Run, Scope::Cancel];

/// A scope for some runs. As text, the scope and what runs have to have: `run queue:nightly task:acme.math#*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restricted {
    scope: Scope,
    conditions: Vec<(Property, Pattern)>,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Queue,
    Task,
    Tag,
}

/// A text in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

/// What the conditions of a scope look at.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) task: &'a TaskKey,
    pub(crate) queue: &'a QueueName,
    pub(crate) tags: Tags,
}

/// The names of components by their digests, as far as the conditions of a token may mean them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<Digest, Vec<ComponentName>>);

/// A text that is no scope for some runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseRestrictedError {
    #[error(transparent)]
    Scope(#[from] ParseScopeError),
    #[error("the scope {scope} is not about runs: expected read, read:values, run or cancel")]
    NotOfRuns { scope: Scope },
    #[error("the scope {scope} has no condition: expected one such as queue:NAME, task:NAME#* or tag:TAG")]
    Unconditional { scope: Scope },
    #[error("invalid condition {text:?}: expected queue:PATTERN, task:PATTERN or tag:PATTERN, each once")]
    Condition { text: String },
    #[error("a pattern is too long: expected at most {PATTERN_CHARS} characters")]
    TooLong,
}

impl Restricted {
    /// The scope.
    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it is for this run: all conditions match.
    pub(crate) fn fits(&self, run: &Subject<'_>, names: &Names) -> bool {
        self.conditions.iter().all(|(property, pattern)| match property {
            Property::Queue => pattern.matches(run.queue.as_str()),
            Property::Tag => run.tags.iter().any(|tag| pattern.matches(tag)),
            Property::Task => names.of(run.task).any(|name| pattern.matches(&name)),
        })
    }

    /// Whether it is for all runs of a queue.
    pub(crate) fn fits_queue(&self, queue: &QueueName) -> bool {
        let is_fitting = |(property, pattern): &(Property, Pattern)| {
            *property == Property::Queue && pattern.matches(queue.as_str())
        };
        self.conditions.iter().all(is_fitting)
    }

    /// The patterns of names of components.
    fn names(&self) -> impl Iterator<Item = Pattern> {
        let tasks = self.conditions.iter().filter(|(property, _)| *property == Property::Task);
        tasks.filter(|(_, pattern)| !pattern.0.starts_with("sha256:")).map(|(_, pattern)| {
            // Without an export, the end of the pattern may mean the export, too.
            let (name, has_export) =
                pattern.0.split_once('#').map_or((&*pattern.0, false), |(name, _)| (name, true));
            Pattern(if has_export { name.to_owned() } else { format!("{name}*") })
        })
    }
}

impl FromStr for Restricted {
    type Err = ParseRestrictedError;

    fn from_str(text: &str) -> Result<Self, ParseRestrictedError> {
        let mut words = text.split_whitespace();
        let scope: Scope = words.next().unwrap_or_default().parse()?;
        if !OF_RUNS.contains(&scope) {
            return Err(ParseRestrictedError::NotOfRuns { scope });
        }
        let mut conditions: Vec<(Property, Pattern)> = Vec::new();
        for word in words {
            let condition = word.split_once(':').and_then(|(name, pattern)| {
                let property = Property::ALL.into_iter().find(|property| property.name() == name)?;
                let is_new = conditions.iter().all(|(other, _)| *other != property);
                (is_new && !pattern.is_empty()).then(|| (property, Pattern(pattern.to_owned())))
            });
            let condition = condition
                .ok_or_else(|| ParseRestrictedError::Condition { text: word.chars().take(80).collect() })?;
            if condition.1.0.chars().count() > PATTERN_CHARS {
                return Err(ParseRestrictedError::TooLong);
            }
            conditions.push(condition);
        }
        if conditions.is_empty() {
            return Err(ParseRestrictedError::Unconditional { scope });
        }
        Ok(Self { scope, conditions })
    }
}

impl fmt::Display for Restricted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scope)?;
        let mut conditions = self.conditions.iter();
        conditions.try_for_each(|(property, pattern)| write!(f, " {}:{}", property.name(), pattern.0))
    }
}

impl Property {
    const ALL: [Self; 3] = [Self::Queue, Self::Task, Self::Tag];

    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Task => "task",
            Self::Tag => "tag",
        }
    }
}

impl Pattern {
    /// Whether it matches all of a text. Takes at most as many steps as the product of both lengths.
    fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut of_text) = (0, 0);
        // The last star, and where the text behind what it stands for began.
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = text.get(of_text) {
            match (pattern.get(at), star) {
                (Some(b'*'), _) => {
                    star = Some((at, of_text));
                    at += 1;
                }
                (Some(expected), _) if expected == byte => (at, of_text) = (at + 1, of_text + 1),
                // It stands for one byte more.
                (_, Some((place, began))) => {
                    star = Some((place, began + 1));
                    (at, of_text) = (place + 1, began + 1);
                }
                (_, None) => return false,
            }
        }
        pattern.iter().skip(at).all(|byte| *byte == b'*')
    }
}

impl<'a> Subject<'a> {
    /// A run as it is or would be stored.
    pub(crate) fn of_spec(spec: &'a RunSpec) -> Self {
        Self { task: &spec.task, queue: &spec.queue, tags: spec.all_tags() }
    }

    /// A run of a list.
    pub(crate) fn of_head(head: &'a RunHead) -> Self {
        Self { task: &head.task, queue: &head.queue, tags: head.tags.clone() }
    }
}

impl Names {
    /// Finds the names that conditions may mean. Looks at all names of the registry. Blocks.
    pub(crate) fn find(registry: &Registry, of: &[Restricted]) -> Result<Self, RegistryError> {
        /// The most names that are read at once.
        const PAGE: usize = 500;
        let patterns: Vec<_> = of.iter().flat_map(Restricted::names).collect();
        let mut found = Self::default();
        if patterns.is_empty() {
            return Ok(found);
        }
        let mut after = None;
        loop {
            let names = registry.names(after.as_ref(), PAGE)?;
            for name in &names {
                if patterns.iter().any(|pattern| pattern.matches(name.as_str())) {
                    // Otherwise a token that may register versions could give the name to any component, and act on its runs.
                    for version in registry.versions(name)?.into_iter().filter(|version| version.is_trusted) {
                        found.0.entry(version.digest).or_default().push(name.clone());
                    }
                }
            }
            if names.len() < PAGE {
                return Ok(found);
            }
            after = names.into_iter().next_back();
        }
    }

    /// What a task is called: by the digest of its component, and by the names of it.
    fn of(&self, task: &TaskKey) -> impl Iterator<Item = String> {
        let named = self.0.get(&task.component).into_iter().flatten();
        let named = named.map(|name| format!("{name}#{}", task.export));
        std::iter::once(task.to_string()).chain(named)
    }
}

#[cfg(test)]
mod tests {
    use hostel::ExportPath;

    use super::*;

    fn restricted(text: &str) -> Restricted {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_matches_all_of_a_text() {
        let check = |pattern: &str, text: &str, is_match: bool| {
            assert_eq!(Pattern(pattern.to_owned()).matches(text), is_match, "{pattern} {text}");
        };
        check("nightly", "nightly", true);
        check("nightly", "nightly-2", false);
        check("night", "nightly", false);
        check("*", "", true);
        check("*", "anything", true);
        check("acme.*#add", "acme.math#add", true);
        check("acme.*#add", "acme.math#sub", false);
        check("*a*b*", "xxaxbxb", true);
        check("*a*b", "xxaxbxc", false);
        check("a**", "a", true);
        check("ä*", "äö", true);
        let long = "a".repeat(5_000);
        check(&"*a".repeat(100), &format!("{long}b"), false);
    }

    #[test]
    fn a_scope_for_some_runs_has_one_text() {
        for text in ["run queue:nightly", "read:values task:acme.math#* tag:public", "cancel tag:a:b"] {
            assert_eq!(restricted(text).to_string(), text);
        }
        let error = |text: &str| text.parse::<Restricted>().unwrap_err().to_string();
        assert!(error("write queue:a").starts_with("unknown scope \"write\""));
        assert!(error("").starts_with("unknown scope \"\""));
        assert!(error("admin queue:a").starts_with("the scope admin is not about runs"));
        assert!(error("run").starts_with("the scope run has no condition"));
        for text in ["run queue", "run queue:", "run colour:red", "run queue:a queue:b"] {
            assert!(error(text).starts_with("invalid condition"), "{text}");
        }
        assert!(error(&format!("run queue:{}", "a".repeat(201))).starts_with("a pattern is too long"));
    }

    #[test]
    fn all_conditions_must_match() {
        let digest = Digest::of(b"a component");
        let task = TaskKey { component: digest, export: ExportPath::top_level("add") };
        let queue = "nightly".parse().unwrap();
        let run = Subject { task: &task, queue: &queue, tags: ["blue", "team:a"].into_iter().collect() };
        let mut names = Names::default();
        names.0.insert(digest, vec!["acme.math".parse().unwrap()]);
        let check = |text: &str, fits: bool| assert_eq!(restricted(text).fits(&run, &names), fits, "{text}");
        assert!(restricted("run queue:night*").fits_queue(&queue));
        assert!(!restricted("run queue:day").fits_queue(&queue));
        assert!(!restricted("run queue:nightly tag:blue").fits_queue(&queue));
        check("run queue:nightly", true);
        check("run queue:night*", true);
        check("run queue:other", false);
        check("run tag:team:*", true);
        check("run tag:team:b", false);
        check("run queue:nightly tag:red", false);
        check("run queue:nightly tag:blue task:acme.math#add", true);
        check("run task:acme.*#sub", false);
        check("run task:acme.*", true);
        check(&format!("run task:{digest}#*"), true);
        check("run task:sha256:00*", false);
    }

    #[test]
    fn only_names_that_may_be_meant_are_looked_up() {
        let patterns = |text: &str| restricted(text).names().map(|pattern| pattern.0).collect::<Vec<_>>();
        assert_eq!(patterns("run task:acme.*#add"), ["acme.*"]);
        assert_eq!(patterns("run task:acme"), ["acme*"]);
        assert_eq!(patterns("run task:sha256:00*").len() + patterns("run queue:a").len(), 0);
    }
}
