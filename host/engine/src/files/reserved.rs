//! The name of the configuration file. No guest may write to a file of that name, because it can contain grants.

use std::path::{Path, PathBuf};

use hostel_core::CONFIG_FILE_NAME;
use icu_normalizer::ComposingNormalizerBorrowed;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor};

use super::ask::{self, Fd};
use super::place::Place;
use super::view::FilesView;

/// The maximum number of consecutive links. Linux follows no more (`MAXSYMLINKS`), nor does cap-std.
const MAX_LINKS: usize = 40;

impl FilesView<'_> {
    /// Refuses a change at the end of links that lead to a configuration file. No guest can make such a link, but the user
    /// may have. A link that cannot be read is refused as well. Another guest can swap directories meanwhile, so what is
    /// opened is checked again by [`check_real_name`](Self::check_real_name).
    pub(super) async fn check_links(&mut self, place: &Place<'_>) -> FsResult<()> {
        let mut path = place.path().to_owned();
        for _ in 0..MAX_LINKS {
            let target = match self.filesystem().readlink_at(ask::same(place.fd()), path.clone()).await {
                Ok(target) => target,
                Err(error) if is_no_link(error.downcast_ref()) => return Ok(()),
                Err(error) => return Err(error),
            };
            if is_reserved(&target) {
                self.deny_reserved(place);
                return Err(ErrorCode::NotPermitted.into());
            }
            path = beside(&path, &target);
        }
        // The system does not follow so many, either.
        Ok(())
    }

    /// Refuses to change an open file that the system knows by the reserved name, however the guest opened it.
    pub(super) fn check_real_name(&mut self, fd: &Fd, place: &Place<'_>) -> FsResult<()> {
        let path = real_path(self.filesystem().table.get(fd)?);
        if path.is_some_and(|path| is_reserved(&path.to_string_lossy())) {
            self.deny_reserved(place);
            return Err(ErrorCode::NotPermitted.into());
        }
        Ok(())
    }
}

/// Whether an error means that there is no link: nothing, something else, or a path that the guest cannot reach anyway.
fn is_no_link(error: Option<&ErrorCode>) -> bool {
    use ErrorCode::{Invalid, NoEntry, NotDirectory, NotPermitted};
    error.is_some_and(|error| [Invalid, NoEntry, NotDirectory, NotPermitted].contains(error))
}

/// The path of an open file, according to the system; `None` if the system does not provide it.
#[cfg(target_os = "linux")]
pub(super) fn real_path(descriptor: &Descriptor) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;

    let number = match descriptor {
        Descriptor::File(file) => file.file.as_raw_fd(),
        Descriptor::Dir(dir) => dir.dir.as_raw_fd(),
    };
    std::fs::read_link(format!("/proc/self/fd/{number}")).ok()
}

/// Known on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn real_path(_: &Descriptor) -> Option<PathBuf> {
    None
}

/// Whether the last part of a path is the name of the configuration file, or another name for it on some file system.
pub(super) fn is_reserved(path: &str) -> bool {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = folded(name);
    name == CONFIG_FILE_NAME || is_short_name(&name)
}

/// A name in the form in which file systems compare names: without regard to case (ext4 and F2FS on request, APFS,
/// NTFS, FAT), to compatible characters (ZFS with `normalization=formKC` or `formKD`), to invisible characters (HFS+, ext4) and to
/// dots and blanks at the end (FAT, NTFS), and without the name of a stream (NTFS). This folds more than any single one of them:
/// what is not ASCII after that is dropped.
fn folded(name: &str) -> String {
    let name = name.split(':').next().unwrap_or_default();
    // NFKC replaces the long s, its ligatures and the sign of Kelvin. Apart from these, no character folds to ASCII letters of the
    // name alone (Unicode, CaseFolding.txt).
    let compatible = ComposingNormalizerBorrowed::new_nfkc().normalize(name);
    let mut folded: String =
        compatible.chars().filter(char::is_ascii).map(|character| character.to_ascii_lowercase()).collect();
    folded.truncate(folded.trim_end_matches(['.', ' ']).len());
    folded
}

/// Whether FAT or NTFS may have made up this short name for the file: `hostel~1.tom`, or `ho1a2b~1.tom` where that is taken.
fn is_short_name(name: &str) -> bool {
    let begins = CONFIG_FILE_NAME.get(..2).is_some_and(|two| name.starts_with(two));
    begins && name.contains('~') && name.ends_with(".tom")
}

/// The path of the target of a link at `path`.
fn beside(path: &str, target: &str) -> String {
    let dir = Path::new(path).parent().unwrap_or_else(|| Path::new(""));
    // Both are UTF-8.
    dir.join(target).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_some_file_system_takes_for_the_same_is_reserved() {
        for path in [
            "hostel.toml",
            "./hostel.toml",
            "a/b/hostel.toml",
            "../hostel.toml",
            "/hostel.toml",
            "hostel.toml/",
            "hostel.toml/.",
            "HOSTEL.TOML",
            "Hostel.Toml",
            "hoſtel.toml",
            "hoﬅel.toml",
            "ｈｏｓｔｅｌ．ｔｏｍｌ",
            "hosteℓ.tomⅼ",
            "hostel․toml",
            "ⓗⓄstel.𝐭𝓸𝕞𝙡",
            "hoﬆel.toml",
            "hostel.toml.",
            "hostel.toml ",
            "hostel.toml. .",
            "hostel.toml::$DATA",
            "hostel.toml:x",
            "hos\u{200d}tel.toml",
            "\u{feff}hostel.toml",
            "hostel.toml\u{fe0f}",
            "hostel.to\u{ad}ml",
            "HOSTEL~1.TOM",
            "HO1A2B~1.TOM",
        ] {
            assert!(is_reserved(path), "{path:?}");
        }
    }

    #[test]
    fn every_character_that_is_equivalent_to_a_part_of_the_name_may_not_replace_it() {
        let decomposed = icu_normalizer::DecomposingNormalizerBorrowed::new_nfkd();
        let mut found = Vec::new();
        for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            // Twice, because a capital may have an equivalent only in its other case, or the other way round.
            let lower: String = character.to_lowercase().collect();
            let upper: String = character.to_uppercase().collect();
            for text in [character.to_string(), lower, upper] {
                let part = decomposed.normalize(&text).to_lowercase();
                if part.is_empty() || !CONFIG_FILE_NAME.contains(&part) || found.contains(&character) {
                    continue;
                }
                found.push(character);
                let name = CONFIG_FILE_NAME.replacen(&part, &character.to_string(), 1);
                assert!(
                    is_reserved(&name),
                    "{name:?}: {:?} is the same as {part:?}",
                    character.escape_unicode()
                );
            }
        }
        for missed_before in
            ['\u{fe52}', '\u{2121}', '\u{3396}', '\u{2095}', '\u{1d31}', '\u{1d40}', '\u{1f143}']
        {
            assert!(found.contains(&missed_before), "{missed_before:?}");
        }
        assert!(found.len() > 250, "{}", found.len());
    }

    #[test]
    fn other_names_are_free() {
        for path in [
            "",
            ".",
            "..",
            "/",
            "hostel",
            "hostel.tom",
            "hostel.toml.bak",
            "hostel-toml",
            "my-hostel.toml",
            " hostel.toml",
            "hostel.toml/x",
            "hostel.toml/..",
            "höstel.toml",
            "hostél.toml",
            "hoste\u{301}l.toml",
            "home.tom",
            "a~1.tom",
        ] {
            assert!(!is_reserved(path), "{path:?}");
        }
    }

    #[test]
    fn a_link_is_read_from_where_it_stands() {
        assert_eq!(beside("link", "x"), "x");
        assert_eq!(beside("sub/link", "../x"), "sub/../x");
        assert_eq!(beside("sub/link", "/x"), "/x");
    }
}
