//! Runs that depend on each other: by just waiting, or by taking a result.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args};
use hostel_guests::{BATCH, CALCULATOR};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let calculator = host.load(CALCULATOR).await?;
    let add = calculator.task("add")?.log_prints(|line| println!("{}", line.text));

    // One that waits for others begins when they have completed.
    let a = add.submit(args![1, 1])?;
    let b = add.submit(args![2, 2])?;
    let c = add.submit(args![3, 3].wait_for([&a, &b]))?;
    let d = add.submit(args![4, 4].wait_for([&c]))?;
    println!("d = {}", d.result::<i64>().await?);

    // A future stands for its value, once it is there.
    let e = add.submit(args![&d, 10])?;
    let f = add.submit(args![&e, &a])?;
    println!("f = {}", f.result::<i64>().await?);

    // What depends on a run that fails never starts.
    let process_data = host.load(BATCH).await?.task("process-data")?;
    let failed = process_data.submit(args![-1])?;
    let after = add.submit(args![1, 1].wait_for([&failed]))?;
    after.outcome().await;
    println!("after: {}", after.state());
    Ok(())
}
