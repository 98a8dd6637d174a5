//! Receipts as text.

use hostel::{Receipt, State, TaskFuture, bytes_text, count_text, duration_text};
use hostel_wire::{calls, denials};

use crate::ui::Ui;
use crate::ui::text::counted;

/// Writes the receipt of a run to stderr; a cached run used nothing.
pub(crate) fn tell_run(ui: &Ui, run: &TaskFuture) {
    match run.state() == State::Cached {
        true => ui.note("used     nothing: its value was cached"),
        false => tell(ui, &run.receipt()),
    }
}

/// Writes a receipt to stderr: a line each for resources, bytes, calls of the host, and denied requests.
pub(crate) fn tell(ui: &Ui, receipt: &Receipt) {
    rows(receipt).iter().for_each(|(name, text)| ui.note(&format!("{name:8} {text}")));
}

/// The same, as lines with a name each.
pub(crate) fn rows(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let fuel = receipt.fuel.map(|fuel| format!(", {} of fuel", count_text(fuel))).unwrap_or_default();
    let (cpu, memory) = (duration_text(receipt.cpu_time), bytes_text(receipt.peak_memory_bytes));
    let mut rows = vec![
        ("used", format!("{cpu} of processor time, {memory} of memory{fuel}")),
        ("bytes", amounts(receipt)),
    ];
    let kinds = listed(calls(receipt));
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {kinds}") };
    rows.push(("host", format!("{}{kinds}", counted(receipt.host_calls.total(), "call"))));
    if receipt.denials.total() > 0 {
        rows.push(("denied", listed(denials(receipt))));
    }
    rows
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

fn listed(kinds: impl Iterator<Item = (&'static str, u64)>) -> String {
    kinds.map(|(name, number)| format!("{} {name}", count_text(number))).collect::<Vec<_>>().join(", ")
}
