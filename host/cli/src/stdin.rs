//! The stdin of a program: a file's content, which is one of its inputs, or a stream.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hostel::{Stdin, Value};

use crate::files::{Files, Named};
use crate::problem::Problem;

/// The source of a program's stdin.
enum Source {
    Nothing,
    /// A regular file. `in_place` leaves its position unchanged, because other processes continue to read there.
    File {
        file: File,
        in_place: bool,
    },
    Stream(Box<dyn Read + Send>),
}

/// Refuses `--stdin` for a function.
///
/// # Errors
///
/// [`Problem`] if the task is no program, and a stdin is named.
pub(crate) fn check(named: Option<&str>, is_program: bool) -> Result<(), Problem> {
    if named.is_none() || is_program {
        return Ok(());
    }
    let problem = Problem::invalid("--stdin is only for programs (wasi:cli/run), and this is a function");
    Err(problem.hint("@- gives stdin to a string or list<u8> parameter"))
}

/// Sets a program's stdin: the file of `--stdin`, or else the command's own stdin, unless that is a terminal or `/dev/null`.
///
/// The content of a regular file becomes the input `stdin`, if it is within the limit. Everything else is a stream.
///
/// # Errors
///
/// [`Problem`] if a file cannot be read, or if there is more than one stdin.
pub(crate) fn give(
    inputs: &mut [Value],
    named: Option<&str>,
    files: &Files,
) -> Result<Option<Stdin>, Problem> {
    let [args, stdin] = inputs else { return Ok(None) };
    let has_value = *stdin != Value::Option(None);
    let source = match named {
        Some(_) if has_value => {
            return Err(Problem::invalid("--stdin and --json both give the program's stdin"));
        }
        Some(name) => Source::named(&Named::new(name), files)?,
        None if has_value || files.stdin_is_taken() => Source::Nothing,
        None => Source::own(false)?,
    };
    match source {
        Source::Nothing => Ok(None),
        Source::Stream(stream) => Ok(Some(Stdin::new(stream))),
        Source::File { mut file, in_place } => {
            let taken = (args.footprint() + value(Vec::new()).footprint()) as u64;
            let room = files.max_bytes().saturating_sub(taken);
            let name = named.map_or(Named::Stdin, Named::new);
            let content = content(&mut file, in_place, room);
            let Some(content) = content.map_err(|error| Problem::unreadable(name, &error))? else {
                return Ok(Some(Stdin::new(file)));
            };
            *stdin = value(content);
            Ok(None)
        }
    }
}

fn value(content: Vec<u8>) -> Value {
    Value::Option(Some(Box::new(Value::Bytes(content))))
}

/// The rest of a file, unless it has more than `room` bytes; then nothing is read.
fn content(file: &mut File, in_place: bool, room: u64) -> io::Result<Option<Vec<u8>>> {
    let start = file.stream_position()?;
    if file.metadata()?.len().saturating_sub(start) > room {
        return Ok(None);
    }
    let mut content = Vec::new();
    // A file may be longer than its metadata says. One more byte than allowed shows that there is more.
    file.take(room.saturating_add(1)).read_to_end(&mut content)?;
    let fits = content.len() as u64 <= room;
    if in_place || !fits {
        file.seek(SeekFrom::Start(start))?;
    }
    Ok(fits.then_some(content))
}

impl Source {
    fn named(name: &Named, files: &Files) -> Result<Self, Problem> {
        match name {
            Named::Stdin => {
                files.take_stdin()?;
                Self::own(true)
            }
            Named::Path(path) => Self::at(path),
        }
    }

    fn at(path: &Path) -> Result<Self, Problem> {
        let unreadable = |error: io::Error| Problem::unreadable(path.display(), &error);
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Problem::invalid(format!("cannot read {}: it is a directory", path.display())));
        }
        if is_fifo(&metadata) {
            return Ok(Self::Stream(Box::new(Fifo { path: path.to_owned(), file: None })));
        }
        let file = File::open(path).map_err(unreadable)?;
        if metadata.is_file() || is_null(&metadata) {
            Ok(Self::File { file, in_place: false })
        } else {
            Ok(Self::Stream(Box::new(file)))
        }
    }

    /// The command's own stdin. If it is not named explicitly, a terminal and `/dev/null` are ignored, and the position of a
    /// file is left unchanged: a program that reads nothing must not consume the input of a shell's loop.
    #[cfg(unix)]
    fn own(is_named: bool) -> Result<Self, Problem> {
        use std::os::fd::AsFd;

        let stdin = io::stdin();
        if !is_named && stdin.is_terminal() {
            return Ok(Self::Nothing);
        }
        let opened = || {
            let file = File::from(stdin.as_fd().try_clone_to_owned()?);
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let (file, metadata) = opened().map_err(|error| Problem::unreadable(Named::Stdin, &error))?;
        if is_null(&metadata) && !is_named {
            Ok(Self::Nothing)
        } else if is_null(&metadata) || metadata.is_file() {
            Ok(Self::File { file, in_place: !is_named })
        } else {
            Ok(Self::Stream(Box::new(stdin)))
        }
    }

    /// The command's own stdin. If it is not named explicitly, a terminal is ignored.
    #[cfg(not(unix))]
    fn own(is_named: bool) -> Result<Self, Problem> {
        if !is_named && io::stdin().is_terminal() {
            return Ok(Self::Nothing);
        }
        Ok(Self::Stream(Box::new(io::stdin())))
    }
}

/// A named pipe, opened when the program reads: opening it blocks until another process opens it for writing.
struct Fifo {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Fifo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        self.file.insert(file).read(buffer)
    }
}

#[cfg(unix)]
fn is_fifo(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;

    metadata.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_fifo(_metadata: &Metadata) -> bool {
    false
}

/// Whether it is `/dev/null`, under any name.
#[cfg(unix)]
fn is_null(metadata: &Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    metadata.file_type().is_char_device()
        && fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev())
}

#[cfg(not(unix))]
fn is_null(_metadata: &Metadata) -> bool {
    false
}
