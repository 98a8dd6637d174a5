//! What the machine has.

/// What is assumed where the system does not tell.
const USUAL_MEMORY_BYTES: u64 = 8 << 30;

/// How much memory this process may use, in bytes: what the machine has, or the control group that the process is in.
#[cfg(target_os = "linux")]
pub(crate) fn memory_bytes() -> u64 {
    let machine = nix::sys::sysinfo::sysinfo().map_or(USUAL_MEMORY_BYTES, |info| info.ram_total());
    group_limit().map_or(machine, |limit| limit.min(machine))
}

/// How much memory this process may use, in bytes, as a guess.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_bytes() -> u64 {
    USUAL_MEMORY_BYTES
}

/// The limit of the control group, in the second version of such groups: `max`, or a number of bytes.
#[cfg(target_os = "linux")]
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // Each of those that it is in has a limit. In a container it is itself the root of what can be seen.
    std::path::Path::new(group).ancestors().filter_map(limit_of).min()
}

#[cfg(target_os = "linux")]
fn limit_of(group: &std::path::Path) -> Option<u64> {
    let path = std::path::Path::new("/sys/fs/cgroup").join(group).join("memory.max");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
