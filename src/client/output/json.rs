//! Results as JSON: one object per line on standard output.

use super::print_line;
use crate::client::error::Error;
use crate::json::Object;
use crate::protocol::listing::{Entry, Kind};
use crate::text::rfc3339;

/// Prints an object.
pub(in crate::client) fn print_object(object: Object) -> Result<(), Error> {
    print_line(object.finish().as_bytes())
}

/// Returns the object for a command that failed, with the exit status of the client for its error.
pub(in crate::client) fn of_failure(command: &[u8], error: &Error) -> Object {
    let object = Object::new().text("command", command);
    with_error(object, error).number("status", error.status())
}

/// Returns the object for an entry of a directory, remote or local.
pub(in crate::client) fn of_entry(entry: &Entry) -> Object {
    let kind: &[u8] = match entry.kind {
        Kind::File => b"file",
        Kind::Dir | Kind::CurrentDir | Kind::ParentDir => b"dir",
        Kind::Link(_) => b"link",
        Kind::Other => b"other",
    };
    let mut object = Object::new().text("name", &entry.name).text("type", kind);
    if let Some(size) = entry.size {
        object = object.number("size", size);
    }
    if let Some(modified) = entry.modified {
        object = object.text("modified", rfc3339(modified).as_bytes());
    }
    if let Kind::Link(target) = &entry.kind {
        object = object.text("target", target);
    }
    object
}

/// The side of the connection on which something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Side {
    Remote,
    Local,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Remote => "remote",
            Side::Local => "local",
        }
    }
}

/// A change of a file or directory, other than a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Change<'a> {
    Delete,
    MakeDir,
    RemoveDir,
    Rename {
        to: &'a [u8],
    },
    SetMode {
        mode: &'a [u8],
    },
    MakeLink {
        target: &'a [u8],
    },
    /// Refused, because another kind of file is in the way.
    Replace,
}

impl Change<'_> {
    /// Returns the object for this change of a path.
    pub(in crate::client) fn object(self, side: Side, path: &[u8]) -> Object {
        let (name, detail) = match self {
            Change::Delete => ("delete", None),
            Change::MakeDir => ("mkdir", None),
            Change::RemoveDir => ("rmdir", None),
            Change::Rename { to } => ("rename", Some(("to", to))),
            Change::SetMode { mode } => ("chmod", Some(("mode", mode))),
            Change::MakeLink { target } => ("link", Some(("target", target))),
            Change::Replace => ("replace", None),
        };
        let object = Object::new().text("change", name.as_bytes()).text(side.name(), path);
        detail.into_iter().fold(object, |object, (key, value)| object.text(key, value))
    }
}

/// Adds the reason why a transfer or a change failed.
pub(in crate::client) fn with_error(object: Object, error: &Error) -> Object {
    object.text("error", error.to_string().as_bytes())
}

/// The kind of transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Action {
    Retrieve,
    Store,
    Append,
}

impl Action {
    fn name(self) -> &'static [u8] {
        match self {
            Action::Retrieve => b"retrieve",
            Action::Store => b"store",
            Action::Append => b"append",
        }
    }
}

/// Prints the result of a transfer. A name is empty if the transfer has none on that side.
pub(in crate::client) fn print(
    action: Action,
    remote: &[u8],
    local: &[u8],
    result: &Result<u64, Error>,
) -> Result<(), Error> {
    print_line(described(action, remote, local, result).as_bytes())
}

fn described(action: Action, remote: &[u8], local: &[u8], result: &Result<u64, Error>) -> String {
    let object = of_transfer(action, remote, local);
    match result {
        Ok(bytes) => object.number("bytes", *bytes).finish(),
        Err(error) => with_error(object, error).finish(),
    }
}

/// Returns the object for a transfer, without its result.
pub(in crate::client) fn of_transfer(action: Action, remote: &[u8], local: &[u8]) -> Object {
    let names = [(Side::Remote, remote), (Side::Local, local)];
    let known = names.into_iter().filter(|(_, name)| !name.is_empty());
    let object = Object::new().text("transfer", action.name());
    known.fold(object, |object, (side, name)| object.text(side.name(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_one_object() {
        assert_eq!(
            described(Action::Append, b"a\"b", b"c", &Ok(7)),
            r#"{"transfer":"append","remote":"a\"b","local":"c","bytes":7}"#
        );
        assert_eq!(
            described(Action::Retrieve, b"..", b"", &Err(Error::Endless)),
            r#"{"transfer":"retrieve","remote":"..","error":"the directory tree is too large"}"#
        );
    }

    #[test]
    fn a_change_is_one_object() {
        let object = |change: Change<'_>| change.object(Side::Remote, b"a").finish();
        assert_eq!(object(Change::Delete), r#"{"change":"delete","remote":"a"}"#);
        let renamed = object(Change::Rename { to: b"b" });
        assert_eq!(renamed, r#"{"change":"rename","remote":"a","to":"b"}"#);
        let failed = with_error(Change::MakeDir.object(Side::Local, b"d"), &Error::Endless);
        assert_eq!(
            failed.finish(),
            r#"{"change":"mkdir","local":"d","error":"the directory tree is too large"}"#
        );
    }
}
