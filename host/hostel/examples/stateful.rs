//! A slow task that is cached: it sleeps once, and not again. Results have no expiry yet: once known, always known.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{CachePolicy, Host, args};
use hostel_guests::CACHING;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let my_stateful_task = host.load(CACHING).await?.task("my-stateful-task")?;
    let my_stateful_task =
        my_stateful_task.cache(CachePolicy::INPUTS).log_prints(|line| println!("{}", line.text));

    for _ in 0..2 {
        let future = my_stateful_task.submit(args![1, "sleep-ms" = 200])?;
        println!("{}: {}", future.result::<i64>().await?, future.state());
    }

    // What has become stale is run again on request, and is known anew.
    let future = my_stateful_task.refresh_cache(true).submit(args![1, "sleep-ms" = 200])?;
    println!("{}: {}", future.result::<i64>().await?, future.state());
    Ok(())
}
