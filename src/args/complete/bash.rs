//! The completion script for bash.

use super::{Manual, Operands, Program, Value, all_spellings};
use std::fmt::Write as _;

/// The start of every script: it finds the word before the one that is completed. bash splits
/// `--port=21` into three words. File names are read line by line, since they may contain spaces.
const HEAD: &str = r#"# bash completion for NAME; made from its table of options

_NAME_reply() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$@" -- "$word")
}

_NAME_files() {
    compopt -o filenames 2>/dev/null
    _NAME_reply "$1"
}

_NAME() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
"#;

pub(super) fn script(manual: &Manual) -> String {
    let name = manual.program.name;
    let mut script = HEAD.replace("NAME", name);
    let words: Vec<&str> = manual.subcommands.iter().map(|subcommand| subcommand.word).collect();
    if !words.is_empty() {
        let words = words.join(" ");
        script += &format!(
            "    if [[ $COMP_CWORD -eq 1 && $word != -* ]]; then\n        _{name}_reply -W '{words}'\n        \
             return\n    fi\n"
        );
    }
    script += "    case ${COMP_WORDS[1]} in\n";
    for subcommand in manual.apart() {
        // Writing to a String cannot fail.
        let _ = writeln!(script, "    {})", subcommand.word);
        script += &options(name, subcommand.program, subcommand.operands);
        script += "        ;;\n";
    }
    script += "    *)\n";
    script += &options(name, manual.program, manual.operands);
    script += "        ;;\n    esac\n}\n\n";
    script + &format!("complete -F _{name} {name}\n")
}

/// Returns the shell code that completes the options and operands of one table.
fn options(name: &str, program: &Program, operands: Operands) -> String {
    let mut cases = String::from("        case $before in\n");
    for flag in program.all_flags() {
        let Some(value) = Value::of(flag) else { continue };
        let pattern = flag.spellings().join("|");
        let reply = reply(name, &value);
        cases += &format!("        {pattern}) {reply}return ;;\n");
    }
    cases += "        esac\n";
    let all = all_spellings(program).join(" ");
    cases += &format!("        if [[ $word == -* ]]; then\n            _{name}_reply -W '{all}'\n");
    if let Some(reply) = Value::of_operands(operands).map(|value| reply(name, &value)) {
        cases += &format!("        else\n            {}\n", reply.trim_end_matches("; "));
    }
    cases + "        fi\n"
}

fn reply(name: &str, value: &Value) -> String {
    match value {
        Value::Files => format!("_{name}_files -f; "),
        Value::Dirs => format!("_{name}_files -d; "),
        Value::Hosts => format!("_{name}_reply -A hostname; "),
        Value::Words(words) => format!("_{name}_reply -W '{}'; ", words.join(" ")),
        Value::Anything => String::new(),
    }
}
