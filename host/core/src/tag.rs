//! Tags: labels by which runs are limited and found.

use std::ops::Deref;
use std::sync::Arc;

use crate::ErrorKind;

/// A label of a task or run. Limits and searches use it.
pub type Tag = Arc<str>;

/// The most tags of a run, those of its task's options among them.
pub const MAX_TAGS: usize = 64;

/// The maximum length of a tag, in bytes.
const MAX_TAG_BYTES: usize = 100;

/// Tags in alphabetical order, without duplicates. Cheap to clone.
///
/// ```
/// # use hostel_core::Tags;
/// let tags = Tags::from_iter(["db", "api", "db"]);
/// assert_eq!(tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["api", "db"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Arc<[Tag]>);

/// A text is not a tag, or there are too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TagError {
    problem: String,
}

impl TagError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Checks that a text can be a tag: 1 to 100 bytes, no commas, no control characters, no blanks at the ends.
///
/// # Errors
///
/// [`TagError`] if it cannot.
pub fn check_tag(tag: &str) -> Result<(), TagError> {
    let fits = (1..=MAX_TAG_BYTES).contains(&tag.len())
        && tag.trim() == tag
        && !tag.contains(|character: char| character == ',' || character.is_control());
    let problem = || {
        format!(
            "invalid tag {tag:?}: expected 1 to {MAX_TAG_BYTES} bytes without commas, control characters, or leading or trailing blanks"
        )
    };
    if fits { Ok(()) } else { Err(TagError { problem: problem() }) }
}

/// Checks that these can be the tags of a run: at most [`MAX_TAGS`], each as [`check_tag`] wants it.
///
/// # Errors
///
/// [`TagError`] if they cannot.
pub fn check_tags(tags: &Tags) -> Result<(), TagError> {
    if tags.len() > MAX_TAGS {
        let problem = format!("{} tags: expected at most {MAX_TAGS}, with those of the task", tags.len());
        return Err(TagError { problem });
    }
    tags.iter().try_for_each(|tag| check_tag(tag))
}

impl Tags {
    /// The most tags of a task whose options are read from text.
    pub const MAX: usize = 256;

    /// These tags and more.
    #[must_use]
    pub fn with<T: Into<Tag>>(&self, more: impl IntoIterator<Item = T>) -> Self {
        self.iter().cloned().chain(more.into_iter().map(Into::into)).collect()
    }
}

impl<T: Into<Tag>> FromIterator<T> for Tags {
    /// Sorts the tags and removes repetitions. Does not check them: [`check_tag`] does.
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        let mut tags: Vec<Tag> = tags.into_iter().map(Into::into).collect();
        tags.sort();
        tags.dedup();
        Self(tags.into())
    }
}

impl Deref for Tags {
    type Target = [Tag];

    fn deref(&self) -> &[Tag] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_sorted_and_each_is_there_once() {
        let tags = Tags::from_iter(["b", "a", "b"]).with(["a", "c"]);
        assert_eq!(tags, ["c", "b", "a"].into_iter().collect());
        assert_eq!(tags.len(), 3);
        assert!(Tags::default().is_empty());
    }

    #[test]
    fn a_run_has_a_bounded_number_of_tags() {
        let tags = |count: usize| (0..count).map(|number| number.to_string()).collect::<Tags>();
        assert_eq!(check_tags(&tags(MAX_TAGS)), Ok(()));
        let error = check_tags(&tags(MAX_TAGS + 1)).unwrap_err();
        assert_eq!(error.to_string(), "65 tags: expected at most 64, with those of the task");
        assert!(check_tags(&Tags::from_iter(["a,b"])).is_err());
    }

    #[test]
    fn a_tag_is_short_and_without_commas() {
        for tag in ["a", "a b", "ä=1", &"x".repeat(MAX_TAG_BYTES)] {
            assert_eq!(check_tag(tag), Ok(()), "{tag}");
        }
        for tag in ["", " a", "a ", "a,b", "a\nb", &"x".repeat(MAX_TAG_BYTES + 1)] {
            let error = check_tag(tag).unwrap_err().to_string();
            let expected =
                "expected 1 to 100 bytes without commas, control characters, or leading or trailing blanks";
            assert_eq!(error, format!("invalid tag {tag:?}: {expected}"));
        }
    }
}
