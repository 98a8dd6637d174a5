//! `hostel map` on a server: each item is a run, and their results come in order.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{poll_fn, ready};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, LocalBoxStream};
use hostel::{Receipt, RunId, Signature, State, Value, new_run_id};
use hostel_wire::{ErrorObject, MapLine, ReceiptObject, RunAnswerObject, RunObject};
use serde_json::{Map, Value as Json};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Remote;
use super::client::Client;
use super::following::{LogQuery, follow_log, is_terminal, until_end};
use super::refusal::Trouble;
use super::request::Request;
use super::running::{BETWEEN, TRIES, has_completed, read, value_of, was_shown};
use super::submission::{Submission, Words};
use crate::exit::Exit;
use crate::failure_limit::FailureLimit;
use crate::files::Files;
use crate::flight::Row;
use crate::interrupt::Interrupt;
use crate::lines::{Lines, Style};
use crate::map_item::{EndedItem, ItemEnd};
use crate::options::Form;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::rows::Columns;
use crate::tally::Tally;
use crate::ui::Ui;
use crate::ui::progress::REDRAWN_EVERY;
use crate::ui::text::counted;

/// The most runs at once, each with a connection of its own: an eighth of what a server accepts.
const RUNS: usize = 64;

/// How long the answer to a submission may wait for the end of the run.
const WAIT: &str = "60s";

/// The time that the runs of a map that ends early have to stop.
const GRACE: Duration = Duration::from_secs(5);

/// A map, and what to show of it.
pub(crate) struct RemoteMap<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) over: &'a [(String, String)],
    pub(crate) with: &'a [(String, String)],
    pub(crate) style: Style,
    pub(crate) as_completed: bool,
    pub(crate) quiet: bool,
    pub(crate) receipt: bool,
    pub(crate) failures: FailureLimit,
}

/// An item that a server has executed.
struct RemoteItem {
    index: usize,
    label: String,
    answer: RunAnswerObject<'static>,
    /// The value, if it has completed.
    value: Option<Value>,
}

/// The items as they end.
type Items<'a> = LocalBoxStream<'a, Result<RemoteItem, Problem>>;

/// What the runs of a map share.
struct Shared<'a> {
    client: &'a Client,
    ui: &'a Arc<Ui>,
    submission: &'a Submission,
    /// Labels every run, so that they can be found together.
    tag: String,
    shows_log: bool,
    /// Whether the token may not see logs.
    log_is_denied: Cell<bool>,
    /// Whether values are shown, so that the token must be allowed to see them.
    shows_values: bool,
    failures: &'a FailureLimit,
    /// The rows end when it is dropped: then nothing more is submitted.
    going: Cell<Option<oneshot::Sender<()>>>,
    is_stopped: Cell<bool>,
    running: RefCell<BTreeSet<RunId>>,
    /// Runs whose end is not known, because the server was lost.
    lost: RefCell<BTreeSet<RunId>>,
    submitted: Cell<u64>,
}

/// Why the results ended.
enum End {
    All,
    TooManyFailures,
    Interrupted,
    Stop(Stop),
}

/// Runs a task of a server many times.
pub(crate) fn map(remote: &Remote, ui: &Arc<Ui>, map: &RemoteMap<'_>) -> Result<Exit, Stop> {
    remote.block_on(map.drive(&remote.client, ui))
}

impl RemoteMap<'_> {
    async fn drive(&self, client: &Client, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let submission = self.words.read_task(client, ui).await?;
        let files = Files::new(submission.spec.limits.input_bytes);
        let signature = &submission.task.signature;
        let columns = Columns::read(signature, self.over, self.with, &files)?;
        let mut tally = Tally::new(columns.length);
        let mut lines = Lines::new(ui, signature.clone(), self.style);
        let shared = Shared {
            client,
            ui,
            submission: &submission,
            tag: format!("map:{}", new_run_id()),
            shows_log: submission.log_prints && !self.quiet,
            log_is_denied: Cell::new(false),
            shows_values: !(self.style.states && self.style.form == Form::Json),
            failures: &self.failures,
            going: Cell::default(),
            is_stopped: Cell::new(false),
            running: RefCell::default(),
            lost: RefCell::default(),
            submitted: Cell::new(0),
        };
        let mut used = self.receipt.then(|| ReceiptObject::from(&Receipt::default()));
        let mut items = shared.items(columns.rows(), self.as_completed);
        let taken = self.take_all(ui, &mut items, &mut tally, &mut lines, &mut used).await;
        let end = taken.unwrap_or_else(End::Stop);
        if !matches!(end, End::All) {
            shared.stop();
            let stopped = async {
                shared.cancel_all().await;
                while let Some(item) = items.next().await {
                    match item {
                        // Nobody reads it.
                        _ if matches!(end, End::Stop(Stop::StdoutClosed)) => {}
                        Ok(item) => self.ended(&item, &mut tally, &mut lines, &mut used)?,
                        Err(_) => {}
                    }
                }
                Ok::<_, Stop>(())
            };
            // What has not stopped by then is not waited for.
            let stopped = timeout(GRACE, stopped).await.unwrap_or(Ok(()));
            shared.tell_of_running();
            stopped?;
        }
        if let End::Stop(Stop::StdoutClosed) = end {
            return Err(Stop::StdoutClosed);
        }
        if matches!(end, End::TooManyFailures) {
            let left = tally.progress.total.map(|total| total.saturating_sub(shared.submitted.get()));
            tally.given_up(self.failures.most.unwrap_or_default(), left);
        }
        lines.finish()?;
        ui.end_progress();
        ui.flush()?;
        tally.tell(ui, self.quiet);
        used.iter().for_each(|used| receipt::tell_received(ui, used));
        match end {
            End::All | End::TooManyFailures => Ok(tally.exit()),
            End::Interrupted => Ok(Exit::Interrupted),
            End::Stop(stop) => Err(stop),
        }
    }

    async fn take_all(
        &self,
        ui: &Ui,
        items: &mut Items<'_>,
        tally: &mut Tally,
        lines: &mut Lines<'_>,
        used: &mut Option<ReceiptObject>,
    ) -> Result<End, Stop> {
        let mut interrupt = Interrupt::listen();
        let mut redraw = interval(REDRAWN_EVERY);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let is_typed = tally.progress.total.is_none() && io::stdin().is_terminal();
        let shows_progress = ui.shows_progress() && !self.quiet && !is_typed;
        loop {
            let next = tokio::select! {
                biased;
                () = interrupt.requested() => return Ok(End::Interrupted),
                () = self.failures.reached() => return Ok(End::TooManyFailures),
                _ = redraw.tick(), if shows_progress => {
                    if tally.progress.is_due() {
                        ui.redraw(&tally.progress)?;
                    }
                    continue;
                }
                next = next(ui, items) => next?,
            };
            match next {
                Some(Ok(item)) => self.ended(&item, tally, lines, used)?,
                Some(Err(problem)) => return Err(problem.into()),
                None if self.failures.is_reached() => return Ok(End::TooManyFailures),
                None => return Ok(End::All),
            }
        }
    }

    fn ended(
        &self,
        item: &RemoteItem,
        tally: &mut Tally,
        lines: &mut Lines<'_>,
        used: &mut Option<ReceiptObject>,
    ) -> Result<(), Stop> {
        tally.count(item);
        if let (Some(sum), Some(receipt)) = (used, &item.answer.run.run.receipt) {
            sum.add_run(receipt);
        }
        lines.write(item)
    }
}

/// The next item that has ended. While there is none, the lines of the others are written.
async fn next(ui: &Ui, items: &mut Items<'_>) -> Result<Option<Result<RemoteItem, Problem>>, Stop> {
    poll_fn(|context| match items.poll_next_unpin(context) {
        Poll::Ready(next) => Poll::Ready(Ok(next)),
        Poll::Pending => match ui.flush_soon() {
            Ok(()) => Poll::Pending,
            Err(stop) => Poll::Ready(Err(stop)),
        },
    })
    .await
}

impl Shared<'_> {
    /// The items as they end, or in order.
    fn items<'s>(&'s self, rows: BoxStream<'static, Result<Row, Problem>>, as_completed: bool) -> Items<'s> {
        let (going, stopped) = oneshot::channel();
        self.going.set(Some(going));
        let items = rows.take_until(stopped).map(move |row| async move {
            match row {
                // Taken before the rows ended.
                Ok(_) if self.is_stopped.get() => Ok(None),
                Ok(row) => {
                    let index = row.index;
                    let item = self.item(row).await;
                    item.map(Some).map_err(|problem| problem.within(format_args!("item {index}")))
                }
                Err(problem) => Err(problem),
            }
        });
        if as_completed {
            items.buffer_unordered(RUNS).filter_map(|item| ready(item.transpose())).boxed_local()
        } else {
            items.buffered(RUNS).filter_map(|item| ready(item.transpose())).boxed_local()
        }
    }

    /// Submits nothing more.
    fn stop(&self) {
        self.is_stopped.set(true);
        self.going.set(None);
    }

    /// Submits a row, and waits for the end of its run.
    async fn item(&self, row: Row) -> Result<RemoteItem, Problem> {
        let run = new_run_id();
        self.submitted.set(self.submitted.get() + 1);
        self.running.borrow_mut().insert(run);
        let answer = self.run(run, &row.inputs).await;
        self.running.borrow_mut().remove(&run);
        let (index, label, answer) = (row.index, row.label, answer?);
        let completed = has_completed(&answer);
        let mut item = RemoteItem { index, label, answer, value: None };
        if matches!(item.end(), ItemEnd::Failed | ItemEnd::Crashed) {
            // Now, not when its line is written: earlier items may take long.
            self.failures.count();
            if self.failures.is_reached() {
                self.stop();
            }
        }
        self.show_log(&item, run).await;
        if completed && self.shows_values {
            let value = value_of(&item.answer)?;
            item.value = Some(value.map_or(Ok(Value::UNIT), |value| read(value, self.submission))?);
        }
        Ok(item)
    }

    async fn run(&self, run: RunId, inputs: &[Value]) -> Result<RunAnswerObject<'static>, Problem> {
        let mut body: Map<String, Json> = self.submission.body_with(inputs);
        body.insert("tags".to_owned(), Json::Array(vec![self.tag.as_str().into()]));
        let request = Request::put(&["runs", &run.to_string()]).query("wait", WAIT).json(&body);
        let submitted = self.client.send_unless_refused(&request).await?;
        let ended = async {
            let answer: RunAnswerObject<'static> = self.client.read(&submitted?)?;
            if is_terminal(&answer) { Ok(answer) } else { until_end(self.client, run, None).await }
        };
        let ended: Result<_, Problem> = ended.await;
        ended.inspect_err(|_| _ = self.lost.borrow_mut().insert(run))
    }

    /// Shows the log of a run that has ended. An error is reported, and does not end the map.
    async fn show_log(&self, item: &RemoteItem, run: RunId) {
        let has_log = item.answer.run.run.receipt.as_ref().is_some_and(|receipt| receipt.log_bytes > 0);
        if !self.shows_log || !has_log || self.log_is_denied.get() {
            return;
        }
        let index = item.index;
        let show = |line: &hostel_wire::LogLineObject| {
            self.ui.log(Some(index), &line.line());
            Ok(())
        };
        let shown = follow_log(self.client, run, LogQuery::default(), false, show, || Ok(())).await;
        // Other items may have been denied meanwhile.
        if self.log_is_denied.get() {
            return;
        }
        match was_shown(self.ui, shown) {
            Ok(was_shown) => self.log_is_denied.set(!was_shown),
            Err(Stop::Problem(problem)) => {
                self.ui.warning(&format!("item {index}: the log is not shown: {problem}"));
            }
            Err(Stop::StdoutClosed) => {}
        }
    }

    /// Asks all runs that have not ended to stop.
    async fn cancel_all(&self) {
        let runs: Vec<_> = self.running.borrow().union(&self.lost.borrow()).copied().collect();
        let cancel = async |run: RunId| {
            let request = Request::post(&["runs", &run.to_string(), "cancel"]).repeatable();
            for _ in 0..TRIES {
                match self.client.try_send(&request).await {
                    // The submission may be on its way.
                    Err(Trouble::Refused(refusal)) if refusal.status == 404 => sleep(BETWEEN).await,
                    Ok(_) => break,
                    Err(_) => return,
                }
            }
            // It stops, or was never submitted.
            self.lost.borrow_mut().remove(&run);
        };
        join_all(runs.into_iter().map(cancel)).await;
    }

    /// Warns of runs that may go on after the command.
    fn tell_of_running(&self) {
        let running = (self.running.borrow().len() + self.lost.borrow().len()) as u64;
        if running > 0 {
            let runs = counted(running, "run");
            self.ui.warning(&format!(
                "{runs} may still be running: the server has not confirmed that they have stopped"
            ));
            self.ui.hint(&format!("hostel runs cancel --where tag:{} cancels them", self.tag));
        }
    }
}

impl EndedItem for RemoteItem {
    fn index(&self) -> usize {
        self.index
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn end(&self) -> ItemEnd {
        let run = &self.answer.run.run;
        match run.error.as_ref().map(|error| &*error.kind) {
            _ if has_completed(&self.answer) => {
                ItemEnd::Completed { cached: run.state == State::Cached.name() }
            }
            Some("cancelled") => ItemEnd::Cancelled,
            Some("crash") => ItemEnd::Crashed,
            Some(_) | None => ItemEnd::Failed,
        }
    }

    fn state(&self) -> Cow<'_, str> {
        Cow::Borrowed(&*self.answer.run.run.state)
    }

    fn attempts(&self) -> usize {
        self.answer.run.run.attempt_count
    }

    fn cause(&self) -> Cow<'_, str> {
        self.answer.run.run.error.as_ref().map_or(Cow::Borrowed(""), |error| Cow::Borrowed(&error.message))
    }

    fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    fn line<'o>(&'o self, _: &'o Signature) -> MapLine<'o> {
        let run = &self.answer.run.run;
        match &run.error {
            Some(error) => MapLine::Error { error: plain(error) },
            None => MapLine::Value(run.value.clone().flatten()),
        }
    }

    fn object<'o>(&'o self, _: &'o Signature, name: bool, receipt: bool) -> RunObject<'o> {
        let mut object = self.answer.run.run.clone().of_item(self.index);
        object.error = object.error.as_ref().map(plain);
        object.name = object.name.filter(|_| name);
        object.receipt = object.receipt.filter(|_| receipt);
        object.attempts = object.attempts.filter(|_| object.attempt_count > 1);
        (object.task, object.tags, object.grants) = (None, None, None);
        object
    }
}

/// An error without its backtrace, which the lines of a map do not have.
fn plain(error: &ErrorObject) -> ErrorObject {
    let mut error = error.clone();
    error.backtrace.clear();
    error
}
