//! The client, run as people and scripts run it.

mod append_and_cat;
mod basics;
mod bsd_ftp;
mod faulty_server;
#[cfg(target_os = "linux")]
mod full_disk;
mod habits;
mod hostile_server;
mod messages;
mod mget_mput;
mod mirror;
mod netrc;
mod pget;
mod protocol;
mod resume;
mod session;
mod settings;
mod terminal;
mod unreadable_listing;
