//! The client, run as people and scripts run it.

mod append_and_cat;
mod basics;
mod bsd_ftp;
mod faulty_server;
#[cfg(target_os = "linux")]
mod full_disk;
mod hostile_server;
mod idle;
mod messages;
mod mget_mput;
mod mirror;
mod netrc;
mod one_session;
mod pget;
mod protocol;
#[cfg(target_os = "linux")]
mod reconnect;
mod resume;
mod settings;
mod terminal;
mod unreadable_listing;
