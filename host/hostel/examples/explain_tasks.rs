//! A task that prints: its lines are heard as they come, and kept as the run's log.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args};
use hostel_guests::ELEVATOR;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let explain_tasks = host.load(ELEVATOR).await?.task("explain-tasks")?;

    let explain_tasks = explain_tasks.log_prints(|line| println!("{}", line.text));
    let future = explain_tasks.submit(args![])?;
    future.outcome().await;

    println!("{} after {} lines", future.state(), future.log().len());
    Ok(())
}
