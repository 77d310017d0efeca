//! From the lines of a config file to what was given.

use super::{
    Expected, Flag, Given, Origin, Parsed, Problem, Setting, Usage, boolean, lossy, nearest,
};
use crate::sys::os_string;

/// Reading a config file.
impl Parsed {
    pub(super) fn read_line(&mut self, line: &[u8], origin: Origin) -> Result<(), Usage> {
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
                let expected = "it on the command line only".into();
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
                let expected = format!("it once, but line {line} has it too");
                Err(flag.wrong(origin.clone(), None, expected))
            }
            _ => Ok(()),
        }
    }
}

fn config_setting(flag: &Flag, raw: &[u8], origin: &Origin) -> Result<Setting, Usage> {
    let wrong = |value: &[u8], Expected(text)| flag.wrong(origin.clone(), Some(lossy(value)), text);
    let value = config_value(raw).map_err(|expected| wrong(raw.trim_ascii(), expected))?;
    if flag.value.is_none() {
        let on = boolean(&String::from_utf8_lossy(value)).map_err(|e| wrong(value, e))?;
        return Ok(Setting::Switch(on));
    }
    // An empty value is more often forgotten than meant; `""` says that it is meant.
    if value.is_empty() && !raw.trim_ascii_start().starts_with(b"\"") {
        return Err(flag.without_value(origin.clone()));
    }
    match os_string(value) {
        Some(value) => Ok(Setting::Value(value)),
        None => Err(wrong(value, Expected("text in UTF-8".into()))),
    }
}

/// The value in what follows a `=`: without blanks, quotes and a comment.
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
