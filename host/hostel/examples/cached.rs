//! A cache: what ran once with the same inputs is not run again.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{CachePolicy, Host, args};
use hostel_guests::ARITH;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // With `.data_dir(...)`, results are kept for the next process.
    let host = Host::builder().build()?;
    let add_one = host.load(ARITH).await?.task("add-one")?.cache(CachePolicy::INPUTS);

    for x in [1, 1, 2] {
        let future = add_one.submit(args![x])?;
        println!("add-one({x}) = {}: {}", future.result::<i64>().await?, future.state());
    }
    Ok(())
}
