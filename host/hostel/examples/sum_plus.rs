//! Mapping: `each` is mapped, and what is not marked stays the same for all.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args, each, results};
use hostel_guests::SUM_PLUS;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let sum_plus = host.load(SUM_PLUS).await?.task("sum-plus")?;

    let futures = sum_plus.map(args![each([4, 5, 6]), vec![1, 2, 3]])?;
    let sums: Vec<i64> = results(&futures).await?;
    println!("{sums:?}");
    Ok(())
}
