//! From wasmtime's errors to failures: separates faults of the guest from those of the host.

use hostel_core::{Failure, Frame, Limit, LimitKind, Trap};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, WasmBacktrace, WasmtimeBug};
use wasmtime_wasi::I32Exit;

use super::report::AttemptError;
use crate::config::STACK_BYTES;
use crate::guest::Guest;
use crate::names;
use crate::stdin::TooMuchInput;
use crate::wasi::{TooManyFields, TooManyPolled};

/// The meaning of an error of wasmtime.
pub(crate) fn of_error(error: &wasmtime::Error, guest: &mut Guest) -> Result<Failure, AttemptError> {
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(AttemptError::NoRoom(error.to_string()));
    }
    if let Some(bug) = error.downcast_ref::<WasmtimeBug>() {
        // The rest says where in its source.
        let bug = bug.to_string();
        return Err(AttemptError::Internal(format!(
            "wasmtime has a bug: {}",
            bug.lines().next().unwrap_or_default()
        )));
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

/// The limit that an error reports. A trap without one is attributed to an earlier refused growth, if there was one:
/// allocators abort when they get no memory.
fn reached(error: &wasmtime::Error, guest: &mut Guest) -> Option<Limit> {
    if let Some(&TooManyFields { allowed }) = error.downcast_ref() {
        guest.note_most(allowed, "headers and requests");
        return Some(Limit { kind: LimitKind::Handles, allowed });
    }
    if let Some(&TooManyPolled { allowed }) = error.downcast_ref() {
        guest.note_most(allowed, "pollables in one call");
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
            // One of two tables: that of the host's resources, or that of concurrent tasks.
            match guest.full_table() {
                Some(limit) => {
                    guest.note_most(limit.allowed, "handles of the host");
                    return Some(limit);
                }
                None => LimitKind::Subtasks,
            }
        }
        None => {
            // Only in the root cause: the errors around it contain names chosen by the guest.
            let cause = error.root_cause().to_string();
            let reported = LIMITS_IN_MESSAGES.iter().find(|(words, _)| cause.contains(words));
            match reported {
                Some((_, kind)) => *kind,
                None => return guest.meter.refused(),
            }
        }
    };
    Some(Limit::of(kind, &guest.call.options.limits))
}

/// Limits that wasmtime reports only in the text of its message. Each text has a test.
const LIMITS_IN_MESSAGES: [(&str, LimitKind); 3] = [
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
