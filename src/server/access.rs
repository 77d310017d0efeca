//! What somebody may do, in the words of `--anonymous` and of the accounts.

/// What visitors or an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// List and retrieve.
    Read,
    /// Also store, append, delete, rename, make directories, change times and modes.
    Write,
}
