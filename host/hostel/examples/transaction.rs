//! Transactions: what several runs did becomes visible together, or is undone together.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args, each, outcomes};
use hostel_guests::BATCH;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let process_data = host.load(BATCH).await?.task("process-data")?;
    let process_data = process_data
        .run_name("{item}")?
        .on_commit(|run, _| println!("commit {}", run.name()))
        .on_rollback(|run, _| println!("rollback {}", run.name()));

    for items in [vec![1, 2], vec![3, 4, -5]] {
        // The end of the scope commits, or rolls back if the scope or a run in it has failed.
        let done = host.transaction().scope(async |transaction| {
            let runs = transaction.map(&process_data, args![each(items)])?;
            outcomes(&runs).await;
            Ok::<_, Box<dyn Error>>(())
        });
        match done.await {
            Ok(()) => println!("all is well"),
            Err(error) => println!("error: {error}"),
        }
    }
    Ok(())
}
