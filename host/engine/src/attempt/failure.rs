//! From wasmtime's errors to failures: what the guest did, told apart from what the host could not do.

use hostel_core::{Failure, Frame, Limit, LimitKind, Trap};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::report::AttemptError;
use crate::config::STACK_BYTES;
use crate::guest::Guest;
use crate::names;
use crate::stdin::TooMuchInput;
use crate::wasi::TooManyFields;

/// What an error of wasmtime's means.
pub(crate) fn of_error(error: &wasmtime::Error, guest: &mut Guest) -> Result<Failure, AttemptError> {
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(AttemptError::NoRoom(error.to_string()));
    }
    let stderr_tail = guest.call.options.log.stderr_tail();
    if let Some(&I32Exit(code)) = error.downcast_ref() {
        return Ok(Failure::Exit { code, stderr_tail });
    }
    if let Some(limit) = reached(error, guest) {
        return Ok(Failure::Limit { limit, stderr_tail });
    }
    Ok(Failure::Trap(Trap { message: message(error), backtrace: backtrace(error), stderr_tail }))
}

/// The limit that an error tells of. A trap that tells of none is put down to a growth that was refused before, if one was:
/// allocators abort when they get no memory.
fn reached(error: &wasmtime::Error, guest: &mut Guest) -> Option<Limit> {
    if let Some(&TooManyFields { allowed }) = error.downcast_ref() {
        guest.note_most(allowed, "headers and requests");
        return Some(Limit { kind: LimitKind::Handles, allowed });
    }
    if error.is::<TooMuchInput>() {
        return Some(Limit::of(LimitKind::Input, &guest.call.options.limits));
    }
    let kind = match error.downcast_ref() {
        Some(wasmtime::Trap::StackOverflow) => {
            return Some(Limit { kind: LimitKind::Stack, allowed: STACK_BYTES as u64 });
        }
        Some(wasmtime::Trap::OutOfFuel) => LimitKind::Fuel,
        Some(_) => return guest.meter.refused(),
        None if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) => {
            // Either table: of the host's resources, or of what runs concurrently.
            match guest.full_table() {
                Some(limit) => {
                    guest.note_most(limit.allowed, "handles of the host's");
                    return Some(limit);
                }
                None => LimitKind::Subtasks,
            }
        }
        None => {
            // In the cause alone: what is around it has names of the guest's in it.
            let cause = error.root_cause().to_string();
            let told = TOLD_IN_WORDS.iter().find(|(words, _)| cause.contains(words));
            match told {
                Some((_, kind)) => *kind,
                None => return guest.meter.refused(),
            }
        }
    };
    Some(Limit::of(kind, &guest.call.options.limits))
}

/// Limits that wasmtime tells of in words only; a test for each holds it to them.
const TOLD_IN_WORDS: [(&str, LimitKind); 3] = [
    ("fuel allocated for hostcalls", LimitKind::Result),
    ("store handle limit exceeded", LimitKind::Handles),
    ("resource limit exceeded: instance count", LimitKind::Instances),
];

fn message(error: &wasmtime::Error) -> String {
    let text = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    text.strip_prefix("wasm trap: ").map(str::to_owned).unwrap_or(text)
}

fn backtrace(error: &wasmtime::Error) -> Vec<Frame> {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    frames.iter().map(frame).collect()
}

fn frame(info: &wasmtime::FrameInfo) -> Frame {
    let symbol = info.symbols().iter().find(|symbol| symbol.file().is_some());
    let source = symbol.and_then(|symbol| Some(names::location(symbol.file()?, symbol.line()?)));
    Frame { function: info.func_name().map(names::demangled), index: info.func_index(), source }
}
