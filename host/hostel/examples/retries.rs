//! Retries: how often, after how long, after which failures, and within what time.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;
use std::time::Duration;

use hostel::{Host, Input, RetryDelay, RetryOn, args};
use hostel_guests::{ELEVATOR, FLAKY};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;

    // Up to three more attempts, after 10, 20 and 40 ms. The guest fails until it is tried a third time.
    let fail_until = host.load(FLAKY).await?.task("fail-until")?;
    let future = fail_until
        .retries(3)
        .retry_delay(RetryDelay::Exponential(Duration::from_millis(10)))
        .submit(args![3, Input::case("error")])?;
    println!("attempt {} completed", future.result::<u32>().await?);
    for transition in future.history() {
        println!("- {}", transition.state);
    }

    // Each attempt may take 50 ms, and all of them ten seconds. Only one that takes too long is followed by another.
    let stop_at_floor = host.load(ELEVATOR).await?.task("stop-at-floor")?;
    let future = stop_at_floor
        .timeout(Duration::from_millis(50))
        .run_timeout(Duration::from_secs(10))
        .retries(2)
        .retry_on(RetryOn::TIMEOUT)
        .submit(args![3600])?;
    println!("{}", future.outcome().await);
    for attempt in future.attempts() {
        println!("- attempt {} took {:.0?}", attempt.number, attempt.duration().unwrap_or_default());
    }
    Ok(())
}
