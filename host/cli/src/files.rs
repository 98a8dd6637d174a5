//! Files that arguments name: `@FILE`, and `@-` for stdin, which can be read only once.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use hostel::bytes_text;

use crate::problem::Problem;

/// A file that an argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Stdin,
    Path(PathBuf),
}

/// Opens the files in the arguments of one command.
#[derive(Debug)]
pub(crate) struct Files {
    /// The largest content that is read as a whole.
    max_bytes: u64,
    stdin_is_taken: Cell<bool>,
}

impl Named {
    /// The text after the `@`, or the value of an option that takes a file.
    pub(crate) fn new(name: &str) -> Self {
        match name {
            "-" => Self::Stdin,
            path => Self::Path(path.into()),
        }
    }

    /// Whether it can be read twice: a plain file, unlike stdin or a pipe.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Stdin => false,
            Self::Path(path) => fs::metadata(path).is_ok_and(|file| file.is_file()),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Files {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, stdin_is_taken: Cell::new(false) }
    }

    /// The largest content that is read as a whole.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(crate) fn stdin_is_taken(&self) -> bool {
        self.stdin_is_taken.get()
    }

    /// Marks stdin as read.
    ///
    /// # Errors
    ///
    /// [`Problem`] if it was already read.
    pub(crate) fn take_stdin(&self) -> Result<(), Problem> {
        if self.stdin_is_taken.replace(true) {
            return Err(Problem::invalid("standard input is named twice: it can be read only once"));
        }
        Ok(())
    }

    /// The whole content.
    pub(crate) fn read(&self, file: &Named) -> Result<Vec<u8>, Problem> {
        let mut content = Vec::new();
        // One more byte than allowed shows that there is more.
        self.open(file)?
            .take(self.max_bytes.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| Problem::unreadable(file, &error))?;
        if content.len() as u64 > self.max_bytes {
            let most = bytes_text(self.max_bytes);
            let problem = Problem::invalid(format!("{file} is over {most}, the limit for arguments"));
            return Err(problem.hint("allow larger arguments with --max-input"));
        }
        Ok(content)
    }

    /// The whole content as text.
    pub(crate) fn read_text(&self, file: &Named) -> Result<String, Problem> {
        String::from_utf8(self.read(file)?).map_err(|error| {
            let position = error.utf8_error().valid_up_to();
            Problem::invalid(format!(
                "{file} is not text: expected UTF-8, found other bytes at offset {position}"
            ))
        })
    }

    /// The content as a reader.
    pub(crate) fn open(&self, file: &Named) -> Result<Box<dyn BufRead + Send>, Problem> {
        match file {
            Named::Stdin => {
                self.take_stdin()?;
                Ok(Box::new(BufReader::new(io::stdin())))
            }
            Named::Path(path) if path.is_dir() => {
                Err(Problem::invalid(format!("cannot read {}: it is a directory", path.display())))
            }
            Named::Path(path) => {
                let file = File::open(path).map_err(|error| Problem::unreadable(path.display(), &error))?;
                Ok(Box::new(BufReader::new(file)))
            }
        }
    }
}
