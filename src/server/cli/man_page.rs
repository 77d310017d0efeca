//! The sections of the server's man page other than its options.

use crate::args::Block::{Item, Lines, Text};
use crate::args::{Manual, Operands, Section, Subcommand};
use crate::server::cli::{certificate, passwd};
use crate::server::config::PROGRAM;

/// Returns the manual of `ftp_server`.
pub fn manual() -> Manual {
    Manual {
        program: &PROGRAM,
        summary: "serve a directory over FTP",
        operands: Operands::None,
        subcommands: &SUBCOMMANDS,
        commands: Vec::new(),
        sections: &SECTIONS,
    }
}

static SUBCOMMANDS: [Subcommand; 3] = [
    Subcommand {
        word: "passwd",
        summary: "add or change an account",
        program: &passwd::PROGRAM,
        operands: Operands::Files,
    },
    Subcommand {
        word: "certificate",
        summary: "create a self-signed certificate for FTPS",
        program: &certificate::PROGRAM,
        operands: Operands::Files,
    },
    Subcommand {
        word: "check",
        summary: "show the effective options, the source of each value, and all problems in the \
                  files that the server would read",
        program: &PROGRAM,
        operands: Operands::None,
    },
];

static SECTIONS: [Section; 11] = [
    Section {
        title: "VALUES",
        blocks: &[
            Text(
                "Durations are seconds, or 30s, 5m, 1h; sizes and rates are bytes, or 64K, 10M, 1G.",
            ),
            Text(
                "--sync=no turns off a switch such as --sync. If an option is given twice, the last \
                 value counts, unless the option may be repeated.",
            ),
        ],
    },
    Section {
        title: "CONFIGURATION FILE",
        blocks: &[
            Text(
                "The file of --config contains lines NAME = VALUE. The names are the long options \
                 without their dashes; a switch takes yes or no. # begins a comment at the start of \
                 a line or after a space. A value that begins or ends with a space needs double \
                 quotes. The command line wins over the file.",
            ),
            Lines("root = /srv/ftp\nanonymous = read\npassive-ports = 50000-50999"),
        ],
    },
    Section {
        title: "ACCOUNTS",
        blocks: &[
            Text("The file of --users contains a line for each account; # begins a comment."),
            Lines("NAME:HASH:ACCESS:HOME[:QUOTA:SESSIONS:RATE]"),
            Text(
                "HASH is $pbkdf2-sha256$ROUNDS$SALT$HASH, ACCESS is drop, read, store or write \
                 (empty: read), HOME is a directory inside the root that the account sees as / \
                 (empty: the root itself). QUOTA limits the total size of the files in the home, \
                 SESSIONS the number of sessions at once, RATE the bytes per second of all sessions \
                 together (each empty: no limit). ftp_server passwd writes such lines.",
            ),
        ],
    },
    Section {
        title: "ACCESS",
        blocks: &[
            Text("The values of --anonymous and of accounts:"),
            Item("none", "No login (only for --anonymous)."),
            Item(
                "drop",
                "List, and store files under new names, as in a drop box. Nothing can be \
                 fetched, replaced, appended to, deleted or renamed.",
            ),
            Item("read", "List and fetch."),
            Item(
                "store",
                "Read, and store, replace, append, and make directories. Nothing can be deleted or \
                 renamed.",
            ),
            Item("write", "Everything: also delete, rename, make links, change times and modes."),
        ],
    },
    Section {
        title: "ENCRYPTION",
        blocks: &[
            Text(
                "With --tls-cert the server speaks FTPS (RFC 4217), using OpenSSL. Clients start TLS \
                 with AUTH TLS, or connect to --tls-port, where TLS comes before the greeting; PROT P \
                 protects their data connections.",
            ),
            Text(
                "Accounts must then encrypt login and data: without TLS, USER gets 530 before the \
                 password is sent, and a transfer gets 521. --tls-required sets who must encrypt. \
                 SIGHUP reads the certificate again; sessions keep the one they began with. \
                 ftp_server check shows its names, the days until it expires, and its SHA-256.",
            ),
            Lines("ftp_server certificate tls.pem\nftp_server --tls-cert tls.pem"),
        ],
    },
    Section {
        title: "EXIT STATUS",
        blocks: &[
            Item("0", "Clean shutdown."),
            Item("1", "The server could not start or run, or a second signal ended it."),
            Item("2", "Wrong usage."),
        ],
    },
    Section {
        title: "SIGNALS",
        blocks: &[
            Item(
                "SIGTERM, SIGINT",
                "Shuts down: no new sessions; running transfers may finish within \
                 --shutdown-grace. A second signal ends the server at once.",
            ),
            Item(
                "SIGHUP",
                "Reloads accounts and configuration, and reopens the logs. What cannot be used is \
                 logged, and the old values stay. --host, --port and --root need a restart. If \
                 the server was started on a terminal that is now closed, it shuts down.",
            ),
        ],
    },
    Section {
        title: "ENVIRONMENT",
        blocks: &[
            Item(
                "LISTEN_FDS, LISTEN_PID",
                "Sockets opened by a service manager such as systemd: the server listens on them \
                 and ignores --host and --port.",
            ),
            Item(
                "NOTIFY_SOCKET",
                "Socket on which the service manager is notified that the server is ready or ends.",
            ),
            Item(
                "JOURNAL_STREAM",
                "If standard error is the journal of this name, log lines begin with the priority \
                 and have no time, unless --log-format or --log-file is given.",
            ),
        ],
    },
    Section {
        title: "FILES",
        blocks: &[Item(
            ".ftp-partial-*",
            "Incomplete uploads, hidden beside their destination. They are kept for a day, so that \
             clients can resume them.",
        )],
    },
    Section {
        title: "EXAMPLES",
        blocks: &[
            Text("A classroom, on all addresses of the machine:"),
            Lines("ftp_server --host :: --root /srv/ftp"),
            Text("Accounts, behind a firewall that allows 1,000 ports:"),
            Lines(
                "ftp_server passwd --access write /etc/ftp_server.users alice\n\
                 ftp_server --host :: --users /etc/ftp_server.users --passive-ports 50000-50999",
            ),
            Text("Show the effective options and all problems:"),
            Lines("ftp_server check --config /etc/ftp_server.conf"),
        ],
    },
    Section { title: "SEE ALSO", blocks: &[Text("ftp_client(1), RFC 959, RFC 3659")] },
];
