//! Tests of the repository itself: its structure, documents and examples.

#[cfg(target_os = "linux")]
mod cluster;
mod coverage;
mod docs;
#[cfg(target_os = "linux")]
mod foreign_root;
mod guide;
mod house;
mod load;
mod readme;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod standard_streams;
mod text_files;
mod wine;
