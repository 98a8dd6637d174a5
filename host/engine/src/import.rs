//! The capability that an import asks for, by its name.

use hostel_core::Capability;

/// The capability of an import, by its name.
pub(crate) fn capability_of(import: &str) -> Capability {
    if wasi_version(import).is_some() {
        return Capability::Unknown;
    }
    let interface = import.split('@').next().unwrap_or(import);
    let (package, name) = interface.split_once('/').unwrap_or((interface, ""));
    match (package, name) {
        ("wasi:clocks", _) => Capability::Clocks,
        ("wasi:random", _) => Capability::Randomness,
        ("wasi:filesystem", _) => Capability::Files,
        ("wasi:sockets", _) => Capability::Network,
        ("wasi:http", _) => Capability::OutgoingHttp,
        ("wasi:cli", "environment") => Capability::Environment,
        ("wasi:cli", "stdin" | "terminal-stdin") => Capability::StandardInput,
        ("wasi:cli", "stdout" | "stderr" | "terminal-stdout" | "terminal-stderr" | "terminal-output") => {
            Capability::Output
        }
        ("wasi:cli", "terminal-input") => Capability::StandardInput,
        ("wasi:cli" | "wasi:io", _) => Capability::Plumbing,
        ("hostel:task", "context") => Capability::RunContext,
        _ => Capability::Unknown,
    }
}

/// The version of WASI of an import, if this host has a different one.
pub(crate) fn wasi_version(import: &str) -> Option<&str> {
    let (_, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    // Earlier and later versions are different worlds, and so are drafts: compatibility is not guaranteed.
    let is_here = version.starts_with("0.2.") && !version.contains('-');
    (!is_here).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_grouped_by_what_they_give() {
        let check = |import, capability| assert_eq!(capability_of(import), capability, "{import}");
        check("wasi:clocks/wall-clock@0.2.6", Capability::Clocks);
        check("wasi:random/insecure-seed@0.2.0", Capability::Randomness);
        check("wasi:filesystem/preopens@0.2.4", Capability::Files);
        check("wasi:sockets/tcp@0.2.12", Capability::Network);
        check("wasi:http/outgoing-handler@0.2.6", Capability::OutgoingHttp);
        check("wasi:cli/environment@0.2.0", Capability::Environment);
        check("wasi:cli/stderr@0.2.0", Capability::Output);
        check("wasi:cli/exit@0.2.0", Capability::Plumbing);
        check("wasi:io/poll@0.2.0", Capability::Plumbing);
        check("acme:math/ops", Capability::Unknown);
        check("wasi:clocks/monotonic-clock@0.3.0", Capability::Unknown);
        check("wasi:io/poll@0.2.0-rc-2023-11-10", Capability::Unknown);
        check("wasi:keyvalue/store@0.2.0-draft", Capability::Unknown);
        check("log", Capability::Unknown);
    }
}
