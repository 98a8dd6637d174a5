//! What the host writes down while a guest reads: which handle is which node, and what was read through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{Answer, Digest, Node, Question, Recorded, Stamp, Touch, Trace, TraceRecorder};
use sha2::{Digest as _, Sha256};

/// How many files, streams and listings a guest may have open at once: they take descriptors and memory of the host's.
const OPEN_AT_ONCE: usize = 256;

/// The record of one attempt. The streams that a guest reads from write in it too.
pub(crate) struct Book {
    recorder: TraceRecorder,
    /// By the number of its handle in the guest's table.
    handles: HashMap<u32, Handle>,
    readings: HashMap<Reader, Reading>,
    streams: u64,
    open: usize,
    /// What nobody has been told of yet.
    touches: Vec<Touch>,
}

/// A descriptor that a guest has.
struct Handle {
    /// `None` if there was a touch when it was opened.
    node: Option<Node>,
    is_opened: bool,
}

/// What the trace has of a descriptor.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// This node.
    Node(Node),
    /// Nothing, since there was a touch when it was opened: what is read there counts no more.
    Touched,
    /// Nothing, and nobody knows why.
    Unseen,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reader {
    Descriptor(u32),
    Stream(u64),
}

/// What was read without a gap.
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
    /// Whether the guest knows by it that the file ends there.
    pub(super) end: bool,
}

/// A book that streams share.
#[derive(Clone)]
pub(crate) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(crate) fn new<'a>(roots: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Arc::new(Mutex::new(Book {
            recorder: TraceRecorder::new(roots),
            handles: HashMap::new(),
            readings: HashMap::new(),
            streams: 0,
            open: 0,
            touches: Vec::new(),
        })))
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The trace; the book is empty then.
    pub(crate) fn take_trace(&mut self) -> Trace {
        let mut readers: Vec<_> = self.readings.keys().copied().collect();
        // The same guest has the same trace each time.
        readers.sort_unstable();
        readers.into_iter().for_each(|reader| self.end_reading(reader));
        std::mem::replace(&mut self.recorder, TraceRecorder::new([])).into_trace()
    }

    /// What was touched since this was last asked.
    pub(crate) fn take_touches(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.touches)
    }

    pub(super) fn touch(&mut self, touch: Touch) {
        self.touches.push(touch);
    }

    /// Whether the guest may open one more.
    pub(super) fn has_room(&self) -> bool {
        self.open < OPEN_AT_ONCE
    }

    /// The guest has got the directory at this place among the roots.
    pub(super) fn got_root(&mut self, handle: u32, place: usize) {
        self.handles.insert(handle, Handle { node: self.recorder.root(place), is_opened: false });
    }

    /// The guest has opened something, or what it has is no longer part of the trace.
    pub(super) fn got_opened(&mut self, handle: u32, node: Option<Node>, stamp: Option<Stamp>) {
        self.open += 1;
        self.handles.insert(handle, Handle { node, is_opened: true });
        if let Some(node) = node {
            self.recorder.stamp(node, stamp);
        }
    }

    /// The guest has dropped a descriptor.
    pub(super) fn dropped(&mut self, handle: u32) {
        self.end_reading(Reader::Descriptor(handle));
        if self.handles.remove(&handle).is_some_and(|handle| handle.is_opened) {
            self.open = self.open.saturating_sub(1);
        }
    }

    pub(super) fn node(&self, handle: u32) -> Known {
        match self.handles.get(&handle) {
            Some(Handle { node: Some(node), .. }) => Known::Node(*node),
            Some(Handle { node: None, .. }) => Known::Touched,
            None => Known::Unseen,
        }
    }

    /// The node; if there is none and nobody knows why, that is a touch.
    pub(super) fn traced(&mut self, known: Known) -> Option<Node> {
        match known {
            Known::Node(node) => Some(node),
            Known::Touched => None,
            Known::Unseen => {
                self.touch(Touch::FileFault);
                None
            }
        }
    }

    /// The guest has got a stream.
    pub(super) fn got_stream(&mut self) -> Reader {
        self.open += 1;
        self.streams += 1;
        Reader::Stream(self.streams)
    }

    /// The guest has dropped a stream.
    pub(super) fn dropped_stream(&mut self, reader: Reader) {
        self.end_reading(reader);
        self.open = self.open.saturating_sub(1);
    }

    /// The guest has got the entries of a directory.
    pub(super) fn got_listing(&mut self) {
        self.open += 1;
    }

    /// The guest has dropped the entries of a directory.
    pub(super) fn dropped_listing(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Writes down an answer, or that there was none; gives the node that was opened.
    pub(super) fn note(&mut self, of: Known, question: Question, answer: Option<Answer>) -> Option<Node> {
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

    /// Writes down what a guest read. What follows on what it read before is one with it.
    pub(super) fn read(&mut self, reader: Reader, of: Known, piece: &Piece<'_>) {
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
