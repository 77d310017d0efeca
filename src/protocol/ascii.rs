//! TYPE A in both directions: lines end in LF here and in CR LF on the wire (RFC 959 section
//! 3.1.1.1).
//!
//! The pair is lossless: whatever goes out through [`Encoder`] comes back through [`Decoder`]
//! byte by byte, however it was cut into chunks. For that the encoder turns *every* LF into CR LF,
//! also one that a CR precedes already, so a local CR LF travels as CR CR LF. That looks wrong and
//! is on purpose: an encoder that left CR LF alone would send two different files, one with LF and
//! one with CR LF, as the same bytes, and the decoder could not tell which to write.
//! The decoder turns every CR LF into LF and passes any other CR or LF, which a peer that does not
//! convert may send.
//!
//! [`EncodingReader`] and [`DecodingWriter`] put the two into a stream. They hold no more than
//! a fixed number of bytes, and reuse the room for them.

use std::io::{self, BufRead, Read, Write};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// How many bytes a stream converts at a time.
const CHUNK: usize = 32 * 1024;

/// Local text to wire text. It has nothing to remember from chunk to chunk, since an LF is sent as
/// CR LF whatever stood before it.
#[derive(Debug, Default)]
pub struct Encoder;

impl Encoder {
    /// Appends `input` to `out` as it goes on the wire: at most twice its length.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while let Some(end) = find(LF, rest) {
            out.extend_from_slice(&rest[..end]);
            out.extend_from_slice(b"\r\n");
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
    /// A reader that stands at the beginning of a text.
    pub fn new(inner: R) -> EncodingReader<R> {
        EncodingReader {
            inner,
            encoder: Encoder,
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
    /// A writer that stands at the beginning of a text.
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
mod tests {
    use super::*;

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder.convert(text, &mut out);
        out
    }

    fn decoded(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for chunk in chunks {
            decoder.convert(chunk, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    /// Every string of CR, LF and `a` up to a length.
    fn every_text(longest: u32) -> impl Iterator<Item = Vec<u8>> {
        (0..=longest).flat_map(|length| {
            (0..3usize.pow(length)).map(move |number| {
                (0..length).map(|place| b"\r\na"[number / 3usize.pow(place) % 3]).collect()
            })
        })
    }

    /// Text of about `length` bytes with lines of every length and stray CRs.
    fn long_text(length: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for line in 0.. {
            if text.len() >= length {
                break;
            }
            text.extend(std::iter::repeat_n(b'a' + (line % 26) as u8, line % 200));
            text.extend_from_slice([b"\n".as_slice(), b"\r\n", b"\r", b"\r\r\n\n"][line % 4]);
        }
        text
    }

    /// Lets a few bytes at a time pass, and every other call fails.
    struct Hesitant<S> {
        inner: S,
        calls: usize,
    }

    impl<S> Hesitant<S> {
        fn new(inner: S) -> Hesitant<S> {
            Hesitant { inner, calls: 0 }
        }

        fn step(&mut self, length: usize) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 4 {
                0 => Err(io::ErrorKind::Interrupted.into()),
                2 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(length.min(self.calls * 7 % 1000 + 1)),
            }
        }
    }

    impl<R: Read> Read for Hesitant<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.step(buffer.len())?;
            self.inner.read(&mut buffer[..length])
        }
    }

    impl<W: Write> Write for Hesitant<W> {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let length = self.step(buffer.len())?;
            self.inner.write(&buffer[..length])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn patiently<T>(mut attempt: impl FnMut() -> io::Result<T>) -> T {
        loop {
            match attempt() {
                Ok(value) => return value,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn every_lf_is_sent_as_cr_lf_and_all_else_as_it_is() {
        assert_eq!(encoded(b"one\ntwo\n"), b"one\r\ntwo\r\n");
        assert_eq!(encoded(b"a\r\nb\rc"), b"a\r\r\nb\rc");
        assert_eq!(encoded(b"\x00\xff"), b"\x00\xff");
    }

    #[test]
    fn every_cr_lf_is_stored_as_lf_and_all_else_as_it_is() {
        assert_eq!(decoded(&[b"one\r\ntwo\r\n"]), b"one\ntwo\n");
        assert_eq!(decoded(&[b"bare\nlf, bare\rcr, end\r"]), b"bare\nlf, bare\rcr, end\r");
        assert_eq!(decoded(&[b"\r", b"", b"\n", b"\r", b"\r", b"\n"]), b"\n\r\n");
    }

    #[test]
    fn every_text_survives_every_split() {
        for text in every_text(6) {
            let wire = encoded(&text);
            for split in 0..=text.len() {
                let mut parts = encoded(&text[..split]);
                parts.extend(encoded(&text[split..]));
                assert_eq!(parts, wire, "{text:?} at {split}");
            }
            for first in 0..=wire.len() {
                for second in first..=wire.len() {
                    let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
                    assert_eq!(decoded(&chunks), text, "{wire:?} at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn foreign_wire_text_decodes_alike_at_every_split() {
        for wire in every_text(6) {
            let whole = decoded(&[&wire]);
            for split in 0..=wire.len() {
                assert_eq!(
                    decoded(&[&wire[..split], &wire[split..]]),
                    whole,
                    "{wire:?} at {split}"
                );
            }
        }
    }

    #[test]
    fn the_reader_gives_the_encoded_bytes_whatever_the_buffer() {
        let text = long_text(3 * CHUNK);
        let wire = encoded(&text);
        for size in [1, 2, 3, 1000, CHUNK, 10 * CHUNK] {
            let mut reader = EncodingReader::new(text.as_slice());
            let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
            loop {
                let count = reader.read(&mut buffer).expect("memory");
                all.extend_from_slice(&buffer[..count]);
                if count == 0 {
                    break;
                }
            }
            assert!(all == wire, "buffer of {size}");
        }
    }

    #[test]
    fn a_read_that_failed_can_be_repeated() {
        let text = long_text(2 * CHUNK);
        let mut reader = EncodingReader::new(Hesitant::new(text.as_slice()));
        let (mut all, mut buffer) = (Vec::new(), [0; 700]);
        loop {
            let count = patiently(|| reader.read(&mut buffer));
            all.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        assert!(all == encoded(&text));
    }

    #[test]
    fn the_writer_stores_the_decoded_bytes_whatever_the_pieces() {
        let text = [long_text(3 * CHUNK), b"\r".to_vec()].concat();
        let wire = encoded(&text);
        for size in [1, 2, 3, 1000, CHUNK, 10 * CHUNK] {
            let mut writer = DecodingWriter::new(Vec::new());
            for piece in wire.chunks(size) {
                writer.write_all(piece).expect("memory");
                assert!(writer.decoded.len() <= CHUNK + 1);
            }
            assert!(writer.finish().expect("memory") == text, "pieces of {size}");
        }
    }

    #[test]
    fn a_write_that_failed_neither_loses_nor_doubles_bytes() {
        let text = long_text(3 * CHUNK);
        let wire = encoded(&text);
        let mut writer = DecodingWriter::new(Hesitant::new(Vec::new()));
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            let count = patiently(|| writer.write(&rest[..rest.len().min(1500)]));
            rest = &rest[count..];
        }
        patiently(|| writer.flush());
        assert!(writer.finish().expect("nothing is left").inner == text);
    }

    #[test]
    fn a_full_disk_ends_a_text_with_an_error() {
        let mut room = [0; 3];
        let mut writer = DecodingWriter::new(room.as_mut_slice());
        writer.write_all(b"four").expect("gathered");
        let error = writer.finish().expect_err("three bytes of room");
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
