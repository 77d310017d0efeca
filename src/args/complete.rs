//! Completions of bash, zsh and fish, from the table.
//!
//! Each is one script for one program. It completes options, the values that are files,
//! directories, hosts or a few words, the words of [`Subcommand`]s with their own options, and
//! operands. None of them needs more than the shell itself.

mod bash;
mod fish;
mod zsh;

use super::manual::{Manual, Operands, Subcommand};
use super::table::{Flag, Program};

impl Manual {
    /// The script for bash.
    pub fn bash(&self) -> String {
        bash::script(self)
    }

    /// The script for fish.
    pub fn fish(&self) -> String {
        fish::script(self)
    }

    /// The script for zsh, for a file that is called `_` and the program's name.
    pub fn zsh(&self) -> String {
        zsh::script(self)
    }

    /// The subcommands that have options of their own.
    fn apart(&self) -> impl Iterator<Item = &Subcommand> {
        self.subcommands.iter().filter(|subcommand| !subcommand.is_like(self.program))
    }
}

/// What can be completed for a value.
enum Value {
    Files,
    Dirs,
    Hosts,
    Words(&'static [&'static str]),
    /// Only the user knows.
    Anything,
}

impl Value {
    /// What a flag takes; `None` for a switch.
    fn of(flag: &Flag) -> Option<Value> {
        Some(match flag.value? {
            _ if !flag.choices.is_empty() => Value::Words(flag.choices),
            "FILE" => Value::Files,
            "DIR" => Value::Dirs,
            "HOST" => Value::Hosts,
            _ => Value::Anything,
        })
    }

    /// The things that operands name; `None` if there are none.
    fn of_operands(operands: Operands) -> Option<Value> {
        match operands {
            Operands::None => None,
            Operands::Files => Some(Value::Files),
            Operands::Hosts => Some(Value::Hosts),
        }
    }
}

/// The options of a program as they are typed.
fn all_spellings(program: &Program) -> Vec<String> {
    program.all_flags().flat_map(Flag::spellings).collect()
}

/// What a flag does, without what it is where it is not given.
fn explained(flag: &Flag) -> &'static str {
    let default = flag.unnamed_default().map_or(0, |default| default.len() + " []".len());
    &flag.help[..flag.help.len() - default]
}

/// A word for the shells, none of which does anything with what stands in single quotes; they
/// differ in how a quote gets in there.
fn quoted(text: &str, quote: &str) -> String {
    format!("'{}'", text.replace('\'', quote))
}
