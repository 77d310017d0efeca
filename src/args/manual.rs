//! The man page of a program, made from its table of options and further texts.

use super::roff::Page;
use super::table::{Flag, Program};

/// The description of a program. Its man page and completions are made from it.
#[derive(Debug)]
pub struct Manual {
    /// The table of options.
    pub program: &'static Program,
    /// The summary in a few words, as `man -k` lists it.
    pub summary: &'static str,
    /// The kind of operands.
    pub operands: Operands,
    /// The subcommands, which the first word selects.
    pub subcommands: &'static [Subcommand],
    /// The commands at the program's prompt.
    pub commands: Vec<PromptCommand>,
    /// The sections after options and commands.
    pub sections: &'static [Section],
}

/// A subcommand, such as `passwd` in `ftp_server passwd`.
#[derive(Debug)]
pub struct Subcommand {
    /// The name that the user types.
    pub word: &'static str,
    /// The summary in a few words.
    pub summary: &'static str,
    /// The table of options; that of the main program if both take the same options.
    pub program: &'static Program,
    /// The kind of operands.
    pub operands: Operands,
}

/// The kind of operands, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// The program takes no operands.
    None,
    /// Files.
    Files,
    /// Hosts.
    Hosts,
}

/// The description of a command at the program's prompt.
#[derive(Debug)]
pub struct PromptCommand {
    /// The name of the command and its arguments.
    pub usage: String,
    /// The purpose of the command.
    pub help: &'static str,
    /// Other names of the command.
    pub also: &'static [&'static str],
    /// An example of its use.
    pub example: String,
    /// Further lines of help.
    pub details: &'static str,
    /// The operands with their descriptions.
    pub operands: Vec<(&'static str, &'static str)>,
    /// The options of the command.
    pub options: &'static [Flag],
}

/// A section of the man page.
#[derive(Debug)]
pub struct Section {
    /// The heading, in capitals.
    pub title: &'static str,
    /// The content.
    pub blocks: &'static [Block],
}

/// A part of a section.
#[derive(Clone, Copy, Debug)]
pub enum Block {
    /// A paragraph.
    Text(&'static str),
    /// A term and its description.
    Item(&'static str, &'static str),
    /// Lines that are not reformatted.
    Lines(&'static str),
}

impl Manual {
    /// Returns the page in the language of man(7). `date` appears in its footer.
    pub fn page(&self, date: &str) -> String {
        let program = self.program;
        let mut page = Page::new(program.name, date, &format!("mt_ftp {}", program.version));
        page.section("NAME");
        page.name(program.name, self.summary);
        page.section("SYNOPSIS");
        program.usage.iter().for_each(|usage| page.usage(usage));
        page.section("DESCRIPTION");
        page.text(program.about);
        page.section("OPTIONS");
        program.all_flags().for_each(|flag| page.flag(flag));
        self.write_commands(&mut page);
        for section in self.sections {
            page.section(section.title);
            section.blocks.iter().for_each(|block| page.block(*block));
        }
        page.finish()
    }

    fn write_commands(&self, page: &mut Page) {
        if self.subcommands.is_empty() && self.commands.is_empty() {
            return;
        }
        page.section("COMMANDS");
        for subcommand in self.subcommands {
            page.item(subcommand.usage(self.program), &subcommand.explained(self.program));
            if !subcommand.is_like(self.program) {
                page.indented(|page| {
                    subcommand.program.flags.iter().for_each(|flag| page.flag(flag));
                });
            }
        }
        self.commands.iter().for_each(|typed| page.typed(typed));
    }
}

impl Subcommand {
    /// Returns whether the subcommand takes the options of the main program.
    pub(super) fn is_like(&self, program: &Program) -> bool {
        std::ptr::eq(self.program, program)
    }

    /// Returns the subcommand's line from the usage of the program.
    fn usage(&self, program: &Program) -> &'static str {
        let begin = format!("{} {}", program.name, self.word);
        let own = program.usage.iter().find(|usage| usage.starts_with(&begin));
        own.and_then(|usage| usage.strip_prefix(program.name)).unwrap_or(self.word).trim_start()
    }

    fn explained(&self, program: &Program) -> String {
        let about = if self.is_like(program) { self.summary } else { self.program.about };
        format!("{}.", capital(about.trim_end_matches('.')))
    }
}

impl PromptCommand {
    fn explained(&self) -> String {
        let also = match self.also {
            [] => String::new(),
            names => format!(" Also: {}.", names.join(", ")),
        };
        format!("{}.{also} Example: {}", capital(self.help), self.example)
    }
}

/// The parts of a page that show rows of a table.
impl Page {
    fn flag(&mut self, flag: &Flag) {
        self.item(flag.left().trim_start(), &flag.right());
    }

    fn typed(&mut self, typed: &PromptCommand) {
        self.item(&typed.usage, &typed.explained());
        if !(typed.details.is_empty() && typed.operands.is_empty() && typed.options.is_empty()) {
            self.indented(|page| {
                sentences(typed.details).iter().for_each(|sentence| page.text(sentence));
                typed.operands.iter().for_each(|(name, help)| page.item(name, help));
                typed.options.iter().for_each(|flag| page.flag(flag));
            });
        }
    }

    fn block(&mut self, block: Block) {
        match block {
            Block::Text(text) => self.text(text),
            Block::Item(word, text) => self.item(word, text),
            Block::Lines(lines) => self.lines(lines),
        }
    }
}

/// Joins lines to sentences: a line that begins with a capital letter begins a sentence.
fn sentences(lines: &str) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for line in lines.lines() {
        match sentences.last_mut() {
            Some(last) if !line.starts_with(char::is_uppercase) => *last += &format!(" {line}"),
            _ => sentences.push(line.to_owned()),
        }
    }
    sentences
}

/// Returns the text with a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{CLIENT, SERVER};

    #[test]
    fn a_page_contains_every_flag_and_the_further_texts() {
        static PASSWD: [Subcommand; 1] = [Subcommand {
            word: "passwd",
            summary: "add an account",
            program: &CLIENT,
            operands: Operands::Files,
        }];
        static FAR: [Flag; 1] = [Flag::letter_switch('p', "go far")];
        let manual = Manual {
            program: &SERVER,
            summary: "serve files",
            operands: Operands::None,
            subcommands: &PASSWD,
            commands: vec![PromptCommand {
                usage: "cd [DIR]".into(),
                help: "go there",
                also: &["cwd"],
                example: "cd /".into(),
                details: "As\never\nBut not",
                operands: vec![("DIR", "a place")],
                options: &FAR,
            }],
            sections: &[Section { title: "FILES", blocks: &[Block::Item("~/.a", "it's here")] }],
        };
        let page = manual.page("2026-01-02");
        for line in [
            ".TH FTP_SERVER 1 \"2026-01-02\" \"mt_ftp 1.2.3\" \"User Commands\"",
            "ftp_server \\- serve files",
            "\\fB\\-\\-port\\fR \\fIPORT\\fR",
            "control port; 0 picks a free one [1026]",
            "\\fBpasswd\\fR \\fIFILE\\fR \\fINAME\\fR",
            "\\fB\\-p\\fR, \\fB\\-\\-port\\fR \\fIPORT\\fR",
            "\\fBcd\\fR [\\fIDIR\\fR]",
            "Go there. Also: cwd. Example: cd /",
            "As ever",
            "But not",
            "\\fIDIR\\fR",
            "a place",
            "\\fB\\-p\\fR",
            "go far",
            "it\\(aqs here",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
    }
}
