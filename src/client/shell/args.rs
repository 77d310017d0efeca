//! Options of commands: tables that the parser and HELP both read.

use crate::client::error::Error;
use crate::client::escape::shown;

/// An option of a command.
#[derive(Debug)]
pub(super) struct Choice {
    /// How it is written; the parser calls it by the first.
    pub(super) names: &'static [&'static str],
    /// What follows it, as HELP shows it.
    pub(super) value: Option<&'static str>,
    /// What it does, in one line.
    pub(super) help: &'static str,
}

/// Where the options of a command may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Before all else; what is none of them may be a name that begins with `-`.
    InFront,
    /// Anywhere up to `--`; what is none of them is a mistake.
    Anywhere,
}

/// The words after a command, sorted.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    options: Vec<(&'static str, Vec<u8>)>,
    pub(super) operands: Vec<Vec<u8>>,
}

impl Chosen {
    /// Sorts them.
    ///
    /// # Errors
    /// [`Error::Usage`]: an option that is none, has no value or has one that it does not take.
    pub(super) fn new(
        table: &'static [Choice],
        stand: Stand,
        words: &[Vec<u8>],
    ) -> Result<Chosen, Error> {
        let mut chosen = Chosen::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let (written, joined) = halves(table, word);
            if word == b"--" {
                chosen.operands.extend(rest.by_ref().cloned());
            } else if let Some(choice) = find(table, written) {
                chosen.add(choice, joined, &mut rest)?;
            } else if stand == Stand::InFront {
                chosen.operands.push(word.clone());
                chosen.operands.extend(rest.by_ref().cloned());
            } else if word.starts_with(b"-") && word.len() > 1 {
                return Err(Error::Usage(format!("unknown option {}", shown(word))));
            } else {
                chosen.operands.push(word.clone());
            }
        }
        Ok(chosen)
    }

    fn add<'w>(
        &mut self,
        choice: &'static Choice,
        joined: Option<&[u8]>,
        rest: &mut impl Iterator<Item = &'w Vec<u8>>,
    ) -> Result<(), Error> {
        let wrong = |what: &str| Error::Usage(format!("{} {what}", choice.spelled()));
        let value = match (choice.value, joined) {
            (None, None) => Vec::new(),
            (None, Some(_)) => return Err(wrong("takes no value")),
            (Some(_), Some(joined)) => joined.to_vec(),
            (Some(_), None) => rest.next().cloned().ok_or_else(|| wrong("needs a value"))?,
        };
        self.options.push((choice.name(), value));
        Ok(())
    }

    /// Whether an option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// The value of an option, the last one if it was given more than once.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        self.options.iter().rev().find(|(option, _)| *option == name).map(|(_, value)| &value[..])
    }

    /// All values of an option.
    pub(super) fn values(&self, name: &str) -> Vec<Vec<u8>> {
        let all = self.options.iter().filter(|(option, _)| *option == name);
        all.map(|(_, value)| value.clone()).collect()
    }
}

impl Choice {
    fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn spelled(&self) -> String {
        self.names.join(", ")
    }

    /// A line of HELP for each option; of those with many names the first two.
    pub(super) fn list(table: &[Choice]) -> String {
        let width = table.iter().map(|choice| choice.usage().len()).max().unwrap_or(0);
        let line = |choice: &Choice| format!("  {:width$}  {}\n", choice.usage(), choice.help);
        table.iter().map(line).collect()
    }

    /// How it is called, and what it does.
    pub(super) fn call(&self) -> (String, &'static str) {
        (self.usage(), self.help)
    }

    fn usage(&self) -> String {
        let names: Vec<&str> = self.names.iter().take(2).copied().collect();
        let value = self.value.map(|value| format!(" {value}")).unwrap_or_default();
        names.join(", ") + &value
    }
}

fn find(table: &'static [Choice], written: &[u8]) -> Option<&'static Choice> {
    table.iter().find(|choice| choice.names.iter().any(|name| name.as_bytes() == written))
}

/// `--option=value` and `-ovalue` in their two parts.
fn halves<'w>(table: &'static [Choice], word: &'w [u8]) -> (&'w [u8], Option<&'w [u8]>) {
    if let Some(at) = word.iter().position(|&byte| byte == b'=').filter(|_| word.starts_with(b"--"))
    {
        return (&word[..at], Some(&word[at + 1..]));
    }
    let letter = word.get(..2).and_then(|letter| find(table, letter));
    match letter {
        Some(choice) if choice.value.is_some() && word.len() > 2 => (&word[..2], Some(&word[2..])),
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[Choice] = &[
        Choice { names: &["-a", "--all"], value: None, help: "" },
        Choice { names: &["-n", "--number"], value: Some("N"), help: "" },
    ];

    fn sorted(stand: Stand, line: &str) -> Result<Chosen, Error> {
        let words: Vec<Vec<u8>> = line.split_whitespace().map(|word| word.into()).collect();
        Chosen::new(TABLE, stand, &words)
    }

    #[test]
    fn options_and_operands_are_told_apart() {
        let chosen = sorted(Stand::Anywhere, "x --all -n1 - y --number=2 -- -a").unwrap();
        assert!(chosen.has("-a") && chosen.value("-n") == Some(b"2"));
        assert_eq!(chosen.values("-n"), [b"1", b"2"]);
        assert_eq!(chosen.operands, [&b"x"[..], b"-", b"y", b"-a"]);
    }

    #[test]
    fn in_front_a_name_may_begin_with_a_dash() {
        let chosen = sorted(Stand::InFront, "-n 1 -x -a").unwrap();
        assert_eq!((chosen.value("-n"), chosen.has("-a")), (Some(&b"1"[..]), false));
        assert_eq!(chosen.operands, [b"-x", b"-a"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, words) in [
            ("-x", "unknown option -x"),
            ("-n", "-n, --number needs a value"),
            ("--all=1", "-a, --all takes no value"),
        ] {
            assert_eq!(sorted(Stand::Anywhere, line).unwrap_err().to_string(), words);
        }
    }
}
