//! One task: submit it, and take its result.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args};
use hostel_guests::BATCH;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let cool_task = host.load(BATCH).await?.task("cool-task")?;

    let future = cool_task.submit(args![])?;
    let result: String = future.result().await?;
    println!("{result}");
    Ok(())
}
