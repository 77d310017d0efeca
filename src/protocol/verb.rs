//! The table of verbs.
//!
//! The parser, HELP, FEAT and the tests read the same rows, so a verb cannot be known in one place
//! and missing in another.

/// The rule for the argument of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentRule {
    /// No argument is allowed; the reply to one is 501.
    None,
    /// An argument is ignored, because some clients send one and it does no harm.
    Ignored,
    /// The argument is optional.
    Optional,
    /// The argument is required; the reply without it is 501.
    Required,
}

/// A row of the table of verbs.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The verb.
    pub verb: Verb,
    /// The verb in upper case.
    pub spelling: &'static str,
    /// Other spellings of the verb: the X forms of RFC 775, which RFC 1123 section 4.1.3.1 asks
    /// servers to accept.
    pub aliases: &'static [&'static str],
    /// The rule for the argument.
    pub argument: ArgumentRule,
    /// The argument as HELP shows it.
    pub syntax: &'static str,
    /// The purpose of the verb, in one line.
    pub help: &'static str,
    /// The specification of the verb.
    pub rfc: &'static str,
    /// The line of the verb in the reply to FEAT, without parts that depend on the server or the
    /// session. Empty for verbs of RFC 959 (RFC 2389 section 3).
    pub feature: &'static str,
}

macro_rules! verbs {
    ($($verb:ident $spelling:literal $aliases:expr, $rule:ident $syntax:literal, $help:literal, $rfc:literal, $feature:literal;)*) => {
        /// The first word of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // each variant is documented by its row
        pub enum Verb { $($verb,)* }

        /// All verbs that this crate implements, in the order of [`Verb`].
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
    Acct "ACCT" [], Required "account", "Log in: the account, which no login here needs.", "RFC 959 4.1.1", "";
    Rein "REIN" [], None "", "Log out and begin again.", "RFC 959 4.1.1", "";
    Quit "QUIT" [], Ignored "", "Log out and close the connection.", "RFC 959 4.1.1", "";
    Cwd "CWD" ["XCWD"], Required "directory", "Change the working directory.", "RFC 959 4.1.1", "";
    Cdup "CDUP" ["XCUP"], None "", "Change to the parent directory.", "RFC 959 4.1.1", "";
    Port "PORT" [], Required "h1,h2,h3,h4,p1,p2", "Active mode: the address to connect to.", "RFC 959 4.1.2", "";
    Eprt "EPRT" [], Required "|1|address|port|", "Active mode for IPv4 (1) and IPv6 (2).", "RFC 2428 2", "EPRT";
    Pasv "PASV" [], None "", "Passive mode: ask for a port to connect to.", "RFC 959 4.1.2", "";
    Epsv "EPSV" [], Optional "[1|2|ALL]", "Passive mode for IPv4 and IPv6.", "RFC 2428 3", "EPSV";
    Type "TYPE" [], Required "A|I|L 8", "Set the representation: text (A) or binary (I, L 8).", "RFC 959 4.1.2", "";
    Mode "MODE" [], Required "S", "Set the transfer mode; only stream (S).", "RFC 959 4.1.2", "";
    Stru "STRU" [], Required "F", "Set the file structure; only file (F).", "RFC 959 4.1.2", "";
    Retr "RETR" [], Required "file", "Send a file to the client.", "RFC 959 4.1.3", "";
    Stor "STOR" [], Required "file", "Store a file, replacing an existing one.", "RFC 959 4.1.3", "";
    Stou "STOU" [], Optional "[prefix]", "Store a file under a new name.", "RFC 959 4.1.3", "";
    Appe "APPE" [], Required "file", "Append to a file, or store a new one.", "RFC 959 4.1.3", "";
    Allo "ALLO" [], Required "bytes", "Check for free space before an upload.", "RFC 959 4.1.3", "";
    Rest "REST" [], Required "offset", "Set the start offset of the next transfer.", "RFC 3659 5", "REST STREAM";
    Rnfr "RNFR" [], Required "name", "Rename: the old name.", "RFC 959 4.1.3", "";
    Rnto "RNTO" [], Required "name", "Rename: the new name.", "RFC 959 4.1.3", "";
    Abor "ABOR" [], None "", "Abort the transfer.", "RFC 959 4.1.3", "";
    Dele "DELE" [], Required "file", "Delete a file.", "RFC 959 4.1.3", "";
    Rmd "RMD" ["XRMD"], Required "directory", "Remove an empty directory.", "RFC 959 4.1.3", "";
    Mkd "MKD" ["XMKD"], Required "directory", "Make a directory.", "RFC 959 4.1.3", "";
    Pwd "PWD" ["XPWD"], None "", "Print the working directory.", "RFC 959 4.1.3", "";
    List "LIST" [], Optional "[-options] [path]", "List a directory for people.", "RFC 959 4.1.3", "";
    Nlst "NLST" [], Optional "[path]", "List names only.", "RFC 959 4.1.3", "";
    Mlsd "MLSD" [], Optional "[directory]", "List a directory for programs.", "RFC 3659 7", "";
    Mlst "MLST" [], Optional "[path]", "Show the facts of a file or directory.", "RFC 3659 7", "MLST";
    Size "SIZE" [], Required "file", "Show the size of a file in bytes.", "RFC 3659 4", "SIZE";
    Mdtm "MDTM" [], Required "file", "Show the modification time of a file.", "RFC 3659 3", "MDTM";
    Mfmt "MFMT" [], Required "time file", "Set the modification time of a file.", "draft-somers-ftp-mfxx-04 5", "MFMT";
    Stat "STAT" [], Optional "[path]", "Status of the session, or a listing.", "RFC 959 4.1.3", "";
    Syst "SYST" [], None "", "Show the type of the operating system.", "RFC 959 4.1.3", "";
    Help "HELP" [], Optional "[verb]", "List the verbs, or explain one.", "RFC 959 4.1.3", "";
    Noop "NOOP" [], Ignored "", "Do nothing.", "RFC 959 4.1.3", "";
    Feat "FEAT" [], None "", "List the extensions.", "RFC 2389 3", "";
    Opts "OPTS" [], Required "UTF8 ON|MLST facts", "Set an option of an extension.", "RFC 2389 4", "";
    Site "SITE" [], Required "command", "Commands of this server; see SITE HELP.", "RFC 959 4.1.3", "";
    Host "HOST" [], Required "name", "Name the virtual host; all hosts share one tree.", "RFC 7151 3", "HOST";
    Hash "HASH" [], Required "file", "Show the digest of a file, or of its range after RANG.", "draft-bryan-ftpext-hash-02 3", "HASH";
    Xcrc "XCRC" [], Required "file [start end]", "Show the CRC-32 of a file.", "no RFC; as in Serv-U", "XCRC";
    Xmd5 "XMD5" [], Required "file [start end]", "Show the MD5 of a file.", "no RFC; as in Serv-U", "XMD5";
    Xsha1 "XSHA1" ["XSHA"], Required "file [start end]", "Show the SHA-1 of a file.", "no RFC; as in Serv-U", "XSHA1";
    Xsha256 "XSHA256" [], Required "file [start end]", "Show the SHA-256 of a file.", "no RFC; as in Serv-U", "XSHA256";
    Xsha512 "XSHA512" [], Required "file [start end]", "Show the SHA-512 of a file.", "no RFC; as in Serv-U", "XSHA512";
    Rang "RANG" [], Required "first last", "Set the byte range of the next RETR or HASH.", "draft-bryan-ftp-range-08 3", "RANG STREAM";
    Mff "MFF" [], Required "fact=value; file", "Set facts of a file.", "draft-somers-ftp-mfxx-04 6", "MFF";
    Mfct "MFCT" [], Required "time file", "Set the creation time of a file.", "draft-somers-ftp-mfxx-04 4", "MFCT";
    Avbl "AVBL" [], Optional "[directory]", "Show the space for uploads in bytes.", "draft-peterson-streamlined-ftp-command-extensions-10 4", "AVBL";
    Dsiz "DSIZ" [], Optional "[directory]", "Show the size of all files in a directory.", "draft-peterson-streamlined-ftp-command-extensions-10 6", "DSIZ";
    Rmda "RMDA" [], Required "directory", "Remove a directory with its contents.", "draft-peterson-streamlined-ftp-command-extensions-10 8", "RMDA";
    Csid "CSID" [], Optional "[facts]", "Exchange names and versions of client and server.", "draft-peterson-streamlined-ftp-command-extensions-10 5", "CSID";
    Clnt "CLNT" [], Required "name", "Announce the name of the client.", "no RFC; as in Serv-U", "CLNT";
    Lang "LANG" [], Optional "[tag]", "Set the language of the replies; only English.", "RFC 2640 4", "LANG EN*";
    Auth "AUTH" [], Required "TLS", "Encrypt the control connection with TLS.", "RFC 4217 4", "AUTH TLS;SSL";
    Pbsz "PBSZ" [], Required "0", "Set the protection buffer size; always 0 with TLS.", "RFC 4217 8", "PBSZ";
    Prot "PROT" [], Required "P|C", "Encrypt data connections (P) or not (C).", "RFC 4217 9", "PROT";
    Ccc "CCC" [], None "", "Stop encrypting the control connection.", "RFC 4217 6", "CCC";
}

/// Verbs that an RFC defines and this crate does not implement. The reply to them is 502; the
/// reply to undefined words is 500 (RFC 959 section 4.2.2).
const UNIMPLEMENTED: &[&str] =
    &["ADAT", "CONF", "ENC", "LPRT", "LPSV", "MIC", "SMNT", "XRCP", "XRSQ", "XSEM", "XSEN"];

impl Verb {
    /// Returns the verb with this spelling, in upper or lower case.
    pub fn parse(word: &[u8]) -> Option<Verb> {
        TABLE.iter().find(|row| row.is_spelled(word)).map(|row| row.verb)
    }

    /// Returns whether an RFC defines this word but this crate does not implement it.
    pub fn is_unimplemented(word: &[u8]) -> bool {
        UNIMPLEMENTED.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Returns whether the verb begins a transfer over a data connection.
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

    /// Returns the row of this verb.
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
    fn rows_are_in_the_order_of_the_verbs() {
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
    fn verbs_of_other_rfcs_are_distinguished_from_unknown_words() {
        assert!(Verb::is_unimplemented(b"smnt"));
        assert!(!Verb::is_unimplemented(b"GET"));
        assert_eq!(Verb::parse(b"RETRX"), None);
        assert_eq!(Verb::parse(b""), None);
    }
}
