//! Changes in granted directories: only where a grant permits them, within the limits, and always recorded.

use std::fs::File;
use std::sync::Arc;

use hostel_core::{CONFIG_FILE_NAME, DirAccess, DirGrant, GrantKind, Touch};
use wasmtime_wasi::filesystem::{Descriptor, FsPerms, OpenMode};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

use super::ask::{self, Fd};
use super::output::{At, FileOutput};
use super::place::{Place, check_length, leads_out};
use super::reserved::{is_reserved, real_path};
use super::view::FilesView;
use crate::denial::{self, shown};

/// The maximum length of a path in a remark.
const PATH_BYTES: usize = 256;

impl FilesView<'_> {
    /// Begins a change below directories, if the grants permit it and no name is reserved.
    pub(super) async fn begin_change(&mut self, places: &[Place<'_>]) -> FsResult<()> {
        for place in places {
            if let Descriptor::File(_) = self.filesystem().table.get(place.fd())? {
                return Err(ErrorCode::NotDirectory.into());
            }
        }
        places.iter().try_for_each(|place| self.check_access(place))?;
        places.iter().try_for_each(|place| self.check_name(place))?;
        self.begin_writing();
        for place in places {
            self.check_links(place).await?;
        }
        Ok(())
    }

    /// Begins to create a file, a directory or a link, if grants and limits permit it.
    pub(super) async fn begin_making(&mut self, places: &[Place<'_>]) -> FsResult<()> {
        self.begin_change(places).await?;
        if self.book()?.lock().admits_making() { Ok(()) } else { Err(ErrorCode::InsufficientSpace.into()) }
    }

    /// Returns the result of a change, and records whether the guest tried to leave the directory.
    pub(super) async fn end_change<T>(&mut self, places: &[Place<'_>], result: FsResult<T>) -> FsResult<T> {
        if is_not_permitted(&result) {
            for place in places {
                // The system also refuses some changes inside a directory. Only a path that may not even be read leads
                // outside.
                let (fd, path) = (ask::same(place.fd()), place.path().to_owned());
                let looked = self.filesystem().stat_at(fd, place.follow(), path).await;
                self.note_way_out(place.fd(), place.path(), &looked);
            }
        }
        result
    }

    /// The same for created entries.
    pub(super) async fn end_making<T>(&mut self, places: &[Place<'_>], result: FsResult<T>) -> FsResult<T> {
        if result.is_ok() {
            self.book()?.lock().made();
        }
        self.end_change(places, result).await
    }

    /// Begins to change an open file or directory, if the grants permit it.
    pub(super) fn begin_change_of(&mut self, fd: &Fd) -> FsResult<()> {
        let place = Place::of(fd);
        self.check_access(&place)?;
        self.check_name(&place)?;
        self.check_real_name(fd, &place)?;
        self.begin_writing();
        Ok(())
    }

    /// The file of a descriptor, if it may be written. Its name was checked when it was opened.
    pub(super) fn file_to_write(&mut self, fd: &Fd) -> FsResult<Arc<File>> {
        let file = match self.filesystem().table.get(fd)? {
            Descriptor::File(file) => file.clone(),
            Descriptor::Dir(_) => return Err(ErrorCode::BadDescriptor.into()),
        };
        self.check_access(&Place::of(fd))?;
        if !file.open_mode.contains(OpenMode::WRITE) {
            return Err(ErrorCode::BadDescriptor.into());
        }
        self.begin_writing();
        Ok(file.file)
    }

    pub(super) fn output(&mut self, fd: &Fd, at: At) -> FsResult<FileOutput> {
        let file = self.file_to_write(fd)?;
        self.check_room()?;
        Ok(FileOutput::new(file, at, self.book()?))
    }

    /// Whether the guest may open one more descriptor.
    pub(super) fn check_room(&mut self) -> FsResult<()> {
        if self.book()?.lock().admits_opening() { Ok(()) } else { Err(ErrorCode::InsufficientMemory.into()) }
    }

    /// Opens a file for writing, or creates it. It is not part of the trace: the result of this attempt is not stored.
    pub(super) async fn open_to_write(
        &mut self,
        dir: &Fd,
        path: String,
        how: (PathFlags, OpenFlags, DescriptorFlags),
    ) -> FsResult<Fd> {
        let place = [Place::at(dir, &path).following(how.0)];
        self.begin_change(&place).await?;
        self.check_room()?;
        check_length(&path)?;
        let before = ask::kind_at(&mut self.filesystem(), dir, &path, how.0).await;
        if before.is_some_and(ask::is_device) {
            return Err(self.left_alone());
        }
        let may_make = before.is_none() && how.1.contains(OpenFlags::CREATE);
        if may_make && !self.book()?.lock().admits_making() {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        // The file is truncated after its type is known.
        let is_emptied_later = how.2.contains(DescriptorFlags::WRITE) && how.1.contains(OpenFlags::TRUNCATE);
        let flags = if is_emptied_later { how.1 & !OpenFlags::TRUNCATE } else { how.1 };
        if how.1.contains(OpenFlags::TRUNCATE) && !is_emptied_later {
            self.check_before_emptying(&place[0]).await?;
        }
        let opened = self.filesystem().open_at(ask::same(dir), how.0, path.clone(), flags, how.2).await;
        let fd = self.end_change(&place, opened).await?;
        if !self.is_file_or_directory(&fd)? {
            self.close(fd)?;
            return Err(self.left_alone());
        }
        if let Err(refused) = self.check_real_name(&fd, &place[0]) {
            self.undo_making(&fd, may_make);
            self.close(fd)?;
            return Err(refused);
        }
        if is_emptied_later && let Descriptor::File(file) = self.filesystem().table.get(&fd)? {
            file.file.set_len(0)?;
        }
        let book = self.book()?;
        let mut book = book.lock();
        if may_make {
            book.made();
        }
        book.got_opened(fd.rep(), (dir.rep(), &path), None);
        Ok(fd)
    }

    /// Checks a file that opening would truncate, if truncation cannot be delayed.
    async fn check_before_emptying(&mut self, place: &Place<'_>) -> FsResult<()> {
        let (flags, read) = (OpenFlags::empty(), DescriptorFlags::READ);
        let path = place.path().to_owned();
        let opened =
            self.filesystem().open_at(ask::same(place.fd()), place.follow(), path, flags, read).await;
        let Ok(fd) = opened else { return Ok(()) };
        let checked = self.check_real_name(&fd, place);
        self.close(fd)?;
        checked
    }

    /// Removes an empty file that was created under a reserved name. A file with content is not removed: another
    /// program has written to it meanwhile.
    fn undo_making(&mut self, fd: &Fd, is_made: bool) {
        let Ok(descriptor @ Descriptor::File(file)) = self.filesystem().table.get(fd) else { return };
        let is_empty = file.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        // If that fails, an empty file stays, which grants nothing.
        real_path(descriptor).filter(|_| is_made && is_empty).map(std::fs::remove_file);
    }

    fn close(&mut self, fd: Fd) -> FsResult<()> {
        HostDescriptor::drop(&mut self.filesystem(), fd).map_err(FsError::trap)
    }

    /// Records that a device or a pipe was not opened.
    pub(super) fn left_alone(&mut self) -> FsError {
        self.host.notes.touch(Touch::Device);
        ErrorCode::NotPermitted.into()
    }

    /// A file may have replaced a pipe, and a pipe a file, just before it was opened.
    fn is_file_or_directory(&mut self, fd: &Fd) -> FsResult<bool> {
        Ok(match self.filesystem().table.get(fd)? {
            Descriptor::File(file) => file.file.metadata()?.is_file(),
            Descriptor::Dir(_) => true,
        })
    }

    /// Whether the grant of a directory permits changes.
    fn check_access(&mut self, place: &Place<'_>) -> FsResult<()> {
        let perms = match self.filesystem().table.get(place.fd())? {
            Descriptor::File(file) => file.perms,
            Descriptor::Dir(dir) => dir.perms,
        };
        match perms {
            FsPerms::ReadWrite => Ok(()),
            FsPerms::ReadOnly => {
                self.deny_writing(place);
                Err(ErrorCode::NotPermitted.into())
            }
        }
    }

    /// Whether a file of that name may be changed. Only the name decides, so a refusal is no touch.
    pub(super) fn check_name(&mut self, place: &Place<'_>) -> FsResult<()> {
        let named = self.book.and_then(|book| book.lock().name_of(place.fd().rep(), place.path()));
        if !is_reserved(named.as_ref().map_or(place.path(), |(_, name)| name)) {
            return Ok(());
        }
        self.deny_reserved(place);
        Err(ErrorCode::NotPermitted.into())
    }

    pub(super) fn deny_reserved(&mut self, place: &Place<'_>) {
        let named = self.book.and_then(|book| book.lock().name_of(place.fd().rep(), place.path()));
        self.host.notes.deny(GrantKind::Dir, || {
            let name = named.map_or_else(|| place.path().to_owned(), |(_, name)| name);
            let name = shown(&name, PATH_BYTES);
            format!("writing to `{name}` was denied: a {CONFIG_FILE_NAME} can contain grants, so guests must not change it")
        });
    }

    fn begin_writing(&mut self) {
        self.host.notes.touch(Touch::Writing);
        self.book.iter().for_each(|book| book.lock().end_trace());
    }

    fn deny_writing(&mut self, place: &Place<'_>) {
        if leads_out("", place.path()) {
            return self.deny_way_out(place.fd(), place.path());
        }
        let grants = Arc::clone(&self.host.options.grants);
        let named = self.book.and_then(|book| book.lock().name_of(place.fd().rep(), place.path()));
        self.host.notes.deny(GrantKind::Dir, || {
            let (root, path) = named.unwrap_or_else(|| (usize::MAX, place.path().to_owned()));
            let option = grants.dirs_by_name().get(root).and_then(|&grant| option_of_writing(grant));
            let option = option.map(|option| format!(":rw: {option}"));
            denial::denial(format!("writing to `{}` was denied", shown(&path, PATH_BYTES)), option)
        });
    }

    /// Records that a path leads outside its start directory, if that is why it was refused.
    pub(super) fn note_way_out<T>(&mut self, dir: &Fd, path: &str, result: &FsResult<T>) {
        if is_not_permitted(result) {
            self.deny_way_out(dir, path);
        }
    }

    pub(super) fn deny_way_out(&mut self, dir: &Fd, path: &str) {
        let named = self.book.and_then(|book| book.lock().name_of(dir.rep(), "."));
        self.host.notes.deny(GrantKind::Dir, || {
            let (_, dir) = named.unwrap_or_default();
            format!("`{}` leads outside `{}`: denied", shown(path, PATH_BYTES), shown(&dir, PATH_BYTES))
        });
    }
}

/// The option that allows changing a directory; `None` if it cannot be written as text, for example because the path is
/// not UTF-8.
fn option_of_writing(grant: &DirGrant) -> Option<String> {
    let wanted = grant.clone().with_access(DirAccess::Rw);
    let text = wanted.to_string();
    denial::option::<DirGrant>("--dir", &text)
        .filter(|_| text.parse().is_ok_and(|read: DirGrant| read == wanted))
}

fn is_not_permitted<T>(result: &FsResult<T>) -> bool {
    result.as_ref().err().is_some_and(|error| error.downcast_ref() == Some(&ErrorCode::NotPermitted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_allows_writing_is_the_same_grant_as_one_word() {
        let check = |host: &str, guest: &str, expected: Option<&str>| {
            let option = option_of_writing(&DirGrant::new(host, guest).unwrap());
            assert_eq!(option.as_deref(), expected, "{host} {guest}");
        };
        check("notes", "/notes", Some("--dir notes::/notes:rw"));
        check("sp ace", "sp ace", Some("--dir 'sp ace:rw'"));
        check("x; id", "x", Some("--dir 'x; id::x:rw'"));
        check("-x", "x", None);
        check("a::b", "x", None);
    }
}
