//! The client: an API for FTP servers, and the shell for users and scripts.
//!
//! A program that only transfers files needs only [`Connection`]:
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
//! The modules, from the lowest layer up; each uses only those before it:
//!
//! | modules | content |
//! |---|---|
//! | `pin`, `error`, `name`, `url`, `netrc`, `options`, `state_dir` | errors, names, addresses, options and files of settings |
//! | `signals`, `output` | Ctrl-C and other signals; messages, progress, JSON |
//! | `tls` | TLS, and the verification of certificates |
//! | `connection` | the control connection ([`Connection`]), its commands and its data connections |
//! | `remote_listing`, `local` | remote directory listings; local files and partial files |
//! | `transfer` | [`IncomingTransfer`] and [`OutgoingTransfer`], retries, and parallel transfers |
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
pub use tls::{Encryption, TlsClient, TlsOptions, TrustPrompt};
pub use transfer::{IncomingTransfer, OutgoingTransfer};
pub use url::{BadAddress, Endpoint, Place, Url};
