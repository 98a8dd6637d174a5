//! Receipts as text and as JSON.

use std::collections::BTreeMap;

use hostel::{GrantKind, HostCall, Receipt, State, TaskFuture, bytes_text, count_text, duration_text};
use serde::Serialize;

use crate::ui::Ui;
use crate::ui::text::counted;

/// A receipt, as `--states` shows it. Kinds without calls or denials are left out.
#[derive(Serialize)]
pub(crate) struct ReceiptObject {
    cpu_ms: f64,
    peak_memory_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    host_calls: BTreeMap<&'static str, u64>,
    denials: BTreeMap<&'static str, u64>,
    input_bytes: u64,
    result_bytes: u64,
    log_bytes: u64,
    read_bytes: u64,
    written_bytes: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

impl From<&Receipt> for ReceiptObject {
    fn from(receipt: &Receipt) -> Self {
        Self {
            // In thousandths: finer digits are noise.
            cpu_ms: (receipt.cpu_time.as_secs_f64() * 1e6).round() / 1e3,
            peak_memory_bytes: receipt.peak_memory_bytes,
            fuel: receipt.fuel,
            host_calls: calls(receipt).collect(),
            denials: denials(receipt).collect(),
            input_bytes: receipt.input_bytes,
            result_bytes: receipt.result_bytes,
            log_bytes: receipt.log_bytes,
            read_bytes: receipt.read_bytes,
            written_bytes: receipt.written_bytes,
            received_bytes: receipt.received_bytes,
            sent_bytes: receipt.sent_bytes,
        }
    }
}

/// Writes the receipt of a run to stderr; a cached run used nothing.
pub(crate) fn tell_run(ui: &Ui, run: &TaskFuture) {
    match run.state() == State::Cached {
        true => ui.note("used     nothing: its value was cached"),
        false => tell(ui, &run.receipt()),
    }
}

/// Writes a receipt to stderr: a line each for resources, bytes, calls of the host, and denied requests.
pub(crate) fn tell(ui: &Ui, receipt: &Receipt) {
    let fuel = receipt.fuel.map(|fuel| format!(", {} of fuel", count_text(fuel))).unwrap_or_default();
    let (cpu, memory) = (duration_text(receipt.cpu_time), bytes_text(receipt.peak_memory_bytes));
    ui.note(&format!("used     {cpu} of processor time, {memory} of memory{fuel}"));
    ui.note(&format!("bytes    {}", amounts(receipt)));
    let kinds = listed(calls(receipt));
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {kinds}") };
    ui.note(&format!("host     {}{kinds}", counted(receipt.host_calls.total(), "call")));
    if receipt.denials.total() > 0 {
        ui.note(&format!("denied   {}", listed(denials(receipt))));
    }
}

fn amounts(receipt: &Receipt) -> String {
    let others = [
        (receipt.log_bytes, "logged"),
        (receipt.read_bytes, "read from files"),
        (receipt.written_bytes, "written to files"),
        (receipt.received_bytes, "received"),
        (receipt.sent_bytes, "sent"),
    ];
    let always = [(receipt.input_bytes, "of input"), (receipt.result_bytes, "of result")];
    let some = others.into_iter().filter(|(bytes, _)| *bytes > 0);
    let texts = always.into_iter().chain(some).map(|(bytes, what)| format!("{} {what}", bytes_text(bytes)));
    texts.collect::<Vec<_>>().join(", ")
}

fn calls(receipt: &Receipt) -> impl Iterator<Item = (&'static str, u64)> {
    let of = |kind: HostCall| (kind.name(), receipt.host_calls.of(kind));
    HostCall::ALL.into_iter().map(of).filter(|(_, calls)| *calls > 0)
}

fn denials(receipt: &Receipt) -> impl Iterator<Item = (&'static str, u64)> {
    let of = |kind: GrantKind| (kind.name(), receipt.denials.of(kind));
    GrantKind::ALL.into_iter().map(of).filter(|(_, denials)| *denials > 0)
}

fn listed(kinds: impl Iterator<Item = (&'static str, u64)>) -> String {
    kinds.map(|(name, number)| format!("{} {name}", count_text(number))).collect::<Vec<_>>().join(", ")
}
