//! The resources that the process uses, from the files of `/proc` (Linux).

use std::fs;

/// The known values; none on other systems, or if no descriptor is left for reading the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// The number of open descriptors.
    pub descriptors: Option<u64>,
    /// The limit of open descriptors.
    pub max_descriptors: Option<u64>,
    /// The number of threads.
    pub threads: Option<u64>,
    /// The resident memory in bytes.
    pub memory: Option<u64>,
}

impl Process {
    /// Reads the values from the system.
    pub fn read() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        // The descriptor for reading this directory is not counted.
        let open = fs::read_dir("/proc/self/fd").ok().map(|open| open.count().saturating_sub(1));
        Process {
            descriptors: open.map(|open| open as u64),
            max_descriptors: number_after(&limits, "Max open files"),
            threads: number_after(&status, "Threads:"),
            memory: number_after(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
        }
    }
}

/// Returns the number that follows `name` at the beginning of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_names() {
        let text = "Name:\tx\nThreads:\t12\nMax open files            1024      4096   files\n";
        assert_eq!(number_after(text, "Threads:"), Some(12));
        assert_eq!(number_after(text, "Max open files"), Some(1024));
        assert_eq!(number_after(text, "VmRSS:"), None);
        assert_eq!(number_after(text, "Name:"), None);
    }
}
