//! APPE that broke off, and is continued if it is certain how much of it the server has.
//!
//! The size of the remote file is asked before. What it has grown by since is the beginning of what was
//! sent if it ends in the same bytes; another client may have appended too. The rest is sent with REST
//! and STOR and not with APPE: a server that is still writing what came over the old connection then
//! writes the same bytes to the same place, and none twice.
//!
//! If the server did not say how the transfer ended, it may still be storing: it is asked again for the
//! size, and APPE is sent again only if the file has not grown. What the server has confirmed is never
//! sent with APPE again.

use super::compare::{MOST_MEASURED, Tail, compare_tail, settled_size};
use super::retry::{Attempt, Meter, Next};
use crate::client::connection::{Connection, Representation};
use crate::client::error::{Error, ErrorClass};
use crate::protocol::Name;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::mem;

/// A file on its way to the end of another.
pub(super) struct Append<'a> {
    name: &'a Name,
    file: &'a mut File,
    size: u64,
    /// How large the remote file was before; unknown, there is only one try.
    base: Option<u64>,
    /// How many bytes of this file the server has.
    appended: u64,
    /// How many bytes were sent.
    reached: u64,
    /// Whether the server may still be storing what was sent.
    is_unsettled: bool,
}

impl<'a> Append<'a> {
    /// Asks how large the remote file is.
    pub(super) fn new(
        name: &'a Name,
        file: &'a mut File,
        size: u64,
        connection: &mut Connection,
    ) -> Result<Append<'a>, Error> {
        let base = match connection.representation() {
            Representation::Ascii => None,
            Representation::Image => remote_size(connection, name)?,
        };
        Ok(Append { name, file, size, base, appended: 0, reached: 0, is_unsettled: false })
    }

    /// Fails if the remote file is too small. It may be larger: another client may have appended too.
    fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        let Some(base) = self.base else { return Ok(()) };
        let expected = base + self.size;
        let first = connection.expected_size(self.name)?;
        match settled_size(connection, self.name, first, |size| {
            size.is_none_or(|size| size >= expected)
        })? {
            Some(got) if got < expected => Err(Error::NotWhole { expected, got }),
            _ => Ok(()),
        }
    }

    /// Returns how many bytes the remote file has grown by; `None` if it is not the same file.
    fn grown(&self, connection: &mut Connection) -> Result<Option<u64>, Error> {
        let Some(base) = self.base else { return Ok(None) };
        let mut now = remote_size(connection, self.name)?;
        if self.is_unsettled {
            let whole = base + self.reached;
            let mut before = base;
            let is_settled = |size: Option<u64>| {
                let size = size.unwrap_or(0);
                let is_at_rest = mem::replace(&mut before, size) == size && size > base;
                size >= whole || is_at_rest
            };
            settled_size(connection, self.name, now, is_settled)?;
            now = now.map(|_| before);
        }
        Ok(now.and_then(|now| now.checked_sub(base)).filter(|grown| *grown <= self.reached))
    }
}

impl Attempt for Append<'_> {
    fn attempt(
        &mut self,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let done = self.appended;
        if done == self.size && done > 0 {
            return Ok(self.size);
        }
        self.file.seek(SeekFrom::Start(done)).map_err(Error::Local)?;
        let outgoing = match self.base {
            Some(base) if done > 0 => connection.store_from(self.name, base + done)?,
            _ => connection.append(self.name)?,
        };
        meter.begins(done, Some(self.size));
        let reached = &mut self.reached;
        outgoing.send(self.file, |moved| {
            *reached = done + moved;
            meter.moved(moved);
        })?;
        self.check(connection).map(|()| self.size)
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(self.reached)
    }

    fn learn(&mut self, failure: &Error) -> Result<Next, Error> {
        let Some(base) = self.base else { return Ok(Next::Fail) };
        self.is_unsettled = failure.class() == ErrorClass::Connection;
        Ok(match failure {
            // The server confirmed it, so its size is more likely to be wrong than the file.
            Error::NotWhole { got, .. } if *got <= base => Next::Fail,
            _ => Next::Retry,
        })
    }

    /// Finds out how much of the file the server has.
    fn look_again(&mut self, connection: &mut Connection) -> Result<(), Error> {
        for _ in 0..MOST_MEASURED {
            let Some(grown) = self.grown(connection)? else { break };
            let there = self.base.unwrap_or(0) + grown;
            self.appended = grown;
            if grown == 0 {
                return Ok(());
            }
            match compare_tail(connection, self.name, there, self.file, grown)? {
                Tail::Same => return Ok(()),
                Tail::Different => break,
                Tail::Grown => self.is_unsettled = true,
            }
        }
        Err(Error::OtherContent)
    }
}

/// Returns how large the remote file is, if that can be known.
fn remote_size(connection: &mut Connection, name: &Name) -> Result<Option<u64>, Error> {
    let size = connection.expected_size(name)?;
    // A server that knows SIZE and refuses it here has no such file.
    Ok(size.or_else(|| connection.capabilities().size.then_some(0)))
}
