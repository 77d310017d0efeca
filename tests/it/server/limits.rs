//! Limits and timeouts, and behavior when a system resource runs out.

mod concurrency;
#[cfg(target_os = "linux")]
mod exhaustion;
mod overload;
mod rate_limit;
mod timeouts;
#[cfg(target_os = "linux")]
mod vanished_peers;
