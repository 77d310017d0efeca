//! The served tree: the jail, listings, names, quotas, and failing file systems.

mod directories;
mod faults;
#[cfg(target_os = "linux")]
mod full_disk;
mod jail;
mod jail_races;
mod listing;
#[cfg(target_os = "linux")]
mod mounts;
mod patterns;
#[cfg(target_os = "linux")]
mod permissions;
mod quota;
mod times;
mod unusual_paths;
