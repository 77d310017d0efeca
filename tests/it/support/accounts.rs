//! Accounts for tests, with hashes that are fast to check.

use std::fs;
use tempfile::TempDir;

/// The hash of `secret` with one round.
pub const SECRET: &str =
    "$pbkdf2-sha256$1$c2FsdCBvZiB0aGUgdGVzdA$L3vAmP1RE48rE1MK5MKIZXvGTV4bfubzlE8Y0CPZpkQ";

/// The hash of `password`, from the documentation of passlib.
pub const PASSWORD: &str =
    "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ";

/// An accounts file in its own temporary directory.
pub struct AccountsFile {
    path: String,
    _dir: TempDir,
}

impl AccountsFile {
    /// Creates a file with these accounts, in the form of [`lines`].
    pub fn new(accounts: &[&str]) -> AccountsFile {
        AccountsFile::with_text(&lines(accounts))
    }

    /// Creates a file with this text.
    pub fn with_text(text: &str) -> AccountsFile {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("users").to_str().unwrap().to_owned();
        fs::write(&path, text).unwrap();
        AccountsFile { path, _dir: dir }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Returns the lines of accounts whose password is `secret`: `anna:write:/home` becomes
/// `anna:HASH:write:/home`.
pub fn lines(accounts: &[&str]) -> String {
    let line = |account: &&str| {
        let (name, rest) = account.split_once(':').unwrap();
        format!("{name}:{SECRET}:{rest}\n")
    };
    accounts.iter().map(line).collect()
}
