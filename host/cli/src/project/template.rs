//! What new projects are made of, by their language. The files are in `templates/`.

use clap::ValueEnum;

/// What a project is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A script in Python
    Python,
    /// A script in JavaScript
    Js,
    /// A component in Rust
    Rust,
    /// A component in Python
    PythonComponent,
    /// A component in JavaScript
    JsComponent,
    /// A component in C
    C,
}

/// A file: its path in the project, and its text, in which `{{name}}` is the project's name and `{{crate}}` the same with `_`.
type File = (&'static str, &'static str);

/// The text of a file of a template.
macro_rules! text {
    ($($path:literal)*) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $($path),*))
    };
}

/// Files of a template that have the same path in the project.
macro_rules! files {
    ($template:literal: $($path:literal)*) => {
        &[
            // Under its own name it would apply to the template itself.
            (".gitignore", text!($template "/gitignore")),
            $(($path, text!($template "/" $path))),*
        ]
    };
}

const PYTHON: &[File] = files!("python": "README.md" "hostel.toml" "tasks.py" "test_tasks.py");

const JS: &[File] = files!("js": "README.md" "hostel.toml" "package.json" "tasks.js" "tasks.test.js");

const RUST: &[File] = &[
    (".gitignore", text!("rust/gitignore")),
    // As a `Cargo.toml` it would be one of a package, which cargo leaves out of the package around it.
    ("Cargo.toml", text!("rust/Cargo.toml.in")),
    ("README.md", text!("rust/README.md")),
    ("hostel.toml", text!("rust/hostel.toml")),
    ("src/lib.rs", text!("rust/src/lib.rs")),
    ("wit/world.wit", text!("rust/wit/world.wit")),
];

const PYTHON_COMPONENT: &[File] = files!("python-component":
    "Makefile" "README.md" "app.py" "greeting.py" "hostel.toml" "requirements.txt" "test_greeting.py" "wit/world.wit");

const JS_COMPONENT: &[File] =
    files!("js-component": "README.md" "app.js" "app.test.js" "hostel.toml" "package.json" "wit/world.wit");

const C: &[File] = files!("c":
    "Makefile" "README.md" "component.c" "greeting.c" "greeting.h" "hostel.toml" "test_greeting.c" "wit/world.wit");

impl Template {
    pub(crate) const fn files(self) -> &'static [File] {
        match self {
            Self::Python => PYTHON,
            Self::Js => JS,
            Self::Rust => RUST,
            Self::PythonComponent => PYTHON_COMPONENT,
            Self::JsComponent => JS_COMPONENT,
            Self::C => C,
        }
    }

    /// The commands that build, run and test a project, in its directory.
    pub(crate) const fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["hostel run tasks.py#hello World", "python3 -m unittest"],
            Self::Js => &["hostel run tasks.js#hello World", "node --test"],
            Self::Rust => &[
                "cargo build --release --target wasm32-wasip2",
                "hostel run target/wasm32-wasip2/release/{{crate}}.wasm#hello World",
                "cargo test",
            ],
            Self::PythonComponent | Self::C => &["make", "hostel run {{name}}.wasm#hello World", "make test"],
            Self::JsComponent => {
                &["npm install", "npm run build", "hostel run {{name}}.wasm#hello World", "npm test"]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files in a directory of templates, by their paths in a project.
    fn files_in(dir: &Path, within: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
            let path = format!("{within}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => files_in(&entry.path(), &format!("{path}/"), found),
                false => assert!(found.insert(match path.as_str() {
                    "gitignore" => ".gitignore".to_owned(),
                    _ => path.strip_suffix(".in").unwrap_or(&path).to_owned(),
                })),
            }
        }
    }

    #[test]
    fn every_file_of_a_template_is_in_its_projects() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for template in Template::value_variants() {
            let name = template.to_possible_value().unwrap().get_name().to_owned();
            let mut found = BTreeSet::new();
            files_in(&templates.join(name), "", &mut found);
            let made: BTreeSet<_> = template.files().iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(made, found, "{template:?}");
        }
    }

    #[test]
    fn each_readme_has_the_commands_that_build_and_run() {
        for template in Template::value_variants() {
            let readme = template.files().iter().find(|(path, _)| *path == "README.md").unwrap().1;
            for command in template.commands() {
                assert!(readme.contains(command), "{template:?}: {command}");
            }
        }
    }
}
