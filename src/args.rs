//! The command line and the config file of both programs, parsed with one table of options.
//!
//! A program defines its options once, as a `static` [`Program`]. The parsers of the command line
//! and the config file, `--help`, `--version`, the names in errors, the man page and the
//! completions of three shells are all made from that table.
//!
//! ```
//! use mt_ftp::args::{self, Flag, Outcome, Program};
//!
//! static PROGRAM: Program = Program {
//!     name: "demo",
//!     version: env!("CARGO_PKG_VERSION"),
//!     about: "Serve files.",
//!     usage: &["demo [OPTIONS] DIR"],
//!     flags: &[
//!         Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
//!         Flag::switch("sync", "fsync a file before its reply"),
//!     ],
//!     after: "",
//! };
//!
//! let argv = ["--port=2121", "--sync", "/srv"].map(Into::into);
//! let Ok(Outcome::Run(parsed)) = PROGRAM.parse(argv) else { panic!("neither help nor an error") };
//! assert_eq!(parsed.need("port", args::port), Ok(2121));
//! assert!(parsed.switch("sync"));
//! assert_eq!(parsed.operands(), ["/srv"]);
//!
//! let (_, wrong) = PROGRAM.parse_config("demo.conf".as_ref(), b"prot = 21\n");
//! assert_eq!(wrong[0].to_string(), "demo.conf:1: prot: unknown option; did you mean port?");
//! ```
//!
//! Callers may rely on the following:
//! - No command line and no config file causes a panic; an error is a [`Usage`], whose text is one
//!   line without control characters. Only a request for a name that is not in the table panics,
//!   because that is a bug in the caller.
//! - Values are kept as [`OsString`](std::ffi::OsString), so a path need not be UTF-8.
//!   [`Parsed::get`] converts them, and every value keeps its [`Origin`], which error messages
//!   show.
//!
//! The grammar of the command line is that of `getopt_long`: `--opt VALUE`, `--opt=VALUE`,
//! `-c VALUE`, `-cVALUE`, `-kq` for `-k -q`; `--` ends the options; `-` is an operand; options and
//! operands may be mixed; an option with a value takes the next word, whatever that word looks
//! like. There are three differences:
//! - Long options cannot be abbreviated, because a new option could make an abbreviation in a
//!   script ambiguous. The error message suggests the full name.
//! - A switch can be turned off: `--sync=no`, as in a config file.
//! - `-j=4` means `-j 4`. For getopt the value would be `=4`, which is never intended; a value
//!   that begins with `=` can be given as a separate word.
//!
//! Commands at the prompt of a program define their options with the same kind of rows and use the
//! same grammar; their operands remain bytes.
//!
//! A config file consists of lines `name = value`, where the names are the long options without
//! `--`, and switches take `yes` or `no`. `#` begins a comment at the start of a line or after a
//! space. Spaces around a value are removed, unless the value is in double quotes, which also
//! protect a `#`. There are no escape sequences, so a Windows path needs no escaping. Each name
//! may occur once in a file, because it would be unclear which of two distant lines applies. On
//! the command line the last occurrence applies, so that a user can override the options of an
//! alias or a wrapper script.

mod check;
mod complete;
mod config;
mod help;
mod manual;
mod near;
mod parsed;
mod roff;
mod scan;
mod table;
#[cfg(test)]
mod testing;
mod usage;
mod value;

#[cfg(test)]
pub(crate) use check::check_flags;
pub(crate) use help::columns;
pub use manual::{Block, Manual, Operands, PromptCommand, Section, Subcommand};
pub(crate) use near::nearest;
pub use parsed::Parsed;
pub use scan::Outcome;
pub(crate) use scan::{PromptOutcome, parse_prompt_words};
pub use table::{Flag, Program};
pub use usage::{Expected, Origin, Usage};
pub use value::{boolean, duration, integer, one_of, port, rate, size, size_text, words};
