//! The operands of a command: their descriptions in its row, and access to their values.

use crate::client::error::Error;
use crate::protocol::Secret;

/// The description of an operand.
pub(in crate::client) struct Operand {
    /// Its name in HELP.
    pub(super) name: &'static str,
    /// The kind of its value, for completion.
    pub(super) kind: Kind,
    /// Its help text; may be empty.
    pub(super) help: &'static str,
    pub(super) is_optional: bool,
    /// It takes all following words.
    pub(super) is_many: bool,
    /// The command that expands wildcards, if this operand does not.
    pub(super) expanded_by: Option<&'static str>,
    pub(super) secrecy: Secrecy,
}

/// The kind of an operand, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::shell) enum Kind {
    /// Text that cannot be completed.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A remote file or directory.
    Remote,
    /// A remote directory.
    RemoteDir,
    /// A local file or directory.
    Local,
    /// A local directory.
    LocalDir,
    /// A command of the shell.
    Command,
}

/// The use of an operand in messages and in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// It may appear in both.
    Public,
    /// It is part of a raw command for the server, which may contain a password.
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

    /// Describes text that cannot be completed.
    pub(super) const fn text(name: &'static str) -> Operand {
        Operand::new(name, Kind::Text)
    }

    /// Describes `on` or `off`. Without it the command toggles the setting.
    pub(super) const fn switch() -> Operand {
        Operand::words("on|off", &["on", "off"]).optional()
    }

    /// Describes one of a few words; `name` lists them.
    pub(super) const fn words(name: &'static str, words: &'static [&'static str]) -> Operand {
        Operand::new(name, Kind::Words(words))
    }

    /// Describes a remote file or directory.
    pub(super) const fn remote(name: &'static str) -> Operand {
        Operand::new(name, Kind::Remote)
    }

    /// Describes a remote directory.
    pub(super) const fn remote_dir(name: &'static str) -> Operand {
        Operand::new(name, Kind::RemoteDir)
    }

    /// Describes a local file or directory.
    pub(super) const fn local(name: &'static str) -> Operand {
        Operand::new(name, Kind::Local)
    }

    /// Describes a local directory.
    pub(super) const fn local_dir(name: &'static str) -> Operand {
        Operand::new(name, Kind::LocalDir)
    }

    /// Describes a command of the shell.
    pub(super) const fn command(name: &'static str) -> Operand {
        Operand::new(name, Kind::Command)
    }

    /// Describes the words of a raw command for the server.
    pub(super) const fn of_server(name: &'static str) -> Operand {
        Operand { secrecy: Secrecy::MayHold, ..Operand::text(name) }.many()
    }

    /// Describes a password.
    pub(super) const fn secret(name: &'static str) -> Operand {
        Operand { secrecy: Secrecy::Secret, ..Operand::text(name) }
    }

    /// Makes it and all following operands optional.
    pub(super) const fn optional(self) -> Operand {
        Operand { is_optional: true, ..self }
    }

    /// Lets it take all following words.
    pub(super) const fn many(self) -> Operand {
        Operand { is_many: true, ..self }
    }

    /// Takes wildcards literally, and names the command that expands them.
    pub(super) const fn literal(self, expanded_by: &'static str) -> Operand {
        Operand { expanded_by: Some(expanded_by), ..self }
    }

    /// Sets the help text.
    pub(super) const fn help(self, help: &'static str) -> Operand {
        Operand { help, ..self }
    }

    pub(in crate::client::shell) fn kind(&self) -> Kind {
        self.kind
    }
}

/// Returns the operand at `index`, which must be a required one.
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
