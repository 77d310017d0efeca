//! TYPE A in both directions: lines end in LF in local files and in CR LF on the wire (RFC 959
//! section 3.1.1.1).
//!
//! The encoder sends LF as CR LF and leaves an existing CR LF as it is, so that a text written on
//! Windows arrives with its own line ends; vsftpd, ProFTPD and pyftpdlib do the same. The decoder
//! turns every CR LF into LF and passes on any other CR or LF, which a peer that does not convert
//! may send. A text whose lines end in LF therefore survives the round trip unchanged, and one
//! with CR LF comes back with LF.
//!
//! [`EncodingReader`] and [`DecodingWriter`] apply the two to a stream. They use buffers of
//! bounded size, which they reuse.

use std::io::{self, BufRead, Read, Write};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// The number of bytes that a stream converts at a time.
const CHUNK: usize = 32 * 1024;

/// Converts local text to its form on the wire.
#[derive(Debug, Default)]
pub struct Encoder {
    /// The last byte was a CR, so a following LF completes a CR LF.
    after_cr: bool,
    /// Every LF becomes CR LF, even after a CR.
    every_lf: bool,
}

impl Encoder {
    /// Appends the wire form of `input` to `out`: at most twice the length of `input`.
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

/// Converts text from the wire to its local form. A CR at the end of a chunk is held back until
/// the next byte shows whether it belongs to a CR LF.
#[derive(Debug, Default)]
pub struct Decoder {
    holds_cr: bool,
}

impl Decoder {
    /// Appends the local form of `input` to `out`: at most one byte longer than `input`.
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

    /// Ends the text: a CR that was held back is written, since no LF follows it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.holds_cr) {
            out.push(CR);
        }
    }
}

/// Reads from `R` and returns its bytes in their wire form.
#[derive(Debug)]
pub struct EncodingReader<R> {
    inner: R,
    encoder: Encoder,
    raw: Vec<u8>,
    encoded: Vec<u8>,
    /// The number of bytes of `encoded` that were returned.
    taken: usize,
}

impl<R: Read> EncodingReader<R> {
    /// Creates a reader that sends a file in TYPE A from its beginning.
    pub fn new(inner: R) -> EncodingReader<R> {
        EncodingReader::with(Encoder::default(), inner)
    }

    /// Creates a reader that reproduces the wire form of a file that a [`DecodingWriter`] stored.
    /// Every LF of such a file was a CR LF on the wire, even after a CR.
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

/// Converts bytes from the wire and writes their local form to `W`.
///
/// Up to 32 KiB are buffered. Bytes that were accepted are kept until `W` has taken them: after an
/// error, the next call continues where `W` stopped, so no byte is lost or written twice. The end
/// of the text is written only by [`DecodingWriter::finish`]; if the writer is dropped instead,
/// the buffered bytes are lost.
#[derive(Debug)]
pub struct DecodingWriter<W> {
    inner: W,
    decoder: Decoder,
    decoded: Vec<u8>,
    /// The number of bytes of `decoded` that `inner` has taken.
    written: usize,
}

impl<W: Write> DecodingWriter<W> {
    /// Creates a writer for a file that arrives in TYPE A from its beginning.
    pub fn new(inner: W) -> DecodingWriter<W> {
        let decoded = Vec::with_capacity(CHUNK + 1);
        DecodingWriter { inner, decoder: Decoder::default(), decoded, written: 0 }
    }

    /// Writes everything that is left, including a final CR, and returns the inner writer.
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

/// Returns the offset of the first `byte` in `text`. `skip_until` is the only stable access that
/// std gives to its vectorized `memchr`.
fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let mut rest = text;
    let count = rest.skip_until(byte).ok()?;
    (text[..count].last() == Some(&byte)).then(|| count - 1)
}

#[cfg(test)]
mod tests;
