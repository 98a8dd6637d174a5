//! Denials: how many requests of a guest were denied, and remarks in the log on how to allow them.

use std::collections::HashSet;
use std::mem;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{GrantKind, is_deceptive};

use crate::log::{LogBook, cut};

/// The maximum number of different remarks of one attempt: a guest could try every address there is.
const MAX_REMARKS: usize = 20;

/// The denials of one attempt, for code without access to its notes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DenialBook {
    log: Arc<LogBook>,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    remarks: HashSet<String>,
    /// The denials that the attempt's notes have not counted yet.
    uncounted: Vec<GrantKind>,
}

impl DenialBook {
    pub(crate) fn new(log: &Arc<LogBook>) -> Self {
        Self { log: Arc::clone(log), pages: Arc::default() }
    }

    /// Records a denial, which is counted when the guest settles.
    pub(crate) fn note(&self, kind: GrantKind, remark: String) {
        self.pages().uncounted.push(kind);
        self.remark(remark);
    }

    /// Adds a remark to the log, unless the log has it already or has too many.
    pub(crate) fn remark(&self, remark: String) {
        let mut pages = self.pages();
        let is_new = pages.remarks.len() < MAX_REMARKS && pages.remarks.insert(remark.clone());
        drop(pages);
        if is_new {
            self.log.remark(remark);
        }
    }

    /// The denials since the last call.
    pub(crate) fn take_uncounted(&self) -> Vec<GrantKind> {
        mem::take(&mut self.pages().uncounted)
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A remark: the denied request, and the option that allows it, if there is one.
pub(crate) fn denial(denied: String, option: Option<String>) -> String {
    match option {
        Some(option) => format!("{denied} (allow it with {option})"),
        None => denied,
    }
}

/// An option with a grant, to be copied into a shell. Text of the guest never becomes more than this one grant.
///
/// `None` for text that is not such a grant, or is not safe to show because it looks like an option or spans lines.
pub(crate) fn option<G: FromStr>(name: &str, grant: &str) -> Option<String> {
    let is_safe = !grant.starts_with('-') && !grant.contains(is_deceptive) && grant.parse::<G>().is_ok();
    is_safe.then(|| format!("{name} {}", quoted(grant)))
}

/// A text, quoted as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A text of the guest for a remark, which puts it between backticks: its first bytes, on one line, without backticks.
pub(crate) fn shown(text: &str, bytes: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(bytes));
    for character in cut(text.to_owned(), bytes).chars() {
        match character {
            '`' => shown.push('\''),
            character if is_deceptive(character) => shown.extend(character.escape_default()),
            character => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use hostel_core::{DirGrant, HttpGrant, LookupGrant, NetGrant};

    use super::*;

    #[test]
    fn an_option_is_one_word_of_a_shell_and_one_grant() {
        fn check<G: FromStr>(grant: &str, expected: Option<&str>) {
            let expected = expected.map(|word| format!("--x {word}"));
            assert_eq!(option::<G>("--x", grant), expected, "{grant}");
        }
        check::<LookupGrant>("db.example.org", Some("db.example.org"));
        for name in ["", "x --dir /:rw", "x;id", "x`id`", "$(id)", "x\ny", "-x", "--dir"] {
            check::<LookupGrant>(name, None);
        }
        check::<HttpGrant>("POST example.org", Some("'POST example.org'"));
        check::<HttpGrant>("[::1]:8080", Some("'[::1]:8080'"));
        check::<HttpGrant>("example.org:*", Some("'example.org:*'"));
        check::<NetGrant>("tcp://127.0.0.1:9", Some("tcp://127.0.0.1:9"));
        check::<NetGrant>("tcp://[fe80::1%2]:9", None);
        check::<DirGrant>("notes::/notes:rw", Some("notes::/notes:rw"));
        check::<DirGrant>("sp ace:rw", Some("'sp ace:rw'"));
        check::<DirGrant>("~/$HOME:rw", Some("'~/$HOME:rw'"));
        check::<DirGrant>("it's:rw", Some(r"'it'\''s:rw'"));
        check::<DirGrant>("-rf:rw", None);
        check::<DirGrant>("a\nb:rw", None);
        check::<DirGrant>("a\u{202e}b:rw", None);
    }

    #[test]
    fn what_a_guest_says_stays_between_its_backticks_and_on_its_line() {
        assert_eq!(shown("db.example.org", 256), "db.example.org");
        assert_eq!(shown("x` was granted\n\u{1b}[2J\u{9b}", 256), r"x' was granted\n\u{1b}[2J\u{9b}");
        assert_eq!(shown("txt.\u{202e}exe\u{200b}", 256), r"txt.\u{202e}exe\u{200b}");
        assert_eq!(shown("bücher", 2), "b…");
    }

    #[test]
    fn each_remark_is_left_once_and_only_so_many_are() {
        let log = Arc::new(LogBook::new(1 << 20, None));
        let book = DenialBook::new(&log);
        for number in [1, 2, 1, 2] {
            book.note(GrantKind::Net, format!("{number} was denied"));
        }
        let texts: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["1 was denied", "2 was denied"]);
        assert_eq!((book.take_uncounted().len(), book.take_uncounted().len()), (4, 0));
        (0..100).for_each(|number| book.remark(number.to_string()));
        assert_eq!(log.lines().len(), MAX_REMARKS);
    }
}
