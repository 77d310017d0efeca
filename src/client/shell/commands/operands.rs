//! The words after a command: what its row says of them, and how its function gets at them.

use crate::client::error::Error;
use crate::protocol::Secret;

/// What a word after a command means.
pub(in crate::client) struct Operand {
    /// What HELP calls it.
    pub(super) name: &'static str,
    /// What it names.
    pub(super) kind: Kind,
    /// What there is to say of it, in a line or more.
    pub(super) help: &'static str,
    /// Whether it may be left out.
    pub(super) is_optional: bool,
    /// Whether it stands for all words that follow.
    pub(super) is_many: bool,
    /// For a name in which wildcards mean nothing: the command that expands them.
    pub(super) expanded_by: Option<&'static str>,
    pub(super) secrecy: Secrecy,
}

/// What an operand names, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::shell) enum Kind {
    /// Only the user knows.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Anything on the server.
    Remote,
    /// A directory on the server.
    RemoteDir,
    /// Anything here.
    Local,
    /// A directory here.
    LocalDir,
    /// A command of the shell.
    Command,
}

/// Who may see an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Messages may show it, and the history keeps it.
    Public,
    /// It is a part of a command of the server, which may hold a password.
    MayHold,
    /// It is a password.
    Secret,
}

impl Operand {
    const fn new(name: &'static str, kind: Kind) -> Operand {
        let secrecy = Secrecy::Public;
        Operand {
            name,
            kind,
            help: "",
            is_optional: false,
            is_many: false,
            expanded_by: None,
            secrecy,
        }
    }

    /// A word that cannot be completed.
    pub(super) const fn text(name: &'static str) -> Operand {
        Operand::new(name, Kind::Text)
    }

    /// Whether something is on; the other way round if it is left out.
    pub(super) const fn switch() -> Operand {
        Operand::words("on|off", &["on", "off"]).optional()
    }

    /// One of a few words; `name` lists them.
    pub(super) const fn words(name: &'static str, words: &'static [&'static str]) -> Operand {
        Operand::new(name, Kind::Words(words))
    }

    /// A file or a directory on the server.
    pub(super) const fn remote(name: &'static str) -> Operand {
        Operand::new(name, Kind::Remote)
    }

    /// A directory on the server.
    pub(super) const fn remote_dir(name: &'static str) -> Operand {
        Operand::new(name, Kind::RemoteDir)
    }

    /// A file or a directory here.
    pub(super) const fn local(name: &'static str) -> Operand {
        Operand::new(name, Kind::Local)
    }

    /// A directory here.
    pub(super) const fn local_dir(name: &'static str) -> Operand {
        Operand::new(name, Kind::LocalDir)
    }

    /// A command of the shell.
    pub(super) const fn command(name: &'static str) -> Operand {
        Operand::new(name, Kind::Command)
    }

    /// The words of a command of the server.
    pub(super) const fn of_server(name: &'static str) -> Operand {
        Operand { secrecy: Secrecy::MayHold, ..Operand::text(name) }.many()
    }

    /// A password.
    pub(super) const fn secret(name: &'static str) -> Operand {
        Operand { secrecy: Secrecy::Secret, ..Operand::text(name) }
    }

    /// Lets it be left out, with all that follow.
    pub(super) const fn optional(self) -> Operand {
        Operand { is_optional: true, ..self }
    }

    /// Lets it stand for all words that follow.
    pub(super) const fn many(self) -> Operand {
        Operand { is_many: true, ..self }
    }

    /// Takes wildcards as they are; names the command that expands them.
    pub(super) const fn literal(self, expanded_by: &'static str) -> Operand {
        Operand { expanded_by: Some(expanded_by), ..self }
    }

    /// Says what there is to say of it.
    pub(super) const fn help(self, help: &'static str) -> Operand {
        Operand { help, ..self }
    }

    /// Returns what it names.
    pub(in crate::client::shell) fn kind(&self) -> Kind {
        self.kind
    }
}

/// The operand at `index`; the table sees to it that there are enough.
pub(super) fn operand(words: &[Vec<u8>], index: usize) -> &[u8] {
    optional(words, index).unwrap_or_default()
}

pub(super) fn optional(words: &[Vec<u8>], index: usize) -> Option<&[u8]> {
    words.get(index).map(Vec::as_slice)
}

pub(super) fn text(word: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(word).map_err(|_| Error::Usage("expected text in UTF-8".to_owned()))
}

pub(super) fn secret(word: &[u8]) -> Result<Secret, Error> {
    let wrong = || Error::Usage("a password cannot hold CR, LF or NUL".to_owned());
    Secret::new(word).ok_or_else(wrong)
}
