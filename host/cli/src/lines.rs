//! The results of a map, one line each.

use hostel::{Failure, Outcome, Signature, Type};
use serde::Serialize;
use serde_json::Value as Json;

use crate::flight::Item;
use crate::options::Form;
use crate::output;
use crate::output::table::{self, Layout, Row};
use crate::problem::Stop;
use crate::report;
use crate::ui::Ui;

/// How many rows decide the widths of a table; those after them are fitted in.
const TABLE_SAMPLE: usize = 1_000;

/// What a line looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) form: Form,
    /// With index, run and state.
    pub(crate) states: bool,
}

/// Writes the lines.
///
/// The line of a cancelled item waits for the next line of another: it is written only to keep later lines in place.
pub(crate) struct Lines<'a> {
    ui: &'a Ui,
    signature: Signature,
    style: Style,
    cancelled: Vec<String>,
    table: Table,
}

/// A table whose layout is decided by its first rows.
#[derive(Default)]
struct Table {
    /// With whether the cells belong into the columns: the text of a failure does not.
    rows: Vec<(Row, bool)>,
    layout: Option<Layout>,
}

/// A line of JSON with `--states`.
#[derive(Serialize)]
struct StateLine {
    index: usize,
    run: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
}

/// The line of JSON for an item that did not complete. No WIT name begins with `$`.
#[derive(Serialize)]
struct ErrorLine {
    #[serde(rename = "$error")]
    error: ErrorText,
}

#[derive(Serialize)]
struct ErrorText {
    kind: &'static str,
    message: String,
    /// The guest's own, typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    /// The last lines of it, where a panic's message is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stderr: Vec<String>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(ui: &'a Ui, signature: Signature, style: Style) -> Self {
        Self { ui, signature, style, cancelled: Vec::new(), table: Table::default() }
    }

    /// Writes the line of an item that has ended so.
    pub(crate) fn write(&mut self, item: &Item, outcome: &Outcome) -> Result<(), Stop> {
        if self.style.form == Form::Table {
            return self.write_row(item, outcome);
        }
        let line = match self.style.form {
            Form::Json => self.json(item, outcome),
            Form::Wave | Form::Table => self.wave(item, outcome),
        };
        if *outcome == Outcome::Cancelled {
            // With states, every line says itself where it belongs.
            self.cancelled.extend((!self.style.states).then_some(line));
            return Ok(());
        }
        self.cancelled.drain(..).try_for_each(|line| self.ui.result_line(&line))?;
        self.ui.result_line(&line)
    }

    /// Writes what still waits.
    pub(crate) fn finish(mut self) -> Result<(), Stop> {
        self.write_sample()
    }

    fn json(&self, item: &Item, outcome: &Outcome) -> String {
        let value = match outcome {
            Outcome::Completed(value) => Some(output::json(value, self.signature.completed_type())),
            Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => None,
        };
        let error = self.error(outcome);
        if self.style.states {
            let line = StateLine {
                index: item.index,
                run: item.run.id().to_string(),
                state: item.run.state().name(),
                value,
                error,
            };
            return to_json(&line);
        }
        match (error, value) {
            (Some(error), _) => to_json(&ErrorLine { error }),
            (None, value) => value.unwrap_or_default().to_string(),
        }
    }

    fn error(&self, outcome: &Outcome) -> Option<ErrorText> {
        let message = report::cause(outcome)?;
        let mut error = ErrorText { kind: "cancelled", message, value: None, stderr: Vec::new() };
        match outcome {
            Outcome::Completed(_) => return None,
            Outcome::Failed(failure) => {
                error.kind = failure.kind().name();
                error.stderr = failure.stderr_tail().to_vec();
                if let Failure::Error(value) = failure {
                    error.value = Some(output::json(value, self.signature.error_type()));
                }
            }
            Outcome::Crashed { .. } => error.kind = "crashed",
            Outcome::Cancelled => {}
        }
        Some(error)
    }

    fn wave(&self, item: &Item, outcome: &Outcome) -> String {
        let index = if self.style.states { format!("[{}] ", item.index) } else { String::new() };
        if let Outcome::Completed(value) = outcome {
            format!("{index}{value}")
        } else {
            format!("{index}{}", failed(item, outcome))
        }
    }

    fn write_row(&mut self, item: &Item, outcome: &Outcome) -> Result<(), Stop> {
        let mut row = vec![item.index.to_string()];
        let fits = if let Outcome::Completed(value) = outcome {
            match table::columns(value) {
                Some((_, cells)) => row.extend(cells),
                None => row.push(table::cell(value)),
            }
            true
        } else {
            row.push(failed(item, outcome));
            false
        };
        if let Some(layout) = &self.table.layout {
            return self.ui.result_line(&layout.line(&row));
        }
        self.table.rows.push((row, fits));
        if self.table.rows.len() < TABLE_SAMPLE { Ok(()) } else { self.write_sample() }
    }

    /// Decides the layout, and writes the rows that waited for it.
    fn write_sample(&mut self) -> Result<(), Stop> {
        let rows = std::mem::take(&mut self.table.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let heading = self.heading();
        let layout = Layout::of(&heading, rows.iter().filter(|(_, fits)| *fits).map(|(row, _)| row));
        let layout = self.table.layout.insert(layout);
        self.ui.result_line(&layout.heading(&heading, self.ui.paint))?;
        rows.iter().try_for_each(|(row, _)| self.ui.result_line(&layout.line(row)))
    }

    fn heading(&self) -> Row {
        let mut heading = vec!["item".to_owned()];
        if let Type::Record(fields) = self.signature.completed_type() {
            heading.extend(fields.iter().map(|field| field.name.to_string()));
        } else {
            heading.push("value".to_owned());
        }
        heading
    }
}

/// As a comment, which no value can be.
fn failed(item: &Item, outcome: &Outcome) -> String {
    format!("# {}: {}", item.run.state(), report::cause(outcome).unwrap_or_default())
}

fn to_json(line: &impl Serialize) -> String {
    // Cannot fail: no map with keys other than strings, and no writer that could.
    serde_json::to_string(line).unwrap_or_default()
}
