//! Shell completions for bash, zsh and fish, made from the table of options.
//!
//! Each is one script for one program. It completes options; values that are files, directories,
//! hosts or one of a few words; the names of [`Subcommand`]s with their own options; and operands.
//! The scripts need nothing but the shell itself.

mod bash;
mod fish;
mod zsh;

use super::manual::{Manual, Operands, Subcommand};
use super::table::{Flag, Program};

impl Manual {
    /// Returns the script for bash.
    pub fn bash(&self) -> String {
        bash::script(self)
    }

    /// Returns the script for fish.
    pub fn fish(&self) -> String {
        fish::script(self)
    }

    /// Returns the script for zsh; its file name is `_` followed by the program's name.
    pub fn zsh(&self) -> String {
        zsh::script(self)
    }

    /// Returns the subcommands that have their own options.
    fn apart(&self) -> impl Iterator<Item = &Subcommand> {
        self.subcommands.iter().filter(|subcommand| !subcommand.is_like(self.program))
    }
}

/// The kind of completion for a value.
enum Value {
    Files,
    Dirs,
    Hosts,
    Words(&'static [&'static str]),
    /// No completion is possible.
    Anything,
}

impl Value {
    /// Returns the kind of value that a flag takes; `None` for a switch.
    fn of(flag: &Flag) -> Option<Value> {
        Some(match flag.value? {
            _ if !flag.choices.is_empty() => Value::Words(flag.choices),
            "FILE" => Value::Files,
            "DIR" => Value::Dirs,
            "HOST" => Value::Hosts,
            _ => Value::Anything,
        })
    }

    /// Returns what kind of value the operands are, or `None` if the command takes none.
    fn of_operands(operands: Operands) -> Option<Value> {
        match operands {
            Operands::None => None,
            Operands::Files => Some(Value::Files),
            Operands::Hosts => Some(Value::Hosts),
        }
    }
}

/// Returns all options of a program as the user types them.
fn all_spellings(program: &Program) -> Vec<String> {
    program.all_flags().flat_map(Flag::spellings).collect()
}

/// Returns the help of a flag without the bracketed default at its end.
fn explained(flag: &Flag) -> &'static str {
    let default = flag.unnamed_default().map_or(0, |default| default.len() + " []".len());
    &flag.help[..flag.help.len() - default]
}

/// Quotes a word for a shell. All three shells take text in single quotes literally; `quote` is
/// the shell's form of a single quote in such text.
fn quoted(text: &str, quote: &str) -> String {
    format!("'{}'", text.replace('\'', quote))
}
