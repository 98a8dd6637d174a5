//! Lines as bytes, and chunks of them: compressed by LZ4.
//!
//! A line is its time (8 bytes), the codes of its stream and its level, its text and the number of its fields, each with name and value.
//! A number has 4 bytes, little-endian; a text has its length before it.

use hostel_core::{LogLevel, LogLine, LogStream, Timestamp};

/// The code of each stream is its place here.
const STREAMS: [LogStream; 4] = [LogStream::Stdout, LogStream::Stderr, LogStream::Log, LogStream::Host];

/// The code of each level is its place here.
const LEVELS: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];

/// How far LZ4 compresses at most.
const MAX_RATIO: u64 = 255;

/// The most bytes of nothing, compressed.
const MIN_BYTES: u64 = 64;

/// The code of a level, which rises with it.
pub(super) fn level_code(level: LogLevel) -> i64 {
    place(&LEVELS, level).into()
}

fn place<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|other| *other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

pub(crate) fn write(out: &mut Vec<u8>, line: &LogLine) {
    let LogLine { at, stream, level, text, fields } = line;
    out.extend(at.unix_nanos().to_le_bytes());
    out.extend([place(&STREAMS, *stream), place(&LEVELS, *level)]);
    write_text(out, text);
    write_number(out, fields.len());
    for (name, value) in fields {
        write_text(out, name);
        write_text(out, value);
    }
}

fn write_number(out: &mut Vec<u8>, number: usize) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// The lines of a chunk; `None` if it is damaged.
pub(crate) fn read_all(mut bytes: &[u8]) -> Option<Vec<LogLine>> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        lines.push(read(&mut bytes)?);
    }
    Some(lines)
}

fn read(bytes: &mut &[u8]) -> Option<LogLine> {
    let at = Timestamp::from_unix_nanos(u64::from_le_bytes(take(bytes)?));
    let [stream, level] = take(bytes)?;
    let (stream, level) = (*STREAMS.get(usize::from(stream))?, *LEVELS.get(usize::from(level))?);
    let text = read_text(bytes)?;
    let count = read_number(bytes)?;
    let mut fields = Vec::new();
    for _ in 0..count {
        fields.push((read_text(bytes)?, read_text(bytes)?));
    }
    Some(LogLine { at, stream, level, text, fields })
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(bytes)?)).ok()
}

fn read_text(bytes: &mut &[u8]) -> Option<String> {
    let length = read_number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(bytes)
}

/// The bytes that were compressed, of which there were so many; `None` if these are others.
pub(super) fn decompress(bytes: &[u8], length: u64) -> Option<Vec<u8>> {
    // So that a damaged length takes no memory.
    if length > bytes.len() as u64 * MAX_RATIO + MIN_BYTES {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    lz4_flex::block::decompress(bytes, length).ok().filter(|bytes| bytes.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<LogLine> {
        let line = |stream, level, text: &str, fields: &[(&str, &str)]| LogLine {
            at: Timestamp::from_unix_nanos(u64::MAX - 1),
            stream,
            level,
            text: text.to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let streams = STREAMS.into_iter().map(|stream| line(stream, LogLevel::Info, "", &[]));
        let levels =
            LEVELS.into_iter().map(|level| line(LogStream::Log, level, "ä\0b", &[("a", "1\n2"), ("", "")]));
        streams.chain(levels).collect()
    }

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        lines().iter().for_each(|line| write(&mut bytes, line));
        bytes
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        assert_eq!(read_all(&bytes()), Some(lines()));
        let compressed = compress(&bytes());
        assert_eq!(decompress(&compressed, bytes().len() as u64), Some(bytes()));
    }

    #[test]
    fn damaged_bytes_are_none() {
        let bytes = bytes();
        // After a whole line it is another chunk.
        let cut = (1..bytes.len()).filter(|length| read_all(&bytes[..*length]).is_some()).count();
        assert_eq!(cut, lines().len() - 1);
        let compressed = compress(&bytes);
        for length in [0, bytes.len() as u64 - 1, bytes.len() as u64 + 1, u64::MAX] {
            assert_eq!(decompress(&compressed, length), None, "{length}");
        }
        assert_eq!(decompress(&[0xff; 20], 100), None);
    }
}
