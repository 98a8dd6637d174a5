//! Names of hosts, and patterns of them.

use std::fmt::{self, Display};

/// The maximum length of a name in the name system, and of a part of one (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// An error in a text.
pub(super) type Problem = String;

/// One name, or all below a domain; in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum NamePattern {
    Name(Box<str>),
    /// All names that end with a dot and this domain.
    Below(Box<str>),
}

impl NamePattern {
    pub(super) fn allows(&self, name: &str) -> bool {
        match self {
            Self::Name(only) => name.eq_ignore_ascii_case(only),
            Self::Below(domain) => {
                if name.len() > NAME_BYTES {
                    return false;
                }
                let name = name.to_ascii_lowercase();
                let below = name.strip_suffix(&**domain).and_then(|rest| rest.strip_suffix('.'));
                below.is_some_and(|labels| check_name(labels).is_ok())
            }
        }
    }

    /// Whether it allows every name that the other allows.
    pub(super) fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(_), Self::Below(_)) => false,
            (Self::Below(domain), Self::Below(below)) => domain == below || self.allows(below),
            (Self::Name(_) | Self::Below(_), Self::Name(name)) => self.allows(name),
        }
    }
}

impl Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// Parses a name, or `*.` and a domain, which must not be an address.
pub(super) fn parse_pattern(text: &str) -> Result<NamePattern, Problem> {
    let (domain, is_below) = match text.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (text, false),
    };
    if domain.contains('*') {
        return Err("a `*` must be followed by a dot and a domain, as in *.example.org".to_owned());
    }
    check_name(domain)?;
    if ends_in_number(domain) {
        return Err(format!("`{text}` is an address, not a name"));
    }
    let name = domain.to_ascii_lowercase().into();
    Ok(if is_below { NamePattern::Below(name) } else { NamePattern::Name(name) })
}

/// Whether resolvers treat it as an address, even an invalid one (URL Standard, section 3.5).
pub(super) fn ends_in_number(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(is_number)
}

fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if !name.is_ascii() {
        return Err("a name with non-ASCII letters must be in its ASCII form, beginning with xn--".to_owned());
    }
    let is_part_of_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if let Some(wrong) = name.bytes().find(|byte| !is_part_of_label(*byte) && *byte != b'.') {
        return Err(format!("a host cannot contain {:?}", char::from(wrong)));
    }
    let is_label = |label: &str| !label.is_empty() && label.len() <= LABEL_BYTES;
    if name.len() > NAME_BYTES || !name.split('.').all(is_label) {
        return Err(format!(
            "a name has at most {NAME_BYTES} characters, and 1 to {LABEL_BYTES} between two dots"
        ));
    }
    Ok(())
}

fn is_number(label: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all_digits = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    all_digits || label.strip_prefix("0x").or(label.strip_prefix("0X")).is_some_and(is_hex)
}
