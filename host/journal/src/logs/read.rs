//! Reading lines.

use hostel_core::RunId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{LogFilter, LogPage, NumberedLine, line};
use crate::error::Fault;

/// The most chunks that are looked at for a page.
const MAX_CHUNKS: usize = 256;

/// A page ends with the line with which its lines have this much text, as JSON.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// A chunk, with its body still compressed.
struct Chunk {
    first: u64,
    lines: u64,
    attempt: u32,
    level: i64,
    length: u64,
    body: Vec<u8>,
}

/// The lines of a run that match, from the one with a number on.
pub(super) fn page(
    db: &Connection,
    run: RunId,
    from: u64,
    limit: usize,
    filter: &LogFilter,
) -> Result<LogPage, Fault> {
    let mut page = LogPage { lines: Vec::new(), next: from, more: false };
    let mut find = db.prepare_cached("SELECT id, lines FROM run WHERE run = ?")?;
    let found = find.query_row([run.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((id, count)): Option<(i64, i64)> = found else { return Ok(page) };
    let mut query = db.prepare_cached(
        "SELECT first, lines, attempt, level, length, body FROM chunk WHERE run = ?1 AND first >= coalesce( \
         (SELECT max(first) FROM chunk WHERE run = ?1 AND first <= ?2), 0) ORDER BY first LIMIT ?3",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = query.query(params![id, from, MAX_CHUNKS as i64])?;
    let mut room = MAX_TEXT_BYTES;
    while let Some(row) = rows.next()? {
        let chunk = chunk(row)?;
        if !read_chunk(&chunk, run, limit, filter, &mut room, &mut page)? {
            break;
        }
    }
    page.more = page.next < count.cast_unsigned();
    Ok(page)
}

fn chunk(row: &Row<'_>) -> rusqlite::Result<Chunk> {
    Ok(Chunk {
        first: row.get::<_, i64>(0)?.cast_unsigned(),
        lines: row.get::<_, i64>(1)?.cast_unsigned(),
        attempt: row.get(2)?,
        level: row.get(3)?,
        length: row.get::<_, i64>(4)?.cast_unsigned(),
        body: row.get(5)?,
    })
}

/// About how many bytes a text has as JSON, where control characters take six.
fn written_bytes(text: &str) -> usize {
    text.len() + 5 * text.bytes().filter(u8::is_ascii_control).count()
}

/// Adds the lines of a chunk that match; `false` if the page is full.
fn read_chunk(
    chunk: &Chunk,
    run: RunId,
    limit: usize,
    filter: &LogFilter,
    room: &mut usize,
    page: &mut LogPage,
) -> Result<bool, Fault> {
    let end = chunk.first + chunk.lines;
    let is_low = filter.level.is_some_and(|level| chunk.level < line::level_code(level));
    let is_other = filter.attempt.is_some_and(|attempt| attempt != chunk.attempt);
    if is_low || is_other || page.next >= end {
        page.next = page.next.max(end);
        return Ok(true);
    }
    let lines = line::decompress(&chunk.body, chunk.length).and_then(|bytes| line::read_all(&bytes));
    let lines = lines.ok_or_else(|| Fault::damaged(run, "its log"))?;
    for (number, line) in (chunk.first..).zip(lines) {
        if number < page.next {
            continue;
        }
        if page.lines.len() == limit || *room == 0 {
            return Ok(false);
        }
        page.next = number + 1;
        if filter.matches(chunk.attempt, &line) {
            let texts = line.fields.iter().flat_map(|(name, value)| [name, value]).chain([&line.text]);
            *room = room.saturating_sub(texts.map(|text| written_bytes(text)).sum());
            page.lines.push(NumberedLine { number, attempt: chunk.attempt, line });
        }
    }
    Ok(true)
}
