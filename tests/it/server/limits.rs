//! Limits and timeouts, and what happens when a resource of the system runs out.

mod concurrency;
#[cfg(target_os = "linux")]
mod exhaustion;
mod overload;
mod rate_limit;
mod timeouts;
#[cfg(target_os = "linux")]
mod vanished_peers;
