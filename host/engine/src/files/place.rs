//! A guest's references to files in granted directories, and the properties of its paths.

use std::path::{Component, Path};

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, PathFlags};

use super::ask::Fd;

/// The maximum length of a path, as on Linux; longer ones are refused on every system.
const PATH_BYTES: usize = 4096;

/// A guest's reference: an open file or directory, or a path from there.
pub(super) struct Place<'a> {
    fd: &'a Fd,
    path: &'a str,
    follow: PathFlags,
}

impl<'a> Place<'a> {
    /// The target of a path; a link at its end is not followed.
    pub(super) fn at(fd: &'a Fd, path: &'a str) -> Self {
        Self { fd, path, follow: PathFlags::empty() }
    }

    /// Sets whether a link at the end is followed.
    pub(super) fn following(self, follow: PathFlags) -> Self {
        Self { follow, ..self }
    }

    /// The open file or directory itself.
    pub(super) fn of(fd: &'a Fd) -> Self {
        Self::at(fd, ".")
    }

    pub(super) const fn fd(&self) -> &'a Fd {
        self.fd
    }

    pub(super) const fn path(&self) -> &'a str {
        self.path
    }

    pub(super) const fn follow(&self) -> PathFlags {
        self.follow
    }
}

pub(super) fn check_length(path: &str) -> Result<(), ErrorCode> {
    if path.len() < PATH_BYTES { Ok(()) } else { Err(ErrorCode::NameTooLong) }
}

/// Whether a link at `link` with this target leads outside the directory in which `link` begins, judging by the two
/// texts.
pub(super) fn leads_out(link: &str, path: &str) -> bool {
    let above = Path::new(link).parent().unwrap_or_else(|| Path::new(""));
    let mut depth = 0_usize;
    above.components().chain(Path::new(path).components()).any(|component| match component {
        Component::Normal(_) => {
            depth += 1;
            false
        }
        Component::CurDir => false,
        Component::ParentDir => depth.checked_sub(1).is_none_or(|up| {
            depth = up;
            false
        }),
        Component::RootDir | Component::Prefix(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_out_where_it_climbs_higher_than_it_began() {
        let check = |link: &str, path: &str, expected: bool| {
            assert_eq!(leads_out(link, path), expected, "{link} {path}");
        };
        for path in ["..", "../x", "a/../../x", "/", "/etc/passwd", "./.."] {
            check("", path, true);
            check("link", path, true);
        }
        for path in ["", ".", "x", "a/..", "a/../b", "..."] {
            check("", path, false);
            check("link", path, false);
        }
        check("sub/link", "../x", false);
        check("sub/link", "../../x", true);
        check("sub/../link", "../x", true);
        check("sub/link", "/sub", true);
    }
}
