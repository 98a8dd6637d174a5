//! A batch in which some fail: the others do not mind, and the program goes on.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, ReturnWhen, args, each, wait};
use hostel_guests::BATCH;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let process_data = host.load(BATCH).await?.task("process-data")?;

    let futures = process_data.map(args![each([1, -2, 3, -4, 5])])?;
    let (done, not_done) = wait(&futures, ReturnWhen::AllCompleted, None).await;
    println!("{} done, {} not done", done.len(), not_done.len());

    for future in done {
        match future.result::<String>().await {
            Ok(text) => println!("{text}"),
            Err(error) => println!("error: {error}"),
        }
    }
    println!("and on it goes");
    Ok(())
}
