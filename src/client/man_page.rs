//! What the client's man page says beyond its tables of options and commands.

use super::options::PROGRAM;
use super::shell::commands::Row;
use crate::args::Block::{Item, Lines, Text};
use crate::args::{Manual, Operands, Section};

/// The manual of `ftp_client`.
pub fn manual() -> Manual {
    Manual {
        program: &PROGRAM,
        summary: "talk to an FTP server",
        operands: Operands::Hosts,
        subcommands: &[],
        commands: Row::for_manual(),
        sections: &SECTIONS,
    }
}

static SECTIONS: [Section; 7] = [
    Section {
        title: "TYPING COMMANDS",
        blocks: &[
            Text(
                "Commands are known in any case, and as short as only one begins so. Names with \
                 blanks are quoted: \"a b\" or a\\ b. help COMMAND says how one is used. Where a \
                 command has options, a name that begins with - stands behind --.",
            ),
            Text(
                "Durations are seconds, or 30s, 5m, 1h; rates are bytes a second, or 64K, 10M, 1G. A \
                 switch such as --json is undone by --json=no.",
            ),
        ],
    },
    Section {
        title: "EXIT STATUS",
        blocks: &[
            Item("0", "All commands worked."),
            Item("1", "A command failed; the reason is on standard error."),
            Item("2", "Wrong usage, or an unknown command."),
            Item(
                "3",
                "It could not connect, or the connection was lost or not encrypted as asked.",
            ),
            Item("4", "The login was refused."),
        ],
    },
    Section {
        title: "SIGNALS",
        blocks: &[Item(
            "SIGINT",
            "During a transfer it stops the transfer and keeps the session; at the prompt it throws \
             the line away; elsewhere it ends the client with 130.",
        )],
    },
    Section {
        title: "ENVIRONMENT",
        blocks: &[
            Item("FTP_PASSWORD", "The password of the user that -u names."),
            Item("NETRC", "The file that is read in place of ~/.netrc."),
            Item("NO_COLOR", "If it is set and not empty, listings have no colours."),
            Item("PAGER", "What more shows files with."),
            Item(
                "SSL_CERT_FILE, SSL_CERT_DIR",
                "The authorities that are trusted, in place of the system's.",
            ),
            Item(
                "XDG_STATE_HOME",
                "Where the history and the trusted certificates are kept, below mt_ftp.",
            ),
        ],
    },
    Section {
        title: "FILES",
        blocks: &[
            Item(
                "~/.netrc",
                "Who logs in where. Passwords in it count only if no one else can read it.",
            ),
            Item(
                "~/.local/state/mt_ftp/history",
                "What was typed at the prompt, without passwords.",
            ),
            Item(
                "~/.local/state/mt_ftp/trusted",
                "The certificates that the user has accepted: HOST:PORT and SHA-256 in each line.",
            ),
        ],
    },
    Section {
        title: "EXAMPLES",
        blocks: &[
            Text("Fetch a file:"),
            Lines("ftp_client ftp://localhost:1026/pub/a.txt"),
            Text("Send all texts, as alice:"),
            Lines("ftp_client -u alice -c 'cd in; mput *.txt' localhost 1026"),
            Text("Keep a copy of a directory:"),
            Lines("ftp_client -c 'mirror --delete pub copy' localhost 1026"),
        ],
    },
    Section { title: "SEE ALSO", blocks: &[Text("ftp_server(1), RFC 959, RFC 3659, RFC 4217")] },
];
