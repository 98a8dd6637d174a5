//! Lists of names in messages.

/// The maximum number of names listed in a message.
const MAX_LISTED: usize = 20;

/// The first twenty names of a list, and the number of the others.
///
/// ```
/// # use hostel_core::listed;
/// assert_eq!(listed(&["add", "pow"], " or "), "add or pow");
/// ```
pub fn listed(names: &[impl AsRef<str>], separator: &str) -> String {
    let shown: Vec<_> = names.iter().take(MAX_LISTED).map(AsRef::as_ref).collect();
    let shown = shown.join(separator);
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_somewhere() {
        let names: Vec<_> = (0..25).map(|number| format!("f{number}")).collect();
        assert_eq!(listed(&names[..2], ", "), "f0, f1");
        assert_eq!(listed(&names, ", ").matches(", ").count(), MAX_LISTED - 1);
        assert!(listed(&names, ", ").ends_with("f19 and 5 more"));
    }
}
