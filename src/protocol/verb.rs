//! The verbs of the protocol and the one table about them.
//!
//! Parsing, HELP, FEAT's neighbours and the tests read the same rows, so a verb cannot be known in
//! one place and forgotten in another.

/// Whether a verb stands alone or takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentRule {
    /// No argument; one is a 501.
    None,
    /// No argument; one is ignored, because clients send it and it can do no harm.
    Ignored,
    /// With or without.
    Optional,
    /// Missing it is a 501.
    Required,
}

/// What is known about a verb.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The verb.
    pub verb: Verb,
    /// How it is written, in upper case.
    pub spelling: &'static str,
    /// Other spellings of the same verb: the X forms of RFC 775, which RFC 1123 section 4.1.3.1
    /// asks servers to take.
    pub aliases: &'static [&'static str],
    /// Whether it takes an argument.
    pub argument: ArgumentRule,
    /// The argument as HELP shows it.
    pub syntax: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Where it is specified.
    pub rfc: &'static str,
    /// Its line in the answer to FEAT, without what depends on the server or the session; empty for
    /// what RFC 959 has already (RFC 2389 section 3).
    pub feature: &'static str,
}

macro_rules! verbs {
    ($($verb:ident $spelling:literal $aliases:expr, $rule:ident $syntax:literal, $help:literal, $rfc:literal, $feature:literal;)*) => {
        /// A command's first word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // each is documented by its row
        pub enum Verb { $($verb,)* }

        /// Every verb this crate implements, in the order of [`Verb`].
        pub const TABLE: &[Row] = &[$(Row {
            verb: Verb::$verb,
            spelling: $spelling,
            aliases: &$aliases,
            argument: ArgumentRule::$rule,
            syntax: $syntax,
            help: $help,
            rfc: $rfc,
            feature: $feature,
        },)*];
    };
}

verbs! {
    User "USER" [], Required "name", "Log in: the user's name.", "RFC 959 4.1.1", "";
    Pass "PASS" [], Optional "password", "Log in: the password.", "RFC 959 4.1.1", "";
    Acct "ACCT" [], Required "account", "Name an account; none is needed here.", "RFC 959 4.1.1", "";
    Rein "REIN" [], None "", "Log out and begin again.", "RFC 959 4.1.1", "";
    Quit "QUIT" [], Ignored "", "Log out and close the connection.", "RFC 959 4.1.1", "";
    Cwd "CWD" ["XCWD"], Required "directory", "Change the working directory.", "RFC 959 4.1.1", "";
    Cdup "CDUP" ["XCUP"], None "", "Change to the parent directory.", "RFC 959 4.1.1", "";
    Port "PORT" [], Required "h1,h2,h3,h4,p1,p2", "Active mode: where to connect to.", "RFC 959 4.1.2", "";
    Eprt "EPRT" [], Required "|1|address|port|", "Active mode for IPv4 (1) and IPv6 (2).", "RFC 2428 2", "EPRT";
    Pasv "PASV" [], None "", "Passive mode: ask for a port to connect to.", "RFC 959 4.1.2", "";
    Epsv "EPSV" [], Optional "[1|2|ALL]", "Passive mode for IPv4 and IPv6.", "RFC 2428 3", "EPSV";
    Type "TYPE" [], Required "A|I|L 8", "How data is sent: text (A) or as it is (I).", "RFC 959 4.1.2", "";
    Mode "MODE" [], Required "S", "Transfer mode; stream is the one.", "RFC 959 4.1.2", "";
    Stru "STRU" [], Required "F", "File structure; file is the one.", "RFC 959 4.1.2", "";
    Retr "RETR" [], Required "file", "Send a file to the client.", "RFC 959 4.1.3", "";
    Stor "STOR" [], Required "file", "Store a file, replacing what has its name.", "RFC 959 4.1.3", "";
    Stou "STOU" [], Optional "[prefix]", "Store a file under a new name.", "RFC 959 4.1.3", "";
    Appe "APPE" [], Required "file", "Append to a file, or store a new one.", "RFC 959 4.1.3", "";
    Allo "ALLO" [], Required "bytes", "Ask for room before storing.", "RFC 959 4.1.3", "";
    Rest "REST" [], Required "offset", "Where the next transfer begins.", "RFC 3659 5", "REST STREAM";
    Rnfr "RNFR" [], Required "name", "Rename: the old name.", "RFC 959 4.1.3", "";
    Rnto "RNTO" [], Required "name", "Rename: the new name.", "RFC 959 4.1.3", "";
    Abor "ABOR" [], None "", "Break off the transfer.", "RFC 959 4.1.3", "";
    Dele "DELE" [], Required "file", "Delete a file.", "RFC 959 4.1.3", "";
    Rmd "RMD" ["XRMD"], Required "directory", "Remove an empty directory.", "RFC 959 4.1.3", "";
    Mkd "MKD" ["XMKD"], Required "directory", "Make a directory.", "RFC 959 4.1.3", "";
    Pwd "PWD" ["XPWD"], None "", "Print the working directory.", "RFC 959 4.1.3", "";
    List "LIST" [], Optional "[-options] [path]", "List a directory for people.", "RFC 959 4.1.3", "";
    Nlst "NLST" [], Optional "[path]", "List names only.", "RFC 959 4.1.3", "";
    Mlsd "MLSD" [], Optional "[directory]", "List a directory for programs.", "RFC 3659 7", "";
    Mlst "MLST" [], Optional "[path]", "The facts about one name.", "RFC 3659 7", "MLST";
    Size "SIZE" [], Required "file", "Size of a file in bytes.", "RFC 3659 4", "SIZE";
    Mdtm "MDTM" [], Required "file", "When a file was last modified.", "RFC 3659 3", "MDTM";
    Mfmt "MFMT" [], Required "time file", "Set when a file was last modified.", "draft-somers-ftp-mfxx-04 5", "MFMT";
    Stat "STAT" [], Optional "[path]", "Status of the session, or a listing.", "RFC 959 4.1.3", "";
    Syst "SYST" [], None "", "Name the kind of system.", "RFC 959 4.1.3", "";
    Help "HELP" [], Optional "[verb]", "List the verbs, or explain one.", "RFC 959 4.1.3", "";
    Noop "NOOP" [], Ignored "", "Do nothing.", "RFC 959 4.1.3", "";
    Feat "FEAT" [], None "", "List the extensions.", "RFC 2389 3", "";
    Opts "OPTS" [], Required "UTF8 ON|MLST facts", "Set an option of an extension.", "RFC 2389 4", "";
    Site "SITE" [], Required "command", "Commands of this server; see SITE HELP.", "RFC 959 4.1.3", "";
    Host "HOST" [], Required "name", "Name the host that is meant; all are this one.", "RFC 7151 3", "HOST";
    Hash "HASH" [], Required "file", "Digest of a file, or of the RANG before it.", "draft-bryan-ftpext-hash-02 3", "HASH";
    Xcrc "XCRC" [], Required "file [start end]", "CRC-32 of a file.", "no RFC; as Serv-U has it", "XCRC";
    Xmd5 "XMD5" [], Required "file [start end]", "MD5 of a file.", "no RFC; as Serv-U has it", "XMD5";
    Xsha1 "XSHA1" ["XSHA"], Required "file [start end]", "SHA-1 of a file.", "no RFC; as Serv-U has it", "XSHA1";
    Xsha256 "XSHA256" [], Required "file [start end]", "SHA-256 of a file.", "no RFC; as Serv-U has it", "XSHA256";
    Xsha512 "XSHA512" [], Required "file [start end]", "SHA-512 of a file.", "no RFC; as Serv-U has it", "XSHA512";
    Rang "RANG" [], Required "first last", "Which bytes the next RETR or HASH takes.", "draft-bryan-ftp-range-08 3", "RANG STREAM";
    Mff "MFF" [], Required "fact=value; file", "Set facts of a file.", "draft-somers-ftp-mfxx-04 6", "MFF";
    Mfct "MFCT" [], Required "time file", "Set when a file was created.", "draft-somers-ftp-mfxx-04 4", "MFCT";
    Avbl "AVBL" [], Optional "[directory]", "How many bytes may still be stored.", "draft-peterson-streamlined-ftp-command-extensions-10 4", "AVBL";
    Dsiz "DSIZ" [], Optional "[directory]", "Size of all files in a directory.", "draft-peterson-streamlined-ftp-command-extensions-10 6", "DSIZ";
    Rmda "RMDA" [], Required "directory", "Remove a directory with all that is in it.", "draft-peterson-streamlined-ftp-command-extensions-10 8", "RMDA";
    Csid "CSID" [], Optional "[facts]", "Tell each other what client and server are.", "draft-peterson-streamlined-ftp-command-extensions-10 5", "CSID";
    Clnt "CLNT" [], Required "name", "Name of the client program.", "no RFC; as Serv-U has it", "CLNT";
    Lang "LANG" [], Optional "[tag]", "Language of the replies: English.", "RFC 2640 4", "LANG EN*";
    Auth "AUTH" [], Required "TLS", "Encrypt the control connection from here on.", "RFC 4217 4", "AUTH TLS;SSL";
    Pbsz "PBSZ" [], Required "0", "Size of a protection buffer; TLS needs none.", "RFC 4217 8", "PBSZ";
    Prot "PROT" [], Required "P|C", "Encrypt data connections (P), or not (C).", "RFC 4217 9", "PROT";
    Ccc "CCC" [], None "", "Continue the control connection in clear.", "RFC 4217 6", "CCC";
}

/// Verbs that an RFC defines and this crate does not implement; the answer to them is 502 where
/// that to a word nobody defined is 500 (RFC 959 section 4.2.2).
const UNIMPLEMENTED: &[&str] =
    &["ADAT", "CONF", "ENC", "LPRT", "LPSV", "MIC", "SMNT", "XRCP", "XRSQ", "XSEM", "XSEN"];

impl Verb {
    /// The verb that is spelled so, in any case.
    pub fn parse(word: &[u8]) -> Option<Verb> {
        TABLE.iter().find(|row| row.is_spelled(word)).map(|row| row.verb)
    }

    /// Whether an RFC knows this word although this crate does nothing with it.
    pub fn is_unimplemented(word: &[u8]) -> bool {
        UNIMPLEMENTED.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Whether the verb begins a transfer over a data connection.
    pub fn is_transfer(self) -> bool {
        matches!(
            self,
            Verb::Retr
                | Verb::Stor
                | Verb::Stou
                | Verb::Appe
                | Verb::List
                | Verb::Nlst
                | Verb::Mlsd
        )
    }

    /// Everything about this verb.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl Row {
    fn is_spelled(&self, word: &[u8]) -> bool {
        self.spelling.as_bytes().eq_ignore_ascii_case(word)
            || self.aliases.iter().any(|alias| alias.as_bytes().eq_ignore_ascii_case(word))
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row().spelling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_verbs() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.verb as usize, index, "{}", row.spelling);
            assert_eq!(row.verb.row().spelling, row.spelling);
        }
    }

    #[test]
    fn every_spelling_is_one_verb_alone_in_any_case() {
        let mut seen = std::collections::HashSet::new();
        for row in TABLE {
            for spelling in std::iter::once(&row.spelling).chain(row.aliases) {
                assert!(seen.insert(*spelling), "{spelling} twice");
                assert_eq!(*spelling, spelling.to_ascii_uppercase());
                assert_eq!(Verb::parse(spelling.as_bytes()), Some(row.verb));
                assert_eq!(Verb::parse(spelling.to_lowercase().as_bytes()), Some(row.verb));
                assert!(!Verb::is_unimplemented(spelling.as_bytes()), "{spelling} is both");
            }
        }
    }

    #[test]
    fn rows_are_complete() {
        for row in TABLE {
            assert!(row.help.ends_with('.') && row.help.len() < 60, "{}", row.spelling);
            assert!(!row.rfc.is_empty());
            let stands_alone = matches!(row.argument, ArgumentRule::None | ArgumentRule::Ignored);
            assert_eq!(row.syntax.is_empty(), stands_alone);
        }
    }

    #[test]
    fn words_of_other_rfcs_are_told_from_nonsense() {
        assert!(Verb::is_unimplemented(b"smnt"));
        assert!(!Verb::is_unimplemented(b"GET"));
        assert_eq!(Verb::parse(b"RETRX"), None);
        assert_eq!(Verb::parse(b""), None);
    }
}
