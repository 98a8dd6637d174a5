//! The functions of a script, for `hostel inspect`.

use hostel::{Language, Passing, Script, ScriptFunction, ScriptParam};
use hostel_wire::printable;
use serde_json::{Value as Json, json};

use crate::ui::color::Paint;

/// The report for people.
pub(crate) fn text(file: &str, language: Language, script: &Script, paint: Paint) -> String {
    let mut lines = vec![
        paint.bold(printable(file)),
        format!("  {}  {}", paint.dim("language"), language.title()),
        String::new(),
        paint.bold("Tasks"),
    ];
    for function in script.functions() {
        lines.push(format!("  {}#{}", printable(file), printable(&function.to_string())));
        let doc = function.doc.as_deref().and_then(|doc| doc.lines().find(|line| !line.trim().is_empty()));
        lines.extend(doc.map(|doc| format!("      {}", paint.dim(printable(doc.trim())))));
    }
    if script.functions().is_empty() {
        lines.push("  none: it defines no function at its top level".to_owned());
    }
    lines.extend([
        String::new(),
        "Arguments and results are JSON; an argument that is no JSON is a text".to_owned(),
    ]);
    lines.join("\n")
}

/// The report for programs.
pub(crate) fn json(file: &str, language: Language, script: &Script) -> Json {
    let param = |param: &ScriptParam| {
        json!({
            "name": param.name,
            "passing": passing(param.passing),
            "declared": param.declared,
            "default": param.default,
        })
    };
    let task = |function: &ScriptFunction| {
        json!({
            "task": format!("{file}#{}", function.name),
            "name": function.name,
            "params": function.params.iter().map(param).collect::<Vec<_>>(),
            "returns": function.returns,
            "doc": function.doc,
            "line": function.line,
        })
    };
    json!({
        "file": file,
        "language": language.name(),
        "tasks": script.functions().iter().map(task).collect::<Vec<_>>(),
    })
}

const fn passing(passing: Passing) -> &'static str {
    match passing {
        Passing::Positional => "positional",
        Passing::Either => "either",
        Passing::Named => "named",
        Passing::Rest => "rest",
        Passing::NamedRest => "named-rest",
    }
}
