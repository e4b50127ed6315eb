//! What the kernel did for want of memory. The container runtime tells it, too, but sometimes after it has told the end.

use std::fs;

/// Where a container sees its own count: cgroup v2, and v1.
const PLACES: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// How often the kernel has killed something in this sandbox for its memory; never, if that cannot be read.
pub(crate) fn kills() -> u64 {
    PLACES
        .iter()
        .find_map(|place| fs::read_to_string(place).ok())
        .map_or(0, |text| counted(&text))
}

/// Both files are lines of a name and a number.
fn counted(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_count_is_read() {
        assert_eq!(
            counted("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n"),
            1
        );
        assert_eq!(counted("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n"), 12);
        assert_eq!(counted("oom_kill_disable 1\nunder_oom 0\n"), 0);
        assert_eq!(counted("oom_kill 0\n"), 0);
        assert_eq!(counted(""), 0);
    }
}
