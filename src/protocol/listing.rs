//! The entries of a directory as lines: [`Entry`] to and from the facts of MLST and MLSD (RFC 3659
//! section 7), and to and from what LIST prints.
//!
//! Whole listings are read by [`read_mlsd`] and [`read_list`], which pass over no line that might be
//! an entry: it is [`Unreadable`], and who draws conclusions from a listing must not draw them from
//! the rest. Names in them can be names in a directory: they are not `..` and hold no `/`.
//!
//! [`Entry::parse_mlsx`] and [`Entry::parse_ls`] read a line without its end, and say what the peer
//! said: a name may hold `/` or be `..`. All of them take any bytes without panicking, in a time
//! that grows with their length. Names are bytes.
//! What is written is always one line of the right number of columns: CR, LF, NUL and the other
//! ASCII control characters of names appear as `?`, so that no file name can forge a line or move
//! a terminal's cursor. Such a file is seen, but cannot be fetched by the name shown.
//!
//! LIST has no standard. What is written are the columns of `ls -l`, which every client reads; what
//! is read is in `forms`. Columns cannot be left out, so what is not known is filled in: mode 644
//! (755 for directories, 777 for links), owner and group `ftp`, one link, size 0, the year 1970.
//! The mode is not 000, since clients go by it: lftp can pass over what it takes for unreadable.

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
