//! Repeats a guest's questions about its directories, to find out whether it would get the same answers.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hostel_core::{Answer, Digest, Fact, FileKind, Grants, MAX_TRACE_DEPTH, Node, Question, Trace};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, HostDescriptor, OpenFlags};

use super::ask::{self, Fd, Opening};
use super::content::{self, Part};
use super::root::open_roots;
use super::words::{difference, other_content};

/// The number of descriptors open at once: enough for the paths to two nodes.
const OPEN_AT_ONCE: usize = 2 * MAX_TRACE_DEPTH as usize + 2;

/// Whether a trace still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every question gets the same answer as before.
    Holds,
    /// Some question gets another answer. Contains the change, for example `` `data/config.json` has different
    /// content``.
    Changed(String),
    /// The caller stopped it before it was finished.
    Stopped,
}

/// Repeats the questions of a trace, in their order, about the directories granted under the same names.
///
/// Reads again every byte that the guest read: nothing is inferred from times, sizes or file numbers of an earlier day.
/// Then asks everything except the contents a second time, and checks whether a file has changed meanwhile. So there
/// was a moment, between the two passes, at which all answers were valid together, whatever happened before and after
/// it.
///
/// Blocks on the disk: some thirty microseconds for each file, and the time to read and hash the contents, about a
/// second for a gigabyte. `is_stopped` is called before each question and between pieces of contents. When it returns
/// true, the verdict is [`Verdict::Stopped`]. An untrusted trace can only ask questions about the granted directories.
pub fn verify(trace: &Trace, grants: &Grants, is_stopped: &dyn Fn() -> bool) -> Verdict {
    if trace.is_empty() {
        return Verdict::Holds;
    }
    match Verifier::new(trace, grants, is_stopped).and_then(Verifier::run) {
        Ok(()) => Verdict::Holds,
        Err(Unverified::Changed(what)) => Verdict::Changed(what),
        Err(Unverified::Stopped) => Verdict::Stopped,
    }
}

/// The reason why a trace is not known to hold.
enum Unverified {
    /// This has changed.
    Changed(String),
    /// The caller stopped it.
    Stopped,
}

impl From<String> for Unverified {
    fn from(what: String) -> Self {
        Self::Changed(what)
    }
}

/// Asks the questions of one trace.
struct Verifier<'a> {
    trace: &'a Trace,
    files: WasiFilesystemCtx,
    table: ResourceTable,
    roots: Vec<Fd>,
    /// The most recently used nodes. The others are opened again when needed.
    open: VecDeque<(Node, Fd)>,
    /// The number of nodes opened so far.
    opened: usize,
    /// The appearance of each node when it was first opened.
    looks: HashMap<Node, Look>,
    is_stopped: &'a dyn Fn() -> bool,
}

/// Distinguishes one file from another, and an unchanged file from a changed one: its identity, and the metadata of a
/// file. The metadata of a directory may change while others work in it. It is compared within one verification, and
/// never stored.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    identity: Answer,
    metadata: Option<Answer>,
}

impl<'a> Verifier<'a> {
    fn new(trace: &'a Trace, grants: &Grants, is_stopped: &'a dyn Fn() -> bool) -> Result<Self, Unverified> {
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
        let (open, looks) = (VecDeque::new(), HashMap::new());
        Ok(Self { trace, files, table, roots, open, opened: 0, looks, is_stopped })
    }

    fn run(mut self) -> Result<(), Unverified> {
        self.trace.facts().iter().try_for_each(|fact| self.check(fact))?;
        self.close_all();
        let is_content = |fact: &&Fact| matches!(fact.question, Question::Content { .. });
        self.trace.facts().iter().filter(|fact| !is_content(fact)).try_for_each(|fact| self.check(fact))
    }

    fn close_all(&mut self) {
        self.opened = 0;
        while let Some((_, fd)) = self.open.pop_front() {
            self.close(fd);
        }
    }

    fn check(&mut self, fact: &Fact) -> Result<(), Unverified> {
        if (self.is_stopped)() {
            return Err(Unverified::Stopped);
        }
        if let (&Question::Content { start, len }, &Answer::Content { digest, end }) =
            (&fact.question, &fact.answer)
        {
            let now = self.digest(fact.node, Part { start, len, end })?;
            return if now == Some(digest) { Ok(()) } else { Err(other_content(self.trace, fact).into()) };
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
        let now = now.ok_or_else(|| format!("`{}` cannot be examined", self.trace.path_of(fact)))?;
        if now == fact.answer { Ok(()) } else { Err(difference(self.trace, fact, &now).into()) }
    }

    /// Opens a node that the guest opened, or was refused, for the first time.
    fn open_new(&mut self, fact: &Fact) -> Result<Option<Answer>, Unverified> {
        let (now, fd) = self.open(fact)?;
        if matches!(fact.answer, Answer::Opened(_)) {
            let node = self.trace.node_after(self.opened);
            self.opened += 1;
            if let Some(fd) = fd {
                let looked = self.look_at(node, &fd);
                self.keep(node, fd);
                looked?;
            }
        } else if let Some(fd) = fd {
            self.close(fd);
        }
        Ok(now)
    }

    /// Opens the target of a fact.
    fn open(&mut self, fact: &Fact) -> Result<(Option<Answer>, Option<Fd>), Unverified> {
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

    fn is_same(&mut self, one: Node, other: Node) -> Result<Option<Answer>, Unverified> {
        let (one, other) = (self.descriptor(one)?, self.descriptor(other)?);
        let same = at_once(self.view().is_same_object(one, other));
        Ok(same.and_then(Result::ok).map(Answer::Same))
    }

    /// The digest of a part of a file; `None` if there is no such part.
    fn digest(&mut self, node: Node, part: Part) -> Result<Option<Digest>, Unverified> {
        let fd = self.descriptor(node)?;
        let Ok(Descriptor::File(file)) = self.table.get(&fd) else { return Ok(None) };
        let file = Arc::clone(&file.file);
        content::digest(&file, part, self.is_stopped).map_err(|content::Stopped| Unverified::Stopped)
    }

    /// The descriptor of a node; opens the node again if it was closed. It stays open until many others were opened.
    fn descriptor(&mut self, node: Node) -> Result<Fd, Unverified> {
        if let Some(root) = self.trace.root_of(node).and_then(|place| self.roots.get(place)) {
            return Ok(ask::same(root));
        }
        if let Some(place) = self.open.iter().position(|(open, _)| *open == node)
            && let Some((node, fd)) = self.open.remove(place)
        {
            // The most recently used one is closed last.
            let borrowed = ask::same(&fd);
            self.open.push_back((node, fd));
            return Ok(borrowed);
        }
        let cannot = || format!("`{}` cannot be opened again", self.trace.path_of_node(node));
        let opening = self.trace.opening_of(node).ok_or_else(cannot)?;
        let (_, fd) = self.open(opening)?;
        let fd = fd.ok_or_else(cannot)?;
        let borrowed = ask::same(&fd);
        let looked = self.look_at(node, &borrowed);
        self.keep(node, fd);
        looked.map(|()| borrowed)
    }

    /// Records the appearance of a node when it is first opened; later it must be the same.
    fn look_at(&mut self, node: Node, fd: &Fd) -> Result<(), Unverified> {
        let look = self.look(fd);
        let is_same = match look {
            None => false,
            Some(look) => *self.looks.entry(node).or_insert_with(|| look.clone()) == look,
        };
        let changed = || format!("`{}` changed while it was checked", self.trace.path_of_node(node));
        if is_same { Ok(()) } else { Err(changed().into()) }
    }

    /// The current appearance of a file or a directory; `None` if the system does not provide it.
    fn look(&mut self, fd: &Fd) -> Option<Look> {
        let mut ask = |question| at_once(ask::ask(&mut self.view(), fd, &question)).flatten();
        let identity = ask(Question::Hash)?;
        let metadata = ask(Question::Metadata)?;
        let is_file = matches!(&metadata, Answer::Metadata(metadata) if metadata.kind == FileKind::File);
        Some(Look { identity, metadata: is_file.then_some(metadata) })
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
        // It is in the table, because only this closes it.
        let _ = HostDescriptor::drop(&mut self.view(), fd);
    }

    fn view(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: &mut self.files, table: &mut self.table }
    }
}

/// The output of a future that never waits: with permission to block, the calls of wasmtime-wasi do not.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
