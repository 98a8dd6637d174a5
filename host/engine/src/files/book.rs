//! The record of a guest's reads: which handle is which node, and what was read through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{Answer, Digest, Limits, Node, Question, Recorded, Touch, Trace, TraceRecorder};
use sha2::{Digest as _, Sha256};

use super::usage::Usage;
use crate::log::{LogBook, cut};

/// The maximum length of the stored name of an open file or directory, which is only used for remarks.
const NAME_BYTES: usize = 256;

/// The record of one attempt, shared with the streams that a guest reads from.
pub(crate) struct Book {
    recorder: TraceRecorder,
    /// By handle number in the guest's table.
    handles: HashMap<u32, Handle>,
    readings: HashMap<Reader, Reading>,
    streams: u64,
    usage: Usage,
    /// Whether the guest has begun to write: reads from then on do not count.
    is_trace_over: bool,
    /// Touches that were not reported yet.
    touches: Vec<Touch>,
}

/// A descriptor of a guest.
struct Handle {
    /// `None` if opening it was a touch.
    node: Option<Node>,
    is_opened: bool,
    /// The index of its root.
    root: usize,
    /// Its name for people.
    name: Box<str>,
}

/// What the trace has of a descriptor.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// This node.
    Node(Node),
    /// Nothing, because opening it was a touch: reads from it do not count.
    Touched,
    /// Nothing, for an unknown reason.
    Unseen,
}

/// A reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reader {
    Descriptor(u32),
    Stream(u64),
}

/// A contiguous range that was read.
struct Reading {
    node: Node,
    start: u64,
    next: u64,
    hash: Sha256,
    end: bool,
}

/// A piece of a file that a guest got.
pub(super) struct Piece<'a> {
    pub(super) start: u64,
    pub(super) bytes: &'a [u8],
    /// Whether the guest knows from it that the file ends there.
    pub(super) end: bool,
}

/// A book shared by streams.
#[derive(Clone)]
pub(crate) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(crate) fn new<'a>(
        roots: impl IntoIterator<Item = &'a str>,
        limits: Limits,
        log: &Arc<LogBook>,
    ) -> Self {
        Self(Arc::new(Mutex::new(Book {
            recorder: TraceRecorder::new(roots),
            handles: HashMap::new(),
            readings: HashMap::new(),
            streams: 0,
            usage: Usage::new(limits, Arc::clone(log)),
            is_trace_over: false,
            touches: Vec::new(),
        })))
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Takes the trace, and leaves the book empty.
    pub(crate) fn take_trace(&mut self) -> Trace {
        let mut readers: Vec<_> = self.readings.keys().copied().collect();
        // Deterministic: the same guest has the same trace each time.
        readers.sort_unstable();
        readers.into_iter().for_each(|reader| self.end_reading(reader));
        std::mem::replace(&mut self.recorder, TraceRecorder::new([])).into_trace()
    }

    /// The touches since the last call.
    pub(crate) fn take_touches(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.touches)
    }

    pub(super) fn touch(&mut self, touch: Touch) {
        self.touches.push(touch);
    }

    /// The number of bytes of files that the guest has read.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.usage.read_bytes()
    }

    /// The number of bytes that the guest has written to files or extended them by.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.usage.written_bytes()
    }

    /// Whether the guest may open one more descriptor.
    pub(super) fn admits_opening(&mut self) -> bool {
        let fits = self.usage.admits_opening();
        self.refuses_unless(fits)
    }

    /// Whether the guest may write this many bytes.
    pub(super) fn admits_writing(&mut self, bytes: u64) -> bool {
        let fits = self.usage.admits_writing(bytes);
        self.refuses_unless(fits)
    }

    /// Whether the guest may create a file, a directory or a link.
    pub(super) fn admits_making(&mut self) -> bool {
        let fits = self.usage.admits_making();
        self.refuses_unless(fits)
    }

    /// The maximum number of entries of the next listing.
    pub(super) fn room_to_list(&self) -> usize {
        self.usage.room_to_list()
    }

    /// A directory has more entries than that.
    pub(super) fn refuse_listing(&mut self) {
        self.usage.refuse_listing();
        self.touch(Touch::RefusedGrowth);
    }

    fn refuses_unless(&mut self, fits: bool) -> bool {
        if !fits {
            self.touch(Touch::RefusedGrowth);
        }
        fits
    }

    /// The guest has written this many bytes.
    pub(super) fn wrote_bytes(&mut self, bytes: u64) {
        self.usage.wrote(bytes);
    }

    /// The guest has created a file, a directory or a link.
    pub(super) fn made(&mut self) {
        self.usage.made();
    }

    /// The guest begins to write.
    pub(super) fn end_trace(&mut self) {
        self.is_trace_over = true;
    }

    /// The guest got the root directory at this index.
    pub(super) fn got_root(&mut self, handle: u32, place: usize, name: &str) {
        let node = self.recorder.root(place);
        self.handles.insert(handle, Handle { node, is_opened: false, root: place, name: name.into() });
    }

    /// The guest has opened a file or directory, by a path from a handle. Without a node it is not part of the trace.
    pub(super) fn got_opened(&mut self, handle: u32, (from, path): (u32, &str), node: Option<Node>) {
        self.usage.opened();
        let (root, name) = self.name_of(from, path).unwrap_or((usize::MAX, path.to_owned()));
        let name = cut(name, NAME_BYTES).into();
        self.handles.insert(handle, Handle { node, is_opened: true, root, name });
    }

    /// The guest has dropped a descriptor.
    pub(super) fn dropped(&mut self, handle: u32) {
        self.end_reading(Reader::Descriptor(handle));
        if self.handles.remove(&handle).is_some_and(|handle| handle.is_opened) {
            self.usage.closed();
        }
    }

    /// The root of a descriptor, and its name for people.
    pub(super) fn name_of(&self, handle: u32, path: &str) -> Option<(usize, String)> {
        let Handle { root, name, .. } = self.handles.get(&handle)?;
        let name = match (&**name, path) {
            (name, "" | ".") => name.to_owned(),
            (name, path) => format!("{}/{path}", name.trim_end_matches('/')),
        };
        Some((*root, name))
    }

    pub(super) fn node(&self, handle: u32) -> Known {
        match self.handles.get(&handle) {
            Some(Handle { node: Some(node), .. }) => Known::Node(*node),
            Some(Handle { node: None, .. }) => Known::Touched,
            None => Known::Unseen,
        }
    }

    /// The node of a descriptor. A missing node for an unknown reason is a touch.
    pub(super) fn traced(&mut self, known: Known) -> Option<Node> {
        if self.is_trace_over {
            return None;
        }
        match known {
            Known::Node(node) => Some(node),
            Known::Touched => None,
            Known::Unseen => {
                self.touch(Touch::FileFault);
                None
            }
        }
    }

    /// The guest got a stream.
    pub(super) fn got_stream(&mut self) -> Reader {
        self.usage.opened();
        self.streams += 1;
        Reader::Stream(self.streams)
    }

    /// The guest has dropped a stream.
    pub(super) fn dropped_stream(&mut self, reader: Reader) {
        self.end_reading(reader);
        self.usage.closed();
    }

    /// The guest got the entries of a directory.
    pub(super) fn got_listing(&mut self, len: usize) {
        self.usage.opened();
        self.usage.listed(len);
    }

    /// The guest has dropped the entries of a directory.
    pub(super) fn dropped_listing(&mut self, len: usize) {
        self.usage.closed();
        self.usage.unlisted(len);
    }

    /// Records an answer, or its absence; returns the node that was opened.
    pub(super) fn note(&mut self, of: Known, question: Question, answer: Option<Answer>) -> Option<Node> {
        if self.is_trace_over {
            return None;
        }
        let Some(answer) = answer else {
            self.touch(Touch::FileFault);
            return None;
        };
        let node = self.traced(of)?;
        match self.recorder.record(node, question, answer) {
            Recorded::Kept(opened) => opened,
            Recorded::Differs => {
                self.touch(Touch::ChangedFile);
                None
            }
            Recorded::TooMuch => {
                self.touch(Touch::TooMuchRead);
                None
            }
        }
    }

    /// Records what a guest read. A range that follows an earlier one extends it.
    pub(super) fn read(&mut self, reader: Reader, of: Known, piece: &Piece<'_>) {
        self.usage.read(piece.bytes.len() as u64);
        let Some(node) = self.traced(of) else { return };
        let Piece { start, bytes, end } = *piece;
        if self.readings.get(&reader).is_some_and(|reading| reading.next != start) {
            self.end_reading(reader);
        }
        let fresh = || Reading { node, start, next: start, hash: Sha256::new(), end: false };
        let reading = self.readings.entry(reader).or_insert_with(fresh);
        let has_grown = reading.end && !bytes.is_empty();
        reading.hash.update(bytes);
        reading.next = reading.next.saturating_add(bytes.len() as u64);
        reading.end |= end;
        if has_grown {
            self.touch(Touch::ChangedFile);
        }
    }

    fn end_reading(&mut self, reader: Reader) {
        let Some(Reading { node, start, next, hash, end }) = self.readings.remove(&reader) else { return };
        let question = Question::Content { start, len: next.saturating_sub(start) };
        let digest = Digest::from_bytes(hash.finalize().into());
        self.note(Known::Node(node), question, Some(Answer::Content { digest, end }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostel_core::{Fact, FileKind};
    use std::sync::Arc;

    fn book() -> SharedBook {
        SharedBook::new(["data"], Limits::default(), &Arc::new(LogBook::new(1 << 10, None)))
    }

    #[test]
    fn an_answer_that_nobody_gets_again_is_a_touch() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        assert_eq!(book.note(root, Question::Metadata, None), None);
        assert_eq!(book.take_touches(), [Touch::FileFault]);
        assert!(book.take_trace().is_empty());
    }

    #[test]
    fn what_is_asked_of_a_handle_that_nobody_saw_opened_is_a_touch() {
        let book = book();
        let mut book = book.lock();
        let unseen = book.node(7);
        book.note(unseen, Question::Metadata, Some(Answer::Same(true)));
        book.read(Reader::Descriptor(7), unseen, &Piece { start: 0, bytes: b"a", end: true });
        assert_eq!(book.take_touches(), [Touch::FileFault; 2]);
        // If opening it was a touch, that was reported then.
        book.got_root(1, 0, "data");
        book.got_opened(8, (1, "device"), None);
        let touched = book.node(8);
        book.note(touched, Question::Metadata, Some(Answer::Same(true)));
        assert_eq!((book.take_touches(), book.take_trace().is_empty()), (vec![], true));
    }

    #[test]
    fn a_file_that_grows_after_its_end_was_told_has_changed() {
        let reads = |pieces: &[Piece<'_>]| {
            let book = book();
            let mut book = book.lock();
            book.got_root(1, 0, "data");
            let root = book.node(1);
            pieces.iter().for_each(|piece| book.read(Reader::Descriptor(1), root, piece));
            book.take_touches()
        };
        let piece = |start, bytes, end| Piece { start, bytes, end };
        assert_eq!(reads(&[piece(0, b"ab", true), piece(2, b"", true)]), []);
        assert_eq!(reads(&[piece(0, b"ab", false), piece(2, b"c", true)]), []);
        assert_eq!(reads(&[piece(0, b"ab", true), piece(2, b"c", true)]), [Touch::ChangedFile]);
        assert_eq!(reads(&[piece(0, b"ab", true), piece(2, b"c", false)]), [Touch::ChangedFile]);
    }

    fn contents(trace: &Trace) -> Vec<(u64, u64, bool)> {
        let content = |fact: &Fact| match (&fact.question, &fact.answer) {
            (&Question::Content { start, len }, &Answer::Content { end, .. }) => Some((start, len, end)),
            _ => None,
        };
        trace.facts().iter().filter_map(content).collect()
    }

    #[test]
    fn streams_are_recorded_separately_and_in_order() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        let streams: Vec<_> = (0..8).map(|_| book.got_stream()).collect();
        let mut read = |stream, start, end| book.read(stream, root, &Piece { start, bytes: b"ab", end });
        streams.iter().zip(0..).for_each(|(stream, place)| read(*stream, 100 * place, false));
        streams.iter().zip(0..).for_each(|(stream, place)| read(*stream, 100 * place + 2, place == 7));
        let expected: Vec<_> = (0..8).map(|place| (100 * place, 4, place == 7)).collect();
        assert_eq!(contents(&book.take_trace()), expected);
        assert_eq!(book.take_touches(), []);
    }

    #[test]
    fn an_end_seen_twice_is_recorded_once() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        let mut read = |bytes, start| {
            book.read(Reader::Descriptor(1), root, &Piece { start, bytes, end: true });
        };
        read(b"ab", 0);
        read(b"", 2);
        assert_eq!(contents(&book.take_trace()), [(0, 2, true)]);
    }

    #[test]
    fn granted_directories_do_not_count_as_open_files() {
        let limits = Limits { open_files: 1, ..Limits::default() };
        let book = SharedBook::new(["data"], limits, &Arc::new(LogBook::new(1 << 10, None)));
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        assert!(book.admits_opening());
        book.got_opened(2, (1, "a"), None);
        book.dropped(1);
        assert!(!book.admits_opening());
        book.dropped(2);
        assert!(book.admits_opening());
    }

    /// The next file has the number of a dropped one, and is read from the position of that one.
    #[test]
    fn a_handle_that_is_used_again_is_another_reader() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        for (path, start) in [("a", 0), ("b", 2)] {
            let question = Question::Open { path: path.into(), follow: true, directory: false };
            let node = book.note(root, question, Some(Answer::Opened(FileKind::File)));
            book.got_opened(2, (1, path), node);
            let opened = book.node(2);
            book.read(Reader::Descriptor(2), opened, &Piece { start, bytes: b"xy", end: false });
            book.dropped(2);
        }
        assert_eq!(contents(&book.take_trace()), [(0, 2, false), (2, 2, false)]);
    }

    #[test]
    fn what_a_dropped_reader_has_read_is_recorded_at_once() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        let stream = book.got_stream();
        book.read(stream, root, &Piece { start: 0, bytes: b"ab", end: false });
        book.read(Reader::Descriptor(1), root, &Piece { start: 5, bytes: b"c", end: false });
        book.dropped_stream(stream);
        book.dropped(1);
        book.end_trace();
        assert_eq!(contents(&book.take_trace()), [(0, 2, false), (5, 1, false)]);
    }

    #[test]
    fn nothing_is_recorded_once_the_guest_writes() {
        let book = book();
        let mut book = book.lock();
        book.got_root(1, 0, "data");
        let root = book.node(1);
        book.end_trace();
        // The guest itself may have extended the file.
        for start in [0, 2] {
            book.read(Reader::Descriptor(1), root, &Piece { start, bytes: b"ab", end: true });
        }
        book.note(root, Question::Metadata, None);
        let unseen = book.node(7);
        assert_eq!(book.traced(unseen), None);
        assert_eq!((book.take_touches(), book.take_trace().is_empty()), (vec![], true));
    }

    #[test]
    fn names_are_joined_by_one_slash() {
        let book = book();
        let mut book = book.lock();
        let roots = ["/", "data/", "data"];
        roots.iter().zip(0..).for_each(|(name, handle)| book.got_root(handle, handle as usize, name));
        book.got_opened(3, (2, "sub"), None);
        let name = |handle, path: &str| book.name_of(handle, path).unwrap();
        assert_eq!(name(0, "a"), (0, "/a".to_owned()));
        assert_eq!(name(1, "a"), (1, "data/a".to_owned()));
        assert_eq!(name(2, "."), (2, "data".to_owned()));
        assert_eq!(name(3, "a"), (2, "data/sub/a".to_owned()));
        assert_eq!(book.name_of(4, "a"), None);
    }
}
