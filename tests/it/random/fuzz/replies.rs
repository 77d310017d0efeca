//! What a server says, read as strictly as `wire` reads it, but without waiting for it.

use super::grammar::ends_no_line;

/// Puts replies together from bytes however they come.
#[derive(Debug, Default)]
pub struct Replies {
    unread: Vec<u8>,
    /// The code whose last line is awaited.
    open: Option<u16>,
    /// The first line of every final reply, the greeting among them.
    pub finals: Vec<(u16, String)>,
    /// How many said that something begins.
    pub preliminary: usize,
}

/// No line of a reply is longer: the longest path with all its quotes doubled, and some words.
const LONGEST: usize = 3 * 4096;

impl Replies {
    /// Takes what came.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.unread.extend_from_slice(bytes);
        loop {
            // Refusals of Telnet options may stand before a reply, and an option may be the byte LF.
            match self.unread[..] {
                [255, 252 | 254, _, ..] => {
                    self.unread.drain(..3);
                    continue;
                }
                [255] | [255, 252 | 254] => break,
                _ => {}
            }
            let Some(end) = self.unread.iter().position(|&b| b == b'\n') else { break };
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            self.take_line(&line).map_err(|why| format!("{why}: \"{}\"", line.escape_ascii()))?;
        }
        if self.unread.len() > LONGEST { Err("a line without end".into()) } else { Ok(()) }
    }

    /// Whether it ended where a reply does.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.open.is_none()
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let text = line.strip_suffix(b"\r\n").ok_or("a line ends without CR")?;
        if !ends_no_line(text) {
            return Err("CR or NUL in a line");
        }
        if let Some(code) = self.open {
            if text.starts_with(format!("{code} ").as_bytes()) {
                self.open = None;
                self.end(code, text);
            }
            return Ok(());
        }
        if self.has_parted() {
            return Err("said after the last word");
        }
        let code = text.get(..3).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| code.parse().ok()).filter(|code| (100..600).contains(code));
        match (code, text.get(3)) {
            (Some(code), Some(b' ')) => self.end(code, text),
            (Some(code), Some(b'-')) => self.open = Some(code),
            _ => return Err("this is no reply"),
        }
        Ok(())
    }

    fn end(&mut self, code: u16, text: &[u8]) {
        if code < 200 {
            self.preliminary += 1;
        } else {
            self.finals.push((code, String::from_utf8_lossy(text).into_owned()));
        }
    }

    /// Whether the server has said its last word.
    pub fn has_parted(&self) -> bool {
        matches!(self.finals.last(), Some((221 | 421, _)))
    }
}
