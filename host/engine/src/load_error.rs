//! Why a component is not loaded.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hostel_core::{ErrorKind, bytes_text};

use crate::apart::{self, CompileLimit, Limits, Refusal};
use crate::compiler;
use crate::engine::EngineError;
use crate::features;
use crate::names::{self, MAX_REASON_BYTES};
use crate::surface::wit::Unwritten;
use crate::survey::{Excess, Refused};

/// The maximum size of a component.
pub const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// The maximum length of a component's text. Assembling takes about a hundred bytes of memory for each byte of the
/// text, and up to some seconds: the time for names of an outer component is quadratic in their number of uses.
pub const MAX_TEXT_BYTES: u64 = 512 << 10;

/// The bytes are not a component that this host can use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The path is a directory.
    #[error("{} is a directory: expected a .wasm or .wat file", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file is larger than [`MAX_COMPONENT_BYTES`].
    #[error("{} is larger than {}, the maximum size of a component", path.display(), bytes_text(MAX_COMPONENT_BYTES))]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There are more bytes than [`MAX_COMPONENT_BYTES`].
    #[error("the component has {found} bytes: expected at most {}", bytes_text(MAX_COMPONENT_BYTES))]
    TooLong {
        /// The number of bytes.
        found: u64,
    },
    /// There are more bytes of text than [`MAX_TEXT_BYTES`].
    #[error(
        "the WebAssembly text has {found} bytes: expected at most {}; convert it to a binary with \
         `wasm-tools parse`",
        bytes_text(MAX_TEXT_BYTES)
    )]
    TextTooLong {
        /// The number of bytes.
        found: u64,
    },
    /// The bytes are a core module.
    #[error("this is a core WebAssembly module, not a component")]
    CoreModule,
    /// The bytes are neither WebAssembly nor its text form.
    #[error("this is not WebAssembly: {0}")]
    NotWebAssembly(String),
    /// The text form is invalid.
    #[error("invalid WebAssembly text: {0}")]
    Text(String),
    /// The bytes begin like a component, but are not a valid one.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// The component uses features of WebAssembly that the host does not support.
    #[error(
        "the component uses {}, which this host does not support",
        hostel_core::listed(features, " and ")
    )]
    Unsupported {
        /// Their names, such as `threads`.
        features: Vec<&'static str>,
    },
    /// The component is valid, but requires more than any instance may have.
    #[error("the component requires more than any task may have: {0}")]
    TooDemanding(String),
    /// The component exceeds a bound on what is compiled, whether or not it is valid otherwise.
    #[error("the component is too complex to compile: {0}")]
    TooComplex(Excess),
    /// The process that compiles it reached a limit: see [`EngineOptions::compile_program`](crate::EngineOptions).
    #[error(
        "the component is too complex to compile: it takes more than {limit}, which is the limit for its code"
    )]
    TooCostly {
        /// The limit.
        limit: CompileLimit,
    },
    /// The process that compiles it could not be started, or failed. This is not a fault of the component.
    #[error("the process that compiles the component failed: {0}")]
    Process(String),
    /// Compiling takes longer than [`EngineOptions::compile_timeout`](crate::EngineOptions). The compiler cannot be
    /// interrupted, and goes on until it ends.
    #[error(
        "compiling takes longer than the limit of {limit:?}; it goes on at low priority, and a later load uses the \
         code if compiled code is stored on disk"
    )]
    CompileTimeout {
        /// The limit.
        limit: Duration,
    },
    /// All places for compiling are taken, and no compilation ended in time.
    #[error(
        "{} components are being compiled, and none has finished within {limit:?}: try again later",
        compiler::PLACES
    )]
    NoPlace {
        /// The time without any compilation ending.
        limit: Duration,
    },
    /// Too many components are waiting to be compiled.
    #[error("{} components are waiting to be compiled: try again later", compiler::MAX_WAITING)]
    Crowded,
    /// The compiler panicked. This is a bug in the host, not a fault of the component.
    #[error("the host failed to compile the component, which is a bug in the host: {0}")]
    Panicked(String),
    /// The component is valid, and has no text in WIT: see [`Engine::wit`](crate::Engine::wit).
    #[error("the component cannot be written in WIT: {0}")]
    NoWit(String),
    /// The engine that this component needs cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl LoadError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::Denied
            }
            Self::Read { .. } => ErrorKind::Internal,
            Self::Engine(error) => error.kind(),
            Self::CompileTimeout { .. } | Self::NoPlace { .. } | Self::Crowded => ErrorKind::Exhausted,
            Self::Panicked(_) | Self::Process(_) => ErrorKind::Internal,
            Self::Directory { .. }
            | Self::TooLarge { .. }
            | Self::TooLong { .. }
            | Self::TextTooLong { .. }
            | Self::TooComplex(_)
            | Self::TooCostly { .. }
            | Self::CoreModule
            | Self::NotWebAssembly(_)
            | Self::Text(_)
            | Self::Malformed(_)
            | Self::Unsupported { .. }
            | Self::TooDemanding(_)
            | Self::NoWit(_) => ErrorKind::Invalid,
        }
    }
}

impl From<Refused> for LoadError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Excess(excess) => Self::TooComplex(excess),
            Refused::Malformed(error) => refusal(&error),
        }
    }
}

impl From<Unwritten> for LoadError {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Refused(refused) => refused.into(),
            Unwritten::Because(why) => Self::NoWit(shortened(why)),
        }
    }
}

impl From<apart::Failed> for LoadError {
    fn from(failed: apart::Failed) -> Self {
        match failed {
            apart::Failed::Limit(limit) => Self::TooCostly { limit },
            apart::Failed::Child(error) => Self::Process(shortened(error)),
        }
    }
}

/// Between processes, where most errors are their text.
impl LoadError {
    pub(crate) fn of(refusal: Refusal, limits: &Limits) -> Self {
        match refusal {
            Refusal::TooComplex(excess) => Self::TooComplex(excess),
            Refusal::Malformed(text) => Self::Malformed(text),
            Refusal::Text(text) => Self::Text(text),
            Refusal::TooDemanding(text) => Self::TooDemanding(text),
            Refusal::Unsupported(names) => Self::Unsupported { features: features::named(&names) },
            Refusal::Panicked(text) => Self::Panicked(text),
            Refusal::NoWit(text) => Self::NoWit(text),
            Refusal::OutOfMemory => {
                Self::TooCostly { limit: CompileLimit::Memory { bytes: limits.memory_bytes } }
            }
            Refusal::Failed(text) => Self::Process(text),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a process that compiles has no other errors of its own"
    )]
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            error if apart::is_lack_of_memory(&error.to_string()) => Refusal::OutOfMemory,
            Self::TooComplex(excess) => Refusal::TooComplex(excess),
            Self::Malformed(text) => Refusal::Malformed(text),
            Self::Text(text) => Refusal::Text(text),
            Self::TooDemanding(text) => Refusal::TooDemanding(text),
            Self::Unsupported { features } => Refusal::Unsupported(features.join("\n")),
            Self::Panicked(text) => Refusal::Panicked(text),
            Self::NoWit(text) => Refusal::NoWit(text),
            other => Refusal::Failed(other.to_string()),
        }
    }
}

/// The reason why wasmtime refused a component. wasmtime checks validity and the bounds of the pool together, and
/// distinguishes them only in the text of the message; a test checks the text.
pub(crate) fn refusal(error: &str) -> LoadError {
    const MODULE: &str = "does not fit in pooling allocator requirements: ";
    const COMPONENT: &str = " in the pooling allocator";
    const PARSING: &str = "failed to parse WebAssembly module: ";
    let error = error.strip_prefix(PARSING).unwrap_or(error);
    let of_module = error.split_once(MODULE).map(|(_, demand)| demand);
    match of_module.or_else(|| error.strip_suffix(COMPONENT)) {
        Some(demand) => LoadError::TooDemanding(shortened(demand.to_owned())),
        None => LoadError::Malformed(shortened(error.to_owned())),
    }
}

/// What a panic of the compiler means. wasmtime panics if the module that it makes for the calls between the components of a file is
/// beyond a limit of WebAssembly, such as the one of memories in a module. That is known only from the text; a test checks it.
pub(crate) fn panicked(message: &str) -> LoadError {
    const ADAPTER: &str = "invalid adapter module generated: ";
    const BACKTRACE: &str = "\n\nStack backtrace:";
    let message = message.split_once(BACKTRACE).map_or(message, |(message, _)| message);
    match message.strip_prefix(ADAPTER) {
        Some(limit) => {
            LoadError::TooDemanding(shortened(format!("for the calls between its components, {limit}")))
        }
        None => LoadError::Panicked(shortened(message.to_owned())),
    }
}

/// Shortens a reason that quotes names from a component.
pub(crate) fn shortened(reason: String) -> String {
    names::shortened(reason, MAX_REASON_BYTES)
}
