//! Password hashes in the form passlib writes: `$pbkdf2-sha256$ROUNDS$SALT$HASH`.
//!
//! Salt and hash are base64 with `.` for `+` and without padding.

use crate::protocol::digest::pbkdf2_sha256;
use crate::sys;
use crate::text::{base64, parse_base64};
use std::{fmt, io};

/// Returns the rounds of a new hash: 600,000 as recommended by OWASP if the processor has SHA-256
/// instructions (55 to 80 ms), otherwise 80,000, because 600,000 would take 300 ms.
pub fn default_rounds() -> u32 {
    if sys::has_sha256() { 600_000 } else { 80_000 }
}

/// The largest number of rounds accepted in a file; a check with more would take minutes.
const MAX_ROUNDS: u32 = 10_000_000;

/// A salted password hash. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; 32],
}

impl PasswordHash {
    /// Creates a hash of `password` with a random salt.
    ///
    /// # Errors
    /// Fails if the system cannot provide random bytes.
    pub fn new(password: &[u8], rounds: u32) -> io::Result<PasswordHash> {
        let mut salt = vec![0; 16];
        sys::fill_random(&mut salt)?;
        let hash = pbkdf2_sha256(password, &salt, rounds);
        Ok(PasswordHash { rounds, salt, hash })
    }

    /// Returns a hash that no password has, to spend the time of a check.
    pub fn decoy(rounds: Option<u32>) -> PasswordHash {
        let rounds = rounds.unwrap_or_else(default_rounds);
        PasswordHash { rounds, salt: vec![0; 16], hash: [0; 32] }
    }

    /// Parses the form of passlib.
    pub fn parse(text: &str) -> Option<PasswordHash> {
        let fields: Vec<&str> = text.split('$').collect();
        let ["", "pbkdf2-sha256", rounds, salt, hash] = fields[..] else { return None };
        // As in passlib: no sign, no leading zero.
        let plain = rounds.bytes().all(|b| b.is_ascii_digit()) && !rounds.starts_with('0');
        let rounds = rounds.parse().ok().filter(|n| plain && (1..=MAX_ROUNDS).contains(n))?;
        Some(PasswordHash { rounds, salt: decode(salt)?, hash: decode(hash)?.try_into().ok()? })
    }

    /// Returns the number of rounds of a check.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Returns whether this is the hash of `password`, in constant time.
    pub fn matches(&self, password: &[u8]) -> bool {
        let hash = pbkdf2_sha256(password, &self.salt, self.rounds);
        let differences = hash.iter().zip(self.hash).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(differences) == 0
    }

    /// Spends the time of `rounds` more rounds.
    pub fn spend_rounds(&self, password: &[u8], rounds: u32) {
        if rounds > 0 {
            std::hint::black_box(pbkdf2_sha256(password, &self.salt, rounds));
        }
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (encode(&self.salt), encode(&self.hash));
        write!(f, "$pbkdf2-sha256${}${salt}${hash}", self.rounds)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$pbkdf2-sha256$****")
    }
}

fn encode(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', ".")
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let is_ours = !text.contains(['+', '=']);
    is_ours.then(|| parse_base64(&text.replace('.', "+")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_passlib_documents() {
        // passlib.hash.pbkdf2_sha256: its documentation's example, and its own test vectors
        let cases = [
            (
                "toomanysecrets",
                "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
            ),
            (
                "password",
                "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ",
            ),
        ];
        for (password, text) in cases {
            let hash = PasswordHash::parse(text).unwrap();
            assert_eq!(hash.to_string(), text);
            if cfg!(debug_assertions) && hash.rounds() > 2000 {
                continue; // too slow to be repeated in every test run
            }
            assert!(hash.matches(password.as_bytes()), "{text}");
            assert!(!hash.matches(b"Password"));
        }
    }

    #[test]
    fn a_new_hash_matches_only_its_password_and_has_a_new_salt() {
        let one = PasswordHash::new(b"geheim", 10).unwrap();
        let two = PasswordHash::new(b"geheim", 10).unwrap();
        assert!(one != two);
        let read = PasswordHash::parse(&one.to_string()).unwrap();
        assert!(read == one && read.matches(b"geheim") && !read.matches(b""));
        assert!(!format!("{one:?}").contains(&encode(&one.salt)));
    }

    #[test]
    fn base64_has_a_dot_for_plus_and_no_padding() {
        assert_eq!(encode(&[0xfb, 0xff]), "./8");
        assert_eq!(decode("./8"), Some(vec![0xfb, 0xff]));
        assert_eq!(decode("./8="), None);
        assert_eq!(decode("a"), None);
        assert_eq!(decode("a+bc"), None);
    }

    #[test]
    fn invalid_hashes_are_refused() {
        let (salt, hash) = (encode(&[1; 16]), encode(&[2; 32]));
        for text in [
            String::new(),
            "secret".into(),
            format!("$pbkdf2-sha256$0${salt}${hash}"),
            format!("$pbkdf2-sha256$+1${salt}${hash}"),
            format!("$pbkdf2-sha256$01${salt}${hash}"),
            format!("$pbkdf2-sha256$99999999${salt}${hash}"),
            format!("$pbkdf2-sha256$1000${salt}${}", encode(&[2; 31])),
            format!("$pbkdf2-sha512$1000${salt}${hash}"),
            format!("$pbkdf2-sha256$1000${salt}${hash}$"),
            format!("$pbkdf2-sha256$1000${salt}!${hash}"),
        ] {
            assert!(PasswordHash::parse(&text).is_none(), "{text}");
        }
    }
}
