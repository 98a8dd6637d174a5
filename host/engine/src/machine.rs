//! The resources of the machine.

/// The assumption if the system does not provide the value.
const USUAL_MEMORY_BYTES: u64 = 8 << 30;

/// The memory that this process may use, in bytes: that of the machine, or of the control group of the process.
#[cfg(target_os = "linux")]
pub(crate) fn memory_bytes() -> u64 {
    let machine = nix::sys::sysinfo::sysinfo().map_or(USUAL_MEMORY_BYTES, |info| info.ram_total());
    group_limit().map_or(machine, |limit| limit.min(machine))
}

/// The memory that this process may use, in bytes, as an assumption.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_bytes() -> u64 {
    USUAL_MEMORY_BYTES
}

/// The limit of the control group (version 2): `max`, or a number of bytes.
#[cfg(target_os = "linux")]
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // Each of its parent groups has a limit. In a container, its own group is the visible root.
    std::path::Path::new(group).ancestors().filter_map(limit_of).min()
}

#[cfg(target_os = "linux")]
fn limit_of(group: &std::path::Path) -> Option<u64> {
    let path = std::path::Path::new("/sys/fs/cgroup").join(group).join("memory.max");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
