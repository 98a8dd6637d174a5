//! The process that compiles for another one: its parent.

use std::io::{self, BufRead, Read, Write};
use std::thread;

use hostel_core::Digest;

use crate::apart::{Answer, Purpose, Refusal, Request, when_it_ends};
use crate::compile_cache;
use crate::compiler::STACK_BYTES;
use crate::config::{EngineOptions, Flavor};
use crate::engine::Engine;
use crate::load::Code;
use crate::load_error::{LoadError, MAX_COMPONENT_BYTES};
use crate::{surface, text};

/// Compiles a component for the process that started this one: see
/// [`EngineOptions::compile_program`](crate::EngineOptions).
///
/// Limits the processor time and the memory of the whole process before it reads the component from `input`, which must be its
/// stdin. Writes the code, or the reason for a refusal, to `output`, which must be its stdout. Nothing else may be written there.
///
/// Calls `gone`, on another thread, if the input ends before the answer is written: then the parent has ended, and nobody waits for
/// the answer. It should end the process, which would otherwise compile on, for minutes.
///
/// # Errors
///
/// The error of the system if the request cannot be read or the answer cannot be written.
pub fn compile_apart(
    mut input: impl BufRead + Send + 'static,
    output: &mut impl Write,
    gone: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let request = Request::read(&mut input)?;
    request.limits.apply();
    if request.component_bytes > MAX_COMPONENT_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the component is too large"));
    }
    let mut component = Vec::new();
    input.by_ref().take(request.component_bytes).read_to_end(&mut component)?;
    if component.len() as u64 != request.component_bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if let Err(error) = when_it_ends(input, gone) {
        // Without memory for a thread it will not go on for long.
        tracing::debug!("the end of the parent is not noticed: {error}");
    }
    let answer = match request.purpose {
        Purpose::Assemble => text::assemble(&component).map(Answer::Binary),
        Purpose::Wit => wit(component),
        Purpose::Run | Purpose::Speed | Purpose::Inspect => compile(&request, component),
    };
    let answer = answer.unwrap_or_else(|error| Answer::Refused(error.into_refusal()));
    answer.write(output)?;
    output.flush()
}

/// On a thread with the stack that nested types need.
fn wit(component: Vec<u8>) -> Result<Answer, LoadError> {
    let write = move || surface::wit::text(&component).map(Answer::Wit).map_err(LoadError::from);
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(write);
    let thread = thread.map_err(|error| LoadError::Process(error.to_string()))?;
    thread.join().unwrap_or_else(|_| Err(LoadError::Panicked("writing its WIT panicked".to_owned())))
}

fn compile(request: &Request, component: Vec<u8>) -> Result<Answer, LoadError> {
    let options = EngineOptions {
        max_instances: 1,
        count_fuel: request.count_fuel,
        quick_code_bytes: request.quick_code_bytes,
        optimise: false,
        compile_timeout: std::time::Duration::MAX,
        ..EngineOptions::default()
    };
    let engine = Engine::new(options)?;
    let (digest, purpose, to_compile) = (Digest::of(&component), request.purpose, engine.clone());
    let compile = move || code(&to_compile, purpose, &component, &digest);
    let code = engine.compiler().run(digest, compile).map_err(|stopped| engine.stopped(stopped))??;
    Ok(match compile_cache::entry(&digest, &code.compiled) {
        Ok(entry) => {
            Answer::Code { engine: code.flavor.name().to_owned(), is_surface: code.is_surface, entry }
        }
        Err(error) => Answer::Refused(Refusal::Failed(error.to_string())),
    })
}

fn code(engine: &Engine, purpose: Purpose, component: &[u8], digest: &Digest) -> Result<Code, LoadError> {
    match purpose {
        Purpose::Run | Purpose::Assemble | Purpose::Wit => {}
        Purpose::Speed => {
            return engine.fast(component, digest).map(|compiled| Code::of((Flavor::Lean, compiled)));
        }
        Purpose::Inspect => {
            if let Some(surface) = engine.surface(component) {
                return Ok(Code { is_surface: true, ..Code::of(surface) });
            }
        }
    }
    engine.compiled(component, digest, engine.compiler().ended()).map(Code::of)
}
