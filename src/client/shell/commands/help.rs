//! What HELP and the manual say of one command.

use super::mirror;
use super::{Row, get_put, login, remote};
use crate::args::Typed;
use crate::client::shell::args::Choice;

impl Row {
    /// How it is used, its options and an example.
    pub(super) fn explained(&self) -> String {
        let others = self.names.get(1..).unwrap_or_default().join(", ");
        let also = if others.is_empty() { others } else { format!("Also: {others}\n") };
        let (usage, help, example) = (self.usage(), self.help, self.example);
        let (more, choices) = (self.more(), Choice::list(self.choices()));
        format!("Usage: {usage}\n{help}\n{more}{choices}{also}Example: {example}\n")
    }

    /// The same for the manual.
    pub(super) fn typed(&self) -> Typed {
        Typed {
            usage: self.usage().replacen(&self.title(), &self.title().to_lowercase(), 1),
            help: self.help,
            also: self.names.get(1..).unwrap_or_default(),
            example: self.example,
            more: self.more(),
            options: self.choices().iter().map(Choice::call).collect(),
        }
    }

    /// The options that it parses.
    fn choices(&self) -> &'static [Choice] {
        match self.names.first() {
            Some(&"connect") => login::CONNECTING,
            Some(&"mirror") => mirror::CHOICES,
            Some(&"mkdir") => remote::MAKING,
            Some(&"pget") => get_put::IN_PARTS,
            _ => &[],
        }
    }

    /// What HELP says besides, in lines.
    fn more(&self) -> &'static str {
        match self.names.first() {
            Some(&"connect") => HOW_TO_CONNECT,
            Some(&"lcd") => HOW_TO_LCD,
            Some(&"list") => HOW_TO_LIST,
            Some(&"retrieve" | &"reget" | &"newer" | &"pget") => HOW_TO_RETRIEVE,
            Some(&"store" | &"reput" | &"append") => HOW_TO_STORE,
            Some(&"mget") => HOW_TO_MGET,
            Some(&"mput") => HOW_TO_MPUT,
            Some(&"mdelete") => HOW_TO_MDELETE,
            Some(&"mirror") => HOW_TO_MIRROR,
            _ => "",
        }
    }
}

const HOW_TO_CONNECT: &str = "\
HOST may be a URL: ftp://[USER@]HOST[:PORT]/DIR
Who logs in: -u NAME, else who .netrc says, else anonymous. The password is
that of FTP_PASSWORD or .netrc, or is asked for; USER NAME asks for it too
";

const HOW_TO_LCD: &str = "\
~ is HOME, and - the directory before
";

const HOW_TO_LIST: &str = "\
-OPTS are those of the server's ls, such as -l, -a or -t
LOCAL is a file that gets the listing instead of the screen
";

const HOW_TO_RETRIEVE: &str = "\
Without LOCAL the file keeps its name, and comes into the local directory:
of dir/file that is file. A LOCAL that is a directory gets the file inside
";

const HOW_TO_STORE: &str = "\
Without REMOTE the file keeps its name, and goes into the remote directory:
of dir/file that is file. A REMOTE that ends in / gets the file inside
";

const HOW_TO_MGET: &str = "\
The files come into the local directory, under the last part of their names;
-j of the command line says over how many connections, and PROMPT whether
you are asked before each
";

const HOW_TO_MPUT: &str = "\
The files go into the remote directory, under the last part of their names;
-j of the command line says over how many connections, and PROMPT whether
you are asked before each
";

const HOW_TO_MDELETE: &str = "\
Directories stay. PROMPT says whether you are asked before each
";

const HOW_TO_MIRROR: &str = "\
FROM is on the server and TO is here, with -R the other way round; without TO
it is called as the last part of FROM. What is new or has another size or
time is transferred. Links become links where they stay inside the directory;
others, and with -R all of them, are left out
";
