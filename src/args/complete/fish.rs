//! The completion script for fish: one line for each option.

use super::{Manual, Operands, Value, explained, quoted};
use crate::args::{Flag, Program};

pub(super) fn script(manual: &Manual) -> String {
    let name = manual.program.name;
    let mut script = format!("# fish completion for {name}; made from its table of options\n\n");
    script += &format!("complete -c {name} -f\n");
    for subcommand in manual.subcommands {
        let (word, summary) = (subcommand.word, quoted(subcommand.summary, "\\'"));
        script += &format!("complete -c {name} -n __fish_is_first_token -a {word} -d {summary}\n");
    }
    for subcommand in manual.apart() {
        let when = format!("-n '__fish_seen_subcommand_from {}'", subcommand.word);
        script += &table(name, &when, subcommand.program, subcommand.operands);
    }
    let others: Vec<&str> = manual.apart().map(|subcommand| subcommand.word).collect();
    let when = match others[..] {
        [] => String::new(),
        _ => format!("-n 'not __fish_seen_subcommand_from {}'", others.join(" ")),
    };
    script + &table(name, &when, manual.program, manual.operands)
}

/// Returns the lines for one table.
fn table(name: &str, when: &str, program: &Program, operands: Operands) -> String {
    let mut lines = String::new();
    if let Some(value) = Value::of_operands(operands) {
        lines += &line(&[name, when, &offers(&value)]);
    }
    for flag in program.all_flags() {
        let names = names(flag);
        let value = Value::of(flag).map(|value| takes(&value)).unwrap_or_default();
        let help = format!("-d {}", quoted(&explained(flag).replace('\\', "\\\\"), "\\'"));
        lines += &line(&[name, when, &names, &value, &help]);
    }
    lines
}

fn line(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    format!("complete -c {}\n", words.join(" "))
}

fn names(flag: &Flag) -> String {
    let names = flag.spellings().into_iter().map(|name| match name.strip_prefix("--") {
        Some(long) => format!("-l {long}"),
        None => format!("-s {}", name.trim_start_matches('-')),
    });
    names.collect::<Vec<String>>().join(" ")
}

/// Returns the arguments for an option with a value: that the value is required, and its
/// completions. `-x` disables the completion of file names.
fn takes(value: &Value) -> String {
    let alone = if matches!(value, Value::Files) { "-r" } else { "-x" };
    format!("{alone} {}", offers(value)).trim_end().to_owned()
}

fn offers(value: &Value) -> String {
    match value {
        Value::Files => "-F".into(),
        Value::Dirs => "-a '(__fish_complete_directories)'".into(),
        Value::Hosts => "-a '(__fish_print_hostnames)'".into(),
        Value::Words(words) => format!("-a '{}'", words.join(" ")),
        Value::Anything => String::new(),
    }
}
