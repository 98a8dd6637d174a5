//! Events: what happens to the runs of a host, as it happens.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{EventKind, Host, args};
use hostel_guests::REPORTER;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let count_to = host.load(REPORTER).await?.task("count-to")?.run_name("count to {n}")?;

    let mut events = host.events();
    count_to.submit(args![3])?;
    while let Some(event) = events.next().await {
        let event = event?;
        match &event.kind {
            EventKind::State(to) => println!("{}: {}", event.name, to.state),
            EventKind::Progress(progress) => println!("{}: {} done", event.name, progress.done),
            EventKind::Log(line) => println!("{}: {}", event.name, line.text),
            _ => {}
        }
        if matches!(event.kind, EventKind::State(to) if to.state.is_terminal()) {
            break;
        }
    }
    Ok(())
}
