//! How many runs there are.

use crate::State;

/// How many runs a journal or a host has, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    states: [u64; State::ALL.len()],
    /// How many ended runs were removed: pruned, or dropped because a bound was reached.
    pub removed: u64,
}

impl RunCounts {
    /// The counts of these states, each of which is there once or not at all.
    pub fn of_parts(states: impl IntoIterator<Item = (State, u64)>, removed: u64) -> Self {
        let mut counts = Self { removed, ..Self::default() };
        for (state, count) in states {
            counts.slot(state).into_iter().for_each(|slot| *slot = count);
        }
        counts
    }

    /// How many runs are in this state.
    pub fn of(&self, state: State) -> u64 {
        State::ALL.iter().zip(self.states).find(|(other, _)| **other == state).map_or(0, |(_, count)| count)
    }

    /// How many runs there are.
    pub fn total(&self) -> u64 {
        self.states.iter().sum()
    }

    /// How many runs have not ended.
    pub fn unfinished(&self) -> u64 {
        State::ALL
            .iter()
            .zip(self.states)
            .filter(|(state, _)| !state.is_terminal())
            .map(|(_, count)| count)
            .sum()
    }

    /// So many runs more in this state.
    pub fn add(&mut self, state: State, runs: u64) {
        self.slot(state).into_iter().for_each(|count| *count = count.saturating_add(runs));
    }

    /// One run more in this state.
    pub fn enter(&mut self, state: State) {
        self.slot(state).into_iter().for_each(|count| *count += 1);
    }

    /// One run less in this state.
    pub fn leave(&mut self, state: State) {
        self.slot(state).into_iter().for_each(|count| *count = count.saturating_sub(1));
    }

    fn slot(&mut self, state: State) -> Option<&mut u64> {
        State::ALL.iter().zip(&mut self.states).find(|(other, _)| **other == state).map(|(_, count)| count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut counts = RunCounts::default();
        counts.enter(State::Pending);
        counts.enter(State::Pending);
        counts.leave(State::Pending);
        counts.enter(State::Completed);
        counts.leave(State::Failed);
        assert_eq!((counts.of(State::Pending), counts.of(State::Failed)), (1, 0));
        assert_eq!((counts.total(), counts.unfinished()), (2, 1));
    }
}
