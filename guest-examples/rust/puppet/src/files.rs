//! Every question that can be asked of a granted directory.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip2::io::streams::StreamError;

use crate::changes::{self, Change};

/// How much is read from a stream at once: little, so that it takes several reads.
const CHUNK_BYTES: u64 = 5;

/// How much is read at once where nobody looks at it.
const WHOLE_BYTES: u64 = 1 << 16;

/// What is asked.
pub(crate) enum Question<'a> {
    /// `read PATH`: all of a file, as a stream.
    Read(&'a str),
    /// `length PATH`: how much there is to read in a file.
    Length(&'a str),
    /// `exclusive PATH`: all of a file that is opened as if it were to be made, which it is not.
    Exclusive(&'a str),
    /// `part OFFSET LENGTH PATH`: some of a file.
    Part { path: &'a str, offset: u64, length: u64 },
    /// `stat PATH`: what a path leads to.
    Stat(&'a str),
    /// `lstat PATH`: what is there, be it a link.
    StatLink(&'a str),
    /// `list PATH`: what is in a directory.
    List(&'a str),
    /// `lists NUMBER PATH`: how many listings of a directory it gets at once, and then what it is told, twice.
    Lists(u64, &'a str),
    /// `link PATH`: where a link leads.
    Link(&'a str),
    /// `hash PATH`: a hash of metadata.
    Hash(&'a str),
    /// `type PATH`: what an open file is.
    Type(&'a str),
    /// `same ONE OTHER`: whether two paths lead to one thing.
    Same(&'a str, &'a str),
    /// `into DIR PATH`: a file, by its path from a directory that is opened first.
    Into(&'a str, &'a str),
    /// `again`: all of the file that was read last, which is still open.
    Again,
    /// `write PATH`: opens for writing what need not be there.
    Write(&'a str),
    /// What is changed.
    Change(Change<'a>),
}

/// The granted directories, and the file that was read last.
#[derive(Default)]
pub(crate) struct Files {
    roots: Option<Roots>,
    last: Option<Descriptor>,
}

/// The first granted directory, and the second one.
pub(crate) struct Roots(Descriptor, Option<Descriptor>);

impl Roots {
    fn get() -> Option<Self> {
        let mut roots = get_directories().into_iter().map(|(root, _)| root);
        Some(Self(roots.next()?, roots.next()))
    }

    /// Where a path begins, and the rest of it.
    pub(crate) fn place<'a>(&self, path: &'a str) -> (&Descriptor, &'a str) {
        match (path.strip_prefix("2:"), &self.1) {
            (Some(path), Some(second)) => (second, path),
            _ => (&self.0, path),
        }
    }
}

type Answer = Result<String, ErrorCode>;

impl Files {
    /// The answer in words; one that cannot be given is the error's name.
    pub(crate) fn answer(&mut self, question: Question<'_>) -> String {
        if self.roots.is_none() {
            self.roots = Roots::get();
        }
        let Some(roots) = &self.roots else { return "nothing is granted".to_owned() };
        let (answer, last) = ask(roots, question, self.last.take());
        self.last = last;
        answer.unwrap_or_else(|error| error.name().to_owned())
    }
}

fn ask(roots: &Roots, question: Question<'_>, last: Option<Descriptor>) -> (Answer, Option<Descriptor>) {
    let root = &roots.0;
    let answer = match question {
        Question::Read(path) => match open(root, path) {
            Ok(file) => return (read(&file), Some(file)),
            Err(error) => Err(error),
        },
        Question::Again => last.as_ref().map_or_else(|| Ok("nothing was read".to_owned()), read),
        Question::Length(path) => open(root, path).and_then(|file| length(&file)),
        Question::Exclusive(path) => {
            let opened =
                root.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::EXCLUSIVE, DescriptorFlags::READ);
            opened.and_then(|file| read(&file))
        }
        Question::Part { path, offset, length } => {
            open(root, path).and_then(|file| part(&file, offset, length))
        }
        Question::Stat(path) => root.stat_at(PathFlags::SYMLINK_FOLLOW, path).map(|stat| format!("{stat:?}")),
        Question::StatLink(path) => root.stat_at(PathFlags::empty(), path).map(|stat| format!("{stat:?}")),
        Question::List(path) => open(root, path).and_then(|dir| list(&dir)),
        Question::Lists(number, path) => open(root, path).map(|dir| {
            let once = lists(&dir, number);
            format!("{once}, {}", lists(&dir, number))
        }),
        Question::Link(path) => root.readlink_at(path),
        Question::Hash(path) => {
            root.metadata_hash_at(PathFlags::SYMLINK_FOLLOW, path).map(|hash| format!("{hash:?}"))
        }
        Question::Type(path) => open(root, path).and_then(|file| about(&file)),
        Question::Same(one, other) => {
            let both = open(root, one).and_then(|one| Ok((one, open(root, other)?)));
            both.map(|(one, other)| one.is_same_object(&other).to_string())
        }
        Question::Into(dir, path) => {
            open(root, dir).and_then(|dir| open(&dir, path)).and_then(|file| read(&file))
        }
        Question::Write(path) => {
            let flags = DescriptorFlags::WRITE;
            let opened = root.open_at(PathFlags::empty(), path, OpenFlags::CREATE, flags);
            opened.map(|_| "opened for writing".to_owned())
        }
        Question::Change(change) => changes::make(roots, change),
    };
    (answer, last)
}

fn open(dir: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    dir.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
}

fn read(file: &Descriptor) -> Answer {
    let stream = file.read_via_stream(0)?;
    let mut content = Vec::new();
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => content.extend(chunk),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&content).into_owned()),
            Err(StreamError::LastOperationFailed(_)) => return Ok("the stream failed".to_owned()),
        }
    }
}

fn part(file: &Descriptor, offset: u64, length: u64) -> Answer {
    let (content, ended) = file.read(length, offset)?;
    Ok(format!("{}, {ended}", String::from_utf8_lossy(&content)))
}

fn length(file: &Descriptor) -> Answer {
    let mut length = 0;
    loop {
        match file.read(WHOLE_BYTES, length)? {
            (_, true) => return Ok(length.to_string()),
            (content, false) => length += content.len() as u64,
        }
    }
}

fn list(dir: &Descriptor) -> Answer {
    let stream = dir.read_directory()?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.read_directory_entry()? {
        entries.push(format!("{} {:?}", entry.name, entry.type_));
    }
    Ok(entries.join(", "))
}

fn lists(dir: &Descriptor, number: u64) -> String {
    let mut listings = Vec::new();
    for _ in 0..number {
        match dir.read_directory() {
            Ok(listing) => listings.push(listing),
            Err(error) => return format!("{} {}", listings.len(), error.name()),
        }
    }
    format!("{} done", listings.len())
}

fn about(file: &Descriptor) -> Answer {
    let hash = file.metadata_hash()?;
    Ok(format!("{:?} {:?} {hash:?} {:?}", file.get_type()?, file.get_flags()?, file.stat()?.size))
}
