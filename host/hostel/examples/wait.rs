//! Waiting: for all of ten runs, for the first of them, and for one, but not too long.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;
use std::time::Duration;

use hostel::{Host, ReturnWhen, args, each, wait};
use hostel_guests::ELEVATOR;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let stop_at_floor = host.load(ELEVATOR).await?.task("stop-at-floor")?;

    let futures = stop_at_floor.map(args![each(1..=10), "ms-per-floor" = 20])?;
    let (done, not_done) = wait(&futures, ReturnWhen::FirstCompleted, None).await;
    println!("first: {} done, {} not done", done.len(), not_done.len());
    let (done, not_done) = wait(&futures, ReturnWhen::AllCompleted, None).await;
    println!("all: {} done, {} not done", done.len(), not_done.len());

    let future = stop_at_floor.submit(args![3600])?;
    let done = future.wait(Duration::from_millis(100)).await;
    println!("one: done is {done}, it is {}", future.state());
    future.cancel();
    future.outcome().await;
    println!("one: it is {}", future.state());
    Ok(())
}
