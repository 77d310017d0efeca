//! Accounts: the accounts file, and the check of passwords.
//!
//! A line of the file is `name:hash:access:home`, optionally followed by `:quota:sessions:rate` or some
//! of these; `#` begins a comment. The whole file is checked when it is read, and every invalid line is
//! reported, so that an unusable account is noticed at once.
//!
//! An unknown name costs the same time as a wrong password and gets the same reply.

pub(super) mod password_hash;

use crate::args;
use crate::protocol::{FtpPath, Name};
use crate::server::accounts::password_hash::PasswordHash;
use crate::sys;
use crate::text::{self, Reason, WrongEncoding};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

/// The access of anonymous visitors or an account. `auth/permissions.rs` has the commands that it
/// includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// List, and store files under new names: a drop box.
    Drop,
    /// List and retrieve.
    Read,
    /// Also store, replace, append, and make directories.
    Store,
    /// Everything: also delete, rename, change times and modes.
    Write,
}

impl Access {
    /// All values, with their words in options and accounts files.
    pub const WORDS: [(&str, Access); 4] = [
        ("drop", Access::Drop),
        ("read", Access::Read),
        ("store", Access::Store),
        ("write", Access::Write),
    ];

    /// Returns the word in options and accounts files.
    pub fn word(self) -> &'static str {
        Access::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Returns a description that follows "may" in a sentence.
    pub fn allows(self) -> &'static str {
        match self {
            Access::Drop => "list, and store new files",
            Access::Read => "read",
            Access::Store => "read and store, not delete",
            Access::Write => "read, store and delete",
        }
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: Name,
    /// The password hash.
    pub hash: PasswordHash,
    /// The access.
    pub access: Access,
    /// The directory that the account sees as `/`, relative to the root.
    pub home: FtpPath,
    /// The limits.
    pub limits: AccountLimits,
}

/// The limits of an account; `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// The largest total size of the files in its home.
    pub quota: Option<u64>,
    /// The largest number of sessions at once.
    pub sessions: Option<usize>,
    /// The bandwidth of all its sessions together, in bytes per second.
    pub rate: Option<u64>,
}

/// All accounts of a file.
#[derive(Debug)]
pub struct Accounts {
    by_name: HashMap<Vec<u8>, Arc<Account>>,
    /// The hash for passwords of unknown names, which costs as much time as the others.
    decoy: PasswordHash,
}

/// The reason why accounts could not be read.
#[derive(Debug)]
pub enum AccountsError {
    /// The file cannot be read.
    File(PathBuf, io::Error),
    /// The file is not encoded in UTF-8.
    Encoding(PathBuf, WrongEncoding),
    /// The invalid lines, at least one.
    Lines(Vec<InvalidLine>),
}

/// An invalid line.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidLine {
    /// The file.
    pub file: PathBuf,
    /// The line number, from 1.
    pub line: usize,
    /// The expected form.
    pub expected: &'static str,
}

impl fmt::Display for InvalidLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: expected {}", self.file.display(), self.line, self.expected)
    }
}

impl fmt::Display for AccountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccountsError::File(file, error) => {
                let file = file.display();
                write!(f, "cannot read accounts file {file}: {}", Reason(error))?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        let user = sys::user_name();
                        write!(f, "; the server runs as {user}: chown {user} {file}")
                    }
                    _ => Ok(()),
                }
            }
            AccountsError::Encoding(file, wrong) => {
                write!(f, "{}: expected {wrong}", file.display())
            }
            AccountsError::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(InvalidLine::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for AccountsError {}

impl Accounts {
    /// Reads the accounts in `file`.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or returns all invalid lines.
    pub fn read(file: &Path) -> Result<Accounts, AccountsError> {
        let text = fs::read(file).map_err(|error| AccountsError::File(file.into(), error))?;
        Accounts::parse(file, &text)
    }

    /// Parses the text of `file`.
    ///
    /// # Errors
    /// Returns all invalid lines.
    pub fn parse(file: &Path, text: &[u8]) -> Result<Accounts, AccountsError> {
        let text =
            text::strip_bom(text).map_err(|wrong| AccountsError::Encoding(file.into(), wrong))?;
        let mut by_name = HashMap::new();
        let mut bad = Vec::new();
        for (number, line) in text::lines(text).filter(|(_, line)| !line.starts_with(b"#")) {
            let parsed = Account::parse(line).and_then(|account| {
                let name = account.name.as_bytes().to_vec();
                match by_name.insert(name, Arc::new(account)) {
                    None => Ok(()),
                    Some(_) => Err("each name only once"),
                }
            });
            if let Err(expected) = parsed {
                bad.push(InvalidLine { file: file.into(), line: number, expected });
            }
        }
        if !bad.is_empty() {
            return Err(AccountsError::Lines(bad));
        }
        let rounds = by_name.values().map(|account: &Arc<Account>| account.hash.rounds()).max();
        Ok(Accounts { by_name, decoy: PasswordHash::decoy(rounds) })
    }

    /// Returns the account of this name if the password is correct.
    pub fn check(&self, name: &Name, password: &[u8]) -> Option<&Arc<Account>> {
        let account = self.by_name.get(name.as_bytes());
        let hash = account.map_or(&self.decoy, |account| &account.hash);
        let matches = hash.matches(password);
        // Hashes may have different rounds; a constant time does not reveal which account was checked.
        hash.spend_rounds(password, self.decoy.rounds().saturating_sub(hash.rounds()));
        account.filter(|_| matches)
    }

    /// Returns the account of this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<Account>> {
        self.by_name.get(name.as_bytes())
    }

    /// Returns the number of accounts.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// Returns all accounts, sorted by name.
    pub fn sorted(&self) -> Vec<&Account> {
        let mut all: Vec<&Account> = self.by_name.values().map(Arc::as_ref).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

impl Account {
    /// Parses a line. The error is the expected form.
    fn parse(line: &[u8]) -> Result<Account, &'static str> {
        let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
        let [name, hash, access, home, ref limits @ ..] = fields[..] else {
            return Err(FORM);
        };
        let name = Name::new(name).ok_or("a name before the first colon")?;
        let hash = std::str::from_utf8(hash).ok().and_then(PasswordHash::parse);
        let hash = hash.ok_or("a hash of the form $pbkdf2-sha256$ROUNDS$SALT$HASH")?;
        let access = match access {
            b"" => Access::Read,
            word => Access::WORDS
                .iter()
                .find(|(known, _)| known.as_bytes() == word)
                .map(|(_, access)| *access)
                .ok_or("drop, read, store or write as the access")?,
        };
        let home = match Name::new(home) {
            None => FtpPath::root(),
            Some(home) => FtpPath::root().join(&home).map_err(|_| "a shorter path as the home")?,
        };
        Ok(Account { name, hash, access, home, limits: AccountLimits::parse(limits)? })
    }
}

const FORM: &str = "name:hash:access:home, or name:hash:access:home:quota:sessions:rate";

impl AccountLimits {
    /// Parses the limits in the last fields of a line, each of which may be empty or missing.
    fn parse(fields: &[&[u8]]) -> Result<AccountLimits, &'static str> {
        if fields.len() > 3 {
            return Err(FORM);
        }
        let field = |index: usize| {
            let text = fields.get(index).map(|text| text.trim_ascii()).unwrap_or_default();
            std::str::from_utf8(text)
        };
        Ok(AccountLimits {
            quota: optional(field(0), args::size)
                .ok_or("a quota in bytes, such as 500M or 10G, or nothing")?,
            sessions: optional(field(1), args::integer(1..=1_000_000))
                .ok_or("a number of sessions from 1 to 1000000, or nothing")?,
            rate: optional(field(2), args::rate)
                .ok_or("a rate in bytes per second, such as 64K or 10M, or nothing")?,
        })
    }

    /// Returns the fields of the limits in a line; empty without limits.
    pub fn fields(&self) -> String {
        if *self == AccountLimits::default() {
            return String::new();
        }
        let size = |bytes: Option<u64>| bytes.map_or(String::new(), args::size_text);
        let sessions = self.sessions.map_or(String::new(), |most| most.to_string());
        format!(":{}:{sessions}:{}", size(self.quota), size(self.rate))
    }
}

/// Parses an optional field. Returns `None` if it is invalid.
fn optional<T>(
    text: Result<&str, std::str::Utf8Error>,
    parse: impl FnOnce(&str) -> Result<T, args::Expected>,
) -> Option<Option<T>> {
    match text.ok()? {
        "" => Some(None),
        text => parse(text).ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ";

    fn parse(text: &str) -> Result<Accounts, String> {
        Accounts::parse(Path::new("users"), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn accounts_are_read_with_their_defaults() {
        let text = format!("# staff\n\nanna:{HASH}:write:/a/b\r\n  ben:{HASH}::\n");
        let accounts = parse(&text).unwrap();
        let [anna, ben] = accounts.sorted()[..] else { panic!() };
        assert_eq!((anna.access, anna.home.as_bytes()), (Access::Write, &b"/a/b"[..]));
        assert_eq!((ben.access, ben.home.as_bytes()), (Access::Read, &b"/"[..]));
    }

    #[test]
    fn limits_are_read_and_written() {
        let of = |fields: &str| {
            parse(&format!("anna:{HASH}::{fields}")).map(|all| all.sorted()[0].limits)
        };
        let limits =
            AccountLimits { quota: Some(10 << 30), sessions: Some(3), rate: Some(64 << 10) };
        assert_eq!(of(":10G:3:64K").unwrap(), limits);
        assert_eq!(limits.fields(), ":10G:3:64K");
        let quota = AccountLimits { quota: Some(1_000_000), ..AccountLimits::default() };
        assert_eq!(of("/home: 1000000 ").unwrap(), quota);
        assert_eq!(quota.fields(), ":1000000::");
        for fields in ["", ":", "::", ":::"] {
            assert_eq!(of(fields).unwrap(), AccountLimits::default(), "{fields}");
        }
        assert_eq!(of(":0").unwrap().quota, Some(0));
        for (fields, expected) in [
            (":much", "a quota in bytes"),
            ("::0", "a number of sessions"),
            (":::0", "a rate in bytes"),
            ("::::", "name:hash:access:home, or"),
        ] {
            assert!(of(fields).unwrap_err().contains(&format!("expected {expected}")), "{fields}");
        }
    }

    #[test]
    fn only_the_right_password_is_accepted() {
        let accounts = parse(&format!("anna:{HASH}::")).unwrap();
        assert!(accounts.check(&name("anna"), b"password").is_some());
        assert!(accounts.check(&name("anna"), b"Password").is_none());
        assert!(accounts.check(&name("Anna"), b"password").is_none());
        assert!(accounts.check(&name("nobody"), b"password").is_none());
        assert_eq!(accounts.decoy.rounds(), 1212);
    }

    #[test]
    fn all_invalid_lines_are_reported() {
        let text =
            format!("anna\nben:x::\n#\ncarl:{HASH}:all:\n:{HASH}::\ndora:{HASH}::\ndora:{HASH}::");
        assert_eq!(
            parse(&text).unwrap_err(),
            "users:1: expected name:hash:access:home, or name:hash:access:home:quota:sessions:rate\n\
             users:2: expected a hash of the form $pbkdf2-sha256$ROUNDS$SALT$HASH\n\
             users:4: expected drop, read, store or write as the access\n\
             users:5: expected a name before the first colon\n\
             users:7: expected each name only once"
        );
        let missing = Accounts::read(Path::new("/nonexistent/users")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read accounts file /nonexistent/users: "));
    }
}
