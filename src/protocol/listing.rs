//! Lines of directory listings: converts an [`Entry`] to and from the facts of MLST and MLSD (RFC
//! 3659 section 7), and to and from the lines of LIST.
//!
//! [`read_mlsd`] and [`read_list`] parse whole listings. They skip no line that might be an entry:
//! such a line is returned as [`Unreadable`], and the caller must then treat the listing as
//! incomplete. The names that they return are valid in a directory: they are not `..` and contain
//! no `/`.
//!
//! [`Entry::parse_mlsx`] and [`Entry::parse_ls`] parse one line without its line end and return
//! what the peer sent, so a name may contain `/` or be `..`. No input causes a panic, and the time
//! grows linearly with the length. Names are bytes.
//!
//! A written entry is always one line with the right number of columns: CR, LF, NUL and the other
//! ASCII control characters of a name become `?`, so that no file name can forge a line or move
//! the cursor of a terminal. Such a file is visible, but cannot be retrieved by the displayed
//! name.
//!
//! LIST has no standard. The writer produces the columns of `ls -l`, which every client reads; the
//! parsers in `forms` read many more forms. Columns cannot be omitted, so unknown values are
//! filled in: mode 644 (755 for directories, 777 for links), owner and group `ftp`, one link, size
//! 0, the year 1970. The mode is not 000 because clients evaluate it: lftp can skip files that it
//! considers unreadable.

mod context;
mod date;
mod entry;
mod facts;
mod forms;
mod ls;
mod reader;
#[cfg(test)]
mod testing;
mod words;

pub use entry::{Entry, Kind, Owner, Perm, Unique};
pub use facts::Facts;
pub use reader::{Unreadable, read_list, read_mlsd};
