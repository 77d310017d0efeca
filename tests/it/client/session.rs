//! Sessions that break, that the server ends, or that it has no room for.

mod idle;
mod one_session;
#[cfg(target_os = "linux")]
mod reconnect;
