//! A child whose parent has ended has nobody to compile for.

use std::io::{self, Read};
use std::thread;

/// The stack of the thread: it only reads, and the limit on memory counts it.
const STACK_BYTES: usize = 64 << 10;

/// Calls `gone` when the input of this process ends: then its parent has ended, or has given up.
///
/// # Errors
///
/// The error of the system if there can be no thread for that.
pub(crate) fn when_it_ends(
    mut input: impl Read + Send + 'static,
    gone: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let watch = move || {
        let _ = io::copy(&mut input, &mut io::sink());
        gone();
    };
    thread::Builder::new().name("hostel-orphan".to_owned()).stack_size(STACK_BYTES).spawn(watch)?;
    Ok(())
}
