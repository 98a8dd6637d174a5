//! Options that name and label runs. Their doc comments are the help.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use hostel::grammar::tag;
use hostel::{Tag, Task};

use crate::problem::Problem;

/// Names and labels of runs.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Labels")]
pub(crate) struct LabelOptions {
    /// Name each run by its arguments: 'train {dataset.name}'
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) name: Option<Template>,

    /// Label each run, for limits and reports; can be given several times
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    pub(crate) tags: Vec<Tag>,

    /// The priority. This and the following are only in `hostel.toml`.
    #[arg(skip)]
    pub(crate) priority: Option<i32>,

    #[arg(skip)]
    pub(crate) version: Option<String>,

    #[arg(skip)]
    pub(crate) description: Option<String>,
}

/// A template, and the place where it was given; it is checked against the task's signature later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) text: String,
    pub(crate) place: String,
}

impl LabelOptions {
    /// These options, completed by those of `others`; tags add up.
    pub(crate) fn or(mut self, others: Self) -> Self {
        self.tags.extend(others.tags);
        Self {
            name: self.name.or(others.name),
            tags: self.tags,
            priority: self.priority.or(others.priority),
            version: self.version.or(others.version),
            description: self.description.or(others.description),
        }
    }

    /// The task with these options.
    pub(crate) fn apply(&self, task: Task) -> Result<Task, Problem> {
        let mut task = task.tags(self.tags.iter().cloned()).priority(self.priority.unwrap_or_default());
        if let Some(version) = &self.version {
            task = task.version(version.as_str());
        }
        if let Some(description) = &self.description {
            task = task.description(description.as_str());
        }
        match &self.name {
            None => Ok(task),
            Some(Template { text, place }) => {
                task.run_name(text).map_err(|error| Problem::of(error.kind(), &error).within(place))
            }
        }
    }
}

impl FromStr for Template {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { text: text.to_owned(), place: "--name".to_owned() })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
