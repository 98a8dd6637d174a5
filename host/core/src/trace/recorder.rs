//! Records a trace while a guest asks: each question once, within bounds.

use std::collections::HashMap;

use super::{Answer, Fact, Node, Question, Trace};

/// The maximum number of questions of a trace.
pub const MAX_TRACE_FACTS: usize = 100_000;

/// The approximate maximum size of a trace in bytes.
pub const MAX_TRACE_BYTES: usize = 8 << 20;

/// The maximum number of openings between a granted directory and a node: each stays open while the next one is opened.
pub const MAX_TRACE_DEPTH: u32 = 64;

/// The maximum size of the content that a trace covers, because it may have to be read again.
pub const MAX_TRACE_CONTENT: u64 = 16 << 30;

/// The approximate size of a fact without its texts.
const FACT_BYTES: usize = 24;

/// Records a trace.
#[derive(Debug)]
pub struct TraceRecorder {
    trace: Trace,
    known: HashMap<(Node, Question), usize>,
    /// The observed ends of files.
    ends: HashMap<Node, u64>,
    /// By the index of the node: its number of openings from a root.
    depths: Vec<u32>,
    bytes: usize,
    content: u64,
    is_full: bool,
}

/// The outcome of recording an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The trace has it; with the node, if one was opened.
    Kept(Option<Node>),
    /// The same question had a different answer before.
    Differs,
    /// The trace has no room for it.
    TooMuch,
}

impl TraceRecorder {
    /// A trace without questions, about directories with these names for the guest.
    pub fn new<'a>(roots: impl IntoIterator<Item = &'a str>) -> Self {
        let roots: Vec<_> = roots.into_iter().map(Box::from).collect();
        Self {
            depths: vec![0; roots.len()],
            trace: Trace { roots, ..Trace::default() },
            known: HashMap::new(),
            ends: HashMap::new(),
            bytes: 0,
            content: 0,
            is_full: false,
        }
    }

    /// The node of the directory at this index among the roots.
    pub fn root(&self, place: usize) -> Option<Node> {
        (place < self.trace.roots.len()).then(|| Node::at(place))
    }

    /// Records the answer to a question.
    pub fn record(&mut self, node: Node, question: Question, answer: Answer) -> Recorded {
        let place = (node, question);
        if self.contradicts_end(place.0, &place.1, &answer) {
            return Recorded::Differs;
        }
        if let Some(index) = self.known.get(&place).copied() {
            let Some(known) = self.trace.facts.get_mut(index) else { return Recorded::Differs };
            if !known.answer.joins(&answer) {
                return Recorded::Differs;
            }
            return Recorded::Kept(self.node_opened_by(index));
        }
        let (node, question) = place;
        if !self.has_room(node, &question, &answer) {
            self.is_full = true;
            return Recorded::TooMuch;
        }
        let index = self.trace.facts.len();
        let opened = matches!(answer, Answer::Opened(_)).then(|| self.add_node(node, index));
        self.known.insert((node, question.clone()), index);
        self.trace.facts.push(Fact { node, question, answer });
        Recorded::Kept(opened)
    }

    /// The trace.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// Whether a file ended at a different offset before: then it changed, even if no byte of it was read twice.
    fn contradicts_end(&mut self, node: Node, question: &Question, answer: &Answer) -> bool {
        let (Question::Content { start, len }, Answer::Content { end: true, .. }) = (question, answer) else {
            return false;
        };
        let end = start.saturating_add(*len);
        *len > 0 && *self.ends.entry(node).or_insert(end) != end
    }

    fn node_opened_by(&self, fact: usize) -> Option<Node> {
        let fact = u32::try_from(fact).ok()?;
        let place = self.trace.opened.binary_search(&fact).ok()?;
        Some(self.trace.node_after(place))
    }

    fn add_node(&mut self, parent: Node, fact: usize) -> Node {
        let node = self.trace.node_after(self.trace.opened.len());
        self.trace.opened.push(u32::try_from(fact).unwrap_or(u32::MAX));
        self.depths.push(self.depth(parent) + 1);
        node
    }

    fn depth(&self, node: Node) -> u32 {
        self.depths.get(node.place()).copied().unwrap_or(MAX_TRACE_DEPTH)
    }

    /// Reserves the room for a fact, if there is enough. After the first failure it always fails: a trace must have no gap.
    fn has_room(&mut self, node: Node, question: &Question, answer: &Answer) -> bool {
        self.bytes = self.bytes.saturating_add(size(question, answer));
        if let Question::Content { len, .. } = question {
            self.content = self.content.saturating_add(*len);
        }
        let is_too_deep = matches!(answer, Answer::Opened(_)) && self.depth(node) >= MAX_TRACE_DEPTH;
        !self.is_full
            && !is_too_deep
            && self.trace.facts.len() < MAX_TRACE_FACTS
            && self.bytes <= MAX_TRACE_BYTES
            && self.content <= MAX_TRACE_CONTENT
    }
}

fn size(question: &Question, answer: &Answer) -> usize {
    let of_answer = match answer {
        Answer::Link(link) => link.len(),
        Answer::Entries { entries, .. } => entries.iter().map(|entry| entry.name.len() + 4).sum(),
        Answer::Content { .. } | Answer::Metadata(_) => 32,
        Answer::Refused(_) | Answer::Opened(_) | Answer::Hash { .. } | Answer::Same(_) => 0,
    };
    FACT_BYTES + question.path().map_or(0, str::len) + of_answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, DirEntry, FileKind, Refusal};

    fn open(path: &str) -> Question {
        Question::Open { path: path.into(), follow: true, directory: false }
    }

    fn opened(recorded: Recorded) -> Node {
        let Recorded::Kept(Some(node)) = recorded else { panic!("{recorded:?}") };
        node
    }

    const FILE: Answer = Answer::Opened(FileKind::File);
    const GONE: Answer = Answer::Refused(Refusal::NoEntry);

    #[test]
    fn the_same_question_is_kept_once_and_leads_to_the_same_node() {
        let mut recorder = TraceRecorder::new(["data", "more"]);
        let (data, more) = (recorder.root(0).unwrap(), recorder.root(1).unwrap());
        assert_eq!(recorder.root(2), None);
        let a = opened(recorder.record(data, open("a"), FILE));
        assert_eq!(recorder.record(data, open("gone"), GONE), Recorded::Kept(None));
        let b = opened(recorder.record(more, open("a"), FILE));
        assert_ne!(a, b);
        assert_eq!(opened(recorder.record(data, open("a"), FILE)), a);
        assert_eq!(opened(recorder.record(more, open("a"), FILE)), b);
        assert_eq!(recorder.record(data, open("a"), GONE), Recorded::Differs);
        assert_eq!(recorder.record(data, open("gone"), FILE), Recorded::Differs);
        let trace = recorder.into_trace();
        assert_eq!(trace.facts().len(), 3);
        assert!(!trace.is_empty());
        assert!(trace.roots().eq(["data", "more"]));
        assert!(TraceRecorder::new(["data"]).into_trace().is_empty());
        let paths: Vec<_> = trace.reads().into_iter().map(|read| read.path).collect();
        assert_eq!(paths, ["data/a", "data/gone", "more/a"]);
        assert_eq!(trace.path_of_node(b), "more/a");
        assert_eq!((trace.root_of(data), trace.root_of(a)), (Some(0), None));
    }

    #[test]
    fn a_trace_has_bounds_and_no_gaps() {
        let mut recorder = TraceRecorder::new(["."]);
        let mut node = recorder.root(0).unwrap();
        for _ in 0..MAX_TRACE_DEPTH {
            node = opened(recorder.record(node, open("sub"), Answer::Opened(FileKind::Directory)));
        }
        let directory = Answer::Opened(FileKind::Directory);
        assert_eq!(recorder.record(node, open("sub"), directory), Recorded::TooMuch);
        assert_eq!(recorder.record(node, Question::Entries, GONE), Recorded::TooMuch, "nothing after a gap");

        let full = |question: fn(u64) -> Question| {
            let mut recorder = TraceRecorder::new(["."]);
            let root = recorder.root(0).unwrap();
            (0..).find(|number| recorder.record(root, question(*number), GONE) == Recorded::TooMuch).unwrap()
        };
        assert_eq!(full(|number| Question::Link { path: number.to_string().into() }), 100_000);
        assert_eq!(full(|number| Question::Content { start: number, len: 4 << 30 }), 4);
        assert!(
            full(|number| Question::Link { path: format!("{number}{}", "x".repeat(1 << 20)).into() }) < 9
        );

        // Answers take room as well.
        let told = |answer: Answer| {
            let mut recorder = TraceRecorder::new(["."]);
            let root = recorder.root(0).unwrap();
            let link = |number: u32| Question::Link { path: number.to_string().into() };
            (0..).find(|number| recorder.record(root, link(*number), answer.clone()) == Recorded::TooMuch)
        };
        let name: Box<str> = "x".repeat(1 << 10).into();
        let entries = vec![DirEntry { name: name.clone(), kind: FileKind::File }; 1 << 10];
        assert!(told(Answer::Entries { entries, unreadable: 0 }).is_some_and(|most| most < 9));
        assert!(told(Answer::Link("x".repeat(1 << 20).into())).is_some_and(|most| most < 9));
    }

    #[test]
    fn a_file_has_one_end() {
        let mut recorder = TraceRecorder::new(["."]);
        let root = recorder.root(0).unwrap();
        let file = opened(recorder.record(root, open("a"), FILE));
        let mut read = |start, len, end| {
            let answer = Answer::Content { digest: Digest::of(b""), end };
            recorder.record(file, Question::Content { start, len }, answer)
        };
        assert_eq!(read(0, 5, false), Recorded::Kept(None));
        assert_eq!(read(2, 4, true), Recorded::Kept(None));
        assert_eq!(read(0, 6, true), Recorded::Kept(None));
        assert_eq!(read(9, 0, true), Recorded::Kept(None));
        assert_eq!(read(0, 7, true), Recorded::Differs);
    }
}
