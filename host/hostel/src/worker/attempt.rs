//! A task as a worker submits it: for one attempt.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::LogLine;
use hostel_engine::Echo;

use crate::hooks::Hooks;
use crate::task::Task;

impl Task {
    /// The task for one attempt of a run whose retries, hooks and time others see to. `on_running` is called when the
    /// attempt begins.
    pub(super) fn one_attempt(
        self,
        left: Option<Duration>,
        on_running: impl Fn() + Send + Sync + 'static,
        on_line: Option<Echo>,
    ) -> Self {
        let task = self.retries(0).with_hooks(|hooks| *hooks = Hooks::default());
        let task = match left {
            Some(left) => task.run_timeout(left),
            None => task,
        };
        let task = match on_line {
            Some(on_line) => task.also_echo(on_line),
            None => task,
        };
        task.on_running(move |_, _| on_running())
    }

    /// The task with another call for each line, after the one that it has.
    fn also_echo(self, on_line: Echo) -> Self {
        let earlier = self.options().echo.clone();
        self.with_callback(|options| {
            options.echo = Some(Arc::new(move |line: &LogLine| {
                earlier.iter().for_each(|earlier| earlier(line));
                on_line(line);
            }));
        })
    }
}
