//! HELP, and what the man page says of the commands: all of it from their rows.

use super::operands::Operand;
use super::row::Row;
use super::{GROUPS, rows};
use crate::args::{Flag, Typed, columns};
use crate::client::error::Error;
use crate::client::output::print_lines;
use crate::client::shell::session::Session;

pub(super) const ROWS: &[Row] =
    &[Row::new(&["help", "?"], "list the commands, or explain one", help)
        .operands(&[Operand::command("COMMAND").optional()])
        .example("HELP RETRIEVE")
        .keeps_names()];

fn help(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    match words.first() {
        Some(word) => print_lines(&Row::find(word)?.explained()),
        None => print_lines(&overview()),
    }
}

/// A line for each command, by groups.
pub(super) fn overview() -> String {
    let offered = || rows().filter(|row| row.is_offered());
    let width = offered().map(|row| row.usage().len()).max().unwrap_or(0);
    let line = |row: &Row| format!("  {:width$}  {}\n", row.usage(), row.help);
    let mut text = String::new();
    for group in GROUPS {
        text += &format!("{}:\n", group.title);
        text.extend(group.rows().filter(|row| row.is_offered()).map(line));
    }
    text
}

impl Row {
    /// How it is used, its operands, its options and an example.
    pub(super) fn explained(&self) -> String {
        let others = self.names.get(1..).unwrap_or_default().join(", ");
        let also = if others.is_empty() { others } else { format!("Also: {others}\n") };
        let operand = |(name, help): (&str, &str)| (format!("  {name}"), help.to_owned());
        let operands = self.explained_operands().into_iter().map(operand);
        let table =
            columns(&operands.chain(self.options().iter().map(Flag::help_row)).collect::<Vec<_>>());
        let (usage, help, example) = (self.usage(), self.help, self.example_line());
        let details = self.details;
        format!("Usage: {usage}\n{help}\n{details}{table}{also}Example: {example}\n")
    }

    /// The same for the man page.
    pub(super) fn typed(&self) -> Typed {
        Typed {
            usage: self.usage().replacen(&self.title(), self.name(), 1),
            help: self.help,
            also: self.names.get(1..).unwrap_or_default(),
            example: self.example_line(),
            details: self.details,
            operands: self.explained_operands(),
            options: self.options(),
        }
    }

    /// The operands of which there is something to say, and what.
    fn explained_operands(&self) -> Vec<(&'static str, &'static str)> {
        let explained = self.operands.iter().filter(|operand| !operand.help.is_empty());
        explained.map(|operand| (operand.name, operand.help)).collect()
    }
}
