//! Receipts.

use std::collections::BTreeMap;

use hostel::{GrantKind, HostCall, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::exact_millis;

/// What a run used. Kinds without calls or denials are left out.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
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
    pub host_calls: BTreeMap<&'static str, u64>,
    /// Denied requests, by the kind of grant that would allow them.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub denials: BTreeMap<&'static str, u64>,
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

impl From<&Receipt> for ReceiptObject {
    fn from(receipt: &Receipt) -> Self {
        Self {
            cpu_ms: exact_millis(receipt.cpu_time),
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
