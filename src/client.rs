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
//! The rooms, from the bottom up; each uses only those before it:
//!
//! | rooms | what they hold |
//! |---|---|
//! | `pin`, `error`, `name`, `url`, `netrc`, `options`, `state_dir` | what fails, and what is typed, configured or kept |
//! | `signals`, `output` | Ctrl-C and the programs that share the terminal; messages, progress, JSON |
//! | `tls` | which certificates are accepted |
//! | `connection` | the control connection ([`Connection`]), its commands and its data connections |
//! | `remote_listing`, `local` | names and entries at the server; files and partial files here |
//! | `transfer` | [`IncomingTransfer`] and [`OutgoingTransfer`], retries, and transfers side by side |
//! | `editor`, `shell`, `man_page` | the line editor; the user's session and its commands ([`Shell`]) |

mod connection;
mod editor;
mod error;
mod local;
pub mod man_page;
mod name;
mod netrc;
pub mod options;
pub mod output;
mod pin;
mod remote_listing;
mod shell;
mod signals;
mod state_dir;
#[cfg(test)]
mod test_server;
mod tls;
mod transfer;
mod url;

pub use connection::{Connection, DataMode, LineEnds, Representation, Settings};
pub use error::{Error, ErrorClass, TlsFailure};
pub use pin::Pin;
pub use shell::Shell;
pub use signals::Interrupt;
pub use tls::{Encryption, Person, TlsClient, TlsOptions};
pub use transfer::{IncomingTransfer, OutgoingTransfer};
pub use url::{BadAddress, Endpoint, Place, Url};
