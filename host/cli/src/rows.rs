//! The rows of a map: the lists advance in lockstep, the other arguments stay the same.

use std::iter;
use std::thread;

use futures_util::stream::{self, StreamExt};
use hostel::{ArgumentError, Arguments, ErrorKind, Signature, Value, excerpt_within};
use tokio::sync::mpsc;

use crate::arguments::{self, Unread};
use crate::files::Files;
use crate::flight::{self, Row};
use crate::over::Over;
use crate::problem::Problem;
use crate::ui::text::counted;

/// The maximum number of rows between the thread that reads a pipe and the runs.
const WAITING_ROWS: usize = 1_000;

/// The number of characters of a value in a report.
const LABEL_CHARS: usize = 40;

/// The sources of a map's arguments: one column for each parameter.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    /// The number of rows, if it is known.
    pub(crate) length: Option<u64>,
    next_index: usize,
}

#[derive(Debug)]
enum Column {
    With(Value),
    Over(Box<Over>),
}

/// The source of a parameter.
#[derive(Clone, Copy)]
enum Text<'a> {
    With(&'a str),
    Over(&'a str),
}

impl Columns {
    /// Parses `name=LIST` from `--over` and `name=VALUE` from `--with`.
    pub(crate) fn read(
        signature: &Signature,
        over: &[(String, String)],
        with: &[(String, String)],
        files: &Files,
    ) -> Result<Self, Problem> {
        let over = over.iter().map(|(name, text)| (name, Text::Over(text)));
        let with = with.iter().map(|(name, text)| (name, Text::With(text)));
        let arguments =
            over.chain(with).fold(Arguments::new(), |arguments, (name, text)| arguments.named(name, text));
        let mut columns = columns(signature, arguments, files)?;
        let length = common_length(&mut columns)?;
        Ok(Self { columns, length, next_index: 0 })
    }

    /// The rows, one after the other. Rows whose reading may block are read on a separate thread. If it still blocks when
    /// the process ends, it ends with the process: nothing can wake it.
    pub(crate) fn rows(self) -> flight::Rows {
        if !self.overs().any(|over| over.waits) {
            return stream::iter(self).boxed();
        }
        let (send, mut receive) = mpsc::channel(WAITING_ROWS);
        let reader = move || {
            for row in self {
                if send.blocking_send(row).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("reader".to_owned()).spawn(reader) {
            Ok(_) => stream::poll_fn(move |context| receive.poll_recv(context)).boxed(),
            Err(error) => {
                let problem = Problem::new(ErrorKind::Internal, format!("cannot start a thread: {error}"));
                stream::iter(iter::once(Err(problem))).boxed()
            }
        }
    }

    fn overs(&self) -> impl Iterator<Item = &Over> {
        overs(&self.columns)
    }

    /// The row of these values, one for each parameter; `None` where a list has ended.
    fn row(&mut self, values: Vec<Option<Value>>) -> Option<Result<Row, Problem>> {
        let over = || {
            self.columns.iter().zip(&values).filter_map(|(column, value)| match column {
                Column::Over(over) => Some((over, value)),
                Column::With(_) => None,
            })
        };
        if over().all(|(_, value)| value.is_none()) {
            return None;
        }
        if let Some((ended, _)) = over().find(|(_, value)| value.is_none()) {
            let number = counted(self.next_index as u64, "value");
            return Some(Err(Problem::invalid(format!(
                "the lists have different lengths: {} ended after {number}, others have more",
                ended.param.name
            ))));
        }
        let named = over().filter_map(|(over, value)| Some((&over.param.name, value.as_ref()?)));
        let labels: Vec<_> =
            named.map(|(name, value)| format!("{name} = {}", excerpt_within(value, LABEL_CHARS))).collect();
        let index = self.next_index;
        self.next_index += 1;
        Some(Ok(Row { index, label: labels.join(", "), inputs: values.into_iter().flatten().collect() }))
    }
}

impl Iterator for Columns {
    type Item = Result<Row, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let values = self.columns.iter_mut().map(|column| match column {
            Column::With(value) => Ok(Some(value.clone())),
            Column::Over(over) => over.next().transpose(),
        });
        match values.collect() {
            Ok(values) => self.row(values),
            Err(problem) => Some(Err(problem)),
        }
    }
}

fn columns(
    signature: &Signature,
    arguments: Arguments<Text<'_>>,
    files: &Files,
) -> Result<Vec<Column>, Problem> {
    let mut columns = Vec::new();
    let mut trouble = None;
    let bound = signature.bind_with(arguments, |param, text| {
        let column = match text {
            Text::With(text) => arguments::value(param, text, files).map(Column::With),
            Text::Over(text) => Over::open(param.clone(), text, files)
                .map(|over| Column::Over(Box::new(over)))
                .map_err(Unread::File),
        };
        columns.push((param.name.clone(), column.map_err(|error| error.or_keep(&mut trouble))?));
        Ok(Value::UNIT)
    });
    trouble.map_or(Ok(()), Err)?;
    bound.map_err(|error| unfit(signature, &error))?;
    // A parameter without a source is an option.
    let left_out = || Column::With(Value::Option(None));
    Ok(signature
        .params
        .iter()
        .map(|param| {
            let given = columns.iter().position(|(name, _)| *name == param.name);
            given.map_or_else(left_out, |at| columns.swap_remove(at).1)
        })
        .collect())
}

fn unfit(signature: &Signature, error: &ArgumentError) -> Problem {
    let problem = arguments::unfit(signature, error);
    let is_missing = matches!(error, ArgumentError::Missing { .. });
    problem.hints_of(
        is_missing.then(|| "set each parameter with --over NAME=LIST or --with NAME=VALUE".to_owned()),
    )
}

fn overs(columns: &[Column]) -> impl Iterator<Item = &Over> {
    columns.iter().filter_map(|column| match column {
        Column::Over(over) => Some(&**over),
        Column::With(_) => None,
    })
}

/// The length of all lists, if it is known.
fn common_length(columns: &mut [Column]) -> Result<Option<u64>, Problem> {
    let known: Vec<_> = overs(columns).filter_map(|over| Some((&over.param.name, over.length?))).collect();
    let lengths = || known.iter().map(|(_, length)| *length);
    if lengths().min() == lengths().max() {
        return Ok(lengths().next());
    }
    let named: Vec<_> =
        known.iter().map(|(name, length)| format!("{name} has {}", counted(*length, "value"))).collect();
    let problem = Problem::invalid(format!("the lists have different lengths: {}", named.join(", ")));
    Err(problem.hint(
        "several --over advance in lockstep; use --with NAME=VALUE for a value that is the same for all runs",
    ))
}
