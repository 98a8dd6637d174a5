//! Ten elevators at once: ten tasks that sleep take as long as the longest. `cargo run --example elevator 1000` gives
//! each floor a whole second.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::env;
use std::error::Error;
use std::time::Instant;

use futures_util::future::try_join_all;
use hostel::{CachePolicy, Host, ReturnWhen, Task, args, each, results, wait};
use hostel_guests::ELEVATOR;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ms_per_floor: u32 = env::args().nth(1).map_or(Ok(40), |text| text.parse())?;

    // Where the tasks run is said here and nowhere else. One worker is enough: who sleeps holds no thread.
    let host = Host::builder().max_workers(1).build()?;
    let stop_at_floor = elevator(&host).await?;

    let began = Instant::now();
    let futures =
        (1..=10).rev().map(|floor| stop_at_floor.submit(args![floor, "ms-per-floor" = ms_per_floor]));
    let futures = futures.collect::<Result<Vec<_>, _>>()?;
    wait(&futures, ReturnWhen::AllCompleted, None).await;
    println!("submitted: all have stopped after {:.1?}\n", began.elapsed());

    let futures = stop_at_floor.map(args![each((1..=10).rev()), "ms-per-floor" = ms_per_floor])?;
    let floors: Vec<u32> = results(&futures).await?;
    println!("mapped: {floors:?}\n");

    // The same task on another host.
    let host = Host::builder().max_workers(4).max_instances(10).build()?;
    let stop_at_floor = elevator(&host).await?;
    let futures = stop_at_floor.map(args![each((1..=10).rev()), "ms-per-floor" = ms_per_floor])?;
    let floors = try_join_all(futures.iter().map(|future| future.result::<u32>())).await?;
    println!("gathered: {floors:?}");
    Ok(())
}

async fn elevator(host: &Host) -> Result<Task, Box<dyn Error>> {
    let stop_at_floor = host.load(ELEVATOR).await?.task("stop-at-floor")?;
    // Each ride is to be seen, and one whose result is known already would not take place.
    let stop_at_floor = stop_at_floor.cache(CachePolicy::NONE);
    Ok(stop_at_floor.log_prints(|line| println!("{}", line.text)))
}
