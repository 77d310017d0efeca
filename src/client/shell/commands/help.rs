//! HELP, and the commands in the man page, both made from the rows of the commands.

use super::operands::Operand;
use super::row::Row;
use super::{GROUPS, rows};
use crate::args::{Flag, PromptCommand, columns};
use crate::client::error::Error;
use crate::client::output::json::print_object;
use crate::client::output::print_lines;
use crate::client::shell::session::Session;
use crate::json::Object;

pub(super) const ROWS: &[Row] =
    &[Row::new(&["help", "?"], "list the commands, or explain one", help)
        .operands(&[Operand::command("COMMAND")
            .help("ALL lists every command with its usage")
            .optional()])
        .example("HELP RETRIEVE")
        .keeps_remote_names()];

/// The width of the short list, which fits a terminal of 80 columns.
const WIDTH: usize = 79;

/// The main commands, which the short list shows with their usage.
const FIRST: &[&str] = &["connect", "list", "retrieve", "store", "quit"];

fn help(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let text = match words.first() {
        Some(word) if word.eq_ignore_ascii_case(b"all") => all(),
        Some(word) => Row::find(word)?.explained(),
        None => overview(),
    };
    match session.transfers.json {
        true => print_object(Object::new().text("help", text.as_bytes())),
        false => print_lines(&text),
    }
}

/// Returns the short list: the main commands with their usage, and the names of the others by groups. It
/// fits a terminal of 24 lines.
pub(super) fn overview() -> String {
    let is_first = |row: &&Row| FIRST.contains(&row.name());
    let first: Vec<&Row> = FIRST.iter().filter_map(|name| Row::named(name)).collect();
    let widest = |text: fn(&Row) -> String| first.iter().map(|row| text(row).len()).max();
    let usages = widest(Row::plain_usage).unwrap_or(0);
    let others = widest(Row::others).unwrap_or(0);
    let line = |row: &&Row| {
        let (usage, other) = (row.plain_usage(), row.others());
        format!("  {usage:usages$}  {other:others$}  {}\n", row.help)
    };
    let mut text: String = first.iter().map(line).collect();
    for group in GROUPS {
        let rows = group.rows().filter(|row| row.is_supported()).filter(|row| !is_first(row));
        let names: Vec<String> = rows.map(Row::name_with_others).collect();
        text += &wrapped(&format!("{}:", group.title), &names);
    }
    text + "HELP COMMAND explains a command, HELP ALL lists all with their usage.\n"
}

/// Returns a title and words, in lines of at most [`WIDTH`] columns.
fn wrapped(title: &str, words: &[String]) -> String {
    let (mut text, mut line) = (String::new(), title.to_owned());
    for word in words {
        if line.len() + 1 + word.len() > WIDTH {
            text += &line;
            text.push('\n');
            line = " ".to_owned();
        }
        line.push(' ');
        line += word;
    }
    text + &line + "\n"
}

/// Returns the full list: the usage of each command, by groups.
fn all() -> String {
    let offered = || rows().filter(|row| row.is_supported());
    let width = offered().map(|row| row.usage().len()).max().unwrap_or(0);
    let line = |row: &Row| format!("  {:width$}  {}\n", row.usage(), row.help);
    let mut text = String::new();
    for group in GROUPS {
        text += &format!("{}:\n", group.title);
        text.extend(group.rows().filter(|row| row.is_supported()).map(line));
    }
    text
}

impl Row {
    /// Returns the command of this name.
    fn named(name: &str) -> Option<&'static Row> {
        rows().find(|row| row.name() == name)
    }

    /// Returns the usage without options.
    fn plain_usage(&self) -> String {
        self.usage().replace(" [OPTIONS]", "").replace(" [-OPTS]", "")
    }

    /// Returns its alternative names.
    fn others(&self) -> String {
        self.names.get(1..).unwrap_or_default().join(", ")
    }

    /// Returns the name and its alternatives, such as `DELETE (rm)`.
    fn name_with_others(&self) -> String {
        match self.others() {
            others if others.is_empty() => self.title(),
            others => format!("{} ({others})", self.title()),
        }
    }

    /// Returns the help of the command: usage, operands, options and an example.
    pub(super) fn explained(&self) -> String {
        let others = self.others();
        let also = if others.is_empty() { others } else { format!("Also: {others}\n") };
        let operand = |(name, help): (&str, &str)| (format!("  {name}"), help.to_owned());
        let operands = self.explained_operands().into_iter().map(operand);
        let table =
            columns(&operands.chain(self.options().iter().map(Flag::help_row)).collect::<Vec<_>>());
        let (usage, help, example) = (self.usage(), self.help, self.example_line());
        let details = self.details;
        format!("Usage: {usage}\n{help}\n{details}{table}{also}Example: {example}\n")
    }

    /// Returns the same facts for the man page.
    pub(super) fn typed(&self) -> PromptCommand {
        PromptCommand {
            usage: self.usage().replacen(&self.title(), self.name(), 1),
            help: self.help,
            also: self.names.get(1..).unwrap_or_default(),
            example: self.example_line(),
            details: self.details,
            operands: self.explained_operands(),
            options: self.options(),
        }
    }

    /// Returns the names and help texts of the operands that have a help text.
    fn explained_operands(&self) -> Vec<(&'static str, &'static str)> {
        let explained = self.operands.iter().filter(|operand| !operand.help.is_empty());
        explained.map(|operand| (operand.name, operand.help)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_list_fits_a_terminal_and_names_every_command() {
        let text = overview();
        assert!(text.lines().count() < 24, "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        for row in rows().filter(|row| row.is_supported()) {
            for name in row.names {
                let lower = text.to_lowercase();
                let mut words = lower.split(|c: char| c.is_whitespace() || "(),:".contains(c));
                assert!(words.any(|word| word == *name), "{name} in\n{text}");
            }
        }
    }
}
