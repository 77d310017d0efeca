//! Both programs, driven over real sockets as their users drive them.
//!
//! [`harness`] starts programs and ends them; [`wire`] is a peer that reads like the protocol.
//! Every other module is about one subject, and every test about one behaviour. All ports are
//! picked by the system, nothing sleeps, and no test needs another one. Those that need root or
//! other programs are ignored; `.ci/run` runs them with `--ignored`.

// Signals, links, modes and names that are not UTF-8 are what these tests are about.
#![cfg(unix)]

mod abort;
mod accounts;
mod activation;
mod actor;
mod classic;
mod client;
#[cfg(target_os = "linux")]
mod client_disk;
mod client_faults;
#[cfg(target_os = "linux")]
mod client_login;
#[cfg(target_os = "linux")]
mod cluster;
mod config;
mod control_line;
mod crash;
mod data;
#[cfg(target_os = "linux")]
mod denied;
mod digests;
mod direct;
#[cfg(target_os = "linux")]
mod disk;
mod docs;
#[cfg(target_os = "linux")]
mod durable;
#[cfg(target_os = "linux")]
mod exhaustion;
mod extensions;
mod faults;
mod fuzz;
#[cfg(target_os = "linux")]
mod gone;
mod guessing;
mod habits;
mod harness;
mod hostile;
mod house;
mod jail;
mod limits;
mod listing;
mod load;
mod login;
mod logs;
mod malice;
mod many;
mod many_files;
mod mirror;
mod model;
mod names;
mod netrc;
mod odd_paths;
mod overload;
mod panics;
mod parts;
mod patterns;
mod ports;
mod proxy;
mod quotas;
mod race;
mod random;
mod rates;
mod readme;
mod reload;
mod replies;
mod resume;
mod resume_client;
mod retrieve;
#[cfg(target_os = "linux")]
mod service;
mod shutdown;
mod startup;
mod state;
mod status;
mod store;
mod streams;
mod terminal;
mod times;
mod transfer_log;
mod wine;
mod wire;
