//! All output of the command: results go to stdout, everything else to stderr, in whole lines.
//!
//! While a progress bar is shown, lines wait for its next redraw and are written above it.

pub(crate) mod color;
pub(crate) mod progress;
pub(crate) mod text;

use std::io::{self, IsTerminal, Write};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hostel::{LogLine, LogStream, Timestamp};
use hostel_wire::printable;
use indicatif::ProgressBar;

use self::color::{Paint, When};
use self::progress::Progress;
use self::text::field;
use crate::problem::{Problem, Stop};

/// Buffered output beyond this size is written at once.
const HELD_BYTES: usize = 64 << 10;

/// The interval of redraws while the command is busy.
const BUSY_TICK: Duration = Duration::from_millis(100);

/// A status line on a terminal while the command is busy, until this is dropped.
pub(crate) struct Busy(Option<ProgressBar>);

impl Busy {
    /// Changes the text, on a terminal.
    pub(crate) fn say(&self, text: String) {
        self.0.iter().for_each(|bar| bar.set_message(text.clone()));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// The output of a command.
pub(crate) struct Ui {
    /// For stdout.
    pub(crate) paint: Paint,
    /// For stderr.
    note_paint: Paint,
    stdout_is_terminal: bool,
    /// Whether a progress bar may be shown.
    shows_progress: bool,
    began_at: Timestamp,
    screen: Mutex<Screen>,
}

/// A result that is written piece by piece.
struct Pieces<'a> {
    screen: &'a mut Screen,
}

impl Write for Pieces<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        hold(self.screen, piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The buffered output, and the bar.
#[derive(Default)]
struct Screen {
    results: Vec<u8>,
    notes: Vec<u8>,
    bar: Option<ProgressBar>,
}

impl Ui {
    pub(crate) fn new(color: When) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Self {
            paint: Paint { on: color.applies(&stdout) },
            note_paint: Paint { on: color.applies(&stderr) },
            stdout_is_terminal: stdout.is_terminal(),
            shows_progress: stderr.is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            began_at: SystemTime::now().into(),
            screen: Mutex::default(),
        }
    }

    /// For stderr.
    pub(crate) const fn note_paint(&self) -> Paint {
        self.note_paint
    }

    pub(crate) const fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Writes a line of the result to stdout, at the latest with the next [`Ui::flush`].
    pub(crate) fn result_line(&self, line: &str) -> Result<(), Stop> {
        self.result(&[line.as_bytes(), b"\n"])
    }

    /// Writes pieces of the result to stdout as they are, at the latest with the next [`Ui::flush`].
    pub(crate) fn result(&self, pieces: &[&[u8]]) -> Result<(), Stop> {
        let mut screen = self.screen();
        Ok(pieces.iter().try_for_each(|piece| hold(&mut screen, piece))?)
    }

    /// Writes a line of the result to stdout piece by piece, with the same bound on buffered output.
    pub(crate) fn result_of(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Stop> {
        // No other output may come between two pieces.
        let mut pieces = Pieces { screen: &mut self.screen() };
        write(&mut pieces)?;
        Ok(pieces.write_all(b"\n")?)
    }

    /// Writes buffered output, unless the bar's next redraw will do so soon.
    pub(crate) fn flush_soon(&self) -> Result<(), Stop> {
        let mut screen = self.screen();
        if screen.bar.is_some() && self.stdout_is_terminal {
            return Ok(());
        }
        Ok(write_results(&mut screen)?)
    }

    /// Writes buffered output.
    pub(crate) fn flush(&self) -> Result<(), Stop> {
        Ok(write_results(&mut self.screen())?)
    }

    /// Redraws the bar, and writes the output that waited for the redraw.
    pub(crate) fn redraw(&self, progress: &Progress) -> Result<(), Stop> {
        let mut screen = self.screen();
        let bar = screen.bar.get_or_insert_with(|| progress.bar(self.note_paint)).clone();
        write_notes(&mut screen);
        write_results(&mut screen)?;
        progress.show_on(&bar);
        Ok(())
    }

    /// Removes the bar permanently.
    pub(crate) fn end_progress(&self) {
        let mut screen = self.screen();
        if let Some(bar) = screen.bar.take() {
            bar.finish_and_clear();
        }
        write_notes(&mut screen);
    }

    /// Writes a line to stderr.
    pub(crate) fn note(&self, line: &str) {
        let mut screen = self.screen();
        screen.notes.extend_from_slice(line.as_bytes());
        screen.notes.push(b'\n');
        if screen.bar.is_none() || screen.notes.len() >= HELD_BYTES {
            write_notes(&mut screen);
        }
    }

    /// Writes a line of a guest's log, with the time since the command began and the item it belongs to.
    pub(crate) fn log(&self, item: Option<usize>, line: &LogLine) {
        let elapsed = line.at.since(self.began_at).as_secs_f64();
        let stream = match line.stream {
            LogStream::Stdout => "out",
            LogStream::Stderr => "err",
            LogStream::Log => line.level.name(),
            LogStream::Host => "host",
        };
        let item = item.map(|item| format!(" [{item}]")).unwrap_or_default();
        let prefix = self.note_paint.dim(format!("{elapsed:7.3}s{item} {stream}"));
        let fields = line.fields.iter().map(|(name, value)| self.note_paint.dim(field(name, value)));
        let fields: String = fields.map(|field| format!(" {field}")).collect();
        self.note(&format!("{prefix}  {}{fields}", printable(&line.text)));
    }

    /// Reports a long operation: on a terminal until the returned guard is dropped, otherwise in a line.
    pub(crate) fn busy(&self, text: &str) -> Busy {
        if !self.shows_progress {
            self.note(text);
            return Busy(None);
        }
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        bar.enable_steady_tick(BUSY_TICK);
        Busy(Some(bar))
    }

    pub(crate) fn warning(&self, message: &str) {
        self.note(&format!("{}: {}", self.note_paint.warn("warning"), printable(message)));
    }

    /// Writes an error and its hints.
    pub(crate) fn error(&self, problem: &Problem) {
        let message = problem.to_string();
        // Quoted text in a message must not look like a separate line, such as a hint.
        let lines: Vec<_> = message.lines().map(printable).collect();
        self.note(&format!("{}: {}", self.note_paint.bad("error"), lines.join("\n  | ")));
        problem.hints().iter().for_each(|hint| self.hint(hint));
    }

    pub(crate) fn hint(&self, hint: &str) {
        self.note(&format!("  {}: {}", self.note_paint.hint("hint"), printable(hint)));
    }

    /// No code panics while it holds the lock, so a poisoned lock is still consistent.
    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Buffers a piece of the result. A long piece is not copied: the buffered output and the piece are written at once.
fn hold(screen: &mut Screen, piece: &[u8]) -> io::Result<()> {
    if piece.len() >= HELD_BYTES {
        write_results(screen)?;
        return above_bar(screen, io::stdout(), piece);
    }
    screen.results.extend_from_slice(piece);
    if screen.results.len() < HELD_BYTES { Ok(()) } else { write_results(screen) }
}

fn write_results(screen: &mut Screen) -> io::Result<()> {
    let results = mem::take(&mut screen.results);
    above_bar(screen, io::stdout(), &results)
}

fn write_notes(screen: &mut Screen) {
    let notes = mem::take(&mut screen.notes);
    // If stderr is closed, the failure cannot be reported.
    let _ = above_bar(screen, io::stderr(), &notes);
}

fn above_bar(screen: &Screen, mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut write = || {
        stream.write_all(bytes)?;
        stream.flush()
    };
    match &screen.bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
