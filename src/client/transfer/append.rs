//! APPEND with retries, which never appends bytes twice.
//!
//! The size of the remote file is requested before. After an interruption, its growth is the number of
//! appended bytes, if its last bytes are the same; another client may have appended, too. The rest is sent
//! with REST and STOR, not with APPE: a server that is still writing data of the old connection then writes
//! the same bytes to the same offset.
//!
//! If there was no final reply, the server may still be writing: the size is requested repeatedly, and APPE
//! is repeated only if the file has not grown. After a positive reply, APPE is never repeated.

use super::compare::{MAX_SIZE_CHECKS, TailComparison, compare_tail, wait_for_size};
use super::retry::{Attempt, Meter, Next};
use crate::client::connection::{Connection, Representation};
use crate::client::error::{Error, ErrorClass};
use crate::protocol::Name;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::mem;

/// The state of an APPEND.
pub(super) struct Append<'a> {
    name: &'a Name,
    file: &'a mut File,
    size: u64,
    /// The size of the remote file before. Without it there are no retries.
    base: Option<u64>,
    /// The number of bytes of this file that the server has.
    appended: u64,
    /// The number of bytes that were sent.
    reached: u64,
    /// The server may still be writing data that was sent.
    is_unsettled: bool,
}

impl<'a> Append<'a> {
    /// Requests the size of the remote file.
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

    /// Fails if the remote file is too small. It may be larger, because another client may have appended.
    fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        let Some(base) = self.base else { return Ok(()) };
        let expected = base + self.size;
        let first = connection.expected_size(self.name)?;
        match wait_for_size(connection, self.name, first, |size| {
            size.is_none_or(|size| size >= expected)
        })? {
            Some(got) if got < expected => Err(Error::NotWhole { expected, got }),
            _ => Ok(()),
        }
    }

    /// Returns the growth of the remote file; `None` if it is not the same file.
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
            wait_for_size(connection, self.name, now, is_settled)?;
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

    fn decide(&mut self, failure: &Error) -> Result<Next, Error> {
        let Some(base) = self.base else { return Ok(Next::Fail) };
        self.is_unsettled = failure.class() == ErrorClass::Connection;
        Ok(match failure {
            // The server has confirmed the transfer, so the reported size is probably wrong.
            Error::NotWhole { got, .. } if *got <= base => Next::Fail,
            _ => Next::Retry,
        })
    }

    /// Determines the number of bytes that were appended.
    fn check_remote(&mut self, connection: &mut Connection) -> Result<(), Error> {
        for _ in 0..MAX_SIZE_CHECKS {
            let Some(grown) = self.grown(connection)? else { break };
            let there = self.base.unwrap_or(0) + grown;
            self.appended = grown;
            if grown == 0 {
                return Ok(());
            }
            match compare_tail(connection, self.name, there, self.file, grown)? {
                TailComparison::Same => return Ok(()),
                TailComparison::Different => break,
                TailComparison::Grown => self.is_unsettled = true,
            }
        }
        Err(Error::OtherContent)
    }
}

/// Returns the size of the remote file, if known; 0 if it does not exist.
fn remote_size(connection: &mut Connection, name: &Name) -> Result<Option<u64>, Error> {
    let size = connection.expected_size(name)?;
    // A server that supports SIZE and refuses it here has no such file.
    Ok(size.or_else(|| connection.capabilities().size.then_some(0)))
}
