//! Two runs that are stored before anything executes them, and then served.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, State, args};
use hostel_guests::CALCULATOR;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let host = Host::builder().max_workers(1).data_dir(dir.path()).build()?;
    let calculator = host.load(CALCULATOR).await?;
    let (add, multiply) = (calculator.task("add")?, calculator.task("multiply")?);

    // On disk when `delay` returns: any program with this data directory may execute them, now or later.
    let (sum, product) = (add.delay(args![2, 3])?, multiply.delay(args![2, 3])?);
    let waiting = host.journal()?.counts()?.of(State::Pending);
    println!("{waiting} runs wait");

    // What a program adds to a task, such as hooks and `log_prints`, is that of the one that serves it.
    let served = [add, multiply].map(|task| task.log_prints(|line| println!("{}", line.text)));
    let worker = host.worker().serve(served).max_runs(1).start()?;
    println!("results: {} and {}", sum.result::<i64>().await?, product.result::<i64>().await?);
    worker.drain(None).await;
    Ok(())
}
