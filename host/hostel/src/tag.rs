//! Labels of runs.

use std::sync::Arc;

use crate::error::{MAX_TAG_BYTES, OptionError};

/// A label of a task or run. Limits and searches use it.
pub type Tag = Arc<str>;

/// Tags in alphabetical order, without duplicates.
pub(crate) fn sorted(tags: impl IntoIterator<Item = impl Into<Tag>>) -> Arc<[Tag]> {
    let mut tags: Vec<Tag> = tags.into_iter().map(Into::into).collect();
    tags.sort();
    tags.dedup();
    tags.into()
}

/// Checks a tag as [`Task::tags`](crate::Task::tags) does.
///
/// # Errors
///
/// [`OptionError::Tag`].
pub fn check_tag(tag: &str) -> Result<(), OptionError> {
    let fits = (1..=MAX_TAG_BYTES).contains(&tag.len())
        && tag.trim() == tag
        && !tag.contains(|character: char| character == ',' || character.is_control());
    if fits { Ok(()) } else { Err(OptionError::Tag { tag: tag.to_owned() }) }
}
