//! The name of the configuration file. No guest may write to a file of that name, because it can contain grants.

use std::path::{Path, PathBuf};

use hostel_core::CONFIG_FILE_NAME;
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
/// NTFS, FAT), to invisible characters (HFS+, ext4) and to dots and blanks at the end (FAT, NTFS), and without the name
/// of a stream (NTFS). This folds more than any single one of them.
fn folded(name: &str) -> String {
    let name = name.split(':').next().unwrap_or_default();
    let mut folded = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            // By full case folding (Unicode, CaseFolding.txt) these become letters of ASCII.
            'ſ' => folded.push('s'),
            'ﬅ' | 'ﬆ' => folded.push_str("st"),
            character => folded.extend(ascii(character)),
        }
    }
    folded.truncate(folded.trim_end_matches(['.', ' ']).len());
    folded
}

/// The character of ASCII that a character is equivalent to (Unicode, NFKC; ZFS with `normalization=formKC`), if there is one.
fn ascii(character: char) -> Option<char> {
    let ascii = match character {
        // Fullwidth forms.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0)?,
        // Circled letters, and those of mathematics in their thirteen styles.
        '\u{24b6}'..='\u{24e9}' => letter(u32::from(character) - 0x24b6)?,
        '\u{1d400}'..='\u{1d6a3}' => letter((u32::from(character) - 0x1d400) % 52)?,
        '\u{2024}' => '.',
        // Letters of other styles, as far as they are in the name.
        'ℋ' | 'ℌ' | 'ℍ' | 'ℎ' | 'ʰ' => 'h',
        'ℴ' | 'º' | 'ᵒ' | 'ₒ' => 'o',
        'ˢ' | 'ₛ' => 's',
        'ᵗ' | 'ₜ' => 't',
        'ℯ' | 'ℰ' | 'ᵉ' | 'ₑ' | 'ⅇ' => 'e',
        'ℒ' | 'ℓ' | 'ˡ' | 'ₗ' | 'Ⅼ' | 'ⅼ' => 'l',
        'ℳ' | 'ᵐ' | 'ₘ' | 'Ⅿ' | 'ⅿ' => 'm',
        _ => character,
    };
    ascii.is_ascii().then(|| ascii.to_ascii_lowercase())
}

/// The letter with this number: capital letters first.
fn letter(number: u32) -> Option<char> {
    char::from_u32(u32::from('A') + number % 26)
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
