//! Modules as browsers load them: joined to one script, and one more for each page.
//!
//! A browser reads the modules as they are, too, but takes longer for thirty files than for two. The first script, `main.js`, has all
//! that it imports and all that several pages import, and exports it in one object by the names of the files. The script of a page has
//! the rest that this page needs. Each module becomes a function that is called once, after those that it imports, and keeps its lines.
//!
//! Only the forms of `import` and `export` are known that our modules and the vendored ones have: the tests say if there is another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The script that starts the dashboard.
pub(crate) const MAIN: &str = "main.js";

/// How the names of pages begin.
const PAGES: &str = "pages/";

/// The object with the modules. No module has a name that ends like this.
const ALL: &str = "hostel$";

/// What a module becomes.
struct Module {
    /// The modules that it imports, in order.
    imports: Vec<String>,
    /// Its text without `import` and `export`.
    body: String,
    /// What it exports: the public name, and the expression.
    exports: Vec<(String, String)>,
}

/// The scripts by their names: `main.js`, and one for each page. `modules` are texts by names.
pub(crate) fn join(modules: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let modules: BTreeMap<&str, Module> =
        modules.iter().map(|(name, text)| (name.as_str(), read(name, text))).collect();
    let pages: Vec<&str> = modules.keys().copied().filter(|name| name.starts_with(PAGES)).collect();
    let of_pages: Vec<Vec<&str>> = pages.iter().map(|page| in_order(&modules, page)).collect();
    let mut shared: BTreeSet<&str> = in_order(&modules, MAIN).into_iter().collect();
    let mut seen = BTreeSet::new();
    shared.extend(of_pages.iter().flatten().copied().filter(|name| !seen.insert(*name)));

    let mut first = Order::default();
    for name in shared.iter().copied().filter(|name| *name != MAIN).chain([MAIN]) {
        first.add(&modules, name);
    }
    let mut scripts = BTreeMap::new();
    let start = format!("export const {ALL} = {{}};\n");
    scripts.insert(
        MAIN.to_owned(),
        first.names.into_iter().fold(start, |text, name| text + &call(&modules, name)),
    );
    for (page, names) in pages.into_iter().zip(of_pages) {
        let own = names.into_iter().filter(|name| !shared.contains(name));
        let start = format!("import {{ {ALL} }} from \"../{MAIN}\";\n");
        let text = own.fold(start, |text, name| text + &call(&modules, name));
        scripts.insert(page.to_owned(), format!("{text}export default {ALL}[\"{page}\"].default;\n"));
    }
    scripts
}

/// A module and all that it imports, each after those that it imports itself.
fn in_order<'a>(modules: &BTreeMap<&'a str, Module>, name: &str) -> Vec<&'a str> {
    let mut order = Order::default();
    order.add(modules, name);
    order.names
}

/// Modules in the order in which they run.
#[derive(Default)]
struct Order<'a> {
    names: Vec<&'a str>,
    seen: BTreeSet<&'a str>,
}

impl<'a> Order<'a> {
    fn add(&mut self, modules: &BTreeMap<&'a str, Module>, name: &str) {
        let Some((name, module)) = modules.get_key_value(name) else { return };
        if !self.seen.insert(*name) {
            return;
        }
        for import in &module.imports {
            self.add(modules, import);
        }
        self.names.push(*name);
    }
}

/// The module as a function that is called at once.
fn call(modules: &BTreeMap<&str, Module>, name: &str) -> String {
    let Some(Module { body, exports, .. }) = modules.get(name) else { return String::new() };
    let exports: Vec<_> = exports.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{ALL}[\"{name}\"] = (() => {{{body}\nreturn {{ {} }};\n}})();\n", exports.join(", "))
}

/// Reads a module: statements that begin a line, and in vendored files, which are a single line, also those after another statement.
fn read(name: &str, text: &str) -> Module {
    let mut module = Module { imports: Vec::new(), body: String::new(), exports: Vec::new() };
    let is_dense = name.starts_with("vendor/");
    let mut rest = text;
    while let Some(at) = next(rest, is_dense) {
        let (before, statement) = rest.split_at(at);
        module.body.push_str(before);
        rest = match taken(name, statement, &mut module) {
            Some(rest) => rest,
            None => {
                let (word, rest) = statement.split_at(1);
                module.body.push_str(word);
                rest
            }
        };
    }
    module.body.push_str(rest);
    module
}

/// Where the next statement is that begins with `import` or `export`.
fn next(text: &str, is_dense: bool) -> Option<usize> {
    let found = ["import", "export"].into_iter().flat_map(|word| text.match_indices(word));
    let begins = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| before == '\n' || (is_dense && [';', '}'].contains(&before)))
    };
    found.map(|(at, _)| at).filter(|at| begins(*at)).min()
}

/// Takes a statement into the module, and answers what follows.
fn taken<'a>(name: &str, statement: &'a str, module: &mut Module) -> Option<&'a str> {
    if let Some(rest) = statement.strip_prefix("import") {
        let (clause, from, rest) = source(name, rest)?;
        let value = format!("{ALL}[\"{from}\"]");
        let clause = clause.trim();
        if clause.starts_with('{') {
            write!(module.body, "const {} = {value};", clause.replace(" as ", ": ")).ok()?;
        } else {
            write!(module.body, "const {clause} = {value}.default;").ok()?;
        }
        module.imports.push(from);
        return Some(rest);
    }
    let rest = statement.strip_prefix("export")?;
    if rest.trim_start().starts_with('{') {
        return listed(name, rest, module);
    }
    let rest = rest.strip_prefix(' ')?;
    if let Some(value) = rest.strip_prefix("default ") {
        let local = declared(value).unwrap_or_else(|| {
            module.body.push_str("const default$ = ");
            "default$"
        });
        module.exports.push(("default".to_owned(), local.to_owned()));
        return Some(value);
    }
    let local = declared(rest)?;
    module.exports.push((local.to_owned(), local.to_owned()));
    Some(rest)
}

/// `{ a, b as c }`, with the module that they are from, if they are not from this one.
fn listed<'a>(name: &str, text: &'a str, module: &mut Module) -> Option<&'a str> {
    let (names, after) = text.trim_start().strip_prefix('{')?.split_once('}')?;
    let from = if after.trim_start().starts_with("from") { Some(source(name, after)?) } else { None };
    let prefix = from.as_ref().map_or(String::new(), |(_, from, _)| format!("{ALL}[\"{from}\"]."));
    for one in names.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (local, public) = one.split_once(" as ").unwrap_or((one, one));
        module.exports.push((public.to_owned(), format!("{prefix}{local}")));
    }
    let rest = match from {
        Some((_, from, rest)) => {
            module.imports.push(from);
            rest
        }
        None => after.strip_prefix(';').unwrap_or(after),
    };
    Some(rest)
}

/// What stands before `from "…"`, which module that is, and what follows the statement.
fn source<'a>(name: &str, text: &'a str) -> Option<(&'a str, String, &'a str)> {
    let names = if text.trim_start().starts_with('{') { text.find('}')? } else { 0 };
    let at = names + text.get(names..)?.find("from")?;
    let (clause, after) = text.split_at(at);
    let (path, rest) = after.strip_prefix("from")?.trim_start().strip_prefix('"')?.split_once('"')?;
    if clause.contains([';', '(', '\n', '"']) {
        return None;
    }
    Some((clause, resolved(name, path), rest.strip_prefix(';').unwrap_or(rest)))
}

/// The name of a module that another one names by a relative path.
fn resolved(name: &str, path: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The name that a declaration begins with: of a function, a class or a constant.
fn declared(text: &str) -> Option<&str> {
    let text = text.strip_prefix("async ").unwrap_or(text);
    let named = ["function ", "class ", "const "].into_iter().find_map(|word| text.strip_prefix(word))?;
    let end = named.find(|char: char| !char.is_alphanumeric() && char != '_' && char != '$')?;
    named.get(..end).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::{ALL, MAIN, join, next, read};

    fn modules() -> BTreeMap<String, String> {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/app");
        let mut open = vec![app.clone()];
        let mut found = BTreeMap::new();
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&app).unwrap().to_str().unwrap().replace('\\', "/");
                if path.is_dir() {
                    open.push(path);
                } else if name.ends_with(".js") && name != "first.js" {
                    found.insert(name, std::fs::read_to_string(path).unwrap());
                }
            }
        }
        found
    }

    fn small(modules: &[(&str, &str)]) -> BTreeMap<String, String> {
        let modules = modules.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        join(&modules.collect())
    }

    #[test]
    fn forms_of_imports_and_exports() {
        let cases = [
            (
                "import { a, b as c } from \"../lib/x.js\";\n",
                "const { a, b: c } = hostel$[\"lib/x.js\"];\n",
                "",
            ),
            ("import { fromJson } from \"./x.js\";\n", "const { fromJson } = hostel$[\"parts/x.js\"];\n", ""),
            ("import x from \"./x.js\";", "const x = hostel$[\"parts/x.js\"].default;", ""),
            ("export { a, b as c };\n", "\n", "a: a, c: b"),
            ("export { a as b } from \"./x.js\";", "", "b: hostel$[\"parts/x.js\"].a"),
            ("export const a = 1;\n", "const a = 1;\n", "a: a"),
            ("export async function $a() {}", "async function $a() {}", "$a: $a"),
            ("export class A extends B {}", "class A extends B {}", "A: A"),
            ("export default function A() {}", "function A() {}", "default: A"),
            ("export default () => 1;", "const default$ = () => 1;", "default: default$"),
            // Nothing of these is at the beginning of a statement.
            (
                "load(); import(\"x\"); a.import;\nimport(\"y\");",
                "load(); import(\"x\"); a.import;\nimport(\"y\");",
                "",
            ),
        ];
        for (text, body, exports) in cases {
            let module = read("parts/one.js", text);
            let found: Vec<_> =
                module.exports.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            assert_eq!((module.body.as_str(), found.join(", ").as_str()), (body, exports), "{text}");
        }
        let dense = read(
            "vendor/a.js",
            "import{a as n}from\"./b.js\";import{c}from\"./d.js\";var t=n(c);export{t as e};",
        );
        let body = "const {a: n} = hostel$[\"vendor/b.js\"];const {c} = hostel$[\"vendor/d.js\"];var t=n(c);";
        assert_eq!(dense.body, body);
        assert_eq!(dense.exports, [("e".to_owned(), "t".to_owned())]);
    }

    #[test]
    fn a_module_runs_after_those_that_it_imports_and_once() {
        let scripts = small(&[
            ("main.js", "import { a } from \"./lib/a.js\";\n"),
            ("lib/a.js", "import { b } from \"./b.js\";\nexport const a = b;\n"),
            ("lib/b.js", "export const b = 1;\n"),
            ("lib/c.js", "export const c = 1;\n"),
            ("lib/d.js", "import { b } from \"./b.js\";\nexport const d = b;\n"),
            ("pages/one.js", "import { c } from \"../lib/c.js\";\nexport default c;\n"),
            (
                "pages/two.js",
                "import { c } from \"../lib/c.js\";\nimport { d } from \"../lib/d.js\";\nexport default c + d;\n",
            ),
        ]);
        let order = |script: &str| -> Vec<String> {
            let calls =
                script.lines().filter_map(|line| line.strip_prefix("hostel$[\"")?.split_once("\"] = "));
            calls.map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(scripts.keys().collect::<Vec<_>>(), ["main.js", "pages/one.js", "pages/two.js"]);
        assert_eq!(order(&scripts["main.js"]), ["lib/b.js", "lib/a.js", "lib/c.js", "main.js"]);
        assert_eq!(order(&scripts["pages/one.js"]), ["pages/one.js"]);
        assert_eq!(order(&scripts["pages/two.js"]), ["lib/d.js", "pages/two.js"]);
    }

    #[test]
    fn the_forms_of_all_modules_are_known() {
        let modules = modules();
        assert!(modules.len() > 40);
        let read: BTreeMap<_, _> = modules.iter().map(|(name, text)| (name, read(name, text))).collect();
        for (name, module) in &read {
            let body = module.body.as_str();
            assert_eq!(
                next(body, name.starts_with("vendor/")),
                None,
                "{name} has a form that is not known: {body}"
            );
            assert!(
                !body.contains(ALL) || !modules[*name].contains(ALL),
                "{name} has the name of the object"
            );
            let begin = |line: &&str| line.starts_with("const {") && line.contains(ALL);
            for line in body.split_inclusive(';').map(str::trim).filter(begin) {
                let (names, from) = line["const {".len()..].split_once('}').unwrap();
                let from = from.split('"').nth(1).unwrap();
                let exports = &read[&from.to_owned()].exports;
                for one in names.split(',') {
                    let one = one.split(':').next().unwrap().trim();
                    assert!(
                        exports.iter().any(|(public, _)| public == one),
                        "{name}: {from} exports no {one}"
                    );
                }
            }
        }
        let scripts = join(&modules);
        let calls = |name: &str| {
            scripts
                .values()
                .map(|script| script.matches(&format!("{ALL}[\"{name}\"] = (() =>")).count())
                .sum::<usize>()
        };
        for name in modules.keys() {
            assert_eq!(calls(name), 1, "{name}");
        }
        let dynamic = |text: &str| text.matches("import(").count();
        let all: usize = modules.values().map(|text| dynamic(text)).sum();
        assert_eq!(
            (all, dynamic(&modules[MAIN])),
            (1, 1),
            "paths of other modules would be wrong after they are joined"
        );
    }

    #[test]
    fn modules_are_no_circles() {
        let modules = modules();
        let read: BTreeMap<_, _> =
            modules.iter().map(|(name, text)| (name.clone(), read(name, text))).collect();
        let mut left: Vec<_> = read.keys().cloned().collect();
        while !left.is_empty() {
            let before = left.len();
            let still = left.clone();
            left.retain(|name| read[name].imports.iter().any(|import| still.contains(import)));
            assert!(left.len() < before, "a circle is in {left:?}");
        }
    }
}
