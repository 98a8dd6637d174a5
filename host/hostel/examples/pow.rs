//! An executor with one worker, in a program without async: a number of 3,099 digits.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, args, blocking};
use hostel_guests::ARITH;

fn main() -> Result<(), Box<dyn Error>> {
    let executor = Host::builder().max_workers(1).build()?;
    let pow = blocking::load(&executor, ARITH)?.task("pow")?;

    let future = pow.submit(args![323, 1235])?;
    println!("{}", blocking::result::<String>(&future)?);
    Ok(())
}
