//! What an attempt read in granted directories, as questions and answers that can be asked again.

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

/// A directory that was granted, or something that was opened in one: granted ones first, in the order of
/// [`Trace::roots`], then each in the order in which it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(u32);

/// A question that a guest asked the file system, and what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was asked.
    pub node: Node,
    /// The question.
    pub question: Question,
    /// What the guest was told.
    pub answer: Answer,
}

/// What an attempt asked about granted directories, in order, and the answers.
///
/// A guest is a function of its inputs and of the answers. So if the same questions, asked again in the same order, get
/// the same answers, it would do the same again, and its result still holds: this is a *verifying trace* (Mokhov,
/// Mitchell and Peyton Jones, *Build systems à la carte*, 2018, section 4.2). Paths are kept as the guest gave them, each
/// with the directory that it is relative to, and never put together: what `..` and symbolic links lead to is for the file
/// system to say.
///
/// Made by a [`TraceRecorder`], or [decoded](Self::decode).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    roots: Vec<Box<str>>,
    facts: Vec<Fact>,
    /// Which fact opened each node that is no root.
    opened: Vec<u32>,
}

/// What a report says of one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRead {
    /// Which file or directory, as people would write it.
    pub path: String,
    /// What was asked of it, such as `content`.
    pub what: &'static str,
}

impl Trace {
    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The guest's names for the directories that were granted.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|root| &**root)
    }

    /// The questions in the order in which they were asked first, each once, with the answers.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The place of a node among the roots, if it is one.
    pub fn root_of(&self, node: Node) -> Option<usize> {
        let place = node.place();
        (place < self.roots.len()).then_some(place)
    }

    /// The fact that tells how a node was opened; `None` for a root.
    pub fn opening_of(&self, node: Node) -> Option<&Fact> {
        let place = node.place().checked_sub(self.roots.len())?;
        self.facts.get(usize::try_from(*self.opened.get(place)?).ok()?)
    }

    /// The node that is opened after those that `opened` others are.
    pub fn node_after(&self, opened: usize) -> Node {
        Node::at(self.roots.len() + opened)
    }

    /// Identifies the questions and answers: equal for two traces that hold in the same worlds. Costs one encoding and one
    /// hash.
    pub fn identity(&self) -> Digest {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(self.encode());
        Digest::from_bytes(hash.finalize().into())
    }

    /// What was asked, for reports, in order.
    pub fn reads(&self) -> Vec<TraceRead> {
        let read = |fact: &Fact| TraceRead { path: self.path_of(fact), what: fact.question.words() };
        self.facts.iter().map(read).collect()
    }

    /// What a fact is about, as people would write it: the names on the way joined by slashes, which need not be where a
    /// symbolic link leads.
    pub fn path_of(&self, fact: &Fact) -> String {
        let of_node = self.path_of_node(fact.node);
        fact.question.path().map_or_else(|| of_node.clone(), |path| join(&of_node, path))
    }

    /// What a node is, as people would write it.
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
