//! The results of a map, one line each.

use std::io::{self, Write};

use hostel::{Signature, Type};
use hostel_wire::MapLine;

use crate::map_item::{EndedItem, ItemEnd};
use crate::options::Form;
use crate::output::table::{self, Layout, Row};
use crate::output::{legible, write_json};
use crate::problem::Stop;
use crate::ui::Ui;

/// The number of rows that determine the widths of a table; later rows have to fit.
const TABLE_SAMPLE: usize = 1_000;

/// The form of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) form: Form,
    /// With index, run, state and attempts.
    pub(crate) states: bool,
    /// With the runs' names, if there are states.
    pub(crate) names: bool,
    /// With the receipt of each run, if there are states.
    pub(crate) receipts: bool,
}

/// Writes the lines.
///
/// The line of a cancelled item is written only if another line follows, to keep that one in its place.
pub(crate) struct Lines<'a> {
    ui: &'a Ui,
    signature: Signature,
    style: Style,
    cancelled: Vec<Vec<u8>>,
    table: Table,
}

/// A table whose layout is determined by its first rows.
#[derive(Default)]
struct Table {
    /// Each with whether its cells count for the columns: the text of a failure does not.
    rows: Vec<(Row, bool)>,
    layout: Option<Layout>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(ui: &'a Ui, signature: Signature, style: Style) -> Self {
        Self { ui, signature, style, cancelled: Vec::new(), table: Table::default() }
    }

    /// Writes the line of an item.
    pub(crate) fn write(&mut self, item: &dyn EndedItem) -> Result<(), Stop> {
        if self.style.form == Form::Table {
            return self.write_row(item);
        }
        if item.end() == ItemEnd::Cancelled {
            // With states, every line has its own index.
            if !self.style.states {
                let mut line = Vec::new();
                self.write_line(&mut line, item)?;
                self.cancelled.push(line);
            }
            return Ok(());
        }
        self.cancelled.drain(..).try_for_each(|line| self.ui.result(&[&line, b"\n"]))?;
        self.ui.result_of(|to| self.write_line(to, item))
    }

    /// Writes the rows that still wait.
    pub(crate) fn finish(mut self) -> Result<(), Stop> {
        self.write_sample()
    }

    /// Without the line end.
    fn write_line(&self, to: &mut dyn Write, item: &dyn EndedItem) -> io::Result<()> {
        match self.style.form {
            Form::Json => write_json(to, &self.line(item)),
            Form::Wave | Form::Table => self.write_wave(to, item),
        }
    }

    fn line<'o>(&'o self, item: &'o dyn EndedItem) -> MapLine<'o> {
        let Style { states, names, receipts, .. } = self.style;
        match states {
            true => item.object(&self.signature, names, receipts).into(),
            false => item.line(&self.signature),
        }
    }

    fn write_wave(&self, to: &mut dyn Write, item: &dyn EndedItem) -> io::Result<()> {
        if self.style.states {
            write!(to, "[{}] ", item.index())?;
        }
        match item.value() {
            Some(value) => write!(to, "{}", legible(value)),
            None => to.write_all(failed(item).as_bytes()),
        }
    }

    fn write_row(&mut self, item: &dyn EndedItem) -> Result<(), Stop> {
        let mut row = vec![item.index().to_string()];
        let fits = if let Some(value) = item.value() {
            let value = legible(value);
            match table::columns(&value) {
                Some((_, cells)) => row.extend(cells),
                None => row.push(table::cell(&value)),
            }
            true
        } else {
            row.push(failed(item));
            false
        };
        if let Some(layout) = &self.table.layout {
            return self.ui.result_line(&layout.line(&row));
        }
        self.table.rows.push((row, fits));
        if self.table.rows.len() < TABLE_SAMPLE { Ok(()) } else { self.write_sample() }
    }

    /// Determines the layout, and writes the rows that waited for it.
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

/// As a comment, which is never a value.
fn failed(item: &dyn EndedItem) -> String {
    format!("# {}: {}", item.state(), item.cause())
}
