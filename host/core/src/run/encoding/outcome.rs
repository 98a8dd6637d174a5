//! Outcomes, stored values and receipts as bytes.

use super::read::Reader;
use super::write;
use crate::{
    BlobRef, Denials, Digest, Failure, Frame, HostCalls, Limit, LimitKind, Outcome, Receipt, StoredOutcome,
    StoredValue, Trap, UpstreamChain, UpstreamRun,
};

/// The byte of each kind of limit is its place here.
const LIMIT_KINDS: [LimitKind; 18] = [
    LimitKind::Memory,
    LimitKind::Timeout,
    LimitKind::IdleTimeout,
    LimitKind::Fuel,
    LimitKind::TableElements,
    LimitKind::Instances,
    LimitKind::Handles,
    LimitKind::Subtasks,
    LimitKind::Log,
    LimitKind::LogLines,
    LimitKind::Input,
    LimitKind::Result,
    LimitKind::OpenFiles,
    LimitKind::Written,
    LimitKind::Sockets,
    LimitKind::Network,
    LimitKind::Stack,
    LimitKind::HostMemory,
];

pub(super) fn write_value(out: &mut Vec<u8>, value: &StoredValue) {
    match value {
        StoredValue::Bytes(bytes) => {
            out.push(0);
            write::bytes(out, bytes);
        }
        StoredValue::Blob(BlobRef { digest, length }) => {
            out.push(1);
            out.extend(digest.as_bytes());
            write::number(out, *length);
        }
    }
}

pub(super) fn read_value(reader: &mut Reader<'_>) -> Option<StoredValue> {
    match reader.byte()? {
        0 => reader.bytes().map(|bytes| StoredValue::Bytes(bytes.into())),
        1 => {
            let digest = Digest::from_bytes(reader.array()?);
            Some(StoredValue::Blob(BlobRef { digest, length: reader.number()? }))
        }
        _ => None,
    }
}

pub(super) fn write(out: &mut Vec<u8>, outcome: &StoredOutcome) {
    match outcome {
        Outcome::Completed(value) => {
            out.push(0);
            write_value(out, value);
        }
        Outcome::Failed(failure) => {
            out.push(1);
            write_failure(out, failure);
        }
        Outcome::Crashed { reason } => {
            out.push(2);
            write::text(out, reason);
        }
        Outcome::Cancelled => out.push(3),
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<StoredOutcome> {
    Some(match reader.byte()? {
        0 => Outcome::Completed(read_value(reader)?),
        1 => Outcome::Failed(read_failure(reader)?),
        2 => Outcome::Crashed { reason: reader.string()? },
        3 => Outcome::Cancelled,
        _ => return None,
    })
}

fn write_failure(out: &mut Vec<u8>, failure: &Failure<StoredValue>) {
    match failure {
        Failure::Error(value) => {
            out.push(0);
            write_value(out, value);
        }
        Failure::Trap(trap) => {
            out.push(1);
            write_trap(out, trap);
        }
        Failure::Exit { code, stderr_tail } => {
            out.push(2);
            write::signed(out, *code);
            write_lines(out, stderr_tail);
        }
        Failure::Limit { limit: Limit { kind, allowed }, stderr_tail } => {
            out.push(3);
            write::choice(out, &LIMIT_KINDS, kind);
            write::number(out, *allowed);
            write_lines(out, stderr_tail);
        }
        Failure::TimedOut { after } => {
            out.push(4);
            write::duration(out, *after);
        }
        Failure::Upstream { chain } => {
            out.push(5);
            write::list(out, chain.runs(), |out, UpstreamRun { run, name }| {
                write::id(out, *run);
                write::text(out, name);
            });
            write::number(out, chain.left_out() as u64);
            write::text(out, chain.cause());
        }
    }
}

fn read_failure(reader: &mut Reader<'_>) -> Option<Failure<StoredValue>> {
    Some(match reader.byte()? {
        0 => Failure::Error(read_value(reader)?),
        1 => Failure::Trap(read_trap(reader)?),
        2 => Failure::Exit { code: reader.signed()?, stderr_tail: read_lines(reader)? },
        3 => {
            let limit = Limit { kind: reader.choice(&LIMIT_KINDS)?, allowed: reader.number()? };
            Failure::Limit { limit, stderr_tail: read_lines(reader)? }
        }
        4 => Failure::TimedOut { after: reader.duration()? },
        5 => {
            let runs =
                reader.list(|reader| Some(UpstreamRun { run: reader.id()?, name: reader.shared()? }))?;
            let left_out = reader.narrow()?;
            Failure::Upstream { chain: UpstreamChain::of_parts(runs, left_out, reader.shared()?)? }
        }
        _ => return None,
    })
}

fn write_lines(out: &mut Vec<u8>, lines: &[String]) {
    write::list(out, lines, |out, line| write::text(out, line));
}

fn read_lines(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    reader.list(Reader::string)
}

fn write_trap(out: &mut Vec<u8>, trap: &Trap) {
    let Trap { message, backtrace, stderr_tail } = trap;
    write::text(out, message);
    write::list(out, backtrace, |out, Frame { function, index, source }| {
        write::maybe(out, function.as_deref(), write::text);
        write::number(out, (*index).into());
        write::maybe(out, source.as_deref(), write::text);
    });
    write_lines(out, stderr_tail);
}

fn read_trap(reader: &mut Reader<'_>) -> Option<Trap> {
    let message = reader.string()?;
    let backtrace = reader.list(|reader| {
        let function = reader.maybe(Reader::string)?;
        Some(Frame { function, index: reader.narrow()?, source: reader.maybe(Reader::string)? })
    })?;
    Some(Trap { message, backtrace, stderr_tail: read_lines(reader)? })
}

pub(super) fn write_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    let Receipt {
        fuel,
        cpu_time,
        peak_memory_bytes,
        host_calls,
        denials,
        input_bytes,
        result_bytes,
        log_bytes,
        read_bytes,
        written_bytes,
        received_bytes,
        sent_bytes,
    } = receipt;
    write::maybe(out, *fuel, write::number);
    write::duration(out, *cpu_time);
    write::number(out, *peak_memory_bytes);
    write_counts(out, host_calls.counts());
    write_counts(out, denials.counts());
    let bytes = [input_bytes, result_bytes, log_bytes, read_bytes, written_bytes, received_bytes, sent_bytes];
    bytes.into_iter().for_each(|bytes| write::number(out, *bytes));
}

pub(super) fn read_receipt(reader: &mut Reader<'_>) -> Option<Receipt> {
    Some(Receipt {
        fuel: reader.maybe(Reader::number)?,
        cpu_time: reader.duration()?,
        peak_memory_bytes: reader.number()?,
        host_calls: HostCalls::of_counts(read_counts(reader)?),
        denials: Denials::of_counts(read_counts(reader)?),
        input_bytes: reader.number()?,
        result_bytes: reader.number()?,
        log_bytes: reader.number()?,
        read_bytes: reader.number()?,
        written_bytes: reader.number()?,
        received_bytes: reader.number()?,
        sent_bytes: reader.number()?,
    })
}

/// Counts by kind, without zeros at the end: most are zero, and a kind that is added later comes last.
fn write_counts(out: &mut Vec<u8>, counts: &[u64]) {
    let used = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    write::list(out, counts.get(..used).unwrap_or_default(), |out, count| write::number(out, *count));
}

fn read_counts<const KINDS: usize>(reader: &mut Reader<'_>) -> Option<[u64; KINDS]> {
    let used = reader.list(Reader::number)?;
    if used.last() == Some(&0) || used.len() > KINDS {
        return None;
    }
    let mut counts = [0; KINDS];
    counts.iter_mut().zip(used).for_each(|(count, used)| *count = used);
    Some(counts)
}
