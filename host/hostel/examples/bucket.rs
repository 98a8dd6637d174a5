//! Results in a bucket: what one machine has computed, another takes.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, RemoteCache, Shutdown, args};
use hostel_guests::CACHING;

/// In earnest there are credentials here, as in `("aws_access_key_id", "…")`.
const OPTIONS: [(&str, &str); 0] = [];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In earnest this is `s3://results/hostel`; a directory does for one that has no bucket.
    let dir = tempfile::tempdir()?;
    let url = format!("file://{}", dir.path().display());

    for machine in ["here", "there"] {
        let host = Host::builder().remote_cache(RemoteCache::from_url(&url, OPTIONS)?).build()?;
        let task = host.load(CACHING).await?.task("my-cached-task")?;
        let future = task.submit(args![1])?;
        println!("{machine}: my-cached-task(1) = {}: {}", future.result::<i64>().await?, future.state());
        // Waits until the bucket has what was computed.
        host.shutdown(Shutdown::Wait).await;
    }
    Ok(())
}
