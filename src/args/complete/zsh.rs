//! The completion script for zsh: specifications for its `_arguments` function.

use super::{Manual, Operands, Program, Value, explained, quoted};
use crate::args::Flag;

pub(super) fn script(manual: &Manual) -> String {
    let name = manual.program.name;
    let mut script = format!("#compdef {name}\n# Made from the table of options.\n\n");
    for subcommand in manual.apart() {
        let function = format!("_{name}_{}", subcommand.word);
        script += &function_of(&function, subcommand.program, &[operands(subcommand.operands)]);
    }
    let words: Vec<String> = manual
        .subcommands
        .iter()
        .map(|subcommand| {
            format!("{}\\:{}", subcommand.word, escaped(subcommand.summary).replace(' ', "\\ "))
        })
        .collect();
    let operands = if words.is_empty() {
        operands(manual.operands)
    } else {
        format!("'1:command:(({}))'", words.join(" "))
    };
    script += &function_of(&format!("_{name}_options"), manual.program, &[operands]);
    script += &format!("_{name}() {{\n    case ${{words[2]}} in\n");
    for subcommand in manual.apart() {
        let word = subcommand.word;
        // Inside the subcommand's function, the subcommand takes the position of the program name.
        script += &format!(
            "    {word}) if (( CURRENT > 2 )); then shift words; (( CURRENT-- )); \
             _{name}_{word}; return; fi ;;\n"
        );
    }
    script + &format!("    esac\n    _{name}_options\n}}\n\n_{name} \"$@\"\n")
}

/// Returns a shell function that completes the options and operands of one table.
fn function_of(function: &str, program: &Program, operands: &[String]) -> String {
    let mut text = format!("{function}() {{\n    _arguments -s -S");
    let specs = program.all_flags().map(spec).chain(operands.iter().cloned());
    for spec in specs.filter(|spec| !spec.is_empty()) {
        text += &format!(" \\\n        {spec}");
    }
    text + "\n}\n\n"
}

/// Returns the specification of a flag, such as `'--port=[control port]:PORT: '`.
fn spec(flag: &Flag) -> String {
    let names = flag.spellings();
    let help = escaped(explained(flag));
    let value = Value::of(flag).map(|value| action(&value));
    let call = escaped(flag.value.unwrap_or_default());
    let many = if flag.many { "*" } else { "" };
    let specs = names.iter().map(|name| {
        let others = if flag.many { String::new() } else { format!("({})", names.join(" ")) };
        // A long option takes its value after = or as the next word; a short option also directly
        // after its letter.
        let attached = match (&value, name.starts_with("--")) {
            (None, _) => "",
            (Some(_), true) => "=",
            (Some(_), false) => "+",
        };
        let value = value.as_ref().map(|action| format!(":{call}:{action}")).unwrap_or_default();
        quoted(&format!("{others}{many}{name}{attached}[{help}]{value}"), "'\\''")
    });
    specs.collect::<Vec<String>>().join(" \\\n        ")
}

fn action(value: &Value) -> String {
    match value {
        Value::Files => "_files".into(),
        Value::Dirs => "_files -/".into(),
        Value::Hosts => "_hosts".into(),
        Value::Words(words) => format!("({})", words.join(" ")),
        // The space offers no completion but shows the name of the value.
        Value::Anything => " ".into(),
    }
}

fn operands(operands: Operands) -> String {
    match operands {
        Operands::None => String::new(),
        Operands::Files => "'*:FILE:_files'".into(),
        Operands::Hosts => "'1:HOST:_hosts' '2:PORT: '".into(),
    }
}

/// Escapes the characters that have a meaning in a specification.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '[' | ']' | ':' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
