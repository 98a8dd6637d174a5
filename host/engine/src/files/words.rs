//! Descriptions of changes.

use hostel_core::{Answer, DirEntry, Fact, FileMetadata, Refusal, Trace};

/// The difference between the answer that a guest got and the answer that it would get now.
pub(super) fn difference(trace: &Trace, fact: &Fact, now: &Answer) -> String {
    let path = trace.path_of(fact);
    match (&fact.answer, now) {
        (Answer::Refused(Refusal::NoEntry), _) => format!("`{path}` exists now"),
        (_, Answer::Refused(Refusal::NoEntry)) => format!("`{path}` is gone"),
        (Answer::Refused(_), _) => format!("`{path}` can be read now"),
        (_, Answer::Refused(_)) => format!("`{path}` can no longer be read"),
        (Answer::Entries { entries: before, .. }, Answer::Entries { entries: after, .. }) => {
            entries(&path, before, after)
        }
        (Answer::Metadata(before), Answer::Metadata(after)) => metadata(&path, before, after),
        (Answer::Content { .. }, _) => other_content(trace, fact),
        (Answer::Link(_), _) => format!("`{path}` points elsewhere"),
        (Answer::Hash { .. } | Answer::Same(_), _) => format!("`{path}` is a different file"),
        (Answer::Opened(_) | Answer::Entries { .. } | Answer::Metadata(_), _) => {
            format!("`{path}` is something else now")
        }
    }
}

/// The message for changed content of a file.
pub(super) fn other_content(trace: &Trace, fact: &Fact) -> String {
    format!("`{}` has different content", trace.path_of(fact))
}

fn metadata(path: &str, before: &FileMetadata, after: &FileMetadata) -> String {
    if before.kind != after.kind {
        format!("`{path}` is something else now")
    } else if before.size != after.size {
        format!("`{path}` has different content")
    } else if before.modified != after.modified {
        format!("`{path}` was written to")
    } else {
        format!("`{path}` has different metadata")
    }
}

fn entries(dir: &str, before: &[DirEntry], after: &[DirEntry]) -> String {
    let path =
        |entry: &DirEntry| if dir == "." { entry.name.to_string() } else { format!("{dir}/{}", entry.name) };
    let is_among =
        |entry: &DirEntry, entries: &[DirEntry]| entries.iter().any(|other| other.name == entry.name);
    if let Some(new) = after.iter().find(|entry| !is_among(entry, before)) {
        return format!("`{}` exists now", path(new));
    }
    if let Some(gone) = before.iter().find(|entry| !is_among(entry, after)) {
        return format!("`{}` is gone", path(gone));
    }
    let other = before.iter().zip(after).find(|(one, other)| one != other);
    other.map_or_else(
        || format!("`{dir}` has different entries"),
        |(entry, _)| format!("`{}` is something else now", path(entry)),
    )
}
