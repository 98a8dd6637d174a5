//! The byte form of traces, which a cache stores with a result.

use super::{
    Answer, DirEntry, Fact, FileKind, FileMetadata, MAX_TRACE_BYTES, MAX_TRACE_CONTENT, MAX_TRACE_DEPTH,
    MAX_TRACE_FACTS, Moment, Node, Question, Refusal, Trace,
};
use crate::leb128;
use crate::{Digest, ErrorKind};

/// The first byte of every encoding. Version 1 also had file stamps (device, inode and times), by which contents were
/// trusted without reading them.
const VERSION: u8 = 2;

/// The maximum size of an encoding: numbers may take more bytes than a recorder counts for them.
const MAX_ENCODED_BYTES: usize = MAX_TRACE_BYTES * 4;

/// The error for bytes that are not a trace of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeTraceError {
    /// Another version of the host wrote them.
    #[error("this trace has version {found}; expected version {VERSION}")]
    OtherVersion {
        /// The version in the first byte.
        found: u8,
    },
    /// No version writes such bytes.
    #[error("these {len} bytes are not a trace")]
    Malformed {
        /// The number of bytes.
        len: usize,
    },
}

impl DecodeTraceError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Trace {
    /// The trace as bytes, some ten to sixty for each question.
    ///
    /// One byte of version, then the roots and the facts, each list preceded by its length. Numbers are in LEB128, texts are
    /// preceded by their length in bytes, digests are 32 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write_len(&mut bytes, self.roots.len());
        self.roots.iter().for_each(|root| write_text(&mut bytes, root));
        write_len(&mut bytes, self.facts.len());
        for Fact { node, question, answer } in &self.facts {
            leb128::write(node.0.into(), &mut bytes);
            write_question(&mut bytes, question);
            write_answer(&mut bytes, answer);
        }
        bytes
    }

    /// Decodes the bytes that [`encode`](Self::encode) returned. Any bytes are either a trace within the bounds of a
    /// [`TraceRecorder`](super::TraceRecorder) or an error; the time is proportional to their number.
    ///
    /// # Errors
    ///
    /// [`DecodeTraceError`] for bytes of another version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeTraceError> {
        let malformed = DecodeTraceError::Malformed { len: bytes.len() };
        match bytes.split_first() {
            Some((&VERSION, rest)) if rest.len() < MAX_ENCODED_BYTES => {
                Reading(rest).trace().ok_or(malformed)
            }
            Some((&found @ 1, _)) => Err(DecodeTraceError::OtherVersion { found }),
            Some((&found, _)) if found > VERSION => Err(DecodeTraceError::OtherVersion { found }),
            _ => Err(malformed),
        }
    }
}

fn write_len(bytes: &mut Vec<u8>, len: usize) {
    leb128::write(len as u64, bytes);
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_len(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn write_moment(bytes: &mut Vec<u8>, moment: Moment) {
    bytes.extend_from_slice(&moment.seconds.to_le_bytes());
    leb128::write(moment.nanos.into(), bytes);
}

fn write_maybe(bytes: &mut Vec<u8>, moment: Option<Moment>) {
    bytes.push(moment.is_some().into());
    moment.into_iter().for_each(|moment| write_moment(bytes, moment));
}

fn write_question(bytes: &mut Vec<u8>, question: &Question) {
    match question {
        Question::Open { path, follow, directory } => {
            bytes.extend([0, u8::from(*follow), u8::from(*directory)]);
            write_text(bytes, path);
        }
        Question::Metadata => bytes.push(1),
        Question::MetadataAt { path, follow } => {
            bytes.extend([2, u8::from(*follow)]);
            write_text(bytes, path);
        }
        Question::Link { path } => {
            bytes.push(3);
            write_text(bytes, path);
        }
        Question::Hash => bytes.push(4),
        Question::HashAt { path, follow } => {
            bytes.extend([5, u8::from(*follow)]);
            write_text(bytes, path);
        }
        Question::SameAs { other } => {
            bytes.push(6);
            leb128::write(other.0.into(), bytes);
        }
        Question::Entries => bytes.push(7),
        Question::Content { start, len } => {
            bytes.push(8);
            leb128::write(*start, bytes);
            leb128::write(*len, bytes);
        }
    }
}

fn write_answer(bytes: &mut Vec<u8>, answer: &Answer) {
    match answer {
        Answer::Refused(refusal) => bytes.extend([0, position(&REFUSALS, refusal)]),
        Answer::Opened(kind) => bytes.extend([1, position(&KINDS, kind)]),
        Answer::Metadata(FileMetadata { kind, links, size, modified, changed }) => {
            bytes.extend([2, position(&KINDS, kind)]);
            leb128::write(*links, bytes);
            leb128::write(*size, bytes);
            write_maybe(bytes, *modified);
            write_maybe(bytes, *changed);
        }
        Answer::Link(link) => {
            bytes.push(3);
            write_text(bytes, link);
        }
        Answer::Hash { lower, upper } => {
            bytes.push(4);
            bytes.extend_from_slice(&lower.to_le_bytes());
            bytes.extend_from_slice(&upper.to_le_bytes());
        }
        Answer::Same(same) => bytes.extend([5, u8::from(*same)]),
        Answer::Entries { entries, unreadable } => {
            bytes.push(6);
            write_len(bytes, entries.len());
            for DirEntry { name, kind } in entries {
                bytes.push(position(&KINDS, kind));
                write_text(bytes, name);
            }
            leb128::write(*unreadable, bytes);
        }
        Answer::Content { digest, end } => {
            bytes.extend([7, u8::from(*end)]);
            bytes.extend_from_slice(digest.as_bytes());
        }
    }
}

/// The byte of each kind is its index here.
const KINDS: [FileKind; 6] = [
    FileKind::File,
    FileKind::Directory,
    FileKind::Link,
    FileKind::BlockDevice,
    FileKind::CharacterDevice,
    FileKind::Other,
];

/// The byte of each refusal is its index here.
const REFUSALS: [Refusal; 12] = [
    Refusal::NoEntry,
    Refusal::NotDirectory,
    Refusal::IsDirectory,
    Refusal::Access,
    Refusal::NotPermitted,
    Refusal::Loop,
    Refusal::NameTooLong,
    Refusal::Invalid,
    Refusal::IllegalByteSequence,
    Refusal::BadDescriptor,
    Refusal::Unsupported,
    Refusal::Overflow,
];

fn position<T: PartialEq>(all: &[T], wanted: &T) -> u8 {
    let place = all.iter().position(|one| one == wanted);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// The remaining bytes.
struct Reading<'a>(&'a [u8]);

impl Reading<'_> {
    fn trace(mut self) -> Option<Trace> {
        let mut trace = Trace { roots: self.list(|reading| reading.text())?, ..Trace::default() };
        let mut depths = vec![0; trace.roots.len()];
        let mut content: u64 = 0;
        let facts = self.len()?;
        if facts > MAX_TRACE_FACTS {
            return None;
        }
        for _ in 0..facts {
            let fact = self.fact(&depths)?;
            if let Question::Content { len, .. } = fact.question {
                content = content.checked_add(len)?;
            }
            if matches!(fact.answer, Answer::Opened(_)) {
                depths.push(depths.get(fact.node.place())? + 1);
                trace.opened.push(u32::try_from(trace.facts.len()).ok()?);
            }
            trace.facts.push(fact);
        }
        let is_within = content <= MAX_TRACE_CONTENT && depths.iter().all(|depth| *depth <= MAX_TRACE_DEPTH);
        (self.0.is_empty() && is_within).then_some(trace)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number in its shortest form, so that a trace has only one encoding.
    fn number(&mut self) -> Option<u64> {
        leb128::read(|| self.byte().ok_or(())).ok()
    }

    /// The length of a list or a text, bounded by the remaining bytes.
    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|len| *len <= self.0.len())
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.len()?).map(|_| read(self)).collect()
    }

    fn text(&mut self) -> Option<Box<str>> {
        let len = self.len()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        str::from_utf8(text).ok().map(Box::from)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn moment(&mut self) -> Option<Moment> {
        let seconds = self.array().map(i64::from_le_bytes)?;
        let nanos = u32::try_from(self.number()?).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Moment { seconds, nanos })
    }

    fn maybe_moment(&mut self) -> Option<Option<Moment>> {
        if self.flag()? { self.moment().map(Some) } else { Some(None) }
    }

    fn node(&mut self) -> Option<Node> {
        u32::try_from(self.number()?).ok().map(Node)
    }

    fn kind(&mut self) -> Option<FileKind> {
        KINDS.get(usize::from(self.byte()?)).copied()
    }

    /// A fact about earlier nodes; only a question that opens something may open a node.
    fn fact(&mut self, depths: &[u32]) -> Option<Fact> {
        let node = self.node()?;
        let question = self.question()?;
        let answer = self.answer()?;
        let is_there = |node: Node| node.place() < depths.len();
        let other_is_there = !matches!(question, Question::SameAs { other } if !is_there(other));
        let opens = matches!(question, Question::Open { .. }) || !matches!(answer, Answer::Opened(_));
        (is_there(node) && other_is_there && opens).then_some(Fact { node, question, answer })
    }

    fn question(&mut self) -> Option<Question> {
        Some(match self.byte()? {
            0 => {
                let (follow, directory) = (self.flag()?, self.flag()?);
                Question::Open { follow, directory, path: self.text()? }
            }
            1 => Question::Metadata,
            2 => Question::MetadataAt { follow: self.flag()?, path: self.text()? },
            3 => Question::Link { path: self.text()? },
            4 => Question::Hash,
            5 => Question::HashAt { follow: self.flag()?, path: self.text()? },
            6 => Question::SameAs { other: self.node()? },
            7 => Question::Entries,
            8 => Question::Content { start: self.number()?, len: self.number()? },
            _ => return None,
        })
    }

    fn answer(&mut self) -> Option<Answer> {
        Some(match self.byte()? {
            0 => Answer::Refused(REFUSALS.get(usize::from(self.byte()?)).copied()?),
            1 => Answer::Opened(self.kind()?),
            2 => Answer::Metadata(FileMetadata {
                kind: self.kind()?,
                links: self.number()?,
                size: self.number()?,
                modified: self.maybe_moment()?,
                changed: self.maybe_moment()?,
            }),
            3 => Answer::Link(self.text()?),
            4 => Answer::Hash { lower: self.u64()?, upper: self.u64()? },
            5 => Answer::Same(self.flag()?),
            6 => Answer::Entries {
                entries: self
                    .list(|reading| Some(DirEntry { kind: reading.kind()?, name: reading.text()? }))?,
                unreadable: self.number()?,
            },
            7 => Answer::Content { end: self.flag()?, digest: Digest::from_bytes(self.array()?) },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recorded, TraceRecorder};

    fn metadata(modified: Option<Moment>) -> Answer {
        let changed = Some(Moment { seconds: -1, nanos: 999_999_999 });
        Answer::Metadata(FileMetadata { kind: FileKind::Link, links: 2, size: 1 << 40, modified, changed })
    }

    /// A trace with every question and every answer.
    fn everything() -> Trace {
        let mut recorder = TraceRecorder::new(["data", "ä"]);
        let root = recorder.root(1).unwrap();
        let path: Box<str> = "sub/ä.txt".into();
        let open = Question::Open { path: path.clone(), follow: true, directory: false };
        let Recorded::Kept(Some(file)) = recorder.record(root, open, Answer::Opened(FileKind::File)) else {
            panic!("it is opened")
        };
        let entry = |name: &str, kind| DirEntry { name: name.into(), kind };
        let entries = vec![entry("a", FileKind::Directory), entry("b", FileKind::Other)];
        for (node, question, answer) in [
            (file, Question::Metadata, metadata(None)),
            (
                root,
                Question::MetadataAt { path: path.clone(), follow: false },
                metadata(Some(Moment { seconds: i64::MAX, nanos: 5 })),
            ),
            (root, Question::Link { path: path.clone() }, Answer::Link("elsewhere".into())),
            (file, Question::Hash, Answer::Hash { lower: 1, upper: u64::MAX }),
            (root, Question::HashAt { path, follow: true }, Answer::Refused(Refusal::Loop)),
            (file, Question::SameAs { other: root }, Answer::Same(false)),
            (root, Question::Entries, Answer::Entries { entries, unreadable: 3 }),
            (
                file,
                Question::Content { start: 1 << 33, len: 128 },
                Answer::Content { digest: Digest::of(b""), end: true },
            ),
        ] {
            assert_eq!(recorder.record(node, question, answer), Recorded::Kept(None));
        }
        recorder.into_trace()
    }

    #[test]
    fn a_trace_is_written_and_read_the_same() {
        for trace in [Trace::default(), everything()] {
            assert_eq!(Trace::decode(&trace.encode()), Ok(trace));
        }
        for (index, kind) in KINDS.iter().enumerate() {
            assert_eq!(usize::from(position(&KINDS, kind)), index);
        }
        for refusal in &REFUSALS {
            let mut recorder = TraceRecorder::new(["."]);
            let root = recorder.root(0).unwrap();
            recorder.record(root, Question::Metadata, Answer::Refused(*refusal));
            let trace = recorder.into_trace();
            assert_eq!(Trace::decode(&trace.encode()), Ok(trace));
        }
    }

    #[test]
    fn everything_in_a_trace_identifies_it() {
        let whole = everything();
        let fewer = |count| Trace { facts: whole.facts[..count].to_vec(), ..whole.clone() }.identity();
        let identities: std::collections::HashSet<_> = (0..=whole.facts.len()).map(fewer).collect();
        assert_eq!(identities.len(), whole.facts.len() + 1);
        let elsewhere = Trace { roots: vec!["data".into(), "b".into()], ..whole.clone() };
        assert_ne!(elsewhere.identity(), whole.identity());
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let other = |found| Err(DecodeTraceError::OtherVersion { found });
        assert_eq!(Trace::decode(&[1, 0, 0, 0]), other(1));
        assert_eq!(Trace::decode(&[3]), other(3));
        assert_eq!(Trace::decode(&[0, 0, 0]), Err(DecodeTraceError::Malformed { len: 3 }));
        assert_eq!(other(1).unwrap_err().to_string(), "this trace has version 1; expected version 2");
    }

    #[test]
    fn any_bytes_are_a_trace_or_an_error() {
        let bytes = everything().encode();
        for end in 0..bytes.len() {
            assert!(Trace::decode(&bytes[..end]).is_err(), "{end}");
        }
        for index in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[index] ^= flip;
                // What can be read is written the same: no two bytes strings are one trace.
                if let Ok(trace) = Trace::decode(&bytes) {
                    assert_eq!(trace.encode(), bytes, "{index} {flip}");
                }
            }
        }
        let more = [&bytes[..], &[0]].concat();
        assert_eq!(
            Trace::decode(&more).unwrap_err().to_string(),
            format!("these {} bytes are not a trace", more.len())
        );
        assert!(Trace::decode(&[]).is_err());
        assert!(Trace::decode(&vec![VERSION; MAX_ENCODED_BYTES + 1]).is_err());
    }

    #[test]
    fn facts_about_nodes_that_are_not_there_are_refused() {
        let fact = |node: u8, rest: &[u8]| [&[VERSION, 1, 1, b'.', 1, node], rest].concat();
        assert!(Trace::decode(&fact(0, &[1, 0, 0])).is_ok());
        assert!(Trace::decode(&fact(1, &[1, 0, 0])).is_err());
        assert!(Trace::decode(&fact(0, &[6, 0, 5, 1])).is_ok());
        assert!(Trace::decode(&fact(0, &[6, 1, 5, 1])).is_err());
        assert!(Trace::decode(&fact(0, &[1, 1, 0])).is_err(), "opened by no question that opens");
        assert!(Trace::decode(&fact(0, &[8, 0, 0x80, 0x80, 0x80, 0x80, 0x40, 0, 0])).is_ok());
        assert!(
            Trace::decode(&fact(0, &[8, 0, 0x80, 0x80, 0x80, 0x80, 0x41, 0, 0])).is_err(),
            "too much content"
        );
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_a_trace_or_an_error(mut bytes in proptest::collection::vec(0_u8..16, 0..200)) {
            bytes.insert(0, VERSION);
            if let Ok(trace) = Trace::decode(&bytes) {
                proptest::prop_assert_eq!(trace.encode(), bytes);
            }
        }
    }
}
