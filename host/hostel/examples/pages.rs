//! Five pages loaded by five workers, each reported as soon as it is there. `cargo run --example pages URL...` loads
//! others.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::env;
use std::error::Error;
use std::time::Duration;

use hostel::{Grants, Host, args, as_completed, each};
use hostel_guests::PAGES;

const URLS: [&str; 5] = [
    "https://example.com/",
    "https://example.org/",
    "https://www.rust-lang.org/",
    "https://bytecodealliance.org/",
    "https://nonexistent-subdomain.python.org/",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = env::args().skip(1).collect();
    let urls = if given.is_empty() { URLS.map(String::from).to_vec() } else { given };

    // The guest may ask these hosts and no others.
    let hosts = urls.iter().map(|url| url.trim_end_matches('/').parse());
    let grants = Grants { http: hosts.collect::<Result<_, _>>()?, ..Grants::default() };

    let host = Host::builder().max_workers(5).build()?;
    let load_url = host.load(PAGES).await?.task("load-url")?;
    let load_url = load_url.grants(grants).timeout(Duration::from_secs(60)).run_name("{url}")?;

    let mut completed = as_completed(load_url.map(args![each(urls)])?);
    while let Some(future) = completed.next().await {
        match future.result::<Vec<u8>>().await {
            Ok(page) => println!("{} page is {} bytes", future.name(), page.len()),
            Err(error) => println!("{} generated an exception: {error}", future.name()),
        }
    }
    Ok(())
}
