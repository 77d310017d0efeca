//! Sessions that are lost, that the server closes, or that exceed its limit.

mod idle;
mod one_session;
#[cfg(target_os = "linux")]
mod reconnect;
