//! Every way of writing, tried once.

use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

type Tried = Result<(), ErrorCode>;

/// Tries to change the file at `path`, and to make others beside it; says what came of each.
pub fn try_everything(root: &Descriptor, path: &str) -> Vec<String> {
    let by_path = by_path(root, path);
    let open = |flags| root.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), flags);
    let through_file = open(DescriptorFlags::READ).map(|file| through(&file)).unwrap_or_default();
    by_path.into_iter().chain(through_file).map(|(what, tried)| said(what, tried)).collect()
}

fn by_path(root: &Descriptor, path: &str) -> Vec<(&'static str, Tried)> {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let open = |how, flags| root.open_at(follow, path, how, flags).map(drop);
    let create = |how| root.open_at(follow, "new", how, DescriptorFlags::WRITE).map(drop);
    let now = NewTimestamp::Now;
    vec![
        ("open to write", open(OpenFlags::empty(), DescriptorFlags::READ | DescriptorFlags::WRITE)),
        ("truncate", open(OpenFlags::TRUNCATE, DescriptorFlags::WRITE)),
        ("create", create(OpenFlags::CREATE)),
        ("create anew", create(OpenFlags::CREATE | OpenFlags::EXCLUSIVE)),
        ("create directory", root.create_directory_at("new")),
        ("link", root.link_at(PathFlags::empty(), path, root, "new")),
        ("symlink", root.symlink_at(path, "new")),
        ("rename", root.rename_at(path, root, "new")),
        ("remove", root.unlink_file_at(path)),
        ("remove directory", root.remove_directory_at(path)),
        ("set times at", root.set_times_at(follow, path, now, now)),
    ]
}

fn through(file: &Descriptor) -> Vec<(&'static str, Tried)> {
    vec![
        ("write", file.write(b"x", 0).map(drop)),
        ("write a stream", file.write_via_stream(0).map(drop)),
        ("append a stream", file.append_via_stream().map(drop)),
        ("set size", file.set_size(0)),
        ("set times", file.set_times(NewTimestamp::Now, NewTimestamp::Now)),
    ]
}

fn said(what: &str, tried: Tried) -> String {
    format!("{what}: {}", tried.map_or_else(|error| error.name().to_owned(), |()| "done".to_owned()))
}
