//! The options and operands of a command line or a config file, by their names in the table.

use super::table::Flag;
use super::usage::{Expected, Origin, Usage};
use std::ffi::{OsStr, OsString};

/// The options and operands that a command line or a config file contains.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub(super) flags: &'static [Flag],
    /// The options in the order in which they were given.
    pub(super) given: Vec<Given>,
    pub(super) operands: Vec<OsString>,
}

#[derive(Debug, Clone)]
pub(super) struct Given {
    /// The index of the option in the table.
    pub(super) row: usize,
    pub(super) setting: Setting,
    pub(super) origin: Origin,
}

#[derive(Debug, Clone)]
pub(super) enum Setting {
    Switch(bool),
    Value(OsString),
}

impl Parsed {
    /// Returns the operands in their order.
    pub fn operands(&self) -> &[OsString] {
        &self.operands
    }

    /// Returns whether a switch is on.
    ///
    /// # Panics
    /// Panics if the table has no such switch.
    pub fn switch(&self, name: &str) -> bool {
        let row = self.row(name);
        assert!(self.flags[row].value.is_none(), "{name} is not a switch");
        matches!(self.last(row), Some(Given { setting: Setting::Switch(true), .. }))
    }

    /// Returns the value of an option, or its default.
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.values(name).pop()
    }

    /// Returns all values of an option in their order, or its default.
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn values(&self, name: &str) -> Vec<&OsStr> {
        self.values_with_origin(name).into_iter().map(|(value, _)| value).collect()
    }

    /// Parses the value of an option, or its default.
    ///
    /// # Errors
    /// Fails if the parser rejects the value, or if the value is not UTF-8.
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn get<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<Option<T>, Usage> {
        let last = self.values_with_origin(name).pop();
        last.map(|(value, origin)| self.typed(name, value, origin, parser)).transpose()
    }

    /// Like [`Parsed::get`], for an option that has a default or is required.
    ///
    /// # Errors
    /// Fails if the option is missing, and like [`Parsed::get`].
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn need<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<T, Usage> {
        let absent = || self.flags[self.row(name)].without_value(Origin::CommandLine);
        self.get(name, parser)?.ok_or_else(absent)
    }

    /// Like [`Parsed::get`], for all values of an option in their order.
    ///
    /// # Errors
    /// Fails like [`Parsed::get`].
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn get_all<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<Vec<T>, Usage> {
        let values = self.values_with_origin(name).into_iter();
        values.map(|(value, origin)| self.typed(name, value, origin, &parser)).collect()
    }

    /// Returns a copy for each value of a repeated option, without its other values, so that each value
    /// can be checked separately.
    ///
    /// # Panics
    /// Panics if the table has no such option.
    pub fn one_by_one(&self, name: &str) -> Vec<Parsed> {
        let row = self.row(name);
        let (these, others): (Vec<Given>, Vec<Given>) =
            self.given.iter().cloned().partition(|given| given.row == row);
        let alone = |one: Given| Parsed {
            flags: self.flags,
            given: others.iter().cloned().chain([one]).collect(),
            operands: self.operands.clone(),
        };
        these.into_iter().map(alone).collect()
    }

    /// Returns the source of the value of an option or a switch.
    ///
    /// # Panics
    /// Panics if the table has no such option.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origin_of(self.row(name))
    }

    /// Returns the error for an option that is found to be invalid after parsing, such as a directory
    /// that does not exist or an option that excludes another.
    ///
    /// # Panics
    /// Panics if the table has no such option.
    pub fn wrong(&self, name: &str, expected: impl Into<String>) -> Usage {
        let flag = &self.flags[self.row(name)];
        let value = flag.value.and_then(|_| self.value(name)).map(OsStr::to_owned);
        flag.wrong(self.origin(name).clone(), value, expected.into())
    }

    /// Adds the options from `config` that `self`, the command line, does not give. The values of
    /// a repeatable option come from one of the two only. Both must have been parsed with the same
    /// table.
    pub fn over(mut self, config: Parsed) -> Parsed {
        let told: Vec<usize> = self.given.iter().map(|given| given.row).collect();
        self.given.extend(config.given.into_iter().filter(|given| !told.contains(&given.row)));
        self
    }

    pub(super) fn new(flags: &'static [Flag]) -> Parsed {
        Parsed { flags, given: Vec::new(), operands: Vec::new() }
    }

    fn row(&self, name: &str) -> usize {
        let row = self.flags.iter().position(|flag| flag.is_called(name));
        row.unwrap_or_else(|| panic!("the table has no flag {name}"))
    }

    fn last(&self, row: usize) -> Option<&Given> {
        self.given.iter().rfind(|given| given.row == row)
    }

    pub(super) fn origin_of(&self, row: usize) -> &Origin {
        self.last(row).map_or(&Origin::Default, |given| &given.origin)
    }

    /// Returns all values of an option in their order with their sources, or its default.
    ///
    /// # Panics
    /// Panics if the table has no such option with a value.
    pub fn values_with_origin(&self, name: &str) -> Vec<(&OsStr, &Origin)> {
        let row = self.row(name);
        assert!(self.flags[row].value.is_some(), "{name} is a switch");
        let mut values = Vec::new();
        for given in self.given.iter().filter(|given| given.row == row) {
            if let Setting::Value(value) = &given.setting {
                values.push((value.as_os_str(), &given.origin));
            }
        }
        match self.flags[row].default {
            Some(default) if values.is_empty() => vec![(OsStr::new(default), &Origin::Default)],
            _ if self.flags[row].many => values,
            _ => values.pop().into_iter().collect(),
        }
    }

    fn typed<T>(
        &self,
        name: &str,
        value: &OsStr,
        origin: &Origin,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<T, Usage> {
        let flag = &self.flags[self.row(name)];
        let wrong = |Expected(text)| flag.wrong(origin.clone(), Some(value.to_owned()), text);
        // The parser's expectation says more than "not UTF-8".
        let typed = parser(&value.to_string_lossy()).map_err(wrong)?;
        match value.to_str() {
            Some(_) => Ok(typed),
            None => Err(flag.not_text(origin, value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{SERVER, config, run};
    #[cfg(unix)]
    use crate::args::{Outcome, testing::CLIENT};
    use crate::args::{integer, port};
    #[cfg(unix)]
    use crate::sys::os_string;

    #[test]
    fn the_last_value_applies_unless_the_option_is_repeatable() {
        let parsed = run(&SERVER, &["--port=1", "--proxy=a", "--port=2", "--proxy", "b", "--sync"]);
        assert_eq!(parsed.value("port").unwrap(), "2");
        assert_eq!(parsed.values("port"), ["2"]);
        assert_eq!(parsed.values("proxy"), ["a", "b"]);
        assert_eq!(parsed.get_all("port", port), Ok(vec![2]));
    }

    #[test]
    fn a_missing_option_has_its_default_or_no_value() {
        let parsed = run(&SERVER, &[]);
        assert_eq!(parsed.need("port", port), Ok(1026));
        assert_eq!(parsed.get("max-sessions-per-ip", integer(1..=9_u32)), Ok(None));
        assert_eq!((parsed.value("root"), parsed.values("proxy")), (None, vec![]));
        assert!(!parsed.switch("sync"));
        assert_eq!(parsed.origin("port"), &Origin::Default);
        let missing = parsed.need("root", |text| Ok(text.to_owned())).unwrap_err();
        assert_eq!(missing.to_string(), "--root: expected a value (DIR)");
    }

    #[test]
    fn the_command_line_overrides_the_config_file() {
        let line = run(&SERVER, &["--port=1", "--proxy=a", "--sync", "operand"]);
        let file = config("port = 2\nroot = /f\nproxy = b\nproxy = c\nsync = no");
        let both = line.over(file.clone());
        assert_eq!(both.values("port"), ["1"]);
        assert_eq!(both.values("proxy"), ["a"]);
        assert_eq!(both.value("root").unwrap(), "/f");
        assert!(both.switch("sync"));
        assert_eq!(both.operands(), ["operand"]);
        assert_eq!(both.origin("port").to_string(), "command line");
        assert_eq!(both.origin("root").to_string(), "f.conf:2");
        assert_eq!(run(&SERVER, &[]).over(file).values("proxy"), ["b", "c"]);
    }

    #[cfg(unix)]
    #[test]
    fn values_that_are_not_utf8_are_kept() {
        let name = os_string(b"\xff=\xfe").unwrap();
        let joined = |front: &[u8]| os_string(&[front, b"\xff=\xfe"].concat()).unwrap();
        for word in [joined(b"--port="), joined(b"-p"), joined(b"-kp"), joined(b"-p=")] {
            let Ok(Outcome::Run(parsed)) = CLIENT.parse([word]) else { panic!() };
            assert_eq!(parsed.value("port").unwrap(), name);
        }
        let Ok(Outcome::Run(parsed)) = CLIENT.parse([name.clone()]) else { panic!() };
        assert_eq!(parsed.operands(), [name.as_os_str()]);
        let parsed = config(b"root = \xff=\xfe");
        assert_eq!(parsed.value("root").unwrap(), name);
        let wrong = parsed.get("root", |text| Ok(text.to_owned())).unwrap_err().to_string();
        assert_eq!(wrong, "f.conf:1: root '\\xff=\\xfe': expected text in UTF-8");
    }
}
