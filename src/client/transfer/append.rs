//! APPEND that broke off, and goes on where it is certain how much of it the server has.
//!
//! The size of the remote file is asked before. What it has grown by since is the beginning of what was
//! sent, if it ends in the same bytes; somebody else may have appended too. The rest is sent with REST
//! and STOR and not with APPE: a server that is still writing what came over the old connection then
//! writes the same bytes to the same place, and none twice.

use super::resume::{COMPARED, Meter};
use super::retry::{Gain, Retries};
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::protocol::Name;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// A file on its way to the end of another.
pub(in crate::client) struct Append<'a> {
    pub(in crate::client) name: &'a Name,
    pub(in crate::client) file: &'a mut File,
    pub(in crate::client) size: u64,
}

impl Append<'_> {
    /// Appends it, as often as it takes; returns how many bytes it has.
    pub(in crate::client) fn run(
        &mut self,
        connection: &mut Connection,
        tries: &mut Retries,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let Some(base) = size_before(connection, self.name)? else {
            self.attempt(connection, None, &mut 0, meter)?;
            return Ok(self.size);
        };
        let (mut from, mut reached) = (None, 0);
        loop {
            let before = reached;
            let failure = match self.attempt(connection, from, &mut reached, meter) {
                Ok(()) => match self.check(connection, base) {
                    Ok(()) => return Ok(self.size),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            let gain = if reached > before { Gain::Something } else { Gain::Nothing };
            tries.again(failure, gain, connection, |why, pause| meter.again(why, pause))?;
            match self.appended(connection, base, reached) {
                Ok(appended) if appended == self.size => return Ok(self.size),
                Ok(0) => from = None,
                Ok(appended) => from = Some(Part { base, appended }),
                Err(failure) => return Err(tries.sum_up(failure)),
            }
        }
    }

    fn attempt(
        &mut self,
        connection: &mut Connection,
        part: Option<Part>,
        reached: &mut u64,
        meter: &mut dyn Meter,
    ) -> Result<(), Error> {
        let done = part.map_or(0, |part| part.appended);
        self.file.seek(SeekFrom::Start(done)).map_err(Error::Local)?;
        let upload = match part {
            None => connection.append(self.name)?,
            Some(part) => connection.store_from(self.name, part.base + part.appended)?,
        };
        meter.begins(done, Some(self.size));
        let moved = |moved: u64| {
            *reached = done + moved;
            meter.moved(moved);
        };
        upload.send(self.file, moved).map(drop)
    }

    /// Somebody else may have appended more, but nobody less.
    fn check(&self, connection: &mut Connection, base: u64) -> Result<(), Error> {
        match connection.expected_size(self.name)? {
            Some(size) if size < base + self.size => {
                Err(Error::NotWhole { expected: base + self.size, got: size })
            }
            _ => Ok(()),
        }
    }

    /// How much of it the server has.
    fn appended(
        &mut self,
        connection: &mut Connection,
        base: u64,
        reached: u64,
    ) -> Result<u64, Error> {
        let now = connection.expected_size(self.name)?.unwrap_or(0);
        let Some(appended) = now.checked_sub(base).filter(|appended| *appended <= reached) else {
            return Err(Error::OtherContent);
        };
        if appended == 0 {
            return Ok(0);
        }
        let compared = appended.min(COMPARED);
        let mut theirs = Vec::new();
        let download = connection.retrieve_from(self.name, now - compared, Some(now))?;
        download.receive(&mut theirs, |_| ())?;
        let mut ours = Vec::new();
        self.file.seek(SeekFrom::Start(appended - compared)).map_err(Error::Local)?;
        Read::take(&mut *self.file, compared).read_to_end(&mut ours).map_err(Error::Local)?;
        if ours == theirs { Ok(appended) } else { Err(Error::OtherContent) }
    }
}

/// What the server has of a file that is being appended.
#[derive(Clone, Copy)]
struct Part {
    /// How large the remote file was before.
    base: u64,
    appended: u64,
}

/// How large the remote file is, where that can be known.
fn size_before(connection: &mut Connection, name: &Name) -> Result<Option<u64>, Error> {
    if connection.representation() == Representation::Text {
        return Ok(None);
    }
    let size = connection.expected_size(name)?;
    // A server that knows SIZE and refuses it here has no such file.
    Ok(size.or_else(|| connection.capabilities().sizes.then_some(0)))
}
