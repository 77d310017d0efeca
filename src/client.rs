//! The client: typed calls to a server, and the shell that people and scripts use them through.
//!
//! A program that only wants files needs [`Connection`] alone:
//!
//! ```no_run
//! use mt_ftp::client::{Connection, Settings};
//! use mt_ftp::protocol::{Name, Secret};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = Connection::open("localhost", 1026, Settings::default())?;
//! let user = Name::new("anonymous").ok_or("no name")?;
//! connection.login(&user, || Ok(Secret::new("me@example.org").unwrap()))?;
//! let file = Name::new("a.txt").ok_or("no name")?;
//! let mut content = Vec::new();
//! connection.retrieve(&file)?.receive(&mut content, |_moved| ())?;
//! connection.quit();
//! # Ok(())
//! # }
//! ```
//!
//! From the bottom up, each room using only those before it: what is shown (`escape`) and what
//! fails ([`Error`]); words, URLs, signals, local files, progress and output; the control connection
//! ([`Connection`]), its data connections (`data`) and the transfers that use both ([`Download`],
//! [`Upload`]); the user's session, the commands on it (`files`, `commands`) and the [`Shell`] that
//! reads them.

mod connection;
mod editor;
mod error;
mod escape;
mod local;
pub mod man_page;
mod name;
mod netrc;
pub mod options;
pub mod output;
mod remote_listing;
mod shell;
mod signals;
#[cfg(test)]
mod test_server;
mod transfer;
mod url;

pub use connection::{Connection, DataMode, LineEnds, Representation, Settings};
pub use error::Error;
pub use shell::Shell;
pub use signals::Interrupt;
pub use transfer::{Download, Upload};
pub use url::{BadAddress, Endpoint, Place, Url};
