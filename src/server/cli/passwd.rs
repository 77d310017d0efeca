//! `ftp_server passwd`: adds an account to a file, changes or removes one, or lists all of them.
//!
//! The file is replaced atomically, and all other lines, including comments, stay as they are. A new file is readable
//! only by its owner.

mod home;
mod prompt;

use crate::args::{self, Flag, Outcome, Parsed, Program, Usage};
use crate::protocol::{FtpPath, Name, Secret};
use crate::server::accounts::password_hash::{PasswordHash, default_rounds};
use crate::server::accounts::{Access, Account, AccountLimits, Accounts, AccountsError};
use crate::server::auth::identity::is_anonymous;
use crate::server::cli::{check, output, private_file};
use crate::sys;
use crate::text;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The name, options and help texts of `ftp_server passwd`.
pub static PROGRAM: Program = Program {
    name: "ftp_server passwd",
    version: env!("CARGO_PKG_VERSION"),
    about: "Adds an account to FILE, or changes its password. The password is asked for, or read from \
            the first line of standard input. Send a running server SIGHUP to reload the file.",
    usage: &[
        "ftp_server passwd [OPTIONS] FILE NAME",
        "ftp_server passwd --remove FILE NAME",
        "ftp_server passwd --list FILE",
    ],
    flags: &[
        Flag::option("access", "ACCESS", "drop (list, and store new files), read, store (read and store, not delete) or write [as it was; \
             read for a new account]")
            .choices(&args::words(&Access::WORDS)),
        Flag::option(
            "home",
            "DIR",
            "directory inside the root that the account sees as / [as it was; the root]",
        ),
        Flag::option(
            "root",
            "DIR",
            "directory that the server serves: creates the home in it if it is missing, and allows \
             --home as an absolute path [no home is created]",
        ),
        Flag::option(
            "quota",
            "SIZE",
            "total size of the files in the home, or none for no limit [as it was; none]",
        ),
        Flag::option("sessions", "N", "sessions at once, or none for no limit [as it was; none]"),
        Flag::option(
            "rate",
            "RATE",
            "bytes per second of all its sessions, or none for no limit [as it was; none]",
        ),
        Flag::switch("list", "list the accounts in FILE"),
        Flag::switch("remove", "remove the account; its files stay"),
    ],
    after: "Sizes and rates are bytes, or 64K, 10M, 1G.\n",
};

/// Runs `ftp_server passwd`.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let action = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return output::print(&PROGRAM.help()),
        Ok(Outcome::Version) => return output::print_version(),
        Ok(Outcome::Run(given)) => Action::new(&given),
        Err(usage) => Err(usage),
    };
    output::exit_code(match action {
        Ok(Action::List(file)) => list(&file),
        Ok(Action::Remove(file, name)) => remove(&file, &name),
        Ok(Action::Store(request)) => store(&request),
        Err(usage) => return output::wrong_usage(&PROGRAM, &[usage]),
    })
}

/// The action that the command line asks for.
enum Action {
    /// Print the accounts of a file.
    List(PathBuf),
    /// Remove the account of this name from a file.
    Remove(PathBuf, String),
    /// Add or change an account.
    Store(Box<Request>),
}

impl Action {
    fn new(given: &Parsed) -> Result<Action, Usage> {
        match (given.switch("list"), given.switch("remove"), given.operands()) {
            (true, true, _) => Err(given.wrong("list", "either --list or --remove, not both")),
            (true, false, [file]) => Ok(Action::List(file.into())),
            (true, false, _) => Err(Usage::missing_operand("FILE, and nothing else")),
            (false, true, _) => {
                let (file, name) = file_and_name(given)?;
                Ok(Action::Remove(file, name))
            }
            (false, false, _) => Ok(Action::Store(Box::new(Request::new(given)?))),
        }
    }
}

/// Prints the accounts of a file, one per line.
fn list(file: &Path) -> Result<(), Box<dyn Error>> {
    let accounts = Accounts::read(file)?;
    let lines: String =
        accounts.sorted().into_iter().map(|account| check::describe(account) + "\n").collect();
    Ok(output::write(&lines)?)
}

fn remove(file: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    // Checked first, because `edit` creates a missing file.
    Accounts::read(file)?;
    edit(file, |text, accounts| {
        let known = Name::new(name).is_some_and(|name| accounts.get(&name).is_some());
        match known {
            true => Ok((without_account(text, name), ())),
            false => {
                Err(format!("cannot remove {name}: no such account in {}", file.display()).into())
            }
        }
    })?;
    output::print_error(format_args!(
        "{name}: removed from {}; its files stay; {RELOAD}",
        file.display()
    ));
    Ok(())
}

/// Asks for the password, stores the account, and prints its access and home.
fn store(request: &Request) -> Result<(), Box<dyn Error>> {
    // Report an unusable file before asking for the password.
    let (is_new_file, is_known) = match Accounts::read(&request.file) {
        Err(AccountsError::File(_, error)) if error.kind() == ErrorKind::NotFound => (true, false),
        read => {
            let (accounts, name) = (read?, Name::new(request.name.clone()));
            (false, name.is_some_and(|name| accounts.get(&name).is_some()))
        }
    };
    let may_keep = is_known && request.changes_more_than_the_password();
    let password = prompt::ask_for_password(&request.name, may_keep)?;
    let Stored { change, account, home } = request.store(password.as_ref())?;
    let change = match change {
        AccountChange::Added => "added to",
        AccountChange::Changed => "changed in",
    };
    let place = match home {
        Some(path) => path.display().to_string(),
        None if account.home.is_root() => "the whole root".into(),
        None => format!("the directory {} below the root", account.home),
    };
    let (name, file, may) = (&request.name, request.file.display(), account.access.allows());
    output::print_error(format_args!("{name}: {change} {file}; may {may}, in {place}; {RELOAD}"));
    if is_new_file && sys::is_superuser() && is_readable_only_by_root(&request.file) {
        output::print_error(format_args!(
            "only root can read {file}: chown it to the user that runs the server"
        ));
    }
    Ok(())
}

/// The hint how to make a running server use the change.
const RELOAD: &str = "a running server reads it at SIGHUP";

fn is_readable_only_by_root(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| {
        sys::owners_of(&data).is_some_and(|(owner, _)| owner == 0)
            && !sys::is_accessible_to_others(&data)
    })
}

/// The account to store.
#[derive(Debug)]
pub struct Request {
    /// The accounts file.
    pub file: PathBuf,
    /// The name of the account.
    pub name: String,
    access: Option<Access>,
    home: Option<String>,
    root: Option<PathBuf>,
    quota: Option<Option<u64>>,
    sessions: Option<Option<usize>>,
    rate: Option<Option<u64>>,
}

/// Returns the two operands.
///
/// # Errors
/// Fails if there are more or fewer, or the name would break the file or is that of anonymous visitors.
fn file_and_name(given: &Parsed) -> Result<(PathBuf, String), Usage> {
    let [file, name] = given.operands() else {
        return Err(Usage::missing_operand("FILE and NAME, and nothing else"));
    };
    let text = name.to_str().and_then(|name| field(name).ok());
    let proper = |name: &String| !name.is_empty() && !name.starts_with('#') && *name == name.trim();
    let text = text.filter(proper).ok_or_else(|| {
        Usage::operand(name, "a name without colon, line end, or blanks around it")
    })?;
    if Name::new(text.clone()).is_some_and(|name| is_anonymous(&name)) {
        return Err(Usage::operand(name, "another name: this one is for anonymous visitors"));
    }
    Ok((file.into(), text))
}

/// Returns the text if it can be stored in a field of the file.
fn field(text: &str) -> Result<String, args::Expected> {
    match text.contains([':', '\n', '\r', '\0']) {
        true => Err(args::Expected("no colon and no line end".into())),
        false => Ok(text.to_string()),
    }
}

/// An account as it was stored.
struct Stored {
    change: AccountChange,
    account: Arc<Account>,
    /// The home directory, if the root is known.
    home: Option<PathBuf>,
}

/// Returns a parser that also accepts `none`.
fn or_none<T>(
    parse: impl Fn(&str) -> Result<T, args::Expected>,
) -> impl Fn(&str) -> Result<Option<T>, args::Expected> {
    move |text| match text {
        "none" => Ok(None),
        text => match parse(text) {
            Ok(value) => Ok(Some(value)),
            Err(args::Expected(what)) => Err(args::Expected(format!("{what}, or none"))),
        },
    }
}

/// The result of storing an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// The account is new.
    Added,
    /// An existing account was changed.
    Changed,
}

impl Request {
    /// Checks the given values.
    ///
    /// # Errors
    /// Returns the first wrong value and what was expected.
    pub fn new(given: &Parsed) -> Result<Request, Usage> {
        let (file, name) = file_and_name(given)?;
        let root = given.value("root").map(PathBuf::from);
        let home = |text: &str| home::parse(&field(text)?, root.as_deref());
        Ok(Request {
            file,
            name,
            access: given.get("access", args::one_of(&Access::WORDS))?,
            home: given.get("home", home)?,
            root: root.clone(),
            quota: given.get("quota", or_none(args::size))?,
            sessions: given.get("sessions", or_none(args::integer(1..=1_000_000)))?,
            rate: given.get("rate", or_none(args::rate))?,
        })
    }

    /// Returns whether any option besides the password was given.
    fn changes_more_than_the_password(&self) -> bool {
        let limits = [self.quota.is_some(), self.sessions.is_some(), self.rate.is_some()];
        self.access.is_some() || self.home.is_some() || limits.contains(&true)
    }

    /// Stores the account with this password, or with its old one, and creates its home if the root is known.
    ///
    /// # Errors
    /// Fails if the file is not an accounts file, or cannot be read or replaced, or if the home cannot be created.
    fn store(&self, password: Option<&Secret>) -> Result<Stored, Box<dyn Error>> {
        let hash = password.map(|password| PasswordHash::new(password.expose(), default_rounds()));
        let hash = hash.transpose()?;
        edit(&self.file, |text, accounts| {
            let old = Name::new(self.name.clone()).and_then(|name| accounts.get(&name).cloned());
            let hash = hash.as_ref().or(old.as_ref().map(|old| &old.hash));
            // Another process may have removed the account in the meantime.
            let hash = hash.ok_or("a password is needed")?;
            let (text, change) = self.changed(text, accounts, hash);
            let now = Accounts::parse(&self.file, &text)?;
            let account = Name::new(self.name.clone()).and_then(|name| now.get(&name).cloned());
            let account = account.ok_or("the account cannot be stored")?;
            let root = self.root.as_deref();
            let home = root.map(|root| home::make(root, &account.home)).transpose()?;
            Ok((text, Stored { change, account, home }))
        })
    }

    fn changed(
        &self,
        text: &[u8],
        accounts: &Accounts,
        hash: &PasswordHash,
    ) -> (Vec<u8>, AccountChange) {
        // The file was parsed before, so a second byte order mark cannot occur.
        let text = text::strip_bom(text).unwrap_or(text);
        let old = Name::new(self.name.clone()).and_then(|name| accounts.get(&name).cloned());
        let access = self.access.or(old.as_ref().map(|old| old.access)).unwrap_or(Access::Read);
        let old_home = old.as_ref().map(|old| &old.home).filter(|home| **home != FtpPath::root());
        let home = match (&self.home, old_home) {
            (Some(home), _) => home.clone().into_bytes(),
            (None, Some(home)) => home.as_bytes().to_vec(),
            (None, None) => Vec::new(),
        };
        let access = access.word();
        let before = old.as_ref().map(|old| old.limits).unwrap_or_default();
        let limits = AccountLimits {
            quota: self.quota.unwrap_or(before.quota),
            sessions: self.sessions.unwrap_or(before.sessions),
            rate: self.rate.unwrap_or(before.rate),
        };
        let line = format!("{}:{hash}:{access}:", self.name);
        let is_dos = text
            .split_inclusive(|&b| b == b'\n')
            .next()
            .is_some_and(|line| line.ends_with(b"\r\n"));
        let end: &[u8] = if is_dos { b"\r\n" } else { b"\n" };
        let line = [line.as_bytes(), &home, limits.fields().as_bytes(), end].concat();

        let start = [self.name.as_bytes(), b":"].concat();
        let mut out = Vec::new();
        for kept in text.split_inclusive(|&b| b == b'\n') {
            if kept.trim_ascii_start().starts_with(&start) {
                out.extend_from_slice(&line);
            } else {
                out.extend_from_slice(kept);
            }
        }
        if old.is_some() {
            return (out, AccountChange::Changed);
        }
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(end);
        }
        out.extend_from_slice(&line);
        (out, AccountChange::Added)
    }
}

/// Replaces the text of an accounts file with the result of `change`, and returns its other result. The file is locked
/// in the meantime. If `change` fails, the file stays as it is.
fn edit<T>(
    file: &Path,
    change: impl FnOnce(&[u8], &Accounts) -> Result<(Vec<u8>, T), Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let failed = |error| AccountsError::File(file.into(), error);
    // If the path is a symbolic link, its target is replaced.
    let real = file.canonicalize().unwrap_or_else(|_| file.into());
    let mut locked = lock(&real).map_err(failed)?;
    let mut text = Vec::new();
    locked.read_to_end(&mut text).map_err(failed)?;
    let accounts = Accounts::parse(file, &text)?;
    let (text, result) = change(&text, &accounts)?;
    private_file::replace(&real, &text).map_err(failed)?;
    Ok(result)
}

/// Returns the text without the line of an account.
fn without_account(text: &[u8], name: &str) -> Vec<u8> {
    let start = [name.as_bytes(), b":"].concat();
    let lines = text.split_inclusive(|&b| b == b'\n');
    lines.filter(|line| !line.trim_ascii_start().starts_with(&start)).flatten().copied().collect()
}

/// Opens and locks the file, which is created if it is missing. While this waits for the lock, the file may be
/// replaced; then it waits again for the lock of the new file.
fn lock(file: &Path) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        sys::owner_only(&mut options);
        let opened = match options.read(true).write(true).create(true).truncate(false).open(file) {
            // The file is replaced, not written, so a read-only file is accepted.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => File::open(file)?,
            other => other?,
        };
        match opened.lock() {
            // A file system without locks is accepted.
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ if sys::is_at(file, &opened) => return Ok(opened),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Outcome;
    use std::fs;

    fn request(words: &[&str]) -> Result<Request, String> {
        match PROGRAM.parse(words.iter().map(Into::into)) {
            Ok(Outcome::Run(given)) => Request::new(&given).map_err(|usage| usage.to_string()),
            other => panic!("{}", other.is_ok()),
        }
    }

    fn change(text: &str, words: &[&str]) -> (String, AccountChange) {
        let accounts = Accounts::parse(Path::new("users"), text.as_bytes()).unwrap();
        let hash = PasswordHash::new(b"x", 1).unwrap();
        let (text, change) = request(words).unwrap().changed(text.as_bytes(), &accounts, &hash);
        (String::from_utf8(text).unwrap().replace(&hash.to_string(), "HASH"), change)
    }

    #[test]
    fn the_option_table_is_valid() {
        PROGRAM.check();
    }

    #[test]
    fn an_account_is_added_or_its_line_replaced() {
        let old = PasswordHash::new(b"y", 1).unwrap();
        let file = format!("# staff\nanna:{old}:write:/a\nben:{old}::");
        let added = format!("# staff\nanna:{old}:write:/a\nben:{old}::\ncarl:HASH:read:\n");
        assert_eq!(change(&file, &["users", "carl"]), (added, AccountChange::Added));
        let changed = format!("# staff\nanna:HASH:write:/a\nben:{old}::");
        assert_eq!(change(&file, &["users", "anna"]), (changed, AccountChange::Changed));
        let all = ["--access=write", "--home", "b c", "users", "ben"];
        let changed = format!("# staff\nanna:{old}:write:/a\nben:HASH:write:b c\n");
        assert_eq!(change(&file, &all), (changed, AccountChange::Changed));
    }

    #[test]
    fn crlf_line_ends_are_kept() {
        let old = PasswordHash::new(b"y", 1).unwrap();
        let file = format!("\u{feff}anna:{old}:write:/a\r\n# staff\r\n\tben:{old}:: \t");
        let changed = format!("anna:HASH:write:/a\r\n# staff\r\n\tben:{old}:: \t");
        assert_eq!(change(&file, &["users", "anna"]), (changed, AccountChange::Changed));
        let changed = format!("anna:{old}:write:/a\r\n# staff\r\nben:HASH:read:\r\n");
        assert_eq!(change(&file, &["users", "ben"]), (changed, AccountChange::Changed));
        let added =
            format!("anna:{old}:write:/a\r\n# staff\r\n\tben:{old}:: \t\r\ncarl:HASH:read:\r\n");
        assert_eq!(change(&file, &["users", "carl"]), (added, AccountChange::Added));
    }

    #[test]
    fn limits_stay_until_they_are_changed() {
        let old = PasswordHash::new(b"y", 1).unwrap();
        let file = format!("anna:{old}:write:/a:10G:3:\n");
        let with = |words: &[&str]| change(&file, &[words, &["users", "anna"]].concat()).0;
        assert_eq!(with(&[]), "anna:HASH:write:/a:10G:3:\n");
        assert_eq!(with(&["--rate=1500"]), "anna:HASH:write:/a:10G:3:1500\n");
        assert_eq!(with(&["--quota", "none"]), "anna:HASH:write:/a::3:\n");
        assert_eq!(with(&["--quota=none", "--sessions=none"]), "anna:HASH:write:/a\n");
        for (option, value) in [("--quota", "x"), ("--sessions", "0"), ("--rate", "0")] {
            let error = request(&[option, value, "users", "anna"]).unwrap_err();
            assert!(error.starts_with(option) && error.ends_with(", or none"), "{error}");
        }
    }

    #[test]
    fn a_line_is_removed_and_the_others_stay() {
        let text = "# anna:\nanna:x\r\nannabel:y\n  anna:z\nben:anna:\n";
        let left = "# anna:\nannabel:y\nben:anna:\n";
        assert_eq!(without_account(text.as_bytes(), "anna"), left.as_bytes());
    }

    #[test]
    fn names_of_visitors_are_refused() {
        for name in ["anonymous", "ftp", "FTP"] {
            let error = request(&["users", name]).unwrap_err();
            assert!(error.contains("this one is for anonymous visitors"), "{error}");
        }
    }

    #[test]
    fn names_that_would_break_the_file_are_refused() {
        for name in ["", "a:b", "a\nb", "#a", " a"] {
            let error = request(&["users", name]).unwrap_err();
            assert!(error.contains("expected a name"), "{error}");
        }
        assert!(request(&["users"]).unwrap_err().contains("FILE and NAME"));
        assert!(request(&["--home", "a:b", "users", "x"]).unwrap_err().contains("no colon"));
    }

    #[test]
    fn concurrent_changes_lose_no_account() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users");
        let add = |number: usize| {
            let name = format!("user{number}");
            let mut text = Vec::new();
            let mut locked = lock(&file).unwrap();
            locked.read_to_end(&mut text).unwrap();
            text.extend_from_slice(format!("{name}\n").as_bytes());
            private_file::replace(&file, &text).unwrap();
        };
        std::thread::scope(|scope| {
            let add = &add;
            (0..16).for_each(|number| drop(scope.spawn(move || add(number))));
        });
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 16);
    }
}
