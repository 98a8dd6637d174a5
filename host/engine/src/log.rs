//! A guest's output and log, as lines with a time, bounded.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hostel_core::{Limit, LimitKind, LogLevel, LogLine, LogStream};

/// A longer line is cut into several.
const MAX_LINE_BYTES: usize = 64 << 10;

/// The overhead of a line, and of a field, so that a million empty ones count too.
const LINE_BYTES: u64 = 32;

/// What a line, and a field, take in memory beside their text: themselves, and what allocators add.
const LINE_MEMORY: u64 = 160;

/// The number of last stderr lines in a failure.
const TAIL_LINES: usize = 20;

/// Marks the end of a text that was cut.
pub(crate) const MARK: char = '…';

/// Called with each line as soon as it is complete, on the thread that runs the guest: it must not block for long.
pub type Echo = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// Called immediately with each chunk that a program writes to its stdout, on the thread that runs the guest: it must
/// not block for long.
pub type OnStdout = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Takes the memory for so many bytes in all, or refuses it with a limit. Dropping it gives the memory back.
pub(crate) type Take = Box<dyn FnMut(u64) -> Result<(), Limit> + Send>;

/// The log of one attempt, filled while it executes. Can be read at any time.
pub struct LogBook {
    room: Room,
    echo: Option<Echo>,
    on_stdout: Option<OnStdout>,
    pages: Mutex<Pages>,
}

/// The limits, and how much of them other logs have used already.
#[derive(Clone, Copy)]
struct Room {
    bytes: u64,
    lines: u64,
    used_bytes: u64,
    used_lines: u64,
}

#[derive(Default)]
struct Pages {
    lines: Vec<LogLine>,
    kept_bytes: u64,
    /// What the lines take in memory.
    memory_bytes: u64,
    cut: bool,
    stdout: Partial,
    stderr: Partial,
    captured: Option<Capture>,
    /// Counts the memory of all this, while the guest runs.
    take: Option<Take>,
}

/// A line without its line break yet.
#[derive(Default)]
struct Partial(Vec<u8>);

/// The whole stdout of a program, which goes to its result and not to its log.
struct Capture {
    bytes: Vec<u8>,
    limit: u64,
    /// The limit that it has reached.
    reached: Option<Limit>,
}

impl LogBook {
    /// An empty log that stores up to `limit_bytes` of text.
    pub fn new(limit_bytes: u64, echo: Option<Echo>) -> Self {
        let room = Room { bytes: limit_bytes, lines: u64::MAX, used_bytes: 0, used_lines: 0 };
        Self { room, echo, on_stdout: None, pages: Mutex::default() }
    }

    /// The same, with `on_stdout` for the output of a program, up to the limit of its result.
    #[must_use]
    pub fn on_stdout(self, on_stdout: OnStdout) -> Self {
        Self { on_stdout: Some(on_stdout), ..self }
    }

    /// The same, with a maximum number of lines.
    #[must_use]
    pub fn max_lines(self, lines: u64) -> Self {
        Self { room: Room { lines, ..self.room }, ..self }
    }

    /// The same, if it shares its limits with other logs, which have used this much.
    #[must_use]
    pub fn after(self, used_bytes: u64, used_lines: u64) -> Self {
        Self { room: Room { used_bytes, used_lines, ..self.room }, ..self }
    }

    /// The lines so far. A line without its break does not count yet.
    pub fn lines(&self) -> Vec<LogLine> {
        self.pages().lines.clone()
    }

    /// The used part of its limit.
    pub fn kept_bytes(&self) -> u64 {
        self.pages().kept_bytes
    }

    /// The number of its lines.
    pub fn kept_lines(&self) -> u64 {
        self.pages().lines.len() as u64
    }

    /// From now on stdout is stored completely, up to `limit` bytes, and is not part of the log.
    pub(crate) fn capture_stdout(&self, limit: u64) {
        self.pages().captured = Some(Capture { bytes: Vec::new(), limit, reached: None });
    }

    /// From now on until it is closed, what it stores takes memory from there.
    pub(crate) fn take_from(&self, memory: impl FnOnce() -> Take) {
        self.pages().take.get_or_insert_with(memory);
    }

    /// The captured stdout; nothing if none was captured.
    ///
    /// # Errors
    ///
    /// The limit that it reached. [`LogBook::stdout`] still has its beginning.
    pub(crate) fn take_captured(&self) -> Result<Vec<u8>, Limit> {
        let mut pages = self.pages();
        match pages.captured.as_ref().and_then(|captured| captured.reached) {
            Some(limit) => Err(limit),
            None => Ok(pages.captured.take().map(|captured| captured.bytes).unwrap_or_default()),
        }
    }

    /// The output of a program on stdout, unless that went to its result. For a program that did not complete, it has
    /// at most the log's limit after the attempt has ended.
    pub fn stdout(&self) -> Vec<u8> {
        self.pages().captured.as_ref().map(|captured| captured.bytes.clone()).unwrap_or_default()
    }

    /// Shortens the captured stdout to the limit of a log.
    pub(crate) fn shorten_captured(&self) {
        let limit = usize::try_from(self.room.bytes).unwrap_or(usize::MAX);
        if let Some(captured) = &mut self.pages().captured {
            captured.bytes.truncate(limit);
            captured.bytes.shrink_to_fit();
        }
    }

    /// Turns incomplete lines into lines when the guest ends.
    pub(crate) fn close(&self) {
        let mut pages = self.pages();
        let before = pages.lines.len();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let rest = pages.partial(stream).take();
            if !rest.is_empty() {
                pages.print(stream, &rest, self.room);
            }
        }
        pages.take = None;
        self.echo_since(before, pages);
    }

    /// The last lines of stderr, which contain a panic message.
    pub(crate) fn stderr_tail(&self) -> Vec<String> {
        let pages = self.pages();
        let stderr = pages.lines.iter().rev().filter(|line| line.stream == LogStream::Stderr);
        let mut tail: Vec<_> = stderr.take(TAIL_LINES).map(|line| line.text.clone()).collect();
        tail.reverse();
        tail
    }

    /// Takes what a guest writes.
    pub(crate) fn write(&self, stream: LogStream, bytes: &[u8]) {
        let mut pages = self.pages();
        if stream == LogStream::Stdout && pages.captured.is_some() {
            let taken = pages.capture(bytes);
            drop(pages);
            return self.on_stdout.iter().for_each(|on_stdout| on_stdout(taken));
        }
        let before = pages.lines.len();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            for line in pages.partial(stream).extend(piece) {
                pages.print(stream, &line, self.room);
            }
        }
        pages.count();
        self.echo_since(before, pages);
    }

    /// Adds a line for each line of a message; the first has the fields.
    pub(crate) fn log(&self, level: LogLevel, message: &str, mut fields: Vec<(String, String)>) {
        let empty = message.is_empty().then_some("");
        let texts = message.lines().chain(empty);
        self.add_all(texts.map(|text| line(LogStream::Log, level, text.to_owned(), mem::take(&mut fields))));
    }

    /// Adds a remark of the host.
    pub(crate) fn remark(&self, text: String) {
        self.add_all(std::iter::once(remark(text)));
    }

    fn add_all(&self, lines: impl Iterator<Item = LogLine>) {
        let mut pages = self.pages();
        let before = pages.lines.len();
        for line in lines {
            pages.add(line, self.room);
        }
        pages.count();
        self.echo_since(before, pages);
    }

    /// Calls the echo with the lines after the first `before`, without the lock, because it may read the log.
    fn echo_since(&self, before: usize, pages: MutexGuard<'_, Pages>) {
        let Some(echo) = &self.echo else { return };
        let new = pages.lines.get(before..).unwrap_or_default().to_vec();
        drop(pages);
        new.iter().for_each(|line| echo(line));
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBook").field("lines", &self.pages().lines.len()).finish_non_exhaustive()
    }
}

impl Pages {
    /// Stores a printed line.
    fn print(&mut self, stream: LogStream, text: &[u8], room: Room) {
        if !self.cut {
            let text = String::from_utf8_lossy(text).into_owned();
            self.add(line(stream, LogLevel::Info, text, Vec::new()), room);
        }
    }

    /// Stores a line, or a mark in place of the first one over the limit.
    fn add(&mut self, line: LogLine, room: Room) {
        if self.cut {
            return;
        }
        let size = size(&line);
        let lines = room.used_lines.saturating_add(self.lines.len() as u64);
        let reached = if room.used_bytes.saturating_add(self.kept_bytes + size) > room.bytes {
            Some((LimitKind::Log, room.bytes))
        } else {
            (lines >= room.lines).then_some((LimitKind::LogLines, room.lines))
        };
        if let Some((kind, allowed)) = reached {
            return self.cut(Limit { kind, allowed });
        }
        self.kept_bytes += size;
        self.memory_bytes += memory(&line);
        self.lines.push(line);
    }

    /// Stores no more.
    fn cut(&mut self, limit: Limit) {
        self.cut = true;
        self.lines.push(remark(format!("cut here: {limit}")));
    }

    /// Stores as much of the stdout as there is room for, and returns that part.
    fn capture<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(captured) = self.captured.as_ref().filter(|captured| captured.reached.is_none()) else {
            return &[];
        };
        let needed = captured.needed(bytes.len());
        if let Some(limit) = self.refused(needed) {
            let Some(captured) = &mut self.captured else { return &[] };
            captured.reached.get_or_insert(limit);
            return &[];
        }
        self.captured.as_mut().map_or(&[], |captured| captured.write(bytes))
    }

    /// Counts what is stored, and stores no more if there is no room for it.
    fn count(&mut self) {
        let captured = self.captured.as_ref().map_or(0, |captured| captured.needed(0));
        if let Some(limit) = self.refused(captured).filter(|_| !self.cut) {
            self.cut(limit);
        }
        if self.cut {
            (self.stdout, self.stderr) = (Partial::default(), Partial::default());
        }
    }

    /// The limit on memory that refuses so much for the captured stdout, beside everything else that is stored.
    fn refused(&mut self, captured: u64) -> Option<Limit> {
        let partial = (self.stdout.0.capacity() + self.stderr.0.capacity()) as u64;
        let needed = self.memory_bytes.saturating_add(partial).saturating_add(captured);
        self.take.as_mut()?(needed).err()
    }

    fn partial(&mut self, stream: LogStream) -> &mut Partial {
        match stream {
            LogStream::Stdout | LogStream::Log | LogStream::Host => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        }
    }
}

impl Partial {
    /// Adds a piece with at most one line break, at its end; returns the lines that it completes.
    fn extend(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        let (text, ends) = match piece.strip_suffix(b"\n") {
            Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), true),
            None => (piece, false),
        };
        for chunk in text.chunks(MAX_LINE_BYTES) {
            if self.0.len() + chunk.len() > MAX_LINE_BYTES {
                complete.push(self.take());
            }
            self.0.extend_from_slice(chunk);
        }
        if ends {
            complete.push(self.take());
        }
        complete
    }

    fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.0)
    }
}

impl Capture {
    /// Takes as many bytes as there is room for, and returns them.
    fn write<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_sub(self.bytes.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        if taken.len() < bytes.len() {
            self.reached.get_or_insert(Limit { kind: LimitKind::Result, allowed: self.limit });
        }
        self.bytes.extend_from_slice(taken);
        taken
    }

    /// The memory that it takes with so many bytes more: a buffer that is full becomes twice as long.
    fn needed(&self, more: usize) -> u64 {
        let length = self.bytes.len() + more;
        let capacity = self.bytes.capacity();
        (if length > capacity { length.max(2 * capacity) } else { capacity }) as u64
    }
}

fn line(stream: LogStream, level: LogLevel, text: String, fields: Vec<(String, String)>) -> LogLine {
    LogLine { at: SystemTime::now().into(), stream, level, text, fields }
}

fn remark(text: String) -> LogLine {
    line(LogStream::Host, LogLevel::Warn, text, Vec::new())
}

/// The size that counts for a line.
fn size(line: &LogLine) -> u64 {
    let of_field = |(name, value): &(String, String)| (name.len() + value.len()) as u64 + LINE_BYTES;
    line.text.len() as u64 + LINE_BYTES + line.fields.iter().map(of_field).sum::<u64>()
}

/// What a line takes in memory.
fn memory(line: &LogLine) -> u64 {
    let of_field =
        |(name, value): &(String, String)| (name.capacity() + value.capacity()) as u64 + LINE_MEMORY;
    line.text.capacity() as u64 + LINE_MEMORY + line.fields.iter().map(of_field).sum::<u64>()
}

/// The first bytes of a text, up to a whole character, with a mark if the text was cut.
pub(crate) fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push(MARK);
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of which a log may take 1 MiB.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<u64>>);

    impl Memory {
        const LIMIT: Limit = Limit { kind: LimitKind::HostMemory, allowed: 1 << 20 };

        fn taken(&self) -> u64 {
            *self.0.lock().unwrap()
        }

        fn taking(&self) -> Take {
            let memory = self.clone();
            Box::new(move |bytes| {
                if bytes > Self::LIMIT.allowed {
                    return Err(Self::LIMIT);
                }
                *memory.0.lock().unwrap() = bytes;
                Ok(())
            })
        }
    }

    fn texts(book: &LogBook) -> Vec<String> {
        book.lines().into_iter().map(|line| format!("{}: {}", line.stream.name(), line.text)).collect()
    }

    #[test]
    fn writes_become_lines() {
        let book = LogBook::new(1 << 20, None);
        book.write(LogStream::Stdout, b"one\ntw");
        book.write(LogStream::Stderr, b"oops\r\n");
        book.write(LogStream::Stdout, b"o\n\n\xffend");
        assert_eq!(texts(&book), ["stdout: one", "stderr: oops", "stdout: two", "stdout: "]);
        book.close();
        assert_eq!(texts(&book).last().unwrap(), "stdout: \u{fffd}end");
    }

    #[test]
    fn a_log_is_cut_at_its_limit_with_a_mark() {
        let check = |limit: u64, expected: &[&str]| {
            let book = LogBook::new(limit, None);
            book.write(LogStream::Stdout, b"abc\ndef\nghi\n");
            assert_eq!(texts(&book), expected, "{limit}");
        };
        let mark = |bytes| format!("host: cut here: the log is over {bytes} bytes (raise it with --max-log)");
        check(105, &["stdout: abc", "stdout: def", "stdout: ghi"]);
        check(104, &["stdout: abc", "stdout: def", &mark(104)]);
        check(1, &[&mark(1)]);
    }

    #[test]
    fn a_logged_message_has_a_level_fields_and_as_many_lines_as_it_has() {
        let book = LogBook::new(1 << 20, None);
        let fields = || vec![("id".to_owned(), "a\nb".to_owned())];
        book.write(LogStream::Stdout, b"half a ");
        book.log(LogLevel::Error, "one\r\ntwo\n", fields());
        book.log(LogLevel::Debug, "", fields());
        book.remark("by the host".to_owned());
        book.write(LogStream::Stdout, b"line\n");
        let lines = book.lines();
        let seen: Vec<_> = lines.iter().map(|l| (l.stream, l.level, &*l.text, l.fields.len())).collect();
        assert_eq!(
            seen,
            [
                (LogStream::Log, LogLevel::Error, "one", 1),
                (LogStream::Log, LogLevel::Error, "two", 0),
                (LogStream::Log, LogLevel::Debug, "", 1),
                (LogStream::Host, LogLevel::Warn, "by the host", 0),
                (LogStream::Stdout, LogLevel::Info, "half a line", 0),
            ]
        );
        assert_eq!(lines[0].fields, fields());
    }

    #[test]
    fn fields_count_against_the_limit() {
        let check = |limit: u64, expected: LogStream| {
            let book = LogBook::new(limit, None);
            book.log(LogLevel::Info, "abc", vec![("id".to_owned(), "7".to_owned())]);
            assert_eq!(book.lines()[0].stream, expected, "{limit}");
            book.log(LogLevel::Info, "more", vec![]);
            assert_eq!(book.lines().last().unwrap().stream, LogStream::Host, "{limit}");
        };
        check(70, LogStream::Log);
        check(69, LogStream::Host);
    }

    #[test]
    fn a_long_line_is_cut_into_several() {
        let book = LogBook::new(1 << 20, None);
        book.write(LogStream::Stdout, &vec![b'x'; MAX_LINE_BYTES * 2 + 5]);
        book.write(LogStream::Stdout, b"\n");
        let lengths: Vec<_> = book.lines().iter().map(|line| line.text.len()).collect();
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES, 5]);
    }

    #[test]
    fn a_text_is_cut_at_a_whole_character_with_a_mark() {
        let check = |text: &str, expected: &str| assert_eq!(cut(text.to_owned(), 4), expected);
        check("", "");
        check("abcd", "abcd");
        check("abcde", "abcd…");
        check("abcä", "abc…");
        check("ääää", "ää…");
    }

    #[test]
    fn captured_stdout_is_no_log_and_has_its_limit() {
        let capture = |limit| {
            let book = LogBook::new(1 << 20, None);
            book.capture_stdout(limit);
            book.write(LogStream::Stdout, b"result");
            book.write(LogStream::Stderr, b"log\n");
            assert_eq!(texts(&book), ["stderr: log"]);
            book.take_captured()
        };
        assert_eq!(capture(6), Ok(b"result".to_vec()));
        assert_eq!(capture(5), Err(Limit { kind: LimitKind::Result, allowed: 5 }));
    }

    #[test]
    fn what_was_captured_is_heard_and_kept_up_to_its_limit() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let of_listener = Arc::clone(&heard);
        let book = LogBook::new(4, None)
            .on_stdout(Arc::new(move |piece: &[u8]| of_listener.lock().unwrap().extend_from_slice(piece)));
        book.capture_stdout(5);
        book.write(LogStream::Stdout, b"\xffre");
        book.write(LogStream::Stdout, b"sult");
        assert_eq!(
            (book.take_captured(), &*book.stdout()),
            (Err(Limit { kind: LimitKind::Result, allowed: 5 }), &b"\xffresu"[..])
        );
        assert_eq!(*heard.lock().unwrap(), b"\xffresu");
        book.shorten_captured();
        assert_eq!(book.stdout(), b"\xffres", "no more than of a log");
    }

    #[test]
    fn a_log_takes_memory_for_what_it_stores_and_is_cut_where_there_is_none() {
        let memory = Memory::default();
        let book = LogBook::new(1 << 30, None);
        book.take_from(|| memory.taking());
        book.write(LogStream::Stderr, b"begun");
        assert!((5..100).contains(&memory.taken()), "{}", memory.taken());
        for _ in 0..300 {
            book.log(LogLevel::Info, &"x".repeat(1_000), vec![("field".to_owned(), "y".repeat(1_000))]);
        }
        assert!((600_000..800_000).contains(&memory.taken()), "{}", memory.taken());
        let lines = book.lines().len();
        for _ in 0..300 {
            book.write(LogStream::Stdout, &[b'x'; 2_000]);
        }
        let cut = format!("host: cut here: {}", Memory::LIMIT);
        assert_eq!(texts(&book).last(), Some(&cut));
        assert!((2..8).contains(&(book.lines().len() - lines)), "{}", book.lines().len());
        book.close();
        assert_eq!(texts(&book).last(), Some(&cut), "nothing follows");
        assert_eq!(Arc::strong_count(&memory.0), 1, "it is given back");
    }

    #[test]
    fn captured_stdout_takes_memory_and_ends_where_there_is_none() {
        let memory = Memory::default();
        let book = LogBook::new(1 << 30, None);
        book.take_from(|| memory.taking());
        book.capture_stdout(1 << 30);
        for _ in 0..300 {
            book.write(LogStream::Stdout, &[b'x'; 10_000]);
        }
        assert_eq!(book.take_captured(), Err(Memory::LIMIT));
        assert!((500_000..=1 << 20).contains(&book.stdout().len()), "its beginning is there");
    }

    #[test]
    fn an_echo_hears_each_line_once() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let of_echo = Arc::clone(&heard);
        let echo: Echo = Arc::new(move |line: &LogLine| of_echo.lock().unwrap().push(line.text.clone()));
        let book = LogBook::new(1 << 20, Some(echo));
        book.write(LogStream::Stdout, b"a\nb");
        book.close();
        assert_eq!(*heard.lock().unwrap(), ["a", "b"]);
    }
}
