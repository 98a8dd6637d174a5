//! Traces: reads of an attempt in granted directories, as questions and answers that can be asked again.

mod encoding;
mod question;
mod recorder;

pub use encoding::*;
pub use question::*;
pub use recorder::*;

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Separates this use of SHA-256 from every other, and this encoding from later ones.
const DOMAIN: &[u8] = b"hostel trace\0v2\0";

/// A granted directory, or an entry that was opened in one: granted ones first, in the order of [`Trace::roots`], then the
/// others in the order in which they were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(u32);

/// A question that a guest asked the file system, and the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The file or directory of the question.
    pub node: Node,
    /// The question.
    pub question: Question,
    /// The answer.
    pub answer: Answer,
}

/// The questions of an attempt about granted directories, in order, with the answers.
///
/// A guest is a function of its inputs and of the answers. So if the same questions, asked again in the same order, get
/// the same answers, it would do the same again, and its result still holds: this is a *verifying trace* (Mokhov,
/// Mitchell and Peyton Jones, *Build systems à la carte*, 2018, section 4.2). Paths are stored as the guest gave them, each
/// with the directory that it is relative to. They are never joined: the file system resolves `..` and symbolic links.
///
/// Created by a [`TraceRecorder`], or [decoded](Self::decode).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    roots: Vec<Box<str>>,
    facts: Vec<Fact>,
    /// The fact that opened each node, except the roots.
    opened: Vec<u32>,
}

/// A fact in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRead {
    /// The path of the file or directory.
    pub path: String,
    /// The subject of the question, such as `content`.
    pub what: &'static str,
}

impl Trace {
    /// Whether there are no questions.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The guest's names for the granted directories.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|root| &**root)
    }

    /// The questions in the order of their first occurrence, each once, with the answers.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The index of a node among the roots, if it is one.
    pub fn root_of(&self, node: Node) -> Option<usize> {
        let place = node.place();
        (place < self.roots.len()).then_some(place)
    }

    /// The fact by which a node was opened; `None` for a root.
    pub fn opening_of(&self, node: Node) -> Option<&Fact> {
        let place = node.place().checked_sub(self.roots.len())?;
        self.facts.get(usize::try_from(*self.opened.get(place)?).ok()?)
    }

    /// The node that is opened after `opened` other nodes.
    pub fn node_after(&self, opened: usize) -> Node {
        Node::at(self.roots.len() + opened)
    }

    /// Identifies the questions and answers: equal for two traces that hold in the same worlds. Costs one encoding and one
    /// hash.
    pub fn identity(&self) -> Digest {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(self.encode());
        Digest::from_bytes(hash.finalize().into())
    }

    /// The questions, for reports, in order.
    pub fn reads(&self) -> Vec<TraceRead> {
        let read = |fact: &Fact| TraceRead { path: self.path_of(fact), what: fact.question.words() };
        self.facts.iter().map(read).collect()
    }

    /// The path of a fact for reports: the names on the way joined by slashes, without resolving symbolic links.
    pub fn path_of(&self, fact: &Fact) -> String {
        let of_node = self.path_of_node(fact.node);
        fact.question.path().map_or_else(|| of_node.clone(), |path| join(&of_node, path))
    }

    /// The path of a node for reports.
    pub fn path_of_node(&self, node: Node) -> String {
        let mut parts = Vec::new();
        let mut node = node;
        while let Some(opening) = self.opening_of(node) {
            parts.push(opening.question.path().unwrap_or_default());
            node = opening.node;
        }
        let root = self.roots.get(node.place()).map(|root| &**root).unwrap_or_default();
        parts.into_iter().rev().fold(root.to_owned(), |path, part| join(&path, part))
    }
}

impl Node {
    fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

fn join(dir: &str, path: &str) -> String {
    match (dir, path) {
        (dir, "." | "") => dir.to_owned(),
        ("." | "", path) => path.to_owned(),
        (dir, path) if dir.ends_with('/') => format!("{dir}{path}"),
        (dir, path) => format!("{dir}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_people_do() {
        let check = |dir: &str, path: &str, expected: &str| assert_eq!(join(dir, path), expected);
        check("data", "a.txt", "data/a.txt");
        check(".", "a.txt", "a.txt");
        check("/", "a.txt", "/a.txt");
        check("/data", ".", "/data");
        check("data/sub", "../a", "data/sub/../a");
    }
}
