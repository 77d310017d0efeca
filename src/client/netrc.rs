//! The logins in `.netrc`, in the format of BSD FTP clients.
//!
//! An entry begins with `machine HOST` or `default`, followed by `login`, `password` and `account`
//! with one word each, and `macdef NAME`, whose lines end at the next blank line. The first entry
//! that matches is used. A word may be in double quotes if the quote is its first byte (`pa"ss` is
//! a password), and a backslash makes the next byte literal. Unknown words are skipped, because
//! newer clients have more keywords.

use super::error::Error;
use crate::protocol::{Name, Secret};
use crate::sys::is_accessible_to_others;
use crate::text;
use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The number of bytes that are read from the file.
const LONGEST: u64 = 1 << 20;

/// An entry of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NetrcLogin {
    /// The host; `None` for `default`.
    host: Option<Vec<u8>>,
    pub(super) user: Option<Name>,
    pub(super) password: Option<Secret>,
    pub(super) account: Option<Secret>,
    /// The macros and their lines.
    pub(super) macros: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

/// Returns the login for `host`, of the user `user` if one is given.
///
/// # Errors
/// [`Error::File`] if the file cannot be read, and [`Error::Netrc`] if others could read a
/// password in it.
pub(super) fn find(host: &str, user: Option<&Name>) -> Result<Option<NetrcLogin>, Error> {
    let Some(path) = path() else { return Ok(None) };
    let failed = |error| Error::File { path: path.clone(), error };
    let Some((file, text)) = read(&path).map_err(failed)? else { return Ok(None) };
    let text = text::strip_bom(&text)
        .map_err(|wrong| failed(io::Error::new(ErrorKind::InvalidData, wrong)))?;
    let Some(login) = parse(text).into_iter().find(|login| login.matches(host, user)) else {
        return Ok(None);
    };
    let open = is_accessible_to_others(&file.metadata().map_err(failed)?);
    if open && login.is_secret() {
        return Err(Error::Netrc(path));
    }
    Ok(Some(login))
}

/// Returns `$NETRC`, or `.netrc` in the home directory.
fn path() -> Option<PathBuf> {
    let named = env::var_os("NETRC").filter(|path| !path.is_empty());
    named.map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".netrc")))
}

fn read(path: &Path) -> io::Result<Option<(File, Vec<u8>)>> {
    let mut file = match File::open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        opened => opened?,
    };
    let mut text = Vec::new();
    (&mut file).take(LONGEST).read_to_end(&mut text)?;
    Ok(Some((file, text)))
}

impl NetrcLogin {
    fn matches(&self, host: &str, user: Option<&Name>) -> bool {
        let here = self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host.as_bytes()));
        here && (user.is_none() || self.user.is_none() || self.user.as_ref() == user)
    }

    /// Returns whether the entry contains a secret that others must not read.
    fn is_secret(&self) -> bool {
        let anonymous = |user: &Name| [&b"anonymous"[..], b"ftp"].contains(&user.as_bytes());
        let secret = self.password.is_some() || self.account.is_some();
        secret && !self.user.as_ref().is_some_and(anonymous)
    }
}

fn parse(text: &[u8]) -> Vec<NetrcLogin> {
    let mut logins: Vec<NetrcLogin> = Vec::new();
    let mut words = NetrcWords { rest: text };
    while let Some(keyword) = words.keyword() {
        match keyword.as_slice() {
            b"machine" => logins.push(NetrcLogin { host: words.next(), ..NetrcLogin::default() }),
            b"default" => logins.push(NetrcLogin::default()),
            b"macdef" => {
                let defined = words.macro_lines();
                logins
                    .last_mut()
                    .into_iter()
                    .for_each(|login| login.macros.extend(defined.clone()));
            }
            other => words.set(other, logins.last_mut()),
        }
    }
    // A machine without a name would match every host.
    logins.retain(|login| login.host.as_ref().is_none_or(|host| !host.is_empty()));
    logins
}

struct NetrcWords<'a> {
    rest: &'a [u8],
}

impl NetrcWords<'_> {
    /// Returns the next word where a keyword is expected; comments are skipped.
    fn keyword(&mut self) -> Option<Vec<u8>> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if !self.rest.starts_with(b"#") {
                return self.next();
            }
            self.line();
        }
    }

    /// Stores the word after a keyword.
    fn set(&mut self, keyword: &[u8], login: Option<&mut NetrcLogin>) {
        if ![&b"login"[..], b"user", b"password", b"passwd", b"account"].contains(&keyword) {
            return;
        }
        let (Some(word), Some(login)) = (self.next(), login) else { return };
        match keyword {
            b"login" | b"user" => login.user = Name::new(word),
            b"account" => login.account = Secret::new(word),
            _ => login.password = Secret::new(word),
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let mut word = Vec::new();
        let opened = self.rest.strip_prefix(b"\"");
        let mut quoted = opened.is_some();
        self.rest = opened.unwrap_or(self.rest);
        while let Some((&byte, after)) = self.rest.split_first() {
            if byte.is_ascii_whitespace() && !quoted {
                break;
            }
            self.rest = after;
            match (byte, after.split_first()) {
                (b'\\', Some((&next, after))) => {
                    word.push(next);
                    self.rest = after;
                }
                (b'"', _) if quoted => quoted = false,
                _ => word.push(byte),
            }
        }
        Some(word)
    }

    fn line(&mut self) -> &[u8] {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        let (line, after) = self.rest.split_at(end);
        self.rest = after.strip_prefix(b"\n").unwrap_or(after);
        line
    }

    /// Returns the name of a macro and its lines up to the next blank line.
    fn macro_lines(&mut self) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let name = self.next()?;
        self.line();
        let mut lines = Vec::new();
        while !self.rest.is_empty() {
            let line = self.line().trim_ascii().to_vec();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        Some((name, lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str, host: &str, user: Option<&str>) -> Option<NetrcLogin> {
        let user = user.map(|user| Name::new(user).unwrap());
        parse(text.as_bytes()).into_iter().find(|login| login.matches(host, user.as_ref()))
    }

    const TEXT: &str = "# mine\nmachine one login me password \"se cr\\\"et\" account acc\n\
        macdef init\nbinary\n  cd pub\n\nmachine two\n\tlogin a\n\tpassword #1\n\
        machine two login b password 2 port 21\ndefault login anonymous password me@here\n\
        machine late login x\n";

    #[test]
    fn the_first_entry_that_fits_counts() {
        let one = login(TEXT, "ONE", None).unwrap();
        assert_eq!(one.user, Name::new("me"));
        assert_eq!(one.password, Secret::new("se cr\"et"));
        assert_eq!(one.account, Secret::new("acc"));
        assert_eq!(one.macros, [(b"init".to_vec(), vec![b"binary".to_vec(), b"cd pub".to_vec()])]);
        assert_eq!(login(TEXT, "two", None).unwrap().password, Secret::new("#1"));
        assert_eq!(login(TEXT, "two", Some("b")).unwrap().password, Secret::new("2"));
        assert_eq!(login(TEXT, "three", None).unwrap().user, Name::new("anonymous"));
        assert_eq!(login(TEXT, "late", None).unwrap().user, Name::new("anonymous"));
        assert_eq!(login(TEXT, "three", Some("c")), None);
    }

    #[test]
    fn a_quote_is_special_only_at_the_start_of_a_word() {
        for (written, password) in [
            ("pa\"ss", "pa\"ss"),
            ("pass\"", "pass\""),
            ("\"pa ss\"", "pa ss"),
            ("\"pa\"ss\"", "pass\""),
            ("it's", "it's"),
        ] {
            let text = format!("machine a\r\nlogin me\r\npassword {written}\r\naccount x\r\n");
            let found = login(&text, "a", None).unwrap();
            assert_eq!(found.password, Secret::new(password), "{written}");
            assert_eq!(found.account, Secret::new("x"), "{written}");
        }
    }

    #[test]
    fn secrets_in_a_readable_file_are_recognized() {
        assert!(login(TEXT, "one", None).unwrap().is_secret());
        assert!(!login(TEXT, "three", None).unwrap().is_secret());
        assert!(!login("machine a login me", "a", None).unwrap().is_secret());
    }

    #[test]
    fn any_text_is_some_logins() {
        for end in 0..TEXT.len() {
            parse(&TEXT.as_bytes()[..end]);
            parse(&TEXT.as_bytes()[end..]);
        }
        assert_eq!(parse(b"machine"), [NetrcLogin::default()].map(|login| login));
        assert_eq!(parse(b"password x machine \"\" login y"), []);
    }
}
