//! Checks of a table of options, for tests.

use super::help::HELP_WIDTH;
use super::table::{BUILT_IN, Flag, Program};

impl Program {
    /// Checks that the table obeys the rules for tables. For tests.
    ///
    /// # Panics
    /// Panics at the first violation.
    pub fn check(&self) {
        for text in [self.name, self.version, self.about] {
            assert!(!text.is_empty(), "{}: name, version or about is empty", self.name);
        }
        assert!(!self.usage.is_empty(), "{}: no usage line", self.name);
        for usage in self.usage {
            assert!(
                usage.starts_with(self.name),
                "{usage}: does not begin with the program's name"
            );
        }
        check_flags(self.flags);
        for line in self.help().lines() {
            assert!(line.chars().count() <= HELP_WIDTH, "{line}: wider than {HELP_WIDTH} columns");
            assert!(!line.contains(char::is_control), "{line}: contains control characters");
        }
    }
}

/// Checks that the options of a program or a command obey the rules for options. For tests.
///
/// # Panics
/// Panics at the first violation.
pub(crate) fn check_flags(flags: &[Flag]) {
    for (row, flag) in flags.iter().enumerate() {
        flag.check();
        for other in flags[row + 1..].iter().chain(&BUILT_IN) {
            assert!(!flag.conflicts(other), "{}: defined twice", flag.spelled());
        }
    }
}

impl Flag {
    fn check(&self) {
        let name = self.spelled();
        assert!(!name.is_empty(), "{self:?}: has no name");
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if let Some(long) = self.long {
            assert!(long.bytes().all(plain), "{name}: not lower-case ASCII, digits and dashes");
            assert!(long.len() > 1, "{name}: shorter than two letters");
            assert!(
                !long.starts_with('-') && !long.ends_with('-'),
                "{name}: begins or ends with a dash"
            );
        }
        assert!(
            self.short.is_none_or(|c| c.is_ascii_alphanumeric()),
            "{name}: the short form is not a letter or digit"
        );
        assert!(
            !self.help.is_empty() && self.help.trim() == self.help,
            "{name}: the help is empty or has blanks around it"
        );
        match self.value {
            Some(value) => {
                let bad = value.is_empty() || value.contains(char::is_whitespace);
                assert!(!bad, "{name}: the name of its value is empty or has blanks");
            }
            None => {
                let plain = self.default.is_none() && !self.many && self.choices.is_empty();
                assert!(plain, "{name}: a switch with the properties of an option");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{CLIENT, SERVER};

    #[test]
    fn both_test_tables_are_valid() {
        SERVER.check();
        CLIENT.check();
    }

    #[test]
    fn check_finds_invalid_tables() {
        fn broken(flags: Vec<Flag>) {
            let program = Program { flags: flags.leak(), ..CLIENT_WITHOUT_FLAGS };
            let found = std::panic::catch_unwind(|| program.check());
            assert!(found.is_err(), "{:?} passed", program.flags);
        }
        const CLIENT_WITHOUT_FLAGS: Program =
            Program { name: "p", version: "1", about: "a", usage: &["p"], flags: &[], after: "" };
        CLIENT_WITHOUT_FLAGS.check();
        broken(vec![Flag::switch("aa", "x"), Flag::option("aa", "V", "x")]);
        broken(vec![Flag::letter_switch('a', "x"), Flag::switch("aa", "x").short('a')]);
        broken(vec![Flag::switch("help", "x")]);
        broken(vec![Flag::letter_switch('V', "x")]);
        broken(vec![Flag::letter_switch('=', "x")]);
        for long in ["Port", "a", "", "-a", "a-", "a b", "a=b", "a_b", "é-"] {
            broken(vec![Flag::switch(long, "x")]);
        }
        for help in ["", " x", "x\u{7}"] {
            broken(vec![Flag::switch("aa", help)]);
        }
        broken(vec![Flag::switch("aa", "x").or("y")]);
        broken(vec![Flag::switch("aa", "x").many()]);
        broken(vec![Flag::option("aa", "A VALUE", "x")]);
        broken(vec![Flag { long: None, ..Flag::switch("aa", "x") }]);
    }
}
