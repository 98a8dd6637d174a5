//! Which runs a list shows.

use std::fmt;
use std::sync::Arc;

use super::{InputFilter, InputSpec};
use crate::{Digest, ExportPath, Name, QueueName, RunId, State, Tag, TaskKey, Timestamp};

/// Which runs to find: those to which everything in it applies. The default finds all.
///
/// ```
/// # use hostel_core::{RunFilter, State};
/// let failed = RunFilter::new().states([State::Failed, State::TimedOut]).tag("nightly");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    states: Option<StateSet>,
    component: Option<Digest>,
    export: Option<ExportPath>,
    tags: Vec<Tag>,
    name: Option<Arc<str>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    queue: Option<QueueName>,
    schedule: Option<Arc<str>>,
    error: Option<Arc<str>>,
    attention: bool,
    inputs: Vec<InputFilter>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct RunFacets<'a> {
    /// Its state.
    pub state: State,
    /// The component and the export.
    pub task: &'a TaskKey,
    /// Its id, from which its default name follows.
    pub run: RunId,
    /// Its name; `None` for the default name.
    pub name: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [Tag],
    /// When it was submitted.
    pub created: Timestamp,
    /// Its queue, if it is in one.
    pub queue: Option<&'a str>,
    /// The schedule that submitted it.
    pub schedule: Option<&'a str>,
    /// What went wrong, in one line; only needed if the filter has a [text](RunFilter::wanted_error) for it.
    pub error: Option<&'a str>,
    /// Whether it ended badly, and nobody has seen that.
    pub needs_attention: bool,
    /// Whether its inputs are those that the filter [wants](RunFilter::matches_inputs); true if it wants none.
    pub has_inputs: bool,
}

/// A set of states.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct StateSet(u16);

impl StateSet {
    /// Every state in which a run has not ended.
    pub fn unfinished() -> Self {
        State::ALL.into_iter().filter(|state| !state.is_terminal()).collect()
    }

    /// Whether the state is in it.
    pub fn contains(self, state: State) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// Its states, in the order of [`State::ALL`].
    pub fn iter(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.contains(*state))
    }

    const fn bit(state: State) -> u16 {
        1 << state as u16
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        Self(states.into_iter().fold(0, |set, state| set | Self::bit(state)))
    }
}

impl fmt::Debug for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl RunFilter {
    /// All runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in one of these states.
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = State>) -> Self {
        self.states = Some(states.into_iter().collect());
        self
    }

    /// Those of this task.
    #[must_use]
    pub fn task(self, task: &TaskKey) -> Self {
        Self { component: Some(task.component), export: Some(task.export.clone()), ..self }
    }

    /// Those of the tasks with this export, whatever their components.
    #[must_use]
    pub fn export(self, export: ExportPath) -> Self {
        Self { export: Some(export), ..self }
    }

    /// Those of all tasks of this component.
    #[must_use]
    pub fn component(self, component: Digest) -> Self {
        Self { component: Some(component), ..self }
    }

    /// Those with this tag; given several times, those with all of these tags.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Those whose name contains this text.
    #[must_use]
    pub fn name(self, text: impl Into<Arc<str>>) -> Self {
        Self { name: Some(text.into()), ..self }
    }

    /// Those that were submitted at this time or later.
    #[must_use]
    pub fn since(self, since: Timestamp) -> Self {
        Self { since: Some(since), ..self }
    }

    /// Those that were submitted before this time.
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Those in this queue.
    #[must_use]
    pub fn queue(self, queue: QueueName) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// Those that a schedule of this name submitted.
    #[must_use]
    pub fn schedule(self, name: impl Into<Arc<str>>) -> Self {
        Self { schedule: Some(name.into()), ..self }
    }

    /// Those that ended badly with an error line that contains this text.
    #[must_use]
    pub fn error(self, text: impl Into<Arc<str>>) -> Self {
        Self { error: Some(text.into()), ..self }
    }

    /// Those that ended badly, and that nobody has marked as seen.
    #[must_use]
    pub fn needs_attention(self) -> Self {
        Self { attention: true, ..self }
    }

    /// Those whose inputs fulfil this condition; given several times, all of these conditions.
    #[must_use]
    pub fn input(mut self, input: InputFilter) -> Self {
        self.inputs.push(input);
        self
    }

    /// The same without conditions on inputs.
    #[must_use]
    pub fn any_inputs(self) -> Self {
        Self { inputs: Vec::new(), ..self }
    }

    /// Whether the matches reveal inputs or results of runs.
    pub fn looks_at_values(&self) -> bool {
        self.error.is_some() || !self.inputs.is_empty()
    }

    /// The states, if not every one will do; for drivers, as are the other methods that only read the filter.
    pub fn wanted_states(&self) -> Option<StateSet> {
        self.states
    }

    /// The component, if not any.
    pub fn wanted_component(&self) -> Option<Digest> {
        self.component
    }

    /// The export, if not any.
    pub fn wanted_export(&self) -> Option<&ExportPath> {
        self.export.as_ref()
    }

    /// The tags, all of which a run must have.
    pub fn wanted_tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The text that must be in a run's name.
    pub fn wanted_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// When a run must have been submitted: from the first time on, and before the second one.
    pub fn wanted_times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.since, self.until)
    }

    /// The queue, if not any.
    pub fn wanted_queue(&self) -> Option<&QueueName> {
        self.queue.as_ref()
    }

    /// The name of the schedule, if not any run.
    pub fn wanted_schedule(&self) -> Option<&str> {
        self.schedule.as_deref()
    }

    /// The text that must be in a run's error line.
    pub fn wanted_error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether only runs match that need attention.
    pub fn wants_attention(&self) -> bool {
        self.attention
    }

    /// The conditions on inputs, all of which a run must fulfil.
    pub fn wanted_inputs(&self) -> &[InputFilter] {
        &self.inputs
    }

    /// Whether the inputs of a run with parameters of these names fulfil the conditions on inputs.
    pub fn matches_inputs(&self, names: &[Name], inputs: &[InputSpec]) -> bool {
        self.inputs.iter().all(|wanted| wanted.matches_stored(names, inputs))
    }

    /// Whether a run matches.
    pub fn matches(&self, run: &RunFacets<'_>) -> bool {
        self.states.is_none_or(|states| states.contains(run.state))
            && self.component.is_none_or(|component| component == run.task.component)
            && self.export.as_ref().is_none_or(|export| *export == run.task.export)
            && self.tags.iter().all(|tag| run.tags.contains(tag))
            && self.since.is_none_or(|since| since <= run.created)
            && self.until.is_none_or(|until| run.created < until)
            && self.queue.as_ref().is_none_or(|queue| run.queue == Some(queue.as_str()))
            && self.schedule.as_deref().is_none_or(|schedule| run.schedule == Some(schedule))
            && self.error.as_deref().is_none_or(|text| run.error.is_some_and(|error| error.contains(text)))
            && (!self.attention || run.needs_attention)
            && run.has_inputs
            && self.name.as_deref().is_none_or(|text| run.is_named_with(text))
    }
}

impl RunFacets<'_> {
    fn is_named_with(&self, text: &str) -> bool {
        match self.name {
            Some(name) => name.contains(text),
            None => self.task.run_name(self.run).contains(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_states_that_it_was_made_of() {
        assert_eq!(State::ALL.into_iter().collect::<StateSet>().iter().collect::<Vec<_>>(), State::ALL);
        let set = StateSet::from_iter([State::Failed, State::Pending, State::Failed]);
        assert_eq!(format!("{set:?}"), "{Pending, Failed}");
        assert!(!set.contains(State::Running));
        assert_eq!(StateSet::unfinished().iter().count(), 7);
    }
}
