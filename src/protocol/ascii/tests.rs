//! Tests of `ascii`.

use super::*;

fn encoded(text: &[u8]) -> Vec<u8> {
    in_pieces(Encoder::default(), &[text])
}

/// Returns the wire form of a text that a decoder has stored.
fn received(text: &[u8]) -> Vec<u8> {
    in_pieces(Encoder { every_lf: true, ..Encoder::default() }, &[text])
}

fn in_pieces(mut encoder: Encoder, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        encoder.convert(piece, &mut out);
    }
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

/// Returns every string of CR, LF and `a` up to a length.
fn every_text(longest: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..=longest).flat_map(|length| {
        (0..3usize.pow(length)).map(move |number| {
            (0..length).map(|place| b"\r\na"[number / 3usize.pow(place) % 3]).collect()
        })
    })
}

/// Returns a text of about `length` bytes with lines of every length and stray CRs.
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

/// A stream that passes a few bytes at a time and fails every other call.
struct Flaky<S> {
    inner: S,
    calls: usize,
}

impl<S> Flaky<S> {
    fn new(inner: S) -> Flaky<S> {
        Flaky { inner, calls: 0 }
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

impl<R: Read> Read for Flaky<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.step(buffer.len())?;
        self.inner.read(&mut buffer[..length])
    }
}

impl<W: Write> Write for Flaky<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.step(buffer.len())?;
        self.inner.write(&buffer[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> T {
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
fn lf_is_sent_as_cr_lf_and_everything_else_unchanged() {
    assert_eq!(encoded(b"one\ntwo\n"), b"one\r\ntwo\r\n");
    assert_eq!(encoded(b"one\r\ntwo\r\n\n"), b"one\r\ntwo\r\n\r\n");
    assert_eq!(encoded(b"a\r\r\nb\rc\r"), b"a\r\r\nb\rc\r");
    assert_eq!(received(b"a\r\nb\nc"), b"a\r\r\nb\r\nc");
    assert_eq!(encoded(b"\x00\xff"), b"\x00\xff");
}

#[test]
fn every_cr_lf_is_stored_as_lf_and_everything_else_unchanged() {
    assert_eq!(decoded(&[b"one\r\ntwo\r\n"]), b"one\ntwo\n");
    assert_eq!(decoded(&[b"bare\nlf, bare\rcr, end\r"]), b"bare\nlf, bare\rcr, end\r");
    assert_eq!(decoded(&[b"\r", b"", b"\n", b"\r", b"\r", b"\n"]), b"\n\r\n");
}

#[test]
fn every_text_is_converted_alike_at_every_split() {
    for text in every_text(6) {
        let (sent, wire) = (encoded(&text), received(&text));
        for split in 0..=text.len() {
            let pieces = [&text[..split], b"", &text[split..]];
            assert_eq!(in_pieces(Encoder::default(), &pieces), sent, "{text:?} at {split}");
        }
        let bare = |pair: &[u8]| pair[0] != CR && pair[1] == LF;
        assert!(!sent.starts_with(b"\n") && !sent.windows(2).any(bare), "{sent:?}");
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
                assert_eq!(decoded(&chunks), text, "{wire:?} at {first} and {second}");
            }
        }
    }
}

#[test]
fn unconverted_wire_text_decodes_alike_at_every_split() {
    for wire in every_text(6) {
        let whole = decoded(&[&wire]);
        for split in 0..=wire.len() {
            assert_eq!(decoded(&[&wire[..split], &wire[split..]]), whole, "{wire:?} at {split}");
        }
    }
}

#[test]
fn the_reader_returns_the_encoded_bytes_with_any_buffer_size() {
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
fn a_failed_read_can_be_repeated() {
    let text = long_text(2 * CHUNK);
    let mut reader = EncodingReader::new(Flaky::new(text.as_slice()));
    let (mut all, mut buffer) = (Vec::new(), [0; 700]);
    loop {
        let count = retry(|| reader.read(&mut buffer));
        all.extend_from_slice(&buffer[..count]);
        if count == 0 {
            break;
        }
    }
    assert!(all == encoded(&text));
}

#[test]
fn the_writer_stores_the_decoded_bytes_in_pieces_of_any_size() {
    let text = [long_text(3 * CHUNK), b"\r".to_vec()].concat();
    let wire = received(&text);
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
fn a_failed_write_neither_loses_nor_repeats_bytes() {
    let text = long_text(3 * CHUNK);
    let wire = received(&text);
    let mut writer = DecodingWriter::new(Flaky::new(Vec::new()));
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        let count = retry(|| writer.write(&rest[..rest.len().min(1500)]));
        rest = &rest[count..];
    }
    retry(|| writer.flush());
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
