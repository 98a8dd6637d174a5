//! Batches of a server: actions on all runs that match a filter, which the server does in the background.

use std::time::Duration;

use hostel_wire::BatchObject;
use serde::Deserialize;
use tokio::time::sleep;

use super::client::Client;
use super::request::Request;
use crate::interrupt::Interrupt;
use crate::problem::Problem;

/// The pauses between two looks at a batch: the first, after which they double, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A batch of a server.
#[derive(Debug, Deserialize)]
pub(crate) struct RemoteBatch {
    #[serde(flatten)]
    pub(crate) object: BatchObject,
    /// The first runs that refused the action.
    #[serde(default)]
    pub(crate) failed_runs: Vec<String>,
}

/// Whether a batch has acted on all its runs, or was stopped.
pub(crate) fn is_finished(batch: &BatchObject) -> bool {
    batch.state != "running"
}

/// Looks at a batch until it is finished or the command is interrupted, and shows how far it is.
pub(crate) async fn follow_batch(
    client: &Client,
    mut batch: RemoteBatch,
    interrupt: &Interrupt,
    show: impl Fn(&BatchObject),
) -> Result<RemoteBatch, Problem> {
    let mut interrupt = interrupt.clone();
    let id = batch.object.batch;
    let request = Request::get(&["batches", &id.to_string()]);
    let (mut pause, longest) = PAUSES;
    while !is_finished(&batch.object) {
        let looked = async {
            sleep(pause).await;
            client.call(&request).await
        };
        batch = tokio::select! {
            biased;
            () = interrupt.requested() => return Ok(batch),
            looked = looked => looked.map_err(|problem: Problem| {
                let hint = format!("the server goes on with the batch; hostel runs batches --stop {id} ends it");
                problem.within(format_args!("batch {id}")).hint(hint)
            })?,
        };
        show(&batch.object);
        pause = pause.saturating_mul(2).min(longest);
    }
    Ok(batch)
}
