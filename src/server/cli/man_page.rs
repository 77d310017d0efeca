//! What the server's man page says beyond its table of options.

use crate::args::Block::{Item, Lines, Text};
use crate::args::{Manual, Operands, Section, Subcommand};
use crate::server::cli::{certificate, passwd};
use crate::server::config::PROGRAM;

/// The manual of `ftp_server`.
pub fn manual() -> Manual {
    Manual {
        program: &PROGRAM,
        summary: "serve a directory by FTP",
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
        summary: "make a self-signed certificate for FTPS",
        program: &certificate::PROGRAM,
        operands: Operands::Files,
    },
    Subcommand {
        word: "check",
        summary: "show what would be in force and from where each value comes, and look at what \
                  the server would read",
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
                "A switch such as --sync is undone by --sync=no, and of two values of an option the \
                 last one counts, but where the option may be repeated.",
            ),
        ],
    },
    Section {
        title: "CONFIGURATION FILE",
        blocks: &[
            Text(
                "The file of --config holds lines NAME = VALUE, the names being the long options \
                 without their dashes; a switch takes yes or no. # begins a comment at the start of \
                 a line or after a blank. A value with blanks around it stands in double quotes. \
                 The command line wins over the file.",
            ),
            Lines("root = /srv/ftp\nanonymous = read\npassive-ports = 50000-50999"),
        ],
    },
    Section {
        title: "ACCOUNTS",
        blocks: &[
            Text("The file of --users holds a line for each account; # begins a comment."),
            Lines("NAME:HASH:ACCESS:HOME[:QUOTA:SESSIONS:RATE]"),
            Text(
                "HASH is $pbkdf2-sha256$ROUNDS$SALT$HASH, ACCESS is drop, read, store or write \
                 (empty: read), HOME is a directory inside the root that the account sees as its / \
                 (empty: the root itself). QUOTA is how many bytes the files in its home may have, \
                 SESSIONS how many it may have at once, RATE how many bytes a second all of them \
                 move (each empty: no limit). ftp_server passwd writes such lines.",
            ),
        ],
    },
    Section {
        title: "ACCESS",
        blocks: &[
            Text("The words of --anonymous and of accounts:"),
            Item("none", "Not log in (visitors alone)."),
            Item(
                "drop",
                "List, and store files under new names: a hand-in box. Nothing can be fetched, \
                 replaced, appended to, deleted or renamed.",
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
                "With --tls-cert the server speaks FTPS (RFC 4217) by OpenSSL. Clients begin it with \
                 AUTH TLS, or connect to --tls-port, where TLS comes before the greeting; PROT P \
                 protects their data connections.",
            ),
            Text(
                "Accounts must encrypt login and data then: USER in clear gets 530 before a password \
                 is sent, a transfer in clear 521. --tls-required says who else must, or that nobody \
                 must. SIGHUP reads the certificate again; sessions keep the one they began with. \
                 ftp_server check shows its names, the days it is still valid, and its SHA-256.",
            ),
            Lines("ftp_server certificate tls.pem\nftp_server --tls-cert tls.pem"),
        ],
    },
    Section {
        title: "EXIT STATUS",
        blocks: &[
            Item("0", "After a clean shutdown."),
            Item("1", "It could not start or run, or a second signal ended it."),
            Item("2", "Wrong usage."),
        ],
    },
    Section {
        title: "SIGNALS",
        blocks: &[
            Item(
                "SIGTERM, SIGINT",
                "No new sessions; those that transfer may finish within --shutdown-grace. A second \
                 signal ends the server at once.",
            ),
            Item(
                "SIGHUP",
                "Reads accounts and configuration again and opens the logs anew. What is wrong in \
                 them is logged, and the old stays. --host, --port and --root need a restart. If \
                 the server was started on a terminal that is closed now, it ends as by SIGTERM.",
            ),
        ],
    },
    Section {
        title: "ENVIRONMENT",
        blocks: &[
            Item(
                "LISTEN_FDS, LISTEN_PID",
                "Sockets that a service manager has opened, as systemd does: the server listens on \
                 them, and on no --host and --port.",
            ),
            Item(
                "NOTIFY_SOCKET",
                "Where the service manager hears that the server is ready or ends.",
            ),
            Item(
                "JOURNAL_STREAM",
                "If standard error is the journal that this names, lines of the log have the \
                 priority in front and no time, unless --log-format or --log-file is given.",
            ),
        ],
    },
    Section {
        title: "FILES",
        blocks: &[Item(
            ".ftp-partial-*",
            "Hidden beside the file it will be: an upload that is not whole. It waits a day to be \
             resumed.",
        )],
    },
    Section {
        title: "EXAMPLES",
        blocks: &[
            Text("A classroom, on every address of the machine:"),
            Lines("ftp_server --host :: --root /srv/ftp"),
            Text("Accounts, behind a firewall that lets 1,000 ports through:"),
            Lines(
                "ftp_server passwd --access write /etc/ftp_server.users alice\n\
                 ftp_server --host :: --users /etc/ftp_server.users --passive-ports 50000-50999",
            ),
            Text("What would be in force:"),
            Lines("ftp_server check --config /etc/ftp_server.conf"),
        ],
    },
    Section { title: "SEE ALSO", blocks: &[Text("ftp_client(1), RFC 959, RFC 3659")] },
];
