//! The resource use of a process and its descendants: processor time, memory, descriptors,
//! threads.
//!
//! The data comes from `/proc` on Linux. On other systems every result is `None`, and the figures
//! are omitted. If a server starts a process for each session, all of them are measured together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The number of ticks per second in `/proc/PID/stat`, on all Linux systems except Alpha.
const TICKS: f64 = 100.0;

/// A process and its descendants.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTree {
    root: u32,
}

/// The processor time so far, from two sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// The time of all processes and their terminated children, with a resolution of 10 ms per
    /// process.
    ticks: f64,
    /// The exact time of the threads that exist.
    exact: f64,
    processes: usize,
}

/// Tells whether the server's workers still exist at the end of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// The workers belong to sessions that stay open.
    Stay,
    /// The workers belong to sessions that end during the measurement.
    Leave,
}

/// Memory, descriptors, threads and processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceUse {
    /// Bytes of memory that are not shared with other processes.
    pub private: u64,
    /// Bytes of resident memory.
    pub resident: u64,
    /// The peak of the resident memory, since the start or since [`ProcessTree::reset_peak`].
    pub peak: u64,
    /// The number of open descriptors.
    pub descriptors: u64,
    /// The number of threads.
    pub threads: u64,
    /// The number of processes.
    pub processes: u64,
}

impl ProcessTree {
    /// Returns the process with this number and its descendants.
    pub fn of(root: u32) -> ProcessTree {
        ProcessTree { root }
    }

    /// Returns this process and its descendants.
    pub fn own() -> ProcessTree {
        ProcessTree { root: std::process::id() }
    }

    /// Returns the processor time used so far.
    pub fn cpu_time(self) -> Option<CpuTime> {
        let members = self.members()?;
        let ticks = members.values().map(|stat| stat.ticks).sum::<u64>() as f64 / TICKS;
        let exact =
            members.keys().map(|pid| running_time_of_threads(*pid)).sum::<u64>() as f64 / 1e9;
        Some(CpuTime { ticks, exact, processes: members.len() })
    }

    /// Returns the current memory, descriptors and threads.
    pub fn resource_use(self) -> Option<ResourceUse> {
        let mut sum = ResourceUse::default();
        for pid in self.members()?.into_keys() {
            sum.add(pid);
        }
        Some(sum)
    }

    /// Resets [`ResourceUse::peak`]. This requires permission to modify the processes.
    pub fn reset_peak(self) {
        for pid in self.members().into_iter().flatten().map(|(pid, _)| pid) {
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    fn members(self) -> Option<BTreeMap<u32, Stat>> {
        let mut all: BTreeMap<u32, Stat> = numbers_in("/proc")
            .filter_map(|pid| Some((pid, Stat::read(&format!("/proc/{pid}/stat"))?)))
            .collect();
        let mut family = BTreeSet::from([self.root]);
        loop {
            let before = family.len();
            let children = all.iter().filter(|(_, stat)| family.contains(&stat.parent));
            let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
            family.extend(children);
            if family.len() == before {
                break;
            }
        }
        all.retain(|pid, _| family.contains(pid));
        all.contains_key(&self.root).then_some(all)
    }
}

impl CpuTime {
    /// Returns the seconds of processor time between `self` and `later`.
    ///
    /// The exact time misses threads that have terminated; the time in ticks is rounded down twice
    /// for each process. The exact time is used if it can be correct.
    pub fn until(self, later: CpuTime, workers: Workers) -> f64 {
        let (ticks, exact) = (later.ticks - self.ticks, later.exact - self.exact);
        let rounding = 2.0 * later.processes as f64 / TICKS;
        match workers {
            Workers::Stay if ticks <= exact + rounding => exact,
            Workers::Stay | Workers::Leave => ticks.max(0.0),
        }
    }
}

impl ResourceUse {
    fn add(&mut self, pid: u32) {
        let status = StatusFile::read(&format!("/proc/{pid}/status"));
        let memory = StatusFile::read(&format!("/proc/{pid}/smaps_rollup"));
        self.private += memory.kib("Private_Clean") + memory.kib("Private_Dirty");
        self.resident += status.kib("VmRSS");
        self.peak += status.kib("VmHWM");
        self.threads += status.number("Threads");
        self.descriptors += numbers_in(&format!("/proc/{pid}/fd")).count() as u64;
        self.processes += 1;
    }
}

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// The sum of utime, stime, cutime and cstime.
    ticks: u64,
}

impl Stat {
    fn read(path: &str) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(path).ok()?)
    }

    /// Parses the file. The name of the program is in parentheses and may contain parentheses and
    /// spaces itself.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let times = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok());
        Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks: times.sum() })
    }
}

/// A file with lines of the form `name: number unit`.
struct StatusFile(String);

impl StatusFile {
    fn read(path: &str) -> StatusFile {
        StatusFile(fs::read_to_string(path).unwrap_or_default())
    }

    fn number(&self, name: &str) -> u64 {
        let values = self.0.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let mut numbers = values.filter_map(|value| value.split_whitespace().next()?.parse().ok());
        numbers.next().unwrap_or(0)
    }

    fn kib(&self, name: &str) -> u64 {
        self.number(name) * 1024
    }
}

/// Returns the nanoseconds that the existing threads of a process have run.
fn running_time_of_threads(pid: u32) -> u64 {
    let tasks = format!("/proc/{pid}/task");
    let times = numbers_in(&tasks).filter_map(|thread| {
        let text = fs::read_to_string(format!("{tasks}/{thread}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    times.sum()
}

/// Returns the entries of a directory whose names are numbers.
fn numbers_in(dir: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let text = "7 (a) b) S 5 1 1 0 -1 0 0 0 0 0 10 20 3 4 20 0 1 0 9 0 0";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 5, ticks: 37 }));
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn tables_are_read_by_whole_names() {
        let table = StatusFile("VmRSS:\t  12 kB\nVmRSSx:\t 99 kB\nThreads:\t3\n".into());
        assert_eq!((table.kib("VmRSS"), table.number("Threads")), (12 * 1024, 3));
        assert_eq!(table.number("Thread"), 0);
    }

    #[test]
    fn the_exact_time_counts_unless_threads_have_ended() {
        let start = CpuTime { ticks: 1.0, exact: 0.5, processes: 1 };
        let later = |ticks, exact| CpuTime { ticks, exact, processes: 1 };
        assert_eq!(start.until(later(2.0, 1.515625), Workers::Stay), 1.015625);
        assert_eq!(start.until(later(2.0, 0.75), Workers::Stay), 1.0);
        assert_eq!(start.until(later(2.0, 1.515625), Workers::Leave), 1.0);
    }
}
