//! Receipts as text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use hostel::{GrantKind, HostCall, Receipt, State, TaskFuture, bytes_text, count_text, duration_text};
use hostel_wire::ReceiptObject;

use crate::ui::Ui;
use crate::ui::text::counted;

/// Writes the receipt of a run to stderr; a cached run used nothing.
pub(crate) fn tell_run(ui: &Ui, run: &TaskFuture) {
    match run.state() == State::Cached {
        true => tell_nothing(ui),
        false => tell(ui, &run.receipt()),
    }
}

/// Writes the receipt of a cached run.
pub(crate) fn tell_nothing(ui: &Ui) {
    ui.note("used     nothing: its value was cached");
}

/// Writes a receipt to stderr: a line each for resources, bytes, calls of the host, and denied requests.
pub(crate) fn tell(ui: &Ui, receipt: &Receipt) {
    tell_received(ui, &ReceiptObject::from(receipt));
}

/// The same for the receipt of a server.
pub(crate) fn tell_received(ui: &Ui, receipt: &ReceiptObject) {
    rows(receipt).iter().for_each(|(name, text)| ui.note(&format!("{name:8} {text}")));
}

/// The same, as lines with a name each.
pub(crate) fn rows(receipt: &ReceiptObject) -> Vec<(&'static str, String)> {
    let cpu_time = Duration::try_from_secs_f64(receipt.cpu_ms / 1e3).unwrap_or_default();
    let fuel = receipt.fuel.map(|fuel| format!(", {} of fuel", count_text(fuel))).unwrap_or_default();
    let (cpu, memory) = (duration_text(cpu_time), bytes_text(receipt.peak_memory_bytes));
    let mut rows = vec![
        ("used", format!("{cpu} of processor time, {memory} of memory{fuel}")),
        ("bytes", amounts(receipt)),
    ];
    let kinds = listed(&receipt.host_calls, HostCall::ALL.map(HostCall::name));
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {kinds}") };
    rows.push(("host", format!("{}{kinds}", counted(total(&receipt.host_calls), "call"))));
    if total(&receipt.denials) > 0 {
        rows.push(("denied", listed(&receipt.denials, GrantKind::ALL.map(GrantKind::name))));
    }
    rows
}

fn amounts(receipt: &ReceiptObject) -> String {
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

/// The kinds that there are, in the order of `known`, and then those that only a later version knows.
fn listed<const N: usize>(kinds: &BTreeMap<Cow<'static, str>, u64>, known: [&'static str; N]) -> String {
    let of_known = known.iter().filter_map(|name| Some((*name, *kinds.get(*name)?)));
    let others = kinds.iter().map(|(name, number)| (&**name, *number));
    let others = others.filter(|(name, _)| !known.contains(name));
    let texts = of_known.chain(others).map(|(name, number)| format!("{} {name}", count_text(number)));
    texts.collect::<Vec<_>>().join(", ")
}

fn total(kinds: &BTreeMap<Cow<'static, str>, u64>) -> u64 {
    kinds.values().fold(0, |sum, number| sum.saturating_add(*number))
}
