//! New projects: their names, what they are made of, and the tools that they need.

mod name;
mod template;
pub(crate) mod tools;

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind};
use std::path::Path;

use hostel::ErrorKind;
use hostel_wire::without_number;

pub(crate) use self::name::Name;
pub(crate) use self::template::Template;
use crate::problem::Problem;

/// Makes the directory of a project in `parent`, which is empty for the current directory. It is made under another name and renamed
/// at the end, so there is never half a project.
pub(crate) fn make(parent: &Path, name: &Name, template: Template) -> Result<(), Problem> {
    let target = parent.join(name.as_str());
    check_free(&target)?;
    let failed = |error: io::Error| not_made(&target, &error);
    let here = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    // The project is a directory inside, because a temporary directory is for its owner only.
    let temporary = tempfile::Builder::new().prefix(".hostel-new-").tempdir_in(here).map_err(failed)?;
    let project = temporary.path().join(name.as_str());
    fs::create_dir(&project).map_err(failed)?;
    for (path, text) in template.files() {
        let file = project.join(path);
        file.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(&file, name.fill(text)).map_err(failed)?;
    }
    if cfg!(windows) && target.is_dir() {
        // It is empty, and Windows does not rename over a directory.
        fs::remove_dir(&target).map_err(failed)?;
    }
    fs::rename(&project, &target).map_err(failed)
}

/// Refuses a directory that has something in it, and anything else of this name.
fn check_free(target: &Path) -> Result<(), Problem> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(()),
        Err(error) => Err(not_made(target, &error)),
        Ok(found) if !found.is_dir() => {
            let problem = format!("{} exists and is not a directory", target.display());
            Err(Problem::new(ErrorKind::Conflict, problem).hint("choose another name"))
        }
        Ok(_) => {
            let mut entries = fs::read_dir(target).map_err(|error| not_made(target, &error))?;
            entries.next().map_or(Ok(()), |_| Err(not_empty(target)))
        }
    }
}

fn not_empty(target: &Path) -> Problem {
    let problem = format!("the directory {} exists and is not empty", target.display());
    Problem::new(ErrorKind::Conflict, problem).hint("choose another name")
}

fn not_made(target: &Path, error: &io::Error) -> Problem {
    let is = |kinds: [IoErrorKind; 2]| kinds.contains(&error.kind());
    if is([IoErrorKind::DirectoryNotEmpty, IoErrorKind::AlreadyExists]) {
        // Another process created it meanwhile.
        return not_empty(target);
    }
    let is_denied = is([IoErrorKind::PermissionDenied, IoErrorKind::ReadOnlyFilesystem]);
    let kind = if is_denied { ErrorKind::Denied } else { ErrorKind::Internal };
    let error = without_number(&error.to_string());
    Problem::new(kind, format!("cannot make the directory {}: {error}", target.display()))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn names_in(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_project_is_made_as_a_whole_or_not_at_all() {
        for template in Template::value_variants() {
            let dir = tempfile::tempdir().unwrap();
            let name = Name::parse("my-tasks").unwrap();
            make(dir.path(), &name, *template).unwrap();
            assert_eq!(names_in(dir.path()), ["my-tasks"]);
            for (path, _) in template.files() {
                let text = fs::read_to_string(dir.path().join("my-tasks").join(path)).unwrap();
                assert!(!text.contains("{{"), "{path}: {text}");
            }
            let before = names_in(&dir.path().join("my-tasks")).len();
            let refused = make(dir.path(), &name, *template).unwrap_err();
            assert!(refused.to_string().contains("is not empty"), "{refused}");
            assert_eq!(names_in(dir.path()), ["my-tasks"]);
            assert_eq!(names_in(&dir.path().join("my-tasks")).len(), before);
        }
    }

    #[test]
    fn an_empty_directory_is_used_and_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::parse("tasks").unwrap();
        fs::create_dir(dir.path().join("tasks")).unwrap();
        make(dir.path(), &name, Template::Python).unwrap();
        assert!(dir.path().join("tasks/tasks.py").is_file());

        let name = Name::parse("file").unwrap();
        fs::write(dir.path().join("file"), "mine").unwrap();
        let refused = make(dir.path(), &name, Template::Python).unwrap_err();
        assert!(refused.to_string().ends_with("exists and is not a directory"), "{refused}");
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_replaced_and_others_may_read_a_project() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let name = Name::parse("tasks").unwrap();
        symlink("nowhere", dir.path().join("tasks")).unwrap();
        assert!(make(dir.path(), &name, Template::Js).is_err());
        assert_eq!(fs::read_link(dir.path().join("tasks")).unwrap(), Path::new("nowhere"));
        fs::remove_file(dir.path().join("tasks")).unwrap();

        make(dir.path(), &name, Template::Js).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().mode();
        assert_eq!(mode("tasks"), mode("other"), "as any other new directory");
    }

    #[test]
    fn nothing_is_left_where_nothing_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::parse("tasks").unwrap();
        let refused = make(&dir.path().join("missing"), &name, Template::Js).unwrap_err();
        assert!(refused.to_string().contains("cannot make the directory"), "{refused}");
        assert_eq!(names_in(dir.path()), [""; 0]);
    }
}
