//! From wasmtime's errors to failures: what the guest did, told apart from what the host could not do.

use hostel_core::{Failure, Frame, Limit, LimitKind, Limits, Trap};
use wasmtime::{PoolConcurrencyLimitError, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::attempt::AttemptError;
use crate::config::STACK_BYTES;
use crate::log::LogBook;
use crate::meter::Meter;

/// What an error of wasmtime's means.
pub(crate) fn of_error(
    error: &wasmtime::Error,
    meter: &Meter,
    limits: &Limits,
    log: &LogBook,
) -> Result<Failure, AttemptError> {
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(AttemptError::NoRoom(error.to_string()));
    }
    let stderr_tail = log.stderr_tail();
    if let Some(&I32Exit(code)) = error.downcast_ref() {
        return Ok(Failure::Exit { code, stderr_tail });
    }
    if let Some(limit) = reached(error, meter, limits) {
        return Ok(Failure::Limit { limit, stderr_tail });
    }
    Ok(Failure::Trap(Trap { message: message(error), backtrace: backtrace(error), stderr_tail }))
}

/// A trap after a refused growth is put down to the limit: allocators abort when they get no memory.
fn reached(error: &wasmtime::Error, meter: &Meter, limits: &Limits) -> Option<Limit> {
    if let Some(limit) = meter.refused() {
        return Some(limit);
    }
    if error.downcast_ref() == Some(&wasmtime::Trap::StackOverflow) {
        return Some(Limit { kind: LimitKind::Stack, allowed: STACK_BYTES as u64 });
    }
    // wasmtime keeps the type of this error to itself; a test holds the text to it.
    let is_too_large = error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls"));
    is_too_large.then_some(Limit::of(LimitKind::Result, limits))
}

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
    let source = symbol.and_then(|symbol| Some(format!("{}:{}", symbol.file()?, symbol.line()?)));
    let function = info.func_name().map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    Frame { function, index: info.func_index(), source }
}
