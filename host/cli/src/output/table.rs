//! Aligned columns for people.

use hostel::Value;
use hostel_wire::printable;

use crate::ui::color::Paint;

/// The gap between two columns.
const GAP: &str = "  ";

/// A line of cells.
pub(crate) type Row = Vec<String>;

/// The widths of columns, and whether they hold numbers.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    width: usize,
    is_numeric: bool,
}

impl Layout {
    /// A layout that is wide enough for these rows.
    pub(crate) fn of<'a>(heading: &Row, rows: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let columns = heading.iter().enumerate().map(|(index, heading)| {
            let cells = || rows.clone().filter_map(move |row| row.get(index));
            let widest = cells().map(|cell| width(cell)).max().unwrap_or_default();
            Column {
                width: widest.max(width(heading)),
                is_numeric: cells().next().is_some() && cells().all(|cell| is_number(cell)),
            }
        });
        Self { columns: columns.collect() }
    }

    pub(crate) fn heading(&self, heading: &Row, paint: Paint) -> String {
        paint.bold(self.line(heading))
    }

    /// One line: numbers are aligned right, other cells left; a cell wider than its column is not cut.
    pub(crate) fn line(&self, row: &Row) -> String {
        let cells = row.iter().zip(&self.columns).map(|(cell, column)| {
            let pad = " ".repeat(column.width.saturating_sub(width(cell)));
            if column.is_numeric { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    }
}

/// A record as lines of name and value, a list of records as lines of a table; `None` for other values.
pub(crate) fn of_value(value: &Value, paint: Paint) -> Option<Vec<String>> {
    let Value::List(items) = value else {
        return of_record(value);
    };
    let (heading, _) = columns(items.first()?)?;
    let rows: Vec<Row> = items.iter().filter_map(|item| columns(item).map(|(_, cells)| cells)).collect();
    let layout = Layout::of(&heading, rows.iter());
    let lines = rows.iter().map(|row| layout.line(row));
    Some([layout.heading(&heading, paint)].into_iter().chain(lines).collect())
}

fn of_record(value: &Value) -> Option<Vec<String>> {
    let (names, cells) = columns(value)?;
    let rows: Vec<Row> = names.into_iter().zip(cells).map(|(name, cell)| vec![name, cell]).collect();
    let layout = Layout::of(&vec![String::new(); 2], rows.iter());
    Some(rows.iter().map(|row| layout.line(row)).collect())
}

/// The names and cells of a record's fields.
pub(crate) fn columns(value: &Value) -> Option<(Row, Row)> {
    let Value::Record(fields) = value else { return None };
    Some(fields.iter().map(|(name, value)| (name.to_string(), cell(value))).unzip())
}

/// A value as a cell: text without quotes, empty for `none`.
pub(crate) fn cell(value: &Value) -> String {
    if let Value::String(text) = value {
        printable(text).into_owned()
    } else if let Value::Option(some) = value {
        some.as_deref().map(cell).unwrap_or_default()
    } else {
        value.to_wave()
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, score: f64, note: Option<&str>) -> Value {
        let note = note.map(|note| Box::new(Value::String(note.to_owned())));
        Value::Record(vec![
            ("name".into(), Value::String(name.to_owned())),
            ("score".into(), Value::F64(score)),
            ("note".into(), Value::Option(note)),
        ])
    }

    fn table(value: &Value) -> Option<String> {
        of_value(value, Paint { on: false }).map(|lines| lines.join("\n"))
    }

    #[test]
    fn a_list_of_records_has_a_line_for_each() {
        let list = Value::List(vec![record("Ada", 10.25, None), record("Grace", 9.5, Some("two\nlines"))]);
        let expected = "name   score  note\nAda    10.25\nGrace    9.5  two\\nlines";
        assert_eq!(table(&list).as_deref(), Some(expected));
    }

    #[test]
    fn a_record_has_a_line_for_each_field() {
        assert_eq!(table(&record("Ada", 1.0, None)).as_deref(), Some("name   Ada\nscore  1\nnote"));
    }

    #[test]
    fn what_has_no_fields_is_no_table() {
        for value in [Value::U8(1), Value::List(vec![]), Value::List(vec![Value::U8(1)])] {
            assert_eq!(table(&value), None);
        }
    }
}
