//! A run as the model has it.

use hostel_core::journal::Fence;
use hostel_core::{Event, QueueName, RunSpec, State, Tags, TaskKey, Unique, UniqueMode};

use crate::world::{spec_with, task};

#[derive(Clone, Debug)]
pub(super) struct ModelRun {
    pub(super) number: u64,
    pub(super) priority: i32,
    pub(super) due: Option<u64>,
    pub(super) arrival: u64,
    pub(super) state: State,
    pub(super) version: u64,
    pub(super) retry: Option<u64>,
    /// The fence and the end of the lease.
    pub(super) claim: Option<(Fence, u64)>,
    pub(super) crashes: u32,
    pub(super) ended: Option<u64>,
    pub(super) queue: u8,
    pub(super) key: Option<UniqueMode>,
    /// Since the last retry by hand.
    pub(super) attempts: usize,
    pub(super) retried: Option<u64>,
    pub(super) is_seen: bool,
    pub(super) debounced: Option<u64>,
    /// Priority, due time and queue as it was submitted, if it was amended.
    pub(super) submitted: Option<(i32, Option<u64>, u8)>,
    pub(super) has_started: bool,
    /// Who has claimed it, if it is claimed.
    pub(super) worker: u8,
    /// Who claims nothing behind it.
    pub(super) drainer: Option<u8>,
}

pub(super) fn queue_name(queue: u8) -> QueueName {
    queue.to_string().parse().expect("a digit is a name")
}

pub(super) fn task_key(task_number: u8) -> TaskKey {
    task(if task_number == 0 { "add" } else { "sub" })
}

impl ModelRun {
    /// A run that was not submitted yet.
    pub(super) fn new(
        number: u64,
        arrival: u64,
        priority: i32,
        due: Option<u64>,
        queue: u8,
        key: Option<UniqueMode>,
    ) -> Self {
        Self {
            number,
            priority,
            due,
            arrival,
            state: if due.is_some() { State::Scheduled } else { State::Pending },
            version: 1,
            retry: None,
            claim: None,
            crashes: 0,
            ended: None,
            queue,
            key,
            attempts: 0,
            retried: None,
            is_seen: false,
            debounced: None,
            submitted: None,
            has_started: false,
            worker: 0,
            drainer: None,
        }
    }

    pub(super) fn due(&self) -> u64 {
        let retry = self.retry.filter(|_| self.state == State::AwaitingRetry);
        retry.or(self.retried).or(self.due).unwrap_or(1)
    }

    pub(super) fn spec(&self) -> RunSpec {
        RunSpec {
            task: task_key(self.task()),
            queue: queue_name(self.queue),
            tags: if self.is_tagged() { ["odd"].into_iter().collect() } else { Tags::default() },
            unique: self.key.map(|mode| Unique::new("k").mode(mode)),
            ..spec_with(self.number, self.priority, self.due)
        }
    }

    /// The number of its task.
    pub(super) fn task(&self) -> u8 {
        u8::from(self.number % 3 == 1)
    }

    pub(super) fn is_tagged(&self) -> bool {
        self.number % 2 == 1
    }

    pub(super) fn is_solo(&self) -> bool {
        self.crashes > 1
    }

    pub(super) fn needs_attention(&self) -> bool {
        matches!(self.state, State::Failed | State::Crashed) && !self.is_seen
    }

    pub(super) fn is_due(&self, now: u64) -> bool {
        let waits = match self.state {
            State::Pending => true,
            State::Scheduled | State::AwaitingRetry => self.due() <= now,
            _ => false,
        };
        waits && self.claim.is_none()
    }

    /// Applies an event, and ends the claim where that follows.
    pub(super) fn apply(&mut self, now: u64, event: Event) -> bool {
        let Ok(state) = self.state.apply(event) else { return false };
        self.state = state;
        self.version += 1;
        self.drainer = None;
        if let Event::RetryPlanned { due } = event {
            self.retry = Some(due.unix_nanos());
            self.claim = None;
        }
        match event {
            Event::Started => {
                self.attempts += 1;
                self.has_started = true;
            }
            Event::RetryRequested => {
                (self.attempts, self.crashes, self.retried, self.ended) = (0, 0, Some(now), None);
                self.is_seen = false;
            }
            _ => {}
        }
        if state.is_terminal() {
            self.claim = None;
            self.ended = self.ended.or(Some(now));
        }
        true
    }
}
