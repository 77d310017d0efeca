//! What the process uses, where the system tells it in files (Linux).

use std::fs;

/// What is known; nothing where the system does not tell, or has run out of descriptors to read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// How many there may be.
    pub most_descriptors: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
}

impl Process {
    /// Asks the system.
    pub fn look() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        // The one that is open for the reading is none of the server's.
        let open = fs::read_dir("/proc/self/fd").ok().map(|open| open.count().saturating_sub(1));
        Process {
            descriptors: open.map(|open| open as u64),
            most_descriptors: number_after(&limits, "Max open files"),
            threads: number_after(&status, "Threads:"),
            memory: number_after(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
        }
    }
}

/// The number that follows `name` at the beginning of a line.
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
