//! A strict, incremental parser of replies.

use super::grammar::has_no_line_end;

/// Assembles replies from bytes that arrive in any pieces.
#[derive(Debug, Default)]
pub struct Replies {
    unread: Vec<u8>,
    /// The code of a reply whose last line has not arrived.
    open: Option<u16>,
    /// The code and last line of every final reply, including the greeting.
    pub finals: Vec<(u16, String)>,
    /// The number of preliminary replies (1yz).
    pub preliminary: usize,
}

/// Maximum length of a reply line: the longest path with all quotes doubled, and some text.
const LONGEST: usize = 3 * 4096;

impl Replies {
    /// Adds received bytes.
    ///
    /// # Errors
    /// Describes the first invalid line.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.unread.extend_from_slice(bytes);
        loop {
            // Refusals of Telnet options may precede a reply, and an option may be the byte LF.
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
        if self.unread.len() > LONGEST { Err("a line that is too long".into()) } else { Ok(()) }
    }

    /// Returns true if no partial reply is left.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.open.is_none()
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let text = line.strip_suffix(b"\r\n").ok_or("a line ends without CR")?;
        if !has_no_line_end(text) {
            return Err("CR or NUL in a line");
        }
        if let Some(code) = self.open {
            if text.starts_with(format!("{code} ").as_bytes()) {
                self.open = None;
                self.end(code, text);
            }
            return Ok(());
        }
        if self.has_closed() {
            return Err("a reply after 221 or 421");
        }
        let code = text.get(..3).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| code.parse().ok()).filter(|code| (100..600).contains(code));
        match (code, text.get(3)) {
            (Some(code), Some(b' ')) => self.end(code, text),
            (Some(code), Some(b'-')) => self.open = Some(code),
            _ => return Err("not a reply"),
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

    /// Returns true if the last reply was 221 or 421.
    pub fn has_closed(&self) -> bool {
        matches!(self.finals.last(), Some((221 | 421, _)))
    }
}
