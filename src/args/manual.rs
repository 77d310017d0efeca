//! A program's man page: from its table, and from what a table has no room for.

use super::roff::Page;
use super::table::{Flag, Program};

/// What is known of a program beyond its table. Its man page and completions are made from both.
#[derive(Debug)]
pub struct Manual {
    /// The table.
    pub program: &'static Program,
    /// What it is, in the few words that `man -k` lists.
    pub summary: &'static str,
    /// What its operands are.
    pub operands: Operands,
    /// The programs that its first word can choose.
    pub subcommands: &'static [Subcommand],
    /// What can be typed once it runs.
    pub commands: Vec<Typed>,
    /// What follows options and commands.
    pub sections: &'static [Section],
}

/// A word that makes another program of it.
#[derive(Debug)]
pub struct Subcommand {
    /// As it is typed.
    pub word: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// Its table; that of the program itself if it takes the same options.
    pub program: &'static Program,
    /// What its operands are.
    pub operands: Operands,
}

/// What operands name, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// There are none.
    None,
    /// Files.
    Files,
    /// Hosts.
    Hosts,
}

/// A command that is typed at a program's prompt.
#[derive(Debug)]
pub struct Typed {
    /// Its name and what follows it.
    pub usage: String,
    /// What it does.
    pub help: &'static str,
    /// Other names it answers to.
    pub also: &'static [&'static str],
    /// One use of it.
    pub example: String,
    /// What else there is to say, in lines.
    pub details: &'static str,
    /// The operands, each with its description.
    pub operands: Vec<(&'static str, &'static str)>,
    /// Its options.
    pub options: &'static [Flag],
}

/// A section of the page.
#[derive(Debug)]
pub struct Section {
    /// Its heading, in capitals.
    pub title: &'static str,
    /// What stands below.
    pub blocks: &'static [Block],
}

/// A piece of a section.
#[derive(Clone, Copy, Debug)]
pub enum Block {
    /// A paragraph.
    Text(&'static str),
    /// A word and what is to be said of it.
    Item(&'static str, &'static str),
    /// Lines that stay as they are.
    Lines(&'static str),
}

impl Manual {
    /// The page for `man`, in its language. `date` is shown at its foot.
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
    /// Whether it takes the options of the program itself.
    pub(super) fn is_like(&self, program: &Program) -> bool {
        std::ptr::eq(self.program, program)
    }

    /// The line of the usage that is its own.
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

impl Typed {
    fn explained(&self) -> String {
        let also = match self.also {
            [] => String::new(),
            names => format!(" Also: {}.", names.join(", ")),
        };
        format!("{}.{also} Example: {}", capital(self.help), self.example)
    }
}

/// The pieces of a page that show rows of a table.
impl Page {
    fn flag(&mut self, flag: &Flag) {
        self.item(flag.left().trim_start(), &flag.right());
    }

    fn typed(&mut self, typed: &Typed) {
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

/// Lines put together again: one that begins with a capital begins a sentence.
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

/// A sentence begins so.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{CLIENT, SERVER};

    #[test]
    fn a_page_has_every_flag_and_what_the_table_has_no_room_for() {
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
            commands: vec![Typed {
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
