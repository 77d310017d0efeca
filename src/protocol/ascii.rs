//! TYPE A in both directions: lines end in LF here and in CR LF on the wire (RFC 959 section
//! 3.1.1.1).
//!
//! The encoder sends an LF as CR LF, and a CR LF as it is, so that the text of a Windows program
//! arrives with the line ends it has; vsftpd, ProFTPD and pyftpdlib do the same. The decoder turns every
//! CR LF into LF and passes any other CR or LF, which a peer that does not convert may send. So a text
//! whose lines end in LF alone comes back byte by byte, and one with CR LF comes back with LF.
//!
//! [`EncodingReader`] and [`DecodingWriter`] put the two into a stream. They hold no more than
//! a fixed number of bytes, and reuse the room for them.

use std::io::{self, BufRead, Read, Write};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// How many bytes a stream converts at a time.
const CHUNK: usize = 32 * 1024;

/// Local text to wire text.
#[derive(Debug, Default)]
pub struct Encoder {
    /// The last byte was a CR, so an LF that follows ends the line together with it.
    after_cr: bool,
    /// Every LF becomes CR LF, whatever stands before it.
    every_lf: bool,
}

impl Encoder {
    /// Appends `input` to `out` as it goes on the wire: at most twice its length.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = input.last() else { return };
        let mut after_cr = std::mem::replace(&mut self.after_cr, last == CR);
        let mut rest = input;
        while let Some(end) = find(LF, rest) {
            out.extend_from_slice(&rest[..end]);
            let is_pair = if end > 0 { rest[end - 1] == CR } else { after_cr };
            if !is_pair || self.every_lf {
                out.push(CR);
            }
            out.push(LF);
            after_cr = false;
            rest = &rest[end + 1..];
        }
        out.extend_from_slice(rest);
    }
}

/// Wire text to local text. A CR at the end of a chunk is held back until it is known whether an
/// LF follows.
#[derive(Debug, Default)]
pub struct Decoder {
    holds_cr: bool,
}

impl Decoder {
    /// Appends `input` to `out` as it is stored here: at most one byte longer.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(&first) = input.first() else { return };
        if std::mem::take(&mut self.holds_cr) && first != LF {
            out.push(CR);
        }
        let mut rest = input;
        while let Some(at) = find(CR, rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.first() {
                Some(&LF) => {}
                Some(_) => out.push(CR),
                None => self.holds_cr = true,
            }
        }
        out.extend_from_slice(rest);
    }

    /// Ends the text: a CR that nothing followed was one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.holds_cr) {
            out.push(CR);
        }
    }
}

/// Reads the bytes of `R` as they go on the wire.
#[derive(Debug)]
pub struct EncodingReader<R> {
    inner: R,
    encoder: Encoder,
    raw: Vec<u8>,
    encoded: Vec<u8>,
    /// How much of `encoded` was handed out.
    taken: usize,
}

impl<R: Read> EncodingReader<R> {
    /// Reads a file in TYPE A from its beginning, as it is sent.
    pub fn new(inner: R) -> EncodingReader<R> {
        EncodingReader::with(Encoder::default(), inner)
    }

    /// Reads a file that a [`DecodingWriter`] stored, as it came over the wire: every LF in it was a CR
    /// LF there.
    pub fn as_received(inner: R) -> EncodingReader<R> {
        EncodingReader::with(Encoder { every_lf: true, ..Encoder::default() }, inner)
    }

    fn with(encoder: Encoder, inner: R) -> EncodingReader<R> {
        EncodingReader {
            inner,
            encoder,
            raw: vec![0; CHUNK],
            encoded: Vec::with_capacity(CHUNK + CHUNK / 16),
            taken: 0,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let count = self.inner.read(&mut self.raw)?;
        self.encoded.clear();
        self.taken = 0;
        self.encoder.convert(&self.raw[..count], &mut self.encoded);
        Ok(())
    }
}

impl<R: Read> Read for EncodingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.encoded.len() && !buffer.is_empty() {
            self.refill()?;
        }
        let count = (&self.encoded[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// Takes bytes as they come off the wire and writes them to `W` as they are stored here.
///
/// It gathers up to 32 KiB first. What it accepted it keeps until `W` took it: after an error the
/// next call goes on where `W` stopped, so nothing is lost or written twice. Only
/// [`DecodingWriter::finish`] writes the end of a text; one that is dropped stays incomplete.
#[derive(Debug)]
pub struct DecodingWriter<W> {
    inner: W,
    decoder: Decoder,
    decoded: Vec<u8>,
    /// How much of `decoded` `inner` took.
    written: usize,
}

impl<W: Write> DecodingWriter<W> {
    /// Writes a file that comes in TYPE A from its beginning.
    pub fn new(inner: W) -> DecodingWriter<W> {
        let decoded = Vec::with_capacity(CHUNK + 1);
        DecodingWriter { inner, decoder: Decoder::default(), decoded, written: 0 }
    }

    /// Writes all that is left, also a last CR, and gives `W` back.
    pub fn finish(mut self) -> io::Result<W> {
        self.decoder.finish(&mut self.decoded);
        self.flush()?;
        Ok(self.inner)
    }

    fn drain(&mut self) -> io::Result<()> {
        while self.written < self.decoded.len() {
            match self.inner.write(&self.decoded[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.decoded.clear();
        self.written = 0;
        Ok(())
    }
}

impl<W: Write> Write for DecodingWriter<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        if self.written > 0 || self.decoded.len() + input.len() > CHUNK {
            self.drain()?;
        }
        let count = input.len().min(CHUNK);
        self.decoder.convert(&input[..count], &mut self.decoded);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.flush()
    }
}

/// Where `byte` first stands. `skip_until` is the way that std offers to its vectorised `memchr`.
fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let mut rest = text;
    let count = rest.skip_until(byte).ok()?;
    (text[..count].last() == Some(&byte)).then(|| count - 1)
}

#[cfg(test)]
mod tests;
