//! Parses and writes DER (X.690), as far as certificates need it.

/// DER tags.
pub(super) mod tag {
    pub(in crate::sys::tls) const BOOLEAN: u8 = 0x01;
    pub(in crate::sys::tls) const INTEGER: u8 = 0x02;
    pub(in crate::sys::tls) const BIT_STRING: u8 = 0x03;
    pub(in crate::sys::tls) const OCTET_STRING: u8 = 0x04;
    pub(in crate::sys::tls) const OBJECT: u8 = 0x06;
    pub(in crate::sys::tls) const UTF8_STRING: u8 = 0x0c;
    pub(in crate::sys::tls) const UTC_TIME: u8 = 0x17;
    pub(in crate::sys::tls) const GENERALIZED_TIME: u8 = 0x18;
    pub(in crate::sys::tls) const BMP_STRING: u8 = 0x1e;
    pub(in crate::sys::tls) const SEQUENCE: u8 = 0x30;
    pub(in crate::sys::tls) const SET: u8 = 0x31;

    /// Returns the primitive context-specific tag with this number.
    pub(in crate::sys::tls) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// Returns the constructed context-specific tag with this number.
    pub(in crate::sys::tls) const fn explicit(number: u8) -> u8 {
        0xa0 | number
    }
}

/// An iterator over consecutive DER elements. It ends at the first invalid byte.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    /// Takes the next element if it has this tag, and returns its content.
    pub(super) fn pop(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut rest = *self;
        let (found, content) = rest.next()?;
        (found == tag).then(|| *self = rest)?;
        Some(content)
    }

    /// Like [`Elements::pop`], for a constructed element; returns the elements inside.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Elements<'a>> {
        self.pop(tag).map(Elements)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        let (length, rest) = match *first {
            short if short < 0x80 => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

/// Writes an element with this content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        out.push(0x80 | (digits.len() - zeros) as u8);
        out.extend(&digits[zeros..]);
    }
    out.extend(content);
    out
}

/// Writes an element that contains these elements.
pub(super) fn nested(tag: u8, inside: &[&[u8]]) -> Vec<u8> {
    element(tag, &inside.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_elements_are_parsed_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = [element(tag::OCTET_STRING, &content), vec![1, 1, 255]].concat();
            let read: Vec<(u8, &[u8])> = Elements(&written).collect();
            assert_eq!(read, [(tag::OCTET_STRING, content.as_slice()), (tag::BOOLEAN, &[255][..])]);
        }
    }

    #[test]
    fn an_element_with_another_tag_is_not_taken() {
        let mut elements = Elements(&[2, 1, 5, 4, 0]);
        assert_eq!(elements.pop(tag::OCTET_STRING), None);
        assert_eq!(elements.pop(tag::INTEGER), Some(&[5][..]));
        assert_eq!(elements.pop(tag::OCTET_STRING), Some(&[][..]));
        assert_eq!(elements.pop(tag::OCTET_STRING), None);
    }

    #[test]
    fn invalid_der_ends_the_iterator() {
        for bytes in
            [&[][..], &[4], &[4, 1], &[4, 0x80, 0], &[4, 0x85, 0, 0, 0, 0, 0], &[4, 0x84, 255, 255]]
        {
            assert_eq!(Elements(bytes).next(), None, "{bytes:?}");
        }
    }
}
