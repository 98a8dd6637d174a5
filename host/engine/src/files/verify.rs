//! Asks again what a guest asked, to find out whether it would be told the same.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hostel_core::{Answer, Digest, Fact, Grants, MAX_TRACE_DEPTH, Node, Question, Stamp, Trace};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, HostDescriptor, OpenFlags};

use super::ask::{self, Fd, Opening};
use super::content;
use super::root::open_roots;
use super::words::{difference, other_content};

/// How many descriptors are kept open: room for the way to two nodes at once.
const OPEN_AT_ONCE: usize = 2 * MAX_TRACE_DEPTH as usize + 2;

/// Whether a trace still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every question would get the answer it got.
    Holds,
    /// The same, and some files had to be read for that: with this trace in place of the other they need not be the next
    /// time.
    HoldsAnew(Trace),
    /// Some answer would be another: what has changed, such as `` `data/config.json` has other content``.
    Changed(String),
}

/// Asks the questions of a trace again, in their order, about the directories that are granted under the same names.
///
/// Files that look as they did when they were read (see [`Stamp`]) are not read again; the others are, as far as the guest
/// read them. Blocks on the disk: a few microseconds for each question, and the time to read those files. A trace from
/// anywhere can do no more than ask within the directories that are granted.
pub fn verify(trace: &Trace, grants: &Grants) -> Verdict {
    if trace.is_empty() {
        return Verdict::Holds;
    }
    match Verifier::new(trace, grants).and_then(Verifier::run) {
        Ok(None) => Verdict::Holds,
        Ok(Some(anew)) => Verdict::HoldsAnew(anew),
        Err(change) => Verdict::Changed(change),
    }
}

/// What has changed, in words.
type Change = String;

/// Asks the questions of one trace.
struct Verifier<'a> {
    trace: &'a Trace,
    files: WasiFilesystemCtx,
    table: ResourceTable,
    roots: Vec<Fd>,
    /// The last ones opened. The others are opened again when they are needed again.
    open: VecDeque<(Node, Fd)>,
    /// How many nodes were opened so far.
    opened: usize,
    looks: HashMap<Node, Look>,
}

/// What the host saw of a file.
#[derive(Clone, Copy)]
struct Look {
    stamp: Option<Stamp>,
    /// Whether it shows that the file was not changed, so that its content need not be read.
    is_proof: bool,
}

impl<'a> Verifier<'a> {
    fn new(trace: &'a Trace, grants: &Grants) -> Result<Self, Change> {
        let mut builder = WasiCtxBuilder::new();
        open_roots(&mut builder, grants).map_err(|error| error.to_string())?;
        let mut ctx = builder.build();
        let mut table = ResourceTable::new();
        let view = &mut WasiFilesystemCtxView { ctx: ctx.filesystem(), table: &mut table };
        let granted = preopens::Host::get_directories(view).map_err(|error| error.to_string())?;
        let root = |name: &str| {
            let granted = granted.iter().find(|(_, granted)| granted == name);
            granted.map(|(fd, _)| ask::same(fd)).ok_or_else(|| format!("`{name}` is not granted"))
        };
        let roots = trace.roots().map(root).collect::<Result<_, _>>()?;
        let files = ctx.filesystem().clone();
        Ok(Self { trace, files, table, roots, open: VecDeque::new(), opened: 0, looks: HashMap::new() })
    }

    /// The trace with new stamps, if some are worth keeping.
    fn run(mut self) -> Result<Option<Trace>, Change> {
        let trace = self.trace;
        trace.facts().iter().try_for_each(|fact| self.check(fact))?;
        let is_new = |look: &Look| !look.is_proof && look.stamp.is_some_and(|stamp| stamp.is_settled());
        if !self.looks.values().any(is_new) {
            return Ok(None);
        }
        let stamp = |(node, look): (&Node, &Look)| {
            let stamp = if look.is_proof { trace.stamp(*node).copied() } else { look.stamp };
            stamp.map(|stamp| (*node, stamp))
        };
        Ok(Some(trace.clone().with_stamps(self.looks.iter().filter_map(stamp))))
    }

    fn check(&mut self, fact: &Fact) -> Result<(), Change> {
        if let (Question::Content { start, len }, Answer::Content { digest, end }) =
            (&fact.question, &fact.answer)
        {
            let is_the_same = self.still_has(fact.node, (*start, *len), *digest, *end)?;
            return if is_the_same { Ok(()) } else { Err(other_content(self.trace, fact)) };
        }
        let now = match &fact.question {
            Question::Open { .. } => self.open_new(fact)?,
            Question::SameAs { other } => self.is_same(fact.node, *other)?,
            Question::Metadata
            | Question::MetadataAt { .. }
            | Question::Link { .. }
            | Question::Hash
            | Question::HashAt { .. }
            | Question::Entries => {
                let fd = self.descriptor(fact.node)?;
                at_once(ask::ask(&mut self.view(), &fd, &fact.question)).flatten()
            }
            Question::Content { .. } => None,
        };
        let now = now.ok_or_else(|| format!("`{}` cannot be asked about", self.trace.path_of(fact)))?;
        if now == fact.answer { Ok(()) } else { Err(difference(self.trace, fact, &now)) }
    }

    /// Opens what a guest opened for the first time, or was refused.
    fn open_new(&mut self, fact: &Fact) -> Result<Option<Answer>, Change> {
        let (now, fd) = self.open(fact)?;
        if matches!(fact.answer, Answer::Opened(_)) {
            let node = self.trace.node_after(self.opened);
            self.opened += 1;
            fd.into_iter().for_each(|fd| self.keep(node, fd));
        } else if let Some(fd) = fd {
            self.close(fd);
        }
        Ok(now)
    }

    /// Asks to open what a fact tells of.
    fn open(&mut self, fact: &Fact) -> Result<(Option<Answer>, Option<Fd>), Change> {
        let Question::Open { path, follow, directory } = &fact.question else { return Ok((None, None)) };
        let dir = self.descriptor(fact.node)?;
        let open_flags = if *directory { OpenFlags::DIRECTORY } else { OpenFlags::empty() };
        let how = (ask::path_flags(*follow), open_flags, DescriptorFlags::READ);
        let opening = at_once(ask::open(&mut self.view(), &dir, path, how));
        Ok(match opening {
            Some(Ok(Opening::Opened(fd, kind))) => (Some(Answer::Opened(kind)), Some(fd)),
            Some(Ok(Opening::Device)) | None => (None, None),
            Some(Err(error)) => (ask::refused(&error), None),
        })
    }

    fn is_same(&mut self, one: Node, other: Node) -> Result<Option<Answer>, Change> {
        let (one, other) = (self.descriptor(one)?, self.descriptor(other)?);
        let same = at_once(self.view().is_same_object(one, other));
        Ok(same.and_then(Result::ok).map(Answer::Same))
    }

    /// Whether a part of a file has this digest: it is read unless its stamp shows that it was not changed.
    fn still_has(
        &mut self,
        node: Node,
        (start, len): (u64, u64),
        digest: Digest,
        end: bool,
    ) -> Result<bool, Change> {
        let fd = self.descriptor(node)?;
        let Ok(Descriptor::File(file)) = self.table.get(&fd) else { return Ok(false) };
        let file = Arc::clone(&file.file);
        let look = *self.looks.entry(node).or_insert_with(|| Look::at(&file, self.trace.stamp(node)));
        if look.is_proof {
            return Ok(true);
        }
        Ok(content::digest(&file, start, len, end).is_ok_and(|now| now == Some(digest)))
    }

    /// What a node is, opened again if need be. It stays open for as long as not many others are opened.
    fn descriptor(&mut self, node: Node) -> Result<Fd, Change> {
        if let Some(root) = self.trace.root_of(node).and_then(|place| self.roots.get(place)) {
            return Ok(ask::same(root));
        }
        if let Some(place) = self.open.iter().position(|(open, _)| *open == node)
            && let Some((node, fd)) = self.open.remove(place)
        {
            // It is not the next one to be closed, then.
            let borrowed = ask::same(&fd);
            self.open.push_back((node, fd));
            return Ok(borrowed);
        }
        let cannot = || format!("`{}` cannot be opened again", self.trace.path_of_node(node));
        let opening = self.trace.opening_of(node).ok_or_else(cannot)?;
        let (_, fd) = self.open(opening)?;
        let fd = fd.ok_or_else(cannot)?;
        let borrowed = ask::same(&fd);
        self.keep(node, fd);
        Ok(borrowed)
    }

    fn keep(&mut self, node: Node, fd: Fd) {
        self.open.push_back((node, fd));
        if self.open.len() > OPEN_AT_ONCE
            && let Some((_, oldest)) = self.open.pop_front()
        {
            self.close(oldest);
        }
    }

    fn close(&mut self, fd: Fd) {
        // It is in the table, as nothing else closes it.
        let _ = HostDescriptor::drop(&mut self.view(), fd);
    }

    fn view(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: &mut self.files, table: &mut self.table }
    }
}

impl Look {
    fn at(file: &std::fs::File, before: Option<&Stamp>) -> Self {
        let stamp = content::stamp(file);
        let is_proof = before
            .zip(stamp.as_ref())
            .is_some_and(|(before, now)| before.is_settled() && before.shows_the_same(now));
        Self { stamp, is_proof }
    }
}

/// What a future gives that never waits: with leave to block, the calls of wasmtime-wasi do not.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
