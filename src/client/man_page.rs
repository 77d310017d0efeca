//! The man page of the client, apart from its tables of options and commands.

use super::options::PROGRAM;
use super::shell::commands::Row;
use crate::args::Block::{Item, Lines, Text};
use crate::args::{Manual, Operands, Section};

/// Returns the manual of `ftp_client`.
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
                "Commands are case-insensitive and can be abbreviated to any unique prefix. Quote \
                 names that contain spaces: \"a b\" or a\\ b. help COMMAND explains a command. If a \
                 command has options, put -- before a name that begins with -.",
            ),
            Text(
                "Durations are seconds, or 30s, 5m, 1h; rates are bytes per second, or 64K, 10M, 1G. \
                 --json=no turns a switch such as --json off.",
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
                "The client could not connect, or the connection was lost or not encrypted as required.",
            ),
            Item("4", "The login was refused."),
        ],
    },
    Section {
        title: "SIGNALS",
        blocks: &[Item(
            "SIGINT",
            "During a transfer, stop the transfer and keep the session. At the prompt, discard the \
             line. Otherwise exit with status 130.",
        )],
    },
    Section {
        title: "ENVIRONMENT",
        blocks: &[
            Item("FTP_PASSWORD", "The password of the user that -u names."),
            Item("NETRC", "The file to read instead of ~/.netrc."),
            Item("NO_COLOR", "If set and not empty, listings have no colors."),
            Item("PAGER", "The program that more uses."),
            Item(
                "SSL_CERT_FILE, SSL_CERT_DIR",
                "The trusted authorities, instead of the system's.",
            ),
            Item(
                "XDG_STATE_HOME",
                "The directory whose subdirectory mt_ftp has the history and the trusted \
                 certificates.",
            ),
        ],
    },
    Section {
        title: "FILES",
        blocks: &[
            Item(
                "~/.netrc",
                "Logins for hosts. Passwords in it are used only if no other user can read the file.",
            ),
            Item(
                "~/.local/state/mt_ftp/history",
                "The lines typed at the prompt, without passwords.",
            ),
            Item(
                "~/.local/state/mt_ftp/trusted",
                "The certificates that the user has accepted, one HOST:PORT and SHA-256 per line.",
            ),
        ],
    },
    Section {
        title: "EXAMPLES",
        blocks: &[
            Text("Fetch a file:"),
            Lines("ftp_client ftp://localhost:1026/pub/a.txt"),
            Text("Send all text files as alice:"),
            Lines("ftp_client -u alice -c 'cd in; mput *.txt' localhost 1026"),
            Text("Keep a copy of a directory:"),
            Lines("ftp_client -c 'mirror --delete pub copy' localhost 1026"),
        ],
    },
    Section { title: "SEE ALSO", blocks: &[Text("ftp_server(1), RFC 959, RFC 3659, RFC 4217")] },
];
