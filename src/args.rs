//! The command line and the config file of both programs, read by one table of flags.
//!
//! A program writes its options down once, as a `static` [`Program`]. From that table come the
//! parsing of argv, `--help`, `--version`, the keys of the config file, the names in errors, the man
//! page and the completion of three shells.
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
//! let wrong = PROGRAM.parse_config("demo.conf".as_ref(), b"prot = 21\n").unwrap_err();
//! assert_eq!(wrong.to_string(), "demo.conf:1: prot: unknown option; did you mean port?");
//! ```
//!
//! What callers may rely on:
//! - Nothing from argv or a config file panics; what is wrong there gives a [`Usage`], whose text
//!   is one line without control characters. Only asking for a name that the table does not have
//!   panics: that is a slip of the programmer.
//! - Values are kept as [`OsString`](std::ffi::OsString), so a path need not be UTF-8. [`Parsed::get`] turns them into
//!   types, and every value remembers its [`Origin`], which its errors name.
//!
//! The grammar of argv is that of `getopt_long`: `--opt VALUE`, `--opt=VALUE`, `-c VALUE`,
//! `-cVALUE`, `-kq` for `-k -q`; `--` ends the options; `-` is an operand; options and operands
//! mix; an option that needs a value takes the next word whatever it looks like. It differs thrice:
//! - Long options cannot be abbreviated, or a script would break when a new option makes its
//!   abbreviation ambiguous. The error suggests the full name.
//! - A switch can be undone: `--sync=no`, as a config file would say it.
//! - `-j=4` means `-j 4`. To getopt the value is `=4`, which nobody means; a value that does begin
//!   with `=` can stand in a word of its own.
//!
//! Commands that are typed at a program's prompt take their options from rows of the same kind and in
//! the same grammar; their operands stay the bytes that were typed.
//!
//! A config file holds lines `name = value`, the names being the long options without `--`, and
//! switches taking `yes` or `no`. `#` begins a comment at the start of a line or after a blank.
//! Blanks around a value go, unless it stands in double quotes, which also keep a `#`; there are no
//! escapes, so that a Windows path needs none. A name stands once in a file, since which of two
//! lines far apart counts must not be a riddle. On the command line the last one wins, so that an
//! alias or a wrapper script can be overruled.

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
pub use manual::{Block, Manual, Operands, Section, Subcommand, Typed};
pub(crate) use near::nearest;
pub use parsed::Parsed;
pub use scan::Outcome;
pub(crate) use scan::{TypedOutcome, parse_typed};
pub use table::{Flag, Program};
pub use usage::{Expected, Origin, Usage};
pub use value::{boolean, duration, integer, one_of, port, rate, size, size_text, words};
