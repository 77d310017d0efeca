//! Removes passwords from lines before they are added to the history.
//!
//! A line that may contain a password is kept without it, or not at all.

use super::commands::Row;
use super::lexer;

/// Returns a command without its secrets; `None` if it must not be kept.
fn without_secrets(line: &[u8]) -> Option<Vec<u8>> {
    let Ok(typed) = lexer::words(line) else {
        // The command cannot be split into words, so the position of a password is unknown.
        return (!mentions_secret(line)).then(|| line.to_vec());
    };
    let (command, operands) = typed.split_first()?;
    // A mistyped command is kept, so that the user can correct it.
    let row = Row::find(command).ok().or_else(|| Row::nearest(command));
    if operands.iter().any(|word| is_url_with_login(word)) {
        return None;
    }
    let Some(row) = row else { return (!mentions_secret(line)).then(|| line.to_vec()) };
    if let Some(secret) = row.first_secret().filter(|secret| operands.len() > *secret) {
        let kept = operands[..secret].iter().map(|word| lexer::quoted(word, lexer::Quotes::None));
        let words: Vec<Vec<u8>> = [row.name().into()].into_iter().chain(kept).collect();
        return Some(words.join(&b' '));
    }
    // lftp's `open -u NAME,PASSWORD HOST`.
    let has_comma = operands.iter().any(|word| word.contains(&b','));
    let may_hold = row.may_hold_secret() && mentions_secret(line)
        || row.has_secret_option() && operands.len() > 1 && has_comma;
    (!may_hold).then(|| line.to_vec())
}

fn is_url_with_login(word: &[u8]) -> bool {
    let text = String::from_utf8_lossy(word);
    text.split_once("://").is_some_and(|(_, rest)| {
        rest.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'))
    })
}

/// Returns true if the line may contain a password: after a command of the shell or of the server (`PASS`,
/// `ACCT`, `SITE PSWD`), or in a URL.
fn mentions_secret(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line).to_lowercase();
    let of_servers = ["pass", "acc", "pw", "ps", "usr", "://"].into_iter();
    Row::names_before_secrets().chain(of_servers).any(|word| line.contains(word))
}

/// Returns the commands of a typed line without their secrets. After a command with a secret the rest of
/// the line is dropped, because a `;` in the password would have split it.
pub(super) fn joined(commands: &[Vec<u8>]) -> Option<Vec<u8>> {
    let commands = commands.iter().filter(|command| !command.trim_ascii().is_empty());
    let mut all = Vec::new();
    for command in commands {
        let kept = without_secrets(command)?;
        let is_whole = kept == *command;
        all.push(kept);
        if !is_whole {
            break;
        }
    }
    (!all.is_empty()).then(|| all.join(&b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(line: &str) -> Option<String> {
        without_secrets(line.as_bytes()).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn no_password_is_kept() {
        assert_eq!(kept("get a b"), Some("get a b".into()));
        assert_eq!(kept("user me"), Some("user me".into()));
        assert_eq!(kept(" USER \"m e\" secret"), Some("user m\\ e".into()));
        assert_eq!(kept("use me secret account"), Some("user me".into()));
        assert_eq!(kept("usre me secret"), Some("user me".into()));
        assert_eq!(kept("acount secret"), Some("account".into()));
        for line in [
            "site psw secret",
            "quote pass secret",
            "quote PASS secret",
            "quote acct secret",
            "quote site pswd old secret",
            "open ftp://me:secret@host/",
            "get ftp://me:secret@host/a",
            "open -u me,secret host",
            "user me \"secret",
        ] {
            assert_eq!(kept(line), None, "{line}");
        }
        assert_eq!(kept("open ftp://me@host/"), Some("open ftp://me@host/".into()));
    }

    #[test]
    fn no_password_is_kept_from_a_line_of_several_commands() {
        let kept = |line: &str| {
            let kept = joined(&lexer::commands(line.as_bytes()));
            kept.map(|line| String::from_utf8(line).unwrap())
        };
        assert_eq!(kept("cd a; ls;"), Some("cd a; ls".into()));
        assert_eq!(kept("pwd;user me secret; ls"), Some("pwd;user me".into()));
        assert_eq!(kept("user me sec;ret"), Some("user me".into()));
        assert_eq!(kept("ls; quote pass secret"), None);
        assert_eq!(kept(" ; "), None);
    }

    #[test]
    fn no_command_keeps_or_shows_a_password() {
        const SECRET: &str = "hunter2";
        for name in Row::names_of_all() {
            let row = Row::find(name.as_bytes()).unwrap();
            let mut lines = Vec::new();
            if let Some(at) = row.first_secret() {
                lines.push(format!("{name} {}{SECRET}", "me ".repeat(at)));
            }
            if row.may_hold_secret() {
                lines.push(format!("{name} pass {SECRET}"));
                lines.push(format!("{name} {SECRET} pass"));
            }
            if row.has_secret_option() {
                lines.push(format!("{name} -u me,{SECRET} host"));
                lines.push(format!("{name} -ume,{SECRET} host"));
            }
            for line in lines {
                assert!(kept(&line).is_none_or(|kept| !kept.contains(SECRET)), "{line}");
                let words = lexer::words(line.as_bytes()).unwrap();
                let call = row.call(&words[1..]).unwrap();
                let shown = call.shown_operand().unwrap_or_default();
                assert!(!String::from_utf8_lossy(shown).contains(SECRET), "{line}");
            }
        }
    }
}
