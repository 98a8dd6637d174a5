//! Runs that depend on each other: by taking a result, or just by waiting.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args};
use hostel_guests::{BATCH, CALCULATOR};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let calculator = host.load(CALCULATOR).await?;
    let add = calculator.task("add")?.log_prints(|line| println!("{}", line.text));

    let a = add.submit(args![1, 1])?;
    let b = add.submit(args![&a, 10])?; // the value of a, once it is there
    let c = add.submit(args![100, 100].wait_for([&a, &b]))?;
    let d = add.submit(args![&c, 1000])?;
    println!("d = {}", d.result::<i64>().await?);

    // What depends on a run that fails never starts.
    let process_data = host.load(BATCH).await?.task("process-data")?;
    let failed = process_data.submit(args![-1])?;
    let after = add.submit(args![1, 1].wait_for([&failed]))?;
    after.outcome().await;
    println!("after: {}", after.state());
    Ok(())
}
