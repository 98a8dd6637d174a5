//! Executes a map: writes results as they arrive, shows a progress bar, handles Ctrl-C, and ends with a summary.

use std::future::poll_fn;
use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::task::Poll;

use futures_util::{Stream, StreamExt};
use hostel::{Host, Receipt, Shutdown};
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};

use crate::cache_tally::CacheTally;
use crate::exit::Exit;
use crate::failure_limit::FailureLimit;
use crate::flight::{Flight, Item};
use crate::interrupt::Interrupt;
use crate::lines::Lines;
use crate::map_history::MapHistory;
use crate::map_item::EndedHere;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::tally::Tally;
use crate::ui::Ui;
use crate::ui::progress::REDRAWN_EVERY;

/// The time that the runs of a map that ends early have to stop.
const GRACE: Duration = Duration::from_secs(2);

/// The time after which a run of a map that ends early has not ended.
const TOLD: Duration = Duration::from_secs(1);

/// The state of a map.
pub(crate) struct Mapping<'a> {
    ui: &'a Ui,
    host: &'a Host,
    tally: Tally,
    /// The decisions of the cache, if they are wanted.
    cache: Option<CacheTally>,
    /// The receipts of the runs, if they are wanted.
    receipt: Option<Receipt>,
    /// The record of the map, if there will be one.
    history: Option<MapHistory<'a>>,
    quiet: bool,
}

/// Why the results ended.
enum End {
    All,
    TooManyFailures,
    Interrupted,
    Problem(Problem),
}

impl<'a> Mapping<'a> {
    /// `total` is the number of runs, if it is known.
    pub(crate) fn new(ui: &'a Ui, host: &'a Host, total: Option<u64>, quiet: bool) -> Self {
        Self { ui, host, tally: Tally::new(total), cache: None, receipt: None, history: None, quiet }
    }

    /// Reports the decisions of the cache at the end.
    pub(crate) fn explaining_cache(self, explain: bool) -> Self {
        Self { cache: explain.then(CacheTally::default), ..self }
    }

    /// Reports the receipt of all runs at the end.
    pub(crate) fn telling_receipt(self, tell: bool) -> Self {
        Self { receipt: tell.then(Receipt::default), ..self }
    }

    /// Records the map at its end.
    pub(crate) fn recording(self, history: Option<MapHistory<'a>>) -> Self {
        Self { history, ..self }
    }

    /// Runs all items, or until there are too many failures, and reports the result. Then records it.
    pub(crate) async fn drive(
        mut self,
        flight: Flight,
        lines: Lines<'_>,
        failures: FailureLimit,
    ) -> Result<Exit, Stop> {
        let flight = flight.copying_inputs(self.history.is_some());
        let ended = self.run(flight, lines, failures).await;
        if let Some(history) = self.history.take() {
            let was_stopped = !matches!(ended, Ok(Exit::Completed | Exit::RunFailed));
            history.end(&self.tally, self.receipt.as_ref(), was_stopped);
        }
        ended
    }

    async fn run(
        &mut self,
        mut flight: Flight,
        mut lines: Lines<'_>,
        failures: FailureLimit,
    ) -> Result<Exit, Stop> {
        let end = self.take_all(&mut flight, &mut lines, &failures).await?;
        match end {
            End::All | End::Problem(_) => {}
            End::Interrupted => self.cancel(&mut flight, &mut lines).await?,
            End::TooManyFailures => {
                let total = self.tally.progress.total.or(flight.is_complete().then_some(flight.submitted()));
                self.cancel(&mut flight, &mut lines).await?;
                let left = total.map(|total| total.saturating_sub(flight.submitted()));
                self.tally.given_up(failures.most.unwrap_or_default(), left);
            }
        }
        lines.finish()?;
        self.ui.end_progress();
        self.ui.flush()?;
        self.tally.tell(self.ui, self.quiet);
        self.receipt.iter().for_each(|receipt| receipt::tell(self.ui, receipt));
        self.cache.iter().for_each(|cache| cache.tell(self.ui));
        match end {
            End::All | End::TooManyFailures => Ok(self.tally.exit()),
            End::Interrupted => Ok(Exit::Interrupted),
            End::Problem(problem) => Err(problem.into()),
        }
    }

    async fn take_all(
        &mut self,
        flight: &mut Flight,
        lines: &mut Lines<'_>,
        failures: &FailureLimit,
    ) -> Result<End, Stop> {
        let mut interrupt = Interrupt::listen();
        let mut redraw = interval(REDRAWN_EVERY);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shows_progress = self.shows_progress();
        loop {
            let next = tokio::select! {
                biased;
                () = interrupt.requested() => return Ok(End::Interrupted),
                () = failures.reached() => return Ok(End::TooManyFailures),
                _ = redraw.tick(), if shows_progress => {
                    if self.tally.progress.is_due() {
                        self.tally.progress.awaiting_retry = flight.awaiting_retry() as u64;
                        self.ui.redraw(&self.tally.progress)?;
                    }
                    continue;
                }
                next = self.next(flight) => next?,
            };
            match next {
                Some(Ok(item)) => self.ended(item, lines)?,
                Some(Err(problem)) => return Ok(End::Problem(problem)),
                None => return Ok(End::All),
            }
        }
    }

    /// Not in a pipe, and not while a user types the items.
    fn shows_progress(&self) -> bool {
        let is_typed = self.tally.progress.total.is_none() && io::stdin().is_terminal();
        self.ui.shows_progress() && !self.quiet && !is_typed
    }

    /// The next item that has ended. While there is none, the previous ones are flushed.
    async fn next(&self, flight: &mut Flight) -> Result<Option<Result<Item, Problem>>, Stop> {
        poll_fn(|context| match Pin::new(&mut *flight).poll_next(context) {
            Poll::Ready(next) => Poll::Ready(Ok(next)),
            Poll::Pending => match self.ui.flush_soon() {
                Ok(()) => Poll::Pending,
                Err(stop) => Poll::Ready(Err(stop)),
            },
        })
        .await
    }

    fn ended(&mut self, mut item: Item, lines: &mut Lines<'_>) -> Result<(), Stop> {
        let Some(outcome) = item.run.try_outcome() else {
            return Ok(());
        };
        let ended = EndedHere { item: &item, outcome: &outcome };
        self.tally.count(&ended);
        self.cache.iter_mut().for_each(|cache| cache.add(item.index, &item.run.cache_report()));
        self.receipt.iter_mut().for_each(|sum| sum.add_run(&item.run.receipt()));
        let written = lines.write(&ended);
        self.history.iter_mut().for_each(|history| history.add(&mut item, &outcome));
        written
    }

    /// Cancels running items, and collects the outcomes.
    async fn cancel(&mut self, flight: &mut Flight, lines: &mut Lines<'_>) -> Result<(), Stop> {
        flight.stop();
        let _ = timeout(GRACE, self.host.shutdown(Shutdown::CancelAll)).await;
        // All runs have ended, but their futures may learn of it a moment later.
        while let Ok(Some(Ok(item))) = timeout(TOLD, flight.next()).await {
            self.ended(item, lines)?;
        }
        Ok(())
    }
}
