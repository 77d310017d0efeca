//! Finds the cause of a refusal: a missing directory, or a directory in place of a file.
//!
//! Servers reply 550 or 553 in both cases, with different texts. The client uses CWD to find out whether a
//! directory exists, which costs round trips only after a failure.

use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::remote_listing::is_about_rights;
use crate::client::shell::session::Session;
use crate::protocol::{Code, Name, Reply};

/// Returns true if the cause of the refusal may be the name and not a lack of permissions.
fn may_be_about_name(reply: &Reply) -> bool {
    matches!(reply.code(), Code::UNAVAILABLE | Code::BAD_NAME) && !is_about_rights(reply)
}

/// Returns true after a refusal if the name is that of a remote directory.
pub(in crate::client::shell) fn is_dir(session: &mut Session, name: &Name, error: &Error) -> bool {
    matches!(error, Error::Refused(reply) if may_be_about_name(reply))
        && session.connection().and_then(|connection| connection.in_dir(name, |_| Ok(()))).is_ok()
}

/// Returns [`Error::NoRemoteDir`] in place of a refusal to create `path`, if its directory does not exist.
pub(super) fn explained(session: &mut Session, path: &[u8], error: Error) -> Error {
    let above = path.strip_suffix(b"/").unwrap_or(path);
    let above = above.iter().rposition(|byte| *byte == b'/').map(|end| &path[..end]);
    let (Error::Refused(reply), Some(above)) = (&error, above.filter(|above| !above.is_empty()))
    else {
        return error;
    };
    let Ok(dir) = parse_name(above) else { return error };
    if !may_be_about_name(reply) {
        return error;
    }
    match session.connection().and_then(|connection| connection.in_dir(&dir, |_| Ok(()))) {
        Err(Error::Refused(reply)) if may_be_about_name(&reply) => {
            Error::NoRemoteDir { path: path.to_vec(), dir: above.to_vec() }
        }
        _ => error,
    }
}
