//! What is behind a refusal: a directory that is missing, or one that stands where a file was meant.
//!
//! Servers say both with 550 or 553 and in words of their own. Whether a directory is there is found out by
//! entering it, which costs round trips after a failure alone.

use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::remote_listing::is_about_rights;
use crate::client::shell::session::Session;
use crate::protocol::{Code, Name, Reply};

/// Returns true if the refusal may be about the name and not about rights.
fn may_be_about_name(reply: &Reply) -> bool {
    matches!(reply.code(), Code::UNAVAILABLE | Code::BAD_NAME) && !is_about_rights(reply)
}

/// Returns true if a directory of this name is on the server, after something with this name was refused.
pub(in crate::client::shell) fn is_dir(session: &mut Session, name: &Name, error: &Error) -> bool {
    matches!(error, Error::Refused(reply) if may_be_about_name(reply))
        && session.connection().and_then(|connection| connection.in_dir(name, |_| Ok(()))).is_ok()
}

/// Returns a more useful error than the refusal of something that was to be made at this path: that its
/// directory is missing.
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
