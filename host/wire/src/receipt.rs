//! Receipts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hostel::{GrantKind, HostCall, Receipt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::exact_millis;

/// What a run used. Kinds without calls or denials are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Receipt)]
#[non_exhaustive]
pub struct ReceiptObject {
    /// Processor time in milliseconds, host functions included.
    pub cpu_ms: f64,
    /// Peak linear memory; the highest of the attempts.
    pub peak_memory_bytes: u64,
    /// wasmtime's fuel, if the host counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Calls of the host, by kind.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub host_calls: BTreeMap<Cow<'static, str>, u64>,
    /// Denied requests, by the kind of grant that would allow them.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub denials: BTreeMap<Cow<'static, str>, u64>,
    /// Bytes of the arguments, and of a program's stdin.
    pub input_bytes: u64,
    /// Bytes of the result.
    pub result_bytes: u64,
    /// Bytes of the stored log.
    pub log_bytes: u64,
    /// Bytes read from files.
    pub read_bytes: u64,
    /// Bytes written to files.
    pub written_bytes: u64,
    /// Bytes received over the network.
    pub received_bytes: u64,
    /// Bytes sent over the network.
    pub sent_bytes: u64,
}

impl ReceiptObject {
    /// Adds the receipt of another run.
    pub fn add_run(&mut self, other: &Self) {
        self.cpu_ms += other.cpu_ms;
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
        self.fuel = match (self.fuel, other.fuel) {
            (Some(one), Some(more)) => Some(one.saturating_add(more)),
            (one, more) => one.or(more),
        };
        let kinds = [(&mut self.host_calls, &other.host_calls), (&mut self.denials, &other.denials)];
        for (sum, more) in kinds {
            for (kind, number) in more {
                let sum = sum.entry(kind.clone()).or_default();
                *sum = sum.saturating_add(*number);
            }
        }
        let bytes = [
            (&mut self.input_bytes, other.input_bytes),
            (&mut self.result_bytes, other.result_bytes),
            (&mut self.log_bytes, other.log_bytes),
            (&mut self.read_bytes, other.read_bytes),
            (&mut self.written_bytes, other.written_bytes),
            (&mut self.received_bytes, other.received_bytes),
            (&mut self.sent_bytes, other.sent_bytes),
        ];
        bytes.into_iter().for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
}

impl From<&Receipt> for ReceiptObject {
    fn from(receipt: &Receipt) -> Self {
        Self {
            cpu_ms: exact_millis(receipt.cpu_time),
            peak_memory_bytes: receipt.peak_memory_bytes,
            fuel: receipt.fuel,
            host_calls: calls(receipt).map(owned).collect(),
            denials: denials(receipt).map(owned).collect(),
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

fn owned((name, number): (&'static str, u64)) -> (Cow<'static, str>, u64) {
    (name.into(), number)
}

/// The kinds of calls of the host that a receipt has, with their numbers.
pub fn calls(receipt: &Receipt) -> impl Iterator<Item = (&'static str, u64)> {
    let of = |kind: HostCall| (kind.name(), receipt.host_calls.of(kind));
    HostCall::ALL.into_iter().map(of).filter(|(_, calls)| *calls > 0)
}

/// The kinds of grants whose lack a receipt has denials for, with their numbers.
pub fn denials(receipt: &Receipt) -> impl Iterator<Item = (&'static str, u64)> {
    let of = |kind: GrantKind| (kind.name(), receipt.denials.of(kind));
    GrantKind::ALL.into_iter().map(of).filter(|(_, denials)| *denials > 0)
}
