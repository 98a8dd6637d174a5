//! Names of queues.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use crate::ErrorKind;
use crate::value::excerpt;

/// The name of a queue: runs of one queue are claimed in one order, by the workers that serve it. 1 to 64 characters of
/// `a`–`z`, `0`–`9`, `.`, `_` and `-`, the first of which is a letter or a digit. Names that begin with `hostel.` are the
/// host's own: see [`QueueName::is_reserved`]. Cheap to clone.
///
/// ```
/// # use hostel_core::QueueName;
/// assert_eq!("mail.eu-1".parse::<QueueName>()?.as_str(), "mail.eu-1");
/// assert_eq!(QueueName::default().as_str(), "default");
/// # Ok::<(), hostel_core::QueueNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

/// A text that cannot be the name of a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid queue name {text:?}: expected 1 to {} characters a-z, 0-9, `.`, `_` and `-`, the first a letter or a digit",
    QueueName::MAX_LENGTH
)]
pub struct QueueNameError {
    text: String,
}

static DEFAULT: LazyLock<QueueName> = LazyLock::new(|| QueueName(Arc::from("default")));

impl QueueName {
    /// The most characters of a name.
    pub const MAX_LENGTH: usize = 64;

    /// A queue of this name.
    ///
    /// # Errors
    ///
    /// [`QueueNameError`] for a text that is no name.
    pub fn new(text: &str) -> Result<Self, QueueNameError> {
        let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= Self::MAX_LENGTH
            && text.as_bytes().first().is_some_and(is_first)
            && text.bytes().all(|byte| is_first(&byte) || b"._-".contains(&byte));
        if fits { Ok(Self(text.into())) } else { Err(QueueNameError { text: excerpt(text) }) }
    }

    /// Whether the name is one of the host's own, such as `hostel.run`, in which the history of a journal lists runs that no
    /// worker executed. No run can be submitted to such a queue.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("hostel.")
    }

    /// The queue of the history of runs that the program which submitted them executed, such as `hostel run`.
    pub const PROGRAMS: &'static str = "hostel.run";

    /// The queue of the history of maps.
    pub const MAPS: &'static str = "hostel.map";

    /// Whether the queue is one of a history, whose runs no worker executes.
    pub fn is_of_history(&self) -> bool {
        [Self::PROGRAMS, Self::MAPS].contains(&self.as_str())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for QueueName {
    /// The queue `default`.
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl FromStr for QueueName {
    type Err = QueueNameError;

    fn from_str(text: &str) -> Result<Self, QueueNameError> {
        Self::new(text)
    }
}

impl Borrow<str> for QueueName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl QueueNameError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for text in ["a", "0", "default", "mail.eu-1_x", &"a".repeat(64)] {
            assert_eq!(QueueName::new(text).unwrap().to_string(), text);
        }
        for text in ["", "A", "-a", ".a", "_a", "a b", "ä", "a/b", &"a".repeat(65)] {
            let error = text.parse::<QueueName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
        assert!(QueueName::new("hostel.run").unwrap().is_reserved());
        assert!(
            ["hostel", "hostels.a", "a.hostel.b"]
                .iter()
                .all(|name| !QueueName::new(name).unwrap().is_reserved())
        );
        let error = QueueName::new("Mail").unwrap_err().to_string();
        let expected =
            "expected 1 to 64 characters a-z, 0-9, `.`, `_` and `-`, the first a letter or a digit";
        assert_eq!(error, format!("invalid queue name \"Mail\": {expected}"));
    }
}
