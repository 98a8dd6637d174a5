//! How many files this process may have open: each run that may read a directory holds it open while it executes.

/// Raises what is allowed to what the system lets a process have. Where that fails, fewer have to do.
#[cfg(target_os = "linux")]
pub(crate) fn allow_all() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Elsewhere the usual number has to do.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allow_all() {}
