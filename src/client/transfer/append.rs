//! APPE that broke off, and is continued if it is certain how much of it the server has.
//!
//! The size of the remote file is asked before. What it has grown by since is the beginning of what was
//! sent if it ends in the same bytes; another client may have appended too. The rest is sent with REST
//! and STOR and not with APPE: a server that is still writing what came over the old connection then
//! writes the same bytes to the same place, and none twice.

use super::compare::same_tail;
use super::retry::{Attempt, Meter, Next};
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::protocol::Name;
use std::fs::File;
use std::io::{Seek, SeekFrom};

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
}

impl<'a> Append<'a> {
    /// Asks how large the remote file is.
    pub(super) fn new(
        name: &'a Name,
        file: &'a mut File,
        size: u64,
        connection: &mut Connection,
    ) -> Result<Append<'a>, Error> {
        let base = size_before(connection, name)?;
        Ok(Append { name, file, size, base, appended: 0, reached: 0 })
    }

    /// Fails if the remote file is too small. It may be larger: another client may have appended too.
    fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        let Some(base) = self.base else { return Ok(()) };
        match connection.expected_size(self.name)? {
            Some(size) if size < base + self.size => {
                Err(Error::NotWhole { expected: base + self.size, got: size })
            }
            _ => Ok(()),
        }
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

    fn learn(&mut self, _: &Error) -> Result<Next, Error> {
        Ok(if self.base.is_some() { Next::Retry } else { Next::Fail })
    }

    /// Finds out how much of the file the server has.
    fn look_again(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let now = connection.expected_size(self.name)?.unwrap_or(0);
        let grown = self.base.and_then(|base| now.checked_sub(base));
        let Some(appended) = grown.filter(|grown| *grown <= self.reached) else {
            return Err(Error::OtherContent);
        };
        if appended > 0 && !same_tail(connection, self.name, now, self.file, appended)? {
            return Err(Error::OtherContent);
        }
        self.appended = appended;
        Ok(())
    }
}

/// Returns how large the remote file is, if that can be known.
fn size_before(connection: &mut Connection, name: &Name) -> Result<Option<u64>, Error> {
    if connection.representation() == Representation::Text {
        return Ok(None);
    }
    let size = connection.expected_size(name)?;
    // A server that knows SIZE and refuses it here has no such file.
    Ok(size.or_else(|| connection.capabilities().sizes.then_some(0)))
}
