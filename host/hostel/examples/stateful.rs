//! A slow task whose result is good for a while: it sleeps once, not again, and again when the result has expired.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;
use std::time::Duration;

use hostel::{CachePolicy, Host, args};
use hostel_guests::CACHING;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let good_for = Duration::from_secs(1);
    let host = Host::builder().build()?;
    let my_stateful_task = host.load(CACHING).await?.task("my-stateful-task")?;
    let my_stateful_task = my_stateful_task
        .cache(CachePolicy::INPUTS)
        .cache_expiration(good_for)
        .log_prints(|line| println!("{}", line.text));

    for pause in [Duration::ZERO, Duration::ZERO, good_for] {
        tokio::time::sleep(pause).await;
        let future = my_stateful_task.submit(args![1, sleep_ms = 100])?;
        println!("{}: {}", future.result::<i64>().await?, future.state());
    }
    Ok(())
}
