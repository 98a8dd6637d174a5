//! From a file or bytes to a compiled component, or to an error that identifies other kinds of files.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;

use hostel_core::Digest;

use wasmtime::component::Component as Compiled;

use crate::apart::{self, Answer, Limits, Purpose, Request};
use crate::compile_cache;
use crate::compiler::Stopped;
use crate::component::{self, Component};
use crate::config::Flavor;
use crate::engine::{Engine, EngineError};
use crate::features;
use crate::load_error::{LoadError, MAX_COMPONENT_BYTES, panicked, refusal};
use crate::names::one_line;
use crate::runtime::Runtime;
use crate::surface;
use crate::survey::{self, Weight};
use crate::text::{self, SHORT_TEXT_BYTES};

/// Compiled code, and the engine that it is for.
pub(crate) struct Code {
    pub(crate) flavor: Flavor,
    pub(crate) compiled: Compiled,
    /// Whether it can only be inspected.
    pub(crate) is_surface: bool,
}

impl Code {
    pub(crate) fn of((flavor, compiled): (Flavor, Compiled)) -> Self {
        Self { flavor, compiled, is_surface: false }
    }
}

impl Engine {
    /// Loads a `.wasm` or `.wat` file: reads it, checks that it is safe to compile, validates, compiles (or takes the
    /// code from the compile cache), and links it. Blocks the calling thread, also while threads of the engine compile,
    /// for at most [`EngineOptions::compile_timeout`](crate::EngineOptions).
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the file cannot be read, is not a valid component, or is not compiled in time.
    pub fn load_file(&self, path: &Path) -> Result<Component, LoadError> {
        self.load(read(path)?.into())
    }

    /// Loads a component from its bytes, binary or text. Otherwise like [`Engine::load_file`].
    ///
    /// The digest is of the binary form: two texts with the same binary form are the same component.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the bytes are not a valid component, or are not compiled in time.
    pub fn load_bytes(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load(bytes.into())
    }

    /// Loads a `.wasm` or `.wat` file to inspect its exports and imports: its functions cannot run. The component is
    /// fully validated, and its code is not compiled unless it has unusual content; code in the compile cache is used.
    /// Takes some tenths of a second for the largest interpreters.
    ///
    /// # Errors
    ///
    /// As [`Engine::load_file`].
    pub fn inspect_file(&self, path: &Path) -> Result<Component, LoadError> {
        let bytes = read(path)?;
        match Format::of(&bytes) {
            Format::Component => self.inspect(bytes.into()),
            // Texts are small.
            Format::Text | Format::CoreModule | Format::Other(_) => self.load(bytes.into()),
        }
    }

    fn inspect(&self, bytes: Cow<'_, [u8]>) -> Result<Component, LoadError> {
        let (digest, size_bytes) = (Digest::of(&bytes), bytes.len() as u64);
        if let Some(compiled) = self.cached(self.lean(), &digest) {
            return Ok(Component::new(self.resources(), self.lean(), compiled, digest, size_bytes));
        }
        let (engine, to_compile) = (self.clone(), bytes.to_vec());
        // In a place of its own, so that a full compilation can go on at the same time.
        let place = Digest::of(digest.as_bytes());
        if self.options().compile_program.is_some() {
            let inspect = move || engine.compiled_apart(Purpose::Inspect, &to_compile, &digest);
            let code = self.compiler().run(place, inspect).map_err(|stopped| self.stopped(stopped))??;
            let is_surface = code.is_surface;
            let component = self.finished(code, digest, bytes.into())?;
            return Ok(if is_surface { component.into_surface() } else { component });
        }
        let surface = self.compiler().run(place, move || engine.surface(&to_compile)).ok().flatten();
        let Some((flavor, compiled)) = surface else { return self.load_binary(bytes) };
        let runtime = if flavor == Flavor::Full { self.full()? } else { self.lean() };
        Ok(Component::new(self.resources(), runtime, compiled, digest, size_bytes).into_surface())
    }

    /// The component compiled without its code, if it is valid and within the bounds, and that is possible.
    pub(crate) fn surface(&self, bytes: &[u8]) -> Option<(Flavor, Compiled)> {
        survey::survey(bytes).ok()?;
        let surface = surface::of_component(bytes).filter(|_| features::is_valid(bytes))?;
        let compile = |runtime: &Runtime| Compiled::from_binary(&runtime.engine, &surface).ok();
        let lean = compile(self.lean()).map(|compiled| (Flavor::Lean, compiled));
        lean.or_else(|| Some((Flavor::Full, compile(self.full().ok()?)?)))
    }

    /// The component with this digest that is in use, or else the one whose code is in the compile cache; `None` if there
    /// is neither. The size of one from the cache is unknown, and reported as 0.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`] if the engine that the component may need cannot be set up.
    pub fn load_compiled(&self, digest: &Digest) -> Result<Option<Component>, LoadError> {
        if let Some(component) = self.in_use(digest) {
            return Ok(Some(component));
        }
        if self.compile_cache().is_none() {
            return Ok(None);
        }
        for runtime in [Some(self.lean()), self.quick(u64::MAX)].into_iter().flatten() {
            if let Some(compiled) = self.cached(runtime, digest) {
                let component = Component::new(self.resources(), runtime, compiled, *digest, 0);
                // Without its bytes it cannot be compiled again.
                component.0.optimise(None);
                return Ok(Some(self.shared(component).0));
            }
        }
        let full = self.full()?;
        let compiled = self.cached(full, digest);
        let component = compiled.map(|compiled| Component::new(self.resources(), full, compiled, *digest, 0));
        Ok(component.map(|component| self.shared(component).0))
    }

    /// The WIT of a component in its binary form: its world and the interfaces that it uses, at most 1 MiB. With doc comments, if
    /// the component has them in a section `package-docs`; few tools write it. Takes some milliseconds, and reads all bytes.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoWit`] if it cannot be written in WIT, or is longer; otherwise as [`Engine::load_bytes`].
    pub fn wit(&self, component: Vec<u8>) -> Result<String, LoadError> {
        let found = component.len() as u64;
        if found > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLong { found });
        }
        // In a place of its own, so that it can be loaded at the same time.
        let place = Digest::of(format!("WIT of {}", Digest::of(&component)).as_bytes());
        let program = self.options().compile_program.clone();
        let write = move || match program {
            Some(program) => wit_apart(&program, &component),
            None => surface::wit::text(&component).map_err(LoadError::from),
        };
        self.compiler().run(place, write).map_err(|stopped| self.stopped(stopped))?
    }

    fn load(&self, bytes: Cow<'_, [u8]>) -> Result<Component, LoadError> {
        match Format::of(&bytes) {
            Format::Component => self.load_binary(bytes),
            Format::Text => self.load_binary(self.binary(&bytes)?.into()),
            Format::CoreModule => Err(LoadError::CoreModule),
            Format::Other(what) => Err(LoadError::NotWebAssembly(what)),
        }
    }

    /// Reads the component in a `.wasm` or `.wat` file, in its binary form. Its content is not checked.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the file cannot be read, or has no component.
    pub fn read_component(&self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let bytes = read(path)?;
        match Format::of(&bytes) {
            Format::Component => Ok(bytes),
            Format::Text => self.binary(&bytes),
            Format::CoreModule => Err(LoadError::CoreModule),
            Format::Other(what) => Err(LoadError::NotWebAssembly(what)),
        }
    }

    /// The component that a text defines, assembled in a process of its own if it is long.
    fn binary(&self, text: &[u8]) -> Result<Vec<u8>, LoadError> {
        text::check_length(text)?;
        let binary = match &self.options().compile_program {
            Some(program) if text.len() as u64 > SHORT_TEXT_BYTES => assembled_apart(program, text)?,
            Some(_) | None => text::assemble(text)?,
        };
        match Format::of(&binary) {
            Format::Component => Ok(binary),
            Format::CoreModule => Err(LoadError::CoreModule),
            Format::Text | Format::Other(_) => {
                Err(LoadError::Text("it does not define a component".to_owned()))
            }
        }
    }

    fn load_binary(&self, bytes: Cow<'_, [u8]>) -> Result<Component, LoadError> {
        let size_bytes = bytes.len() as u64;
        if size_bytes > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLong { found: size_bytes });
        }
        let digest = Digest::of(&bytes);
        if let Some(component) = self.in_use(&digest).filter(|component| component.size_bytes() > 0) {
            return Ok(component);
        }
        let ended = self.compiler().ended();
        if let Some(compiled) = self.cached(self.lean(), &digest) {
            let component = Component::new(self.resources(), self.lean(), compiled, digest, size_bytes);
            return Ok(self.shared(component).0);
        }
        let bytes: Arc<[u8]> = bytes.into();
        // Small components may have other code, too: slow ones are compiled quickly, and some need the full engine.
        if self.compile_cache().is_some_and(|cache| cache.has_any(&digest)) {
            if let Some(quick) = self.quick(u64::MAX)
                && let Some(compiled) = self.cached(quick, &digest)
            {
                return Ok(self.quickly(quick, compiled, digest, bytes));
            }
            if let Ok(full) = self.full()
                && let Some(compiled) = self.cached(full, &digest)
            {
                let component = Component::new(self.resources(), full, compiled, digest, size_bytes);
                return Ok(self.shared(component).0);
            }
        }
        let (engine, to_compile) = (self.clone(), Arc::clone(&bytes));
        let compile = move || match engine.options().compile_program {
            Some(_) => engine.compiled_once_apart(&to_compile, &digest, ended),
            None => engine.compiled(&to_compile, &digest, ended).map(Code::of),
        };
        let code = self.compiler().run(digest, compile).map_err(|stopped| self.stopped(stopped))??;
        self.finished(code, digest, bytes)
    }

    /// A component with new code.
    fn finished(&self, code: Code, digest: Digest, bytes: Arc<[u8]>) -> Result<Component, LoadError> {
        let Code { flavor, compiled, is_surface } = code;
        let runtime = match flavor {
            Flavor::Quick => match self.quick(u64::MAX) {
                Some(quick) => return Ok(self.quickly(quick, compiled, digest, bytes)),
                None => self.lean(),
            },
            Flavor::Full => self.full()?,
            Flavor::Lean => self.lean(),
        };
        let component = Component::new(self.resources(), runtime, compiled, digest, bytes.len() as u64);
        Ok(if is_surface { component } else { self.shared(component).0 })
    }

    /// The component with this digest, if it is in use.
    fn in_use(&self, digest: &Digest) -> Option<Component> {
        self.loaded().get(digest).and_then(Weak::upgrade).map(Component)
    }

    /// The component that all loads of the same bytes share, and whether it is this one: it is not if another load was faster.
    fn shared(&self, component: Component) -> (Component, bool) {
        let mut loaded = self.loaded();
        let first = loaded.get(&component.digest()).and_then(Weak::upgrade).map(Component);
        // One that was loaded without its bytes has no size, and may have slower code. Those who use it keep it.
        if let Some(first) = first.filter(|first| first.size_bytes() > 0 || component.size_bytes() == 0) {
            return (first, false);
        }
        loaded.insert(component.digest(), Arc::downgrade(&component.0));
        (component, true)
    }

    /// A component that runs quickly compiled code, until there is better code.
    fn quickly(&self, quick: &Runtime, compiled: Compiled, digest: Digest, bytes: Arc<[u8]>) -> Component {
        let size_bytes = bytes.len() as u64;
        let component = Component::new(self.resources(), quick, compiled, digest, size_bytes);
        let (component, is_first) = self.shared(component);
        if !is_first {
            return component;
        }
        if self.optimises() {
            let waiting = Waiting(Arc::downgrade(&component.0));
            let engine = self.clone();
            let optimise = move || engine.optimise(waiting, digest, bytes);
            if let Err(error) = thread::Builder::new().name("hostel-optimise".to_owned()).spawn(optimise) {
                tracing::warn!("quickly compiled code is not optimised: {error}");
            }
        }
        component
    }

    /// Compiles quickly compiled code again for speed, unless another load has done so meanwhile, or all handles were
    /// dropped. The result is used even if it takes longer than a load would wait.
    fn optimise(&self, waiting: Waiting, digest: Digest, bytes: Arc<[u8]>) {
        let engine = self.clone();
        let compile = move || {
            if let Some(compiled) = engine.cached(engine.lean(), &digest) {
                return waiting.end(engine.lean(), compiled);
            }
            if engine.compile_cache().is_none() && waiting.0.strong_count() == 0 {
                return;
            }
            match engine.fast(&bytes, &digest) {
                Ok(compiled) => {
                    if let (Some(cache), Some(quick)) = (engine.compile_cache(), engine.quick(u64::MAX)) {
                        cache.remove(&digest, &quick.engine);
                    }
                    waiting.end(engine.lean(), compiled);
                }
                Err(error) => tracing::warn!("optimising a component failed: {error}"),
            }
        };
        if let Err(stopped) = self.compiler().run(digest, compile) {
            tracing::warn!("optimising a component: {}", self.stopped(stopped));
        }
    }

    /// The code for the lean engine, compiled for speed.
    pub(crate) fn fast(&self, bytes: &[u8], digest: &Digest) -> Result<Compiled, LoadError> {
        if self.options().compile_program.is_some() {
            return self.compiled_apart(Purpose::Speed, bytes, digest).map(|code| code.compiled);
        }
        let weight = survey::survey(bytes).map_err(LoadError::from)?;
        self.compile(self.lean(), bytes, digest, weight).map_err(|error| refusal(&one_line(&error)))
    }

    /// The same as [`Engine::compiled`], in a process of its own.
    fn compiled_once_apart(&self, bytes: &[u8], digest: &Digest, ended: u64) -> Result<Code, LoadError> {
        // Another load may have compiled it while this one waited for a place.
        let may_be_there = self.compiler().ended() != ended;
        if let Some(compiled) = may_be_there.then(|| self.cached(self.lean(), digest)).flatten() {
            return Ok(Code::of((Flavor::Lean, compiled)));
        }
        self.compiled_apart(Purpose::Run, bytes, digest)
    }

    /// Has the program of the options compile a component, and stores its code.
    fn compiled_apart(&self, purpose: Purpose, bytes: &[u8], digest: &Digest) -> Result<Code, LoadError> {
        let options = self.options();
        let Some(program) = &options.compile_program else {
            return Err(LoadError::Process("there is no program".to_owned()));
        };
        let component_bytes = bytes.len() as u64;
        let limits = match purpose {
            Purpose::Run | Purpose::Inspect | Purpose::Assemble | Purpose::Wit => {
                Limits::of(survey::code_bytes(bytes))
            }
            Purpose::Speed => Limits::patient(survey::code_bytes(bytes)),
        };
        let (count_fuel, quick_code_bytes) = (options.count_fuel, options.quick_code_bytes);
        let request = Request { purpose, count_fuel, quick_code_bytes, limits, component_bytes };
        match apart::ask(program, &request, bytes)? {
            Answer::Refused(refusal) => Err(LoadError::of(refusal, &limits)),
            Answer::Binary(_) | Answer::Wit(_) => Err(no_answer()),
            Answer::Code { engine, is_surface, entry } => {
                let code = self.code_of(&engine, is_surface, &entry, digest);
                code.ok_or_else(|| LoadError::Process("its code is not of this version".to_owned()))
            }
        }
    }

    /// The code in an entry, which it stores.
    fn code_of(&self, engine: &str, is_surface: bool, entry: &[u8], digest: &Digest) -> Option<Code> {
        let flavor = Flavor::named(engine)?;
        let runtime = match flavor {
            Flavor::Quick => self.quick(u64::MAX)?,
            Flavor::Full => self.full().ok()?,
            Flavor::Lean => self.lean(),
        };
        let compiled = compile_cache::component_of(entry, digest, &runtime.engine)?;
        if let Some(cache) = self.compile_cache().filter(|_| !is_surface) {
            cache.put_entry(digest, &runtime.engine, entry);
        }
        Some(Code { flavor, compiled, is_surface })
    }

    /// Prefers the lean engine, which refuses components that need the other one before compiling anything. `ended` is
    /// the number of ended compilations when the compile cache was read.
    pub(crate) fn compiled(
        &self,
        bytes: &[u8],
        digest: &Digest,
        ended: u64,
    ) -> Result<(Flavor, Compiled), LoadError> {
        // Another load may have compiled it while this one waited for a place.
        let may_be_there = self.compiler().ended() != ended;
        if let Some(compiled) = may_be_there.then(|| self.cached(self.lean(), digest)).flatten() {
            return Ok((Flavor::Lean, compiled));
        }
        let weight = survey::survey(bytes).map_err(LoadError::from)?;
        // Unsupported components are compiled as if there was no quick compiler.
        if let Some(quick) = self.quick(if weight.is_slow { u64::MAX } else { weight.code_bytes }) {
            // For small components, a load does not look for quick code before it gets here.
            if let Some(compiled) =
                (may_be_there || weight.is_slow).then(|| self.cached(quick, digest)).flatten()
            {
                return Ok((Flavor::Quick, compiled));
            }
            if let Some(compiled) = unless_it_fails(|| self.compile(quick, bytes, digest, weight)) {
                return Ok((Flavor::Quick, compiled));
            }
        }
        match self.compile(self.lean(), bytes, digest, weight).map_err(|error| refusal(&one_line(&error))) {
            Ok(compiled) => return Ok((Flavor::Lean, compiled)),
            // It is valid, and the other engine gives the same result.
            Err(error @ LoadError::TooDemanding(_)) => return Err(error),
            Err(_) => {}
        }
        let full = self.full()?;
        if let Some(compiled) = self.cached(full, digest) {
            return Ok((Flavor::Full, compiled));
        }
        let compiled = self.compile(full, bytes, digest, weight);
        compiled.map(|compiled| (Flavor::Full, compiled)).map_err(|error| {
            let features = features::unsupported(bytes);
            match features.is_empty() {
                true => refusal(&one_line(&error)),
                false => LoadError::Unsupported { features },
            }
        })
    }

    fn cached(&self, runtime: &Runtime, digest: &Digest) -> Option<Compiled> {
        self.compile_cache()?.get(digest, &runtime.engine)
    }

    fn compile(
        &self,
        runtime: &Runtime,
        bytes: &[u8],
        digest: &Digest,
        weight: Weight,
    ) -> wasmtime::Result<Compiled> {
        let compile = || Compiled::from_binary(&runtime.engine, bytes);
        let compiled = match weight.is_heavy {
            false => compile(),
            true => self.compiler().alone(compile)?,
        }?;
        if let Some(cache) = self.compile_cache() {
            cache.put(digest, &compiled);
        }
        Ok(compiled)
    }

    pub(crate) fn stopped(&self, stopped: Stopped) -> LoadError {
        let limit = self.compiler().timeout();
        match stopped {
            Stopped::Timeout => LoadError::CompileTimeout { limit },
            Stopped::NoPlace => LoadError::NoPlace { limit },
            Stopped::Crowded => LoadError::Crowded,
            Stopped::NoThreads(error) => LoadError::Engine(EngineError::Compiler(error.to_string())),
            Stopped::Panicked(message) => panicked(&message),
        }
    }
}

/// The compiled code; `None` if the compiler returns an error or panics.
fn unless_it_fails<T, E>(compile: impl FnOnce() -> Result<T, E>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(compile)).ok()?.ok()
}

/// Has a program assemble a text.
fn assembled_apart(program: &Path, text: &[u8]) -> Result<Vec<u8>, LoadError> {
    match asked(program, Purpose::Assemble, text)? {
        Answer::Binary(binary) => Ok(binary),
        Answer::Code { .. } | Answer::Wit(_) | Answer::Refused(_) => Err(no_answer()),
    }
}

/// Has a program write a component in WIT.
fn wit_apart(program: &Path, component: &[u8]) -> Result<String, LoadError> {
    match asked(program, Purpose::Wit, component)? {
        Answer::Wit(text) => Ok(text),
        Answer::Code { .. } | Answer::Binary(_) | Answer::Refused(_) => Err(no_answer()),
    }
}

/// Asks a program for what needs no engine.
fn asked(program: &Path, purpose: Purpose, bytes: &[u8]) -> Result<Answer, LoadError> {
    let (limits, component_bytes) = (Limits::of(0), bytes.len() as u64);
    let request = Request { purpose, count_fuel: false, quick_code_bytes: None, limits, component_bytes };
    match apart::ask(program, &request, bytes)? {
        Answer::Refused(refusal) => Err(LoadError::of(refusal, &limits)),
        answer @ (Answer::Binary(_) | Answer::Wit(_) | Answer::Code { .. }) => Ok(answer),
    }
}

fn no_answer() -> LoadError {
    LoadError::Process("it answered something else".to_owned())
}

/// A component that waits for faster code. Dropping this without code signals that none will come.
struct Waiting(Weak<component::Inner>);

impl Waiting {
    fn end(&self, runtime: &Runtime, compiled: Compiled) {
        if let Some(component) = self.0.upgrade() {
            component.optimise(Some((runtime, compiled)));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(component) = self.0.upgrade() {
            component.optimise(None);
        }
    }
}

/// The kind of some bytes, judging by their beginning.
enum Format {
    Component,
    CoreModule,
    Text,
    Other(String),
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        const MAGIC: &[u8] = b"\0asm";
        const CORE: &[u8] = &[1, 0, 0, 0];
        if let Some(rest) = bytes.strip_prefix(MAGIC) {
            return if rest.starts_with(CORE) { Self::CoreModule } else { Self::Component };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Self::Other("the file is empty".to_owned()),
            Ok(text) if text.trim_start().starts_with(['(', ';']) => Self::Text,
            _ => Self::Other(
                kind(bytes).map_or_else(|| format!("it begins with {}", beginning(bytes)), str::to_owned),
            ),
        }
    }
}

/// The kind of another file format, and advice, judging by the beginning of the bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    /// The operating system that wasmtime names in the header of its ELF files, and its position there.
    const WASMTIME: (usize, u8) = (7, 200);
    const KINDS: [(&[u8], &str); 9] = [
        (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first"),
        (b"BZh", "it is compressed with bzip2; unpack it first"),
        (b"\xfd7zXZ\0", "it is compressed with xz; unpack it first"),
        (b"PK\x03\x04", "it is a ZIP archive; unpack it first"),
        (b"\x7fELF", "it is a native program or library (ELF)"),
        (b"\xcf\xfa\xed\xfe", "it is a native program or library (Mach-O)"),
        (b"MZ", "it is a native program or library (PE)"),
        (b"<", "it is a document, such as the page of a download that failed"),
    ];
    if bytes.starts_with(b"\x7fELF") && bytes.get(WASMTIME.0) == Some(&WASMTIME.1) {
        return Some("it is code that wasmtime compiled (.cwasm); give the component that it was made from");
    }
    KINDS.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| kind)
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(LoadError::Directory { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more, even if the size is not known in advance.
    File::open(path)
        .and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

/// The first bytes in readable form.
fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    format!("{:?}", String::from_utf8_lossy(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_fails_or_panics_returns_no_code() {
        assert_eq!(unless_it_fails(|| Ok::<_, ()>(42)), Some(42));
        assert_eq!(unless_it_fails(|| Err::<u32, _>("no tail calls")), None);
        assert_eq!(unless_it_fails(|| -> Result<u32, ()> { panic!("register {}", 7) }), None);
    }
}
