//! Parses the lines of a config file.

use super::near::nearest;
use super::parsed::{Given, Parsed, Setting};
use super::table::{Flag, Program};
use super::usage::{Expected, Origin, Problem, Usage, lossy};
use crate::sys::os_string;
use crate::text;
use std::path::Path;

impl Program {
    /// Parses the text of a config file; `file` is its name in errors and origins. Returns the values
    /// of its valid lines, and an error for each other line.
    pub fn parse_config(&self, file: &Path, text: &[u8]) -> (Parsed, Vec<Usage>) {
        let mut parsed = Parsed::new(self.flags);
        let origin = |line: usize| Origin::Config { file: file.to_owned(), line };
        let text = match text::strip_bom(text) {
            Ok(text) => text,
            Err(wrong) => {
                let problem = Problem::Operand { word: None, expected: wrong.to_string() };
                return (parsed, vec![Usage { origin: origin(1), problem }]);
            }
        };
        let lines = text::lines(text).filter(|(_, line)| !line.starts_with(b"#"));
        let wrong = lines
            .filter_map(|(number, line)| parsed.read_line(line, origin(number)).err())
            .collect();
        (parsed, wrong)
    }
}

/// Parsing of a config file.
impl Parsed {
    fn read_line(&mut self, line: &[u8], origin: Origin) -> Result<(), Usage> {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            let word = Some(lossy(line));
            let problem = Problem::Operand { word, expected: "NAME = VALUE".into() };
            return Err(Usage { origin, problem });
        };
        let row = self.config_row(line[..equals].trim_ascii(), &origin)?;
        let flag = &self.flags[row];
        self.refuse_second(row, &origin)?;
        let setting = config_setting(flag, &line[equals + 1..], &origin)?;
        self.given.push(Given { row, setting, origin });
        Ok(())
    }

    fn config_row(&self, key: &[u8], origin: &Origin) -> Result<usize, Usage> {
        let known = |flag: &Flag| flag.long.is_some_and(|long| long.as_bytes() == key);
        match self.flags.iter().position(known) {
            Some(row) if self.flags[row].config => Ok(row),
            Some(row) => {
                let expected = "only on the command line".into();
                Err(self.flags[row].wrong(origin.clone(), None, expected))
            }
            None => {
                let option = String::from_utf8_lossy(key).into_owned();
                let keys = self.flags.iter().filter(|flag| flag.config);
                let near = nearest(&option, keys.filter_map(|flag| flag.long)).map(str::to_owned);
                let problem = Problem::Unknown { option, near };
                Err(Usage { origin: origin.clone(), problem })
            }
        }
    }

    fn refuse_second(&self, row: usize, origin: &Origin) -> Result<(), Usage> {
        let flag = &self.flags[row];
        match self.origin_of(row) {
            Origin::Config { line, .. } if !flag.many => {
                let expected = format!("only once, but line {line} sets it too");
                Err(flag.wrong(origin.clone(), None, expected))
            }
            _ => Ok(()),
        }
    }
}

fn config_setting(flag: &Flag, raw: &[u8], origin: &Origin) -> Result<Setting, Usage> {
    let typed = || Some(lossy(raw.trim_ascii()));
    let value =
        config_value(raw).map_err(|Expected(text)| flag.wrong(origin.clone(), typed(), text))?;
    if flag.value.is_none() {
        return flag.parse_switch(lossy(value), origin).map(Setting::Switch);
    }
    // An empty value is more often a mistake than intended; `""` is an explicit empty value.
    if value.is_empty() && !raw.trim_ascii_start().starts_with(b"\"") {
        return Err(flag.without_value(origin.clone()));
    }
    let given = os_string(value).ok_or_else(|| flag.not_text(origin, lossy(value)))?;
    Ok(Setting::Value(given))
}

/// Returns the value after a `=` without surrounding spaces, quotes and comment.
fn config_value(raw: &[u8]) -> Result<&[u8], Expected> {
    let Some(quoted) = raw.trim_ascii_start().strip_prefix(b"\"") else {
        let comment = raw.windows(2).position(|two| two[0].is_ascii_whitespace() && two[1] == b'#');
        return Ok(raw[..comment.unwrap_or(raw.len())].trim_ascii());
    };
    let end = quoted.iter().position(|byte| *byte == b'"');
    let end = end.ok_or_else(|| Expected("a closing double quote".into()))?;
    match quoted[end + 1..].trim_ascii() {
        [] | [b'#', ..] => Ok(&quoted[..end]),
        _ => Err(Expected("nothing after the closing double quote".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::port;
    use crate::args::testing::{SERVER, config, config_refused, is_one_plain_line, read_all};

    #[test]
    fn a_config_file_sets_options_by_their_long_names() {
        let text = "\u{feff}# a comment\r\n\r\n  port=2121 # control\r\n\troot = /a b#c \n\
                    proxy = 1\nproxy = 2 # last\nsync = on\nmax-sessions-per-ip = \"\" #";
        let parsed = config(text);
        assert_eq!(parsed.need("port", port), Ok(2121));
        assert_eq!(parsed.value("root").unwrap(), "/a b#c");
        assert_eq!(parsed.values("proxy"), ["1", "2"]);
        assert_eq!(parsed.value("max-sessions-per-ip").unwrap(), "");
        assert!(parsed.switch("sync"));
        assert!(!config("sync = no").switch("sync"));
        assert_eq!(parsed.origin("root").to_string(), "f.conf:4");
        assert_eq!(config("root = \" a # b \" # c").value("root").unwrap(), " a # b ");
        assert_eq!(config("root = a \"b\" = c").value("root").unwrap(), "a \"b\" = c");
    }

    #[test]
    fn an_invalid_line_is_reported_by_its_number() {
        for (text, error) in [
            ("\n\nprot = 1", "f.conf:3: prot: unknown option; did you mean port?"),
            ("--port = 1", "f.conf:1: --port: unknown option; did you mean port?"),
            ("help = yes", "f.conf:1: help: unknown option"),
            (" = 1", "f.conf:1: : unknown option"),
            ("listen 21", "f.conf:1: 'listen 21': expected NAME = VALUE"),
            ("port = 1\n#\nport = 2", "f.conf:3: port: expected only once, but line 1 sets it too"),
            ("root = # none", "f.conf:1: root: expected a value (DIR)"),
            ("root = \"a", "f.conf:1: root '\"a': expected a closing double quote"),
            ("sync", "f.conf:1: 'sync': expected NAME = VALUE"),
            ("sync = maybe", "f.conf:1: sync 'maybe': expected yes or no"),
            ("config = a", "f.conf:1: config: expected only on the command line"),
        ] {
            assert_eq!(config_refused(text), error);
        }
        let after = config_refused("root = \"a\" b");
        assert!(after.ends_with("expected nothing after the closing double quote"), "{after}");
        let wrong = config("\nport = abc").need("port", port).unwrap_err().to_string();
        assert_eq!(wrong, "f.conf:2: port 'abc': expected a port number from 0 to 65535");
    }

    #[test]
    fn every_invalid_line_is_reported_and_the_others_apply() {
        let text = b"prot = 1\nroot = /a\nlisten\nsync = maybe\nport = 7\n";
        let (parsed, wrong) = SERVER.parse_config(Path::new("f.conf"), text);
        let lines: Vec<Option<usize>> = wrong.iter().map(Usage::line).collect();
        assert_eq!(lines, [Some(1), Some(3), Some(4)]);
        assert_eq!(parsed.value("root").unwrap(), "/a");
        assert_eq!(parsed.need("port", port), Ok(7));
    }

    #[test]
    fn no_config_file_of_hostile_pieces_causes_a_panic() {
        let nasty: [&[u8]; 11] =
            [b"port", b"sync", b"=", b" ", b"\"", b"#", b"\n", b"\r", b"\xff", b"\0", b"21"];
        for number in 0..nasty.len().pow(5) {
            let mut rest = number;
            let mut text = Vec::new();
            for _ in 0..5 {
                text.extend_from_slice(nasty[rest % nasty.len()]);
                rest /= nasty.len();
            }
            let (parsed, wrong) = SERVER.parse_config(Path::new("f\n.conf"), &text);
            read_all(&parsed, &[]);
            assert!(wrong.iter().all(is_one_plain_line), "{text:?}: {wrong:?}");
        }
    }
}
