//! Asks the file system every question that can be asked without writing, one in each function, straight on WASI's
//! interface; and a few through std, as a program does.

mod refused;

use wasip2::cli::stdout::get_stdout;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, OpenFlags,
    PathFlags,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::StreamError;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        /// In an interface, since C libraries have functions of the same names.
        interface files {
            record metadata {
                kind: string,
                links: u64,
                size: u64,
                /// Seconds since 1970.
                accessed: option<u64>,
                modified: option<u64>,
            }

            /// The names of the directories that are granted.
            roots: func() -> list<string>;
            /// What kind of thing is opened. `root` is the place of a directory among those that are granted.
            open: func(root: u32, path: string, follow: bool, directory: bool) -> result<string, string>;
            /// Opens one directory after the other, each below the last, and reads a file in the last.
            read-below: func(root: u32, dirs: list<string>, file: string) -> result<list<u8>, string>;
            /// Reads a whole file.
            read: func(root: u32, path: string) -> result<list<u8>, string>;
            /// Reads whole files, one after the other; their sizes together.
            read-all: func(root: u32, paths: list<string>) -> result<u64, string>;
            /// Reads once from some place; and whether the end was there.
            read-part: func(root: u32, path: string, start: u64, len: u64)
                -> result<tuple<list<u8>, bool>, string>;
            /// Reads a stream to its end, so many bytes at a time, waiting for them or not.
            read-stream: func(root: u32, path: string, start: u64, at-once: u64, waiting: bool)
                -> result<list<u8>, string>;
            /// Skips so many bytes of a stream and reads so many more.
            skip-stream: func(root: u32, path: string, skip: u64, len: u64) -> result<list<u8>, string>;
            /// Prints so many bytes of a file without looking at them.
            print: func(root: u32, path: string, len: u64) -> result<u64, string>;
            /// Whether a stream of a file can be read, asked in two ways.
            is-stream-ready: func(root: u32, path: string) -> result<tuple<bool, u32>, string>;
            stat: func(root: u32, path: string) -> result<metadata, string>;
            stat-at: func(root: u32, path: string, follow: bool) -> result<metadata, string>;
            /// The names in a directory, in the order in which they are told, each with what it is.
            entries: func(root: u32, path: string) -> result<list<string>, string>;
            read-link: func(root: u32, path: string) -> result<string, string>;
            hash: func(root: u32, path: string) -> result<tuple<u64, u64>, string>;
            hash-at: func(root: u32, path: string, follow: bool) -> result<tuple<u64, u64>, string>;
            is-same: func(root: u32, one: string, other: string) -> result<bool, string>;
            /// Reads a file twice, and prints in between.
            read-twice: func(root: u32, path: string) -> result<list<u8>, string>;
            /// Reads the first half, prints, and reads the rest through the same descriptor.
            read-in-halves: func(root: u32, path: string, half: u64) -> result<list<u8>, string>;
            /// Reads to the end, prints, and reads on from there.
            read-on: func(root: u32, path: string) -> result<list<u8>, string>;
            /// Reads two bytes of a file and the fifth, then whole other files, and then the third byte through the
            /// same descriptor.
            read-around: func(root: u32, path: string, others: list<string>) -> result<list<u8>, string>;
            /// How often a file can be opened at once.
            open-many: func(root: u32, path: string, times: u32) -> u32;
            /// Reads one byte at each multiple of so many, as often.
            read-scattered: func(root: u32, path: string, step: u64, times: u32) -> result<u32, string>;
            /// What each way of writing gives: its name, and the error.
            try-to-write: func(root: u32, path: string) -> list<string>;
            /// As programs do it.
            read-with-std: func(path: string) -> result<string, string>;
            list-with-std: func(path: string) -> result<list<string>, string>;
            is-there-with-std: func(path: string) -> bool;
        }

        world reader {
            export files;
        }
    "
});

use exports::hostel::examples::files::{Guest, Metadata};

struct Reader;

type Answer<T> = Result<T, String>;

impl Guest for Reader {
    fn roots() -> Vec<String> {
        get_directories().into_iter().map(|(_, name)| name).collect()
    }

    fn open(place: u32, path: String, follow: bool, directory: bool) -> Answer<String> {
        let how = if directory { OpenFlags::DIRECTORY } else { OpenFlags::empty() };
        let opened =
            root(place)?.open_at(following(follow), &path, how, DescriptorFlags::READ).map_err(text)?;
        let flags = opened.get_flags().map_err(text)?;
        opened.get_type().map(|kind| format!("{} {flags:?}", name(kind))).map_err(text)
    }

    fn read_below(place: u32, dirs: Vec<String>, file: String) -> Answer<Vec<u8>> {
        let dir = dirs.iter().try_fold(root(place)?, |dir, name| open(&dir, name))?;
        content(&open(&dir, &file)?)
    }

    fn read(place: u32, path: String) -> Answer<Vec<u8>> {
        content(&open(&root(place)?, &path)?)
    }

    fn read_all(place: u32, paths: Vec<String>) -> Answer<u64> {
        let root = root(place)?;
        paths.iter().try_fold(0, |sum, path| Ok(sum + content(&open(&root, path)?)?.len() as u64))
    }

    fn read_part(place: u32, path: String, start: u64, len: u64) -> Answer<(Vec<u8>, bool)> {
        open(&root(place)?, &path)?.read(len, start).map_err(text)
    }

    fn read_stream(place: u32, path: String, start: u64, at_once: u64, waiting: bool) -> Answer<Vec<u8>> {
        let stream = open(&root(place)?, &path)?.read_via_stream(start).map_err(text)?;
        let mut bytes = Vec::new();
        loop {
            let read = if waiting { stream.blocking_read(at_once) } else { stream.read(at_once) };
            match read {
                Ok(more) => bytes.extend(more),
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
            }
        }
    }

    fn skip_stream(place: u32, path: String, skip: u64, len: u64) -> Answer<Vec<u8>> {
        let stream = open(&root(place)?, &path)?.read_via_stream(0).map_err(text)?;
        stream.skip(skip).map_err(of_stream)?;
        stream.blocking_read(len).map_err(of_stream)
    }

    fn print(place: u32, path: String, len: u64) -> Answer<u64> {
        let stream = open(&root(place)?, &path)?.read_via_stream(0).map_err(text)?;
        get_stdout().blocking_splice(&stream, len).map_err(of_stream)
    }

    fn is_stream_ready(place: u32, path: String) -> Answer<(bool, u32)> {
        let stream = open(&root(place)?, &path)?.read_via_stream(0).map_err(text)?;
        let output = get_stdout();
        let (one, other) = (stream.subscribe(), output.subscribe());
        Ok((one.ready(), poll(&[&one, &other]).len() as u32))
    }

    fn stat(place: u32, path: String) -> Answer<Metadata> {
        open(&root(place)?, &path)?.stat().map(metadata).map_err(text)
    }

    fn stat_at(place: u32, path: String, follow: bool) -> Answer<Metadata> {
        root(place)?.stat_at(following(follow), &path).map(metadata).map_err(text)
    }

    fn entries(place: u32, path: String) -> Answer<Vec<String>> {
        let entries = open(&root(place)?, &path)?.read_directory().map_err(text)?;
        let mut names = Vec::new();
        loop {
            match entries.read_directory_entry() {
                Ok(Some(entry)) => names.push(format!("{} {}", entry.name, name(entry.type_))),
                Ok(None) => return Ok(names),
                Err(error) => names.push(text(error)),
            }
        }
    }

    fn read_link(place: u32, path: String) -> Answer<String> {
        root(place)?.readlink_at(&path).map_err(text)
    }

    fn hash(place: u32, path: String) -> Answer<(u64, u64)> {
        open(&root(place)?, &path)?.metadata_hash().map(parts).map_err(text)
    }

    fn hash_at(place: u32, path: String, follow: bool) -> Answer<(u64, u64)> {
        root(place)?.metadata_hash_at(following(follow), &path).map(parts).map_err(text)
    }

    fn is_same(place: u32, one: String, other: String) -> Answer<bool> {
        let root = root(place)?;
        Ok(open(&root, &one)?.is_same_object(&open(&root, &other)?))
    }

    fn read_twice(place: u32, path: String) -> Answer<Vec<u8>> {
        let root = root(place)?;
        let mut bytes = content(&open(&root, &path)?)?;
        println!("again");
        bytes.extend(content(&open(&root, &path)?)?);
        Ok(bytes)
    }

    fn read_in_halves(place: u32, path: String, half: u64) -> Answer<Vec<u8>> {
        let file = open(&root(place)?, &path)?;
        let (mut bytes, _) = file.read(half, 0).map_err(text)?;
        println!("again");
        bytes.extend(file.read(1 << 16, half).map_err(text)?.0);
        Ok(bytes)
    }

    fn read_on(place: u32, path: String) -> Answer<Vec<u8>> {
        let file = open(&root(place)?, &path)?;
        let (mut bytes, _) = file.read(1 << 16, 0).map_err(text)?;
        println!("again");
        bytes.extend(file.read(1 << 16, bytes.len() as u64).map_err(text)?.0);
        Ok(bytes)
    }

    fn read_around(place: u32, path: String, others: Vec<String>) -> Answer<Vec<u8>> {
        let file = open(&root(place)?, &path)?;
        let read = |len, start| file.read(len, start).map_err(text);
        let mut bytes = [read(2, 0)?.0, read(1, 4)?.0].concat();
        Self::read_all(place, others)?;
        bytes.extend(read(1, 2)?.0);
        Ok(bytes)
    }

    fn open_many(place: u32, path: String, times: u32) -> u32 {
        let Ok(root) = root(place) else { return 0 };
        let opened: Vec<_> = (0..times).map_while(|_| open(&root, &path).ok()).collect();
        opened.len() as u32
    }

    fn read_scattered(place: u32, path: String, step: u64, times: u32) -> Answer<u32> {
        let file = open(&root(place)?, &path)?;
        (0..times).try_fold(0, |sum, time| {
            let (bytes, _) = file.read(1, u64::from(time) * step).map_err(text)?;
            Ok(sum + bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>())
        })
    }

    fn try_to_write(place: u32, path: String) -> Vec<String> {
        root(place).map_or_else(|error| vec![error], |root| refused::try_everything(&root, &path))
    }

    fn read_with_std(path: String) -> Answer<String> {
        std::fs::read_to_string(path).map_err(|error| error.kind().to_string())
    }

    fn list_with_std(path: String) -> Answer<Vec<String>> {
        let entries = std::fs::read_dir(path).map_err(|error| error.kind().to_string())?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    fn is_there_with_std(path: String) -> bool {
        std::path::Path::new(&path).exists()
    }
}

fn root(place: u32) -> Answer<Descriptor> {
    let directories = get_directories().into_iter().map(|(directory, _)| directory);
    directories.skip(place as usize).next().ok_or_else(|| "no such root".to_owned())
}

fn open(dir: &Descriptor, path: &str) -> Answer<Descriptor> {
    dir.open_at(following(true), path, OpenFlags::empty(), DescriptorFlags::READ).map_err(text)
}

fn content(file: &Descriptor) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match file.read(1 << 16, bytes.len() as u64).map_err(text)? {
            (_, true) => return Ok(bytes),
            (more, false) => bytes.extend(more),
        }
    }
}

fn following(follow: bool) -> PathFlags {
    if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
}

fn metadata(stat: DescriptorStat) -> Metadata {
    Metadata {
        kind: name(stat.type_).to_owned(),
        links: stat.link_count,
        size: stat.size,
        accessed: stat.data_access_timestamp.map(|at| at.seconds),
        modified: stat.data_modification_timestamp.map(|at| at.seconds),
    }
}

fn parts(hash: MetadataHashValue) -> (u64, u64) {
    (hash.lower, hash.upper)
}

fn name(kind: DescriptorType) -> &'static str {
    match kind {
        DescriptorType::Directory => "directory",
        DescriptorType::RegularFile => "file",
        DescriptorType::SymbolicLink => "link",
        _ => "other",
    }
}

fn text(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn of_stream(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}

export!(Reader);
