//! The resources of the machine.

/// The assumption if the system does not provide the value.
const USUAL_MEMORY_BYTES: u64 = 8 << 30;

/// The memory that this process may use, in bytes: that of the machine, or of the control group of the process. It is looked up once.
#[cfg(target_os = "linux")]
pub(crate) fn memory_bytes() -> u64 {
    static BYTES: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *BYTES.get_or_init(|| {
        let machine = nix::sys::sysinfo::sysinfo().map_or(USUAL_MEMORY_BYTES, |info| info.ram_total());
        group_limit().map_or(machine, |limit| limit.min(machine))
    })
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

/// The memory that this process has and that is not that of a file, in bytes; `None` if the system does not say. Some microseconds.
#[cfg(target_os = "linux")]
pub(crate) fn process_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    anonymous.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// The memory that this process has: the system does not say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_this_process_is_known() {
        let before = process_bytes().unwrap();
        let more = vec![1_u8; 64 << 20];
        let with_more = process_bytes().unwrap();
        assert!(with_more >= before + (48 << 20) && with_more < memory_bytes(), "{before} {with_more}");
        drop(more);
    }
}
