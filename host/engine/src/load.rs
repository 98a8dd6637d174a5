//! From a file or bytes to a compiled component, or to an error that says what the bytes are instead.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hostel_core::{Digest, ErrorKind, bytes_text};

use crate::component::Component;
use crate::engine::{Engine, EngineError, Runtime};

/// The largest component that is read.
pub const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// The bytes are not a component that can be used here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path leads to a directory.
    #[error("{} is a directory: expected a .wasm or .wat file", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file is larger than [`MAX_COMPONENT_BYTES`].
    #[error("{} is over {}, the most a component may have", path.display(), bytes_text(MAX_COMPONENT_BYTES))]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are a core module.
    #[error("this is a core WebAssembly module, not a component")]
    CoreModule,
    /// The bytes are neither WebAssembly nor its text form.
    #[error("this is not WebAssembly: {0}")]
    NotWebAssembly(String),
    /// The text form has a mistake.
    #[error("the WebAssembly text has a mistake: {0}")]
    Text(String),
    /// The bytes begin like a component, and are not a valid one.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// The component is valid, and asks for more than any instance may have.
    #[error("the component asks for more than any task may have: {0}")]
    TooDemanding(String),
    /// The engine that this component needs cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl LoadError {
    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::Denied
            }
            Self::Read { .. } => ErrorKind::Internal,
            Self::Engine(error) => error.kind(),
            Self::Directory { .. }
            | Self::TooLarge { .. }
            | Self::CoreModule
            | Self::NotWebAssembly(_)
            | Self::Text(_)
            | Self::Malformed(_)
            | Self::TooDemanding(_) => ErrorKind::Invalid,
        }
    }
}

impl Engine {
    /// Loads a `.wasm` or `.wat` file: reads, validates, compiles (or takes the code from the compile cache), links.
    /// Blocks for as long as compiling takes.
    ///
    /// # Errors
    ///
    /// [`LoadError`] for a file that cannot be read or is not a valid component.
    pub fn load_file(&self, path: &Path) -> Result<Component, LoadError> {
        self.load_bytes(&read(path)?)
    }

    /// Loads a component from its bytes, binary or text; like [`Engine::load_file`] otherwise.
    ///
    /// The digest is of the binary: two texts that mean the same binary are the same component.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the bytes are not a valid component.
    pub fn load_bytes(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        match Form::of(bytes) {
            Form::Component => self.load_binary(bytes),
            Form::Text => self.load_binary(&binary(bytes)?),
            Form::CoreModule => Err(LoadError::CoreModule),
            Form::Other(what) => Err(LoadError::NotWebAssembly(what)),
        }
    }

    /// Loads a component whose code the compile cache has, by its digest alone; `None` if it has none for this engine. Its
    /// size is not known then, and said to be 0.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`] if the engine that the component may need cannot be set up.
    pub fn load_compiled(&self, digest: &Digest) -> Result<Option<Component>, LoadError> {
        if self.compile_cache().is_none() {
            return Ok(None);
        }
        if let Some(compiled) = self.cached(self.lean(), digest) {
            return Ok(Some(Component::new(self, self.lean(), compiled, *digest, 0)));
        }
        let concurrent = self.concurrent()?;
        let compiled = self.cached(concurrent, digest);
        Ok(compiled.map(|compiled| Component::new(self, concurrent, compiled, *digest, 0)))
    }

    fn load_binary(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let digest = Digest::of(bytes);
        let (runtime, compiled) = self.compiled(bytes, &digest)?;
        Ok(Component::new(self, runtime, compiled, digest, bytes.len() as u64))
    }

    /// Prefers the lean engine; it refuses, before it compiles anything, what needs component-model async.
    fn compiled(
        &self,
        bytes: &[u8],
        digest: &Digest,
    ) -> Result<(&Runtime, wasmtime::component::Component), LoadError> {
        if let Some(compiled) = self.cached(self.lean(), digest) {
            return Ok((self.lean(), compiled));
        }
        if let Ok(compiled) = self.compile(self.lean(), bytes, digest) {
            return Ok((self.lean(), compiled));
        }
        let concurrent = self.concurrent()?;
        if let Some(compiled) = self.cached(concurrent, digest) {
            return Ok((concurrent, compiled));
        }
        match self.compile(concurrent, bytes, digest) {
            Ok(compiled) => Ok((concurrent, compiled)),
            Err(error) => Err(refusal(&one_line(&error))),
        }
    }

    fn cached(&self, runtime: &Runtime, digest: &Digest) -> Option<wasmtime::component::Component> {
        self.compile_cache()?.get(digest, &runtime.engine)
    }

    fn compile(
        &self,
        runtime: &Runtime,
        bytes: &[u8],
        digest: &Digest,
    ) -> wasmtime::Result<wasmtime::component::Component> {
        let compiled = wasmtime::component::Component::from_binary(&runtime.engine, bytes)?;
        if let Some(cache) = self.compile_cache() {
            cache.put(digest, &compiled);
        }
        Ok(compiled)
    }
}

/// Why wasmtime refused a component. It checks what fits into the pool together with what is valid, and tells them
/// apart in words only; a test holds it to them.
fn refusal(error: &str) -> LoadError {
    const POOL: &str = "does not fit in pooling allocator requirements: ";
    match error.split_once(POOL) {
        Some((_, demand)) => LoadError::TooDemanding(demand.to_owned()),
        None => LoadError::Malformed(error.to_owned()),
    }
}

/// What some bytes are, as their beginning tells.
enum Form {
    Component,
    CoreModule,
    Text,
    Other(String),
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        const MAGIC: &[u8] = b"\0asm";
        const CORE: &[u8] = &[1, 0, 0, 0];
        if let Some(rest) = bytes.strip_prefix(MAGIC) {
            return if rest.starts_with(CORE) { Self::CoreModule } else { Self::Component };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Self::Other("the file is empty".to_owned()),
            Ok(text) if text.trim_start().starts_with(['(', ';']) => Self::Text,
            _ => Self::Other(format!("it begins with {}", beginning(bytes))),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(LoadError::Directory { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells that there is more, also where the size is not known before.
    File::open(path)
        .and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn binary(text: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mistake = |error: wat::Error| LoadError::Text(error.to_string().trim_end().to_owned());
    let binary = wat::parse_bytes(text).map_err(mistake)?;
    match Form::of(&binary) {
        Form::Component => Ok(binary.into_owned()),
        Form::CoreModule => Err(LoadError::CoreModule),
        Form::Text | Form::Other(_) => Err(LoadError::Text("it describes no component".to_owned())),
    }
}

pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first bytes as people can read them.
fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    format!("{:?}", String::from_utf8_lossy(shown))
}
