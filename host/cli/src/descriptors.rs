//! The limit of open files: each run with a granted directory holds it open while it executes.

/// Raises the soft limit to the hard limit. If that fails, the soft limit must suffice.
#[cfg(target_os = "linux")]
pub(crate) fn allow_all() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// On other systems the default must suffice.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allow_all() {}
