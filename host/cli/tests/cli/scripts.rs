//! Functions of Python and JavaScript source as tasks.
//!
//! The runtimes are components that `runtimes/build.sh` makes. Where they are missing the tests say so and check nothing, unless
//! `HOSTEL_RUNTIMES` says that they must be there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::hostel::{Place, Ran};
use crate::server::ran;

/// The runtimes, installed once for all tests of a process; `None` if they were not built.
pub(crate) static INSTALLED: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let dir = runtimes();
    let data_dir = tempfile::tempdir().unwrap();
    for language in ["python", "js"] {
        let file = dir.join(language).with_extension("wasm");
        if !file.exists() {
            let is_needed = std::env::var_os("HOSTEL_RUNTIMES").is_some();
            assert!(!is_needed, "{} is missing: bash runtimes/build.sh makes it", file.display());
            eprintln!("SKIPPED: there is no {}: bash runtimes/build.sh makes it", file.display());
            return None;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostel"));
        command.args(["runtime", "install", language]).arg(&file).env("HOSTEL_DATA_DIR", data_dir.path());
        let ran = ran(command);
        assert_eq!(ran.code, 0, "{ran}");
    }
    Some(data_dir)
});

/// A place with a script, if there are runtimes.
pub(crate) fn place_with(name: &str, source: &str) -> Option<Place> {
    INSTALLED.as_ref()?;
    let place = Place::with_data_dir();
    place.write(name, source);
    Some(place)
}

/// A command in such a place, with the runtimes.
pub(crate) fn command(place: &Place, line: &str) -> Command {
    let mut command = place.command(line);
    command.env("HOSTEL_DATA_DIR", INSTALLED.as_ref().unwrap().path());
    command
}

/// The JSON that a command in such a place prints.
#[track_caller]
pub(crate) fn printed_json(place: &Place, line: &str) -> Json {
    let ran = ran(command(place, line));
    assert_eq!(ran.code, 0, "{line}: {ran}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Where the runtimes are, and the tools that have made them.
pub(crate) fn runtimes() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/runtimes");
    std::env::var_os("HOSTEL_RUNTIMES").map_or(built, PathBuf::from)
}

const PYTHON: &str = r#"
"""Tasks."""
import random

def add(a: int, b: int = 2, *, scale=1) -> int:
    """Adds two numbers."""
    return (a + b) * scale

def greet(name):
    print("greeting", name)
    return f"Hello, {name}!"

def draw():
    return random.random()

def fail(item):
    raise ValueError(f"Cannot process negative value: {item}")

def kinds():
    return [1.0, (1, 2), {2, 1}, b"x", {1: None}, 2**70, float("nan")]

async def later(n):
    import asyncio
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(n)))
    return n

def spin():
    while True:
        pass

def all_of(*items, **named):
    return [items, named]

def power(base, exponent):
    return base**exponent
"#;

const JAVASCRIPT: &str = r#"
/** Adds two numbers. */
export function add(a, b = 2) {
  return a + b;
}
export const greet = (name) => {
  console.log('greeting', name);
  return `Hello, ${name}!`;
};
export function draw() {
  return Math.random();
}
export function fail(item) {
  throw new RangeError(`Cannot process negative value: ${item}`);
}
export const kinds = () => [1.5, 2n ** 70n, new Uint8Array([120]), new Set([2, 1]), NaN];
export const spin = () => {
  for (;;);
};
function hidden() {}
"#;

/// A place with both files, if there are runtimes.
fn place() -> Option<(Place, &'static TempDir)> {
    let installed = INSTALLED.as_ref()?;
    let place = Place::with_data_dir();
    place.write("tasks.py", PYTHON);
    place.write("tasks.js", JAVASCRIPT);
    Some((place, installed))
}

fn run(place: &(Place, &TempDir), line: &str) -> Ran {
    let mut command = place.0.command(line);
    command.env("HOSTEL_DATA_DIR", place.1.path());
    ran(command)
}

#[track_caller]
fn completed(place: &(Place, &TempDir), line: &str) -> String {
    let ran = run(place, line);
    assert_eq!(ran.code, 0, "{line}: {ran}");
    ran.stdout.trim_end().to_owned()
}

#[track_caller]
fn json(place: &(Place, &TempDir), line: &str) -> Json {
    serde_json::from_str(&completed(place, line)).unwrap()
}

#[track_caller]
fn refused(place: &(Place, &TempDir), line: &str, code: i32, expected: &str) {
    let ran = run(place, line);
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {ran}");
    assert!(ran.stderr.contains(expected), "{line}: {}", ran.stderr);
}

#[test]
fn functions_of_both_languages_are_tasks() {
    let Some(place) = place() else { return };
    for file in ["tasks.py", "tasks.js"] {
        assert_eq!(completed(&place, &format!("run {file}#add 40 2 --cache none")), "42");
        assert_eq!(completed(&place, &format!("run {file}#add b=1 a=40 --cache none")), "41");
        assert_eq!(completed(&place, &format!("run {file}#add 40 --cache none")), "42");
        assert_eq!(completed(&place, &format!("run {file} 'add(40, 2)' --cache none")), "42");
        assert_eq!(completed(&place, &format!("run {file}#add --json '[40, 2]' --cache none")), "42");
        let ran = run(&place, &format!("run {file}#greet Ada --cache none"));
        assert_eq!(ran.stdout, "\"Hello, Ada!\"\n");
        assert!(ran.stderr.contains("greeting Ada"), "{ran}");
        assert_eq!(completed(&place, &format!("map {file}#add --over a=0..3 --with b=1 --quiet")), "1\n2\n3");
    }
    assert_eq!(completed(&place, "run tasks.py#add 1 2 scale=3 --cache none"), "9");
    assert_eq!(completed(&place, "run tasks.py#later 3 --cache none"), "3");
    let all = completed(&place, r#"run tasks.py#all_of items=[1,2] named='{"a": 3}' --cache none"#);
    assert_eq!(all, r#"[{"$tuple":[1,2]},{"a":3}]"#);
}

#[test]
fn values_keep_their_types() {
    let Some(place) = place() else { return };
    let expected = r#"[1.0,{"$tuple":[1,2]},{"$set":[1,2]},{"$bytes":"eA=="},{"$object":[[1,null]]},1180591620717411303424,{"$float":"NaN"}]"#;
    assert_eq!(completed(&place, "run tasks.py#kinds"), expected);
    let expected = r#"[1.5,1180591620717411303424,{"$bytes":"eA=="},{"$set":[1,2]},{"$float":"NaN"}]"#;
    assert_eq!(completed(&place, "run tasks.js#kinds"), expected);
    place.0.write("echo.py", "def echo(x): return [type(x).__name__, x]");
    let echoed = |argument: &str| completed(&place, &format!("run echo.py#echo '{argument}'"));
    assert_eq!(echoed("12345678901234567890123"), r#"["int",12345678901234567890123]"#);
    assert_eq!(echoed("2.0"), r#"["float",2.0]"#);
    assert_eq!(echoed("two words"), r#"["str","two words"]"#);
    assert_eq!(echoed(r#"{"$tuple": [1]}"#), r#"["tuple",{"$tuple":[1]}]"#);
    assert_eq!(echoed(r#"{"$decimal": "1.50"}"#), r#"["Decimal",{"$decimal":"1.50"}]"#);
    refused(
        &place,
        r#"run echo.py#echo '{"$what": 1}'"#,
        1,
        "there is no tag $what in Python: expected one of $float",
    );
}

#[test]
fn pure_functions_are_cached_and_others_are_not() {
    let Some(place) = place() else { return };
    let state = |line: &str| json(&place, line)["state"].clone();
    for file in ["tasks.py", "tasks.js"] {
        let line = format!("run {file}#add 20 22 --states");
        assert_eq!([state(&line), state(&line)], ["Completed", "Cached"], "{file}");
        let line = format!("run {file}#draw --states");
        assert_eq!([state(&line), state(&line)], ["Completed", "Completed"], "{file}");
        let drawn = || completed(&place, &format!("run {file}#draw"));
        assert_ne!(drawn(), drawn(), "{file}");
    }
    // Another source is another task, though the function is the same.
    place.0.write("tasks.py", format!("{PYTHON}\n# changed"));
    assert_eq!(state("run tasks.py#add 20 22 --states"), "Completed");
}

#[test]
fn modules_in_a_granted_directory_are_part_of_what_a_result_depends_on() {
    let Some(place) = place() else { return };
    place.0.write("uses.py", "import helper\ndef f(): return helper.VALUE");
    let modules = tempfile::tempdir().unwrap();
    let write =
        |value: u32| std::fs::write(modules.path().join("helper.py"), format!("VALUE = {value}")).unwrap();
    refused(&place, "run uses.py#f", 1, "ModuleNotFoundError: No module named 'helper'");
    let line = format!("run uses.py#f --dir {}::/site", modules.path().display());
    write(7);
    assert_eq!(completed(&place, &line), "7");
    assert!(run(&place, &line).stderr.contains("Cached"));
    write(8);
    assert_eq!(completed(&place, &line), "8");
}

#[test]
fn no_policy_leaves_out_the_source_or_an_argument_of_another_name() {
    let Some(place) = place() else { return };
    let state = |line: &str| json(&place, &format!("{line} --states"))["state"].clone();
    // The runtime's own inputs have these names, too.
    let line = "run own.py#f kept 1 --cache 'inputs - input:source'";
    place.0.write("own.py", "def f(source, n): return n");
    assert_eq!([state(line), state(line)], ["Completed", "Cached"]);
    assert_eq!(state("run own.py#f other 1 --cache 'inputs - input:source'"), "Cached");
    place.0.write("own.py", "def f(source, n): return n + 1");
    assert_eq!((state(line), completed(&place, line)), ("Completed".into(), "2".into()));
    // A further named argument may have the name of a parameter that is passed by its position.
    place.0.write("own.py", "def f(a, b, /, **more): return sorted(more.items())");
    let line = |a: u32| format!("run own.py#f 1 2 'more={{\"a\": {a}}}' --cache 'inputs - input:b'");
    assert_eq!([state(&line(2)), state(&line(2)), state(&line(3))], ["Completed", "Cached", "Completed"]);
    assert_eq!(completed(&place, &line(3)), r#"[{"$tuple":["a",3]}]"#);
}

#[test]
fn names_and_keys_are_made_from_arguments() {
    let Some(place) = place() else { return };
    let name = |line: &str| json(&place, line)["name"].clone();
    assert_eq!(name("run tasks.py#greet Ada --name 'greet {name}' --states"), "greet Ada");
    assert_eq!(name("run tasks.py#add 1 scale=3 --name '{a} {b} {scale}' --states"), "1 none 3");
    refused(
        &place,
        "run tasks.py#add 1 --name '{c}'",
        2,
        "unknown parameter \"c\" (parameters: a, b, scale)",
    );
    let is_cached = |line: &str| run(&place, line).stderr.contains("Cached");
    let lines = ["a=7 b=1", "a=7 b=2", "a=8 b=2"]
        .map(|args| format!("run tasks.py#add {args} --cache 'inputs - input:b'"));
    assert_eq!(lines.map(|line| is_cached(&line)), [false, true, false]);
    let lines =
        ["one", "one", "two"].map(|name| format!("run tasks.py#greet {name} --cache 'key:\"by {{name}}\"'"));
    assert_eq!(lines.map(|line| is_cached(&line)), [false, true, false]);
    refused(
        &place,
        "delay tasks.py#add 1 --cache 'inputs - input:b'",
        2,
        "a cache policy that names arguments of a script",
    );
    let id = completed(&place, "delay tasks.py#greet {x} --name 'greet {name}'");
    let shown: Json = json(&place, &format!("runs show {id} --output json"));
    assert_eq!(shown["name"], "greet {x}");
    // The worker of another test may be the one that executes it.
    assert_eq!(run(&place, "worker --until-idle --quiet").code, 0);
    completed(&place, &format!("runs wait {id}"));
    let shown: Json = json(&place, &format!("runs show {id} --output json"));
    assert_eq!((&shown["name"], &shown["state"]), (&"greet {x}".into(), &"Completed".into()));
    let listed = completed(&place, "runs ls in:function=greet --output json");
    assert!(listed.contains(r#""function":"greet""#), "{listed}");
}

#[test]
fn exceptions_have_tracebacks_with_source() {
    let Some(place) = place() else { return };
    let ran = run(&place, "run tasks.py#fail -1");
    assert_eq!(ran.code, 1);
    for expected in [
        ": ValueError: Cannot process negative value: -1",
        "File \"tasks.py\", line 17, in fail",
        "raise ValueError",
    ] {
        assert!(ran.stderr.contains(expected), "{ran}");
    }
    let ran = run(&place, "run tasks.js#fail -1");
    for expected in [": RangeError: Cannot process negative value: -1", "at fail (tasks.js:14:"] {
        assert!(ran.stderr.contains(expected), "{ran}");
    }
    let failed: Json = serde_json::from_str(&run(&place, "run tasks.py#fail -1 --states").stdout).unwrap();
    assert_eq!(failed["error"]["value"]["thrown"]["class"], "ValueError");
    assert_eq!(failed["error"]["message"], "ValueError: Cannot process negative value: -1");
    let ran = run(&place, "map tasks.py#fail --over item=[1]");
    assert!(ran.stderr.contains("item 0 (item = 1): ValueError: Cannot process negative value: 1"), "{ran}");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let Some(place) = place() else { return };
    place.0.write("bad.py", "def f(:\n  pass\n");
    refused(&place, "run bad.py#f", 2, "bad.py:1:7: invalid syntax\n  | def f(:\n  |       ^");
    place.0.write("bad.js", "export function f( {\n");
    refused(&place, "run bad.js#f", 2, "bad.js:2:1: Unexpected token");
    place.0.write("imports.js", "import fs from 'fs';\n");
    refused(&place, "run imports.js#f", 2, "imports.js:1:1: a task file cannot import other files");
    refused(&place, "run tasks.py#ad 1", 3, "tasks.py defines no function ad: it defines add, greet, ");
    refused(&place, "run tasks.js#hidden", 3, "tasks.js defines no function hidden");
    refused(&place, "run tasks.py", 3, "which function of tasks.py?");
    refused(&place, "run tasks.py#add", 2, "missing arguments: a");
    refused(&place, "run tasks.py#add 1 2 3 4", 2, "expected at most 3 arguments, found 4");
    refused(&place, "run nothing.py#f", 3, "cannot read nothing.py");
    place.0.write("latin.py", b"def f(): return '\xe9'".as_slice());
    refused(&place, "run latin.py#f", 2, "latin.py is not UTF-8: the first other byte is at 17");
    place.0.write(
        "results.py",
        "def f(): return open\ndef g():\n  yield 1\ndef h():\n  x = []\n  x.append(x)\n  return x",
    );
    refused(&place, "run results.py#f", 1, "result: a builtin_function_or_method cannot be data");
    refused(&place, "run results.py#g", 1, "result: a generator cannot be data: return a list");
    refused(&place, "run results.py#h", 1, "nested deeper than 120 levels of JSON, or contains itself");
}

#[test]
fn results_are_encoded_or_refused_with_a_reason() {
    let Some(place) = place() else { return };
    place.0.write("deep.py", DEEP_PYTHON);
    place.0.write("deep.js", DEEP_JAVASCRIPT);
    let too_deep = "nested deeper than 120 levels of JSON, or contains itself";
    for file in ["deep.py", "deep.js"] {
        // A level of JSON, two, or three for each level of the value.
        for (kind, most) in [("list", 121), ("tagged", 61), ("object", 40)] {
            let line = |levels: u32| format!("run {file}#{kind} {levels} --cache none");
            // Far deeper values may meet the limit of the stack first.
            completed(&place, &line(most));
            refused(&place, &line(most + 1), 1, too_deep);
            refused(&place, &line(500), 1, too_deep);
        }
    }
    place.0.write(
        "odd.js",
        "export function vast() { const a = []; a[4294967290] = 1; return a; }\n\
         export function thrower() { throw { code: 7 }; }",
    );
    refused(&place, "run odd.js#vast", 1, "result: an array of 4294967291 elements is too large to be data");
    refused(&place, "run odd.js#thrower", 1, r#"object: {"code":7}"#);
    refused(&place, "run deep.py#released", 1, "ValueError: operation forbidden on released memoryview");
    refused(&place, "run deep.py#leaves", 1, "SystemExit: bye");
    refused(&place, "run deep.py#half", 1, "ValueError: half \\ud800");
    refused(&place, "run deep.py#half 'ends here' --cache none", 1, "ValueError: ends");
    refused(&place, "run deep.js#getter", 1, "Error: no such member");
    refused(&place, "run deep.js#half", 1, "Error: half \u{fffd}");
    assert_eq!(completed(&place, "run tasks.py#power 10 6000").len(), 6001);
}

const DEEP_PYTHON: &str = r#"
def list(n):
    x = []
    for _ in range(n - 1):
        x = [x]
    return x

def tagged(n):
    x = ()
    for _ in range(n - 1):
        x = (x,)
    return x

def object(n):
    x = {1: 1}
    for _ in range(n - 1):
        x = {1: x}
    return x

def released():
    view = memoryview(b"x")
    view.release()
    return view

class Leaves(dict):
    def items(self):
        raise SystemExit("bye")

def leaves():
    return Leaves(a=1)

def half(text="half \ud800"):
    raise ValueError(text.replace(" here", "\0"))
"#;

const DEEP_JAVASCRIPT: &str = r"
const nested = (n, around, x) => {
  for (let at = 1; at < n; at += 1) x = around(x);
  return x;
};
export const list = (n) => nested(n, (x) => [x], []);
export const tagged = (n) => nested(n, (x) => new Set([x]), new Set());
export const object = (n) => nested(n, (x) => new Map([[1, x]]), new Map([[1, 1]]));
export const getter = () => ({ get a() { throw new Error('no such member'); } });
export const half = () => { throw new Error('half \ud800'); };
";

#[test]
fn results_that_cannot_be_data_are_named_with_their_place() {
    let Some(place) = place() else { return };
    place.0.write("results.js", RESULTS);
    for (function, expected) in [
        ("expression", "result[a][0]: a RegExp cannot be data"),
        ("error", "result: a TypeError cannot be data"),
        ("weak", "result: a WeakMap cannot be data"),
        ("view", "result: a DataView cannot be data"),
        ("member", "result[f]: a function cannot be data"),
        ("symbol", "result[1]: a symbol cannot be data"),
        ("promises", "result[0]: a promise cannot be data: await it"),
        // The host does not trust a runtime, in which the source can change everything.
        (
            "broken",
            " returned a result that is not JSON of at most 127 levels: line 1, column 1: end of text",
        ),
    ] {
        refused(&place, &format!("run results.js#{function} --cache none"), 1, expected);
    }
    let runtimes = completed(&place, "runtime ls");
    let runtime = runtimes.lines().find_map(|line| line.strip_prefix("js")).unwrap().trim();
    refused(&place, "run results.js#broken --cache none", 1, &format!("language runtime {runtime} returned"));
    assert_eq!(completed(&place, "run results.js#holes"), "[null,1]");
    assert_eq!(completed(&place, "run results.js#boxes"), r#"[4,"text",false,null]"#);
    // A worker does not trust it, either.
    let id = completed(&place, "delay results.js#broken");
    assert_eq!(run(&place, "worker --until-idle --quiet").code, 0);
    let ended = run(&place, &format!("runs wait {id}"));
    assert_eq!(ended.code, 1, "{ended}");
}

#[test]
fn parts_of_packages_of_the_standard_library_are_there() {
    let Some(place) = place() else { return };
    place.0.write(
        "parts.py",
        "from concurrent.futures import thread\nfrom email.mime import text\nimport xml.etree.ElementTree as tree\n\
         def f(): return tree.fromstring('<a><b>1</b></a>')[0].text",
    );
    assert_eq!(completed(&place, "run parts.py#f"), "\"1\"");
}

/// Modules that few import are executed in the call.
#[test]
fn the_rest_of_the_standard_library_is_imported_when_it_is_used() {
    let Some(place) = place() else { return };
    place.0.write(
        "rare.py",
        "import sys\nbefore = set(sys.modules)\nimport unittest.mock, xml.dom.minidom as dom\n\
         def f():\n    assert not before & {'unittest', 'xml.dom', 'encodings.cp500'}\n    \
         return [dom.__file__, dom.__spec__.parent, dom.parseString('<a/>').toxml(), 'é'.encode('cp500').hex()]\n\
         def missing():\n    import curses\n\
         def refused():\n    return dom.parseString('<a')",
    );
    let expected = "[\"/python/xml/dom/minidom.py\",\"xml.dom\",\"<?xml version=\\\"1.0\\\" ?><a/>\",\"51\"]";
    assert_eq!(completed(&place, "run rare.py#f"), expected);
    // It reads neither clock nor randomness.
    assert!(run(&place, "run rare.py#f").stderr.contains("Cached"));
    // Modules of the user do not take its place.
    let modules = tempfile::tempdir().unwrap();
    std::fs::write(modules.path().join("xml.py"), "raise SystemError").unwrap();
    assert_eq!(
        completed(&place, &format!("run rare.py#f --dir {}::/site", modules.path().display())),
        expected
    );
    refused(&place, "run rare.py#missing", 1, "ModuleNotFoundError: No module named '_curses'");
    refused(&place, "run rare.py#refused", 1, "/python/xml/dom/minidom.py\", line ");
}

const LOADERS: &str = r#"
import contextlib, importlib.resources, importlib.util, inspect, io, pkgutil, runpy, sys, traceback

class Out(io.StringIO):
    def close(self):
        pass

def printed(module, *args, stdin=""):
    sys.argv, sys.stdin, out = [module, *args], io.StringIO(stdin), Out()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return out.getvalue().split()

def programs():
    return [
        printed("json.tool", stdin="[1]"), printed("json", stdin="[2]"), printed("calendar", "2024", "2")[:2],
        printed("timeit", "-n", "1", "-r", "1", "pass")[:2], runpy.run_module("wave")["__name__"],
    ]

def loader():
    found = importlib.util.find_spec("email.mime").loader
    image = "email.mime.image"
    code = found.get_code(image)
    return [
        code.co_filename == found.get_filename(image), found.is_package("email.mime"), found.is_package(image),
        found.get_source(image), importlib.util.find_spec("wave").loader.get_code("wave").co_name,
    ]

def found():
    walked = [module.name for module in pkgutil.walk_packages(__import__("xml").__path__, "xml.")]
    top = {module.name: module.ispkg for module in pkgutil.iter_modules()}
    return ["xml.dom.minidom" in walked, "xml.sax" in walked, top["json"], top["wave"], "test" in top]

def again():
    import json, wave
    json.mark = wave.mark = 1
    importlib.reload(json), importlib.reload(wave)
    del sys.modules["json"]
    import json as other
    return [other is json, other.dumps([1]), wave.Error.__name__]

def refusal(call):
    try:
        return call()
    except (OSError, ImportError) as error:
        return f"{type(error).__name__}: {error}"

def without_text():
    import json, os, unittest.mock
    try:
        json.loads("{")
    except ValueError:
        lines = traceback.format_exc()
    return [
        *(refusal(lambda: inspect.getsource(what)) for what in (json, json.loads, os, unittest.mock.Mock)),
        refusal(lambda: pkgutil.get_data("email", "architecture.rst")),
        refusal(lambda: (importlib.resources.files("json") / "tool.py").read_text())[:17],
        [part.name for part in importlib.resources.files("json").iterdir()],
        "in raw_decode" in lines,
        refusal(lambda: runpy.run_module("sched")), refusal(lambda: runpy.run_module("no_such_module")),
    ]
"#;

/// What asks for loaders works as with modules in files, but for the text of modules.
#[test]
fn modules_of_the_standard_library_are_found_and_executed_as_from_files() {
    let Some(place) = place() else { return };
    place.0.write("loaders.py", LOADERS);
    let no_text = "\"OSError: could not get source code\"";
    for (function, expected) in [
        ("programs", r#"[["[","1","]"],["[","2","]"],["February","2024"],["1","loop,"],"wave"]"#.to_owned()),
        ("loader", r#"[true,true,false,null,"<module>"]"#.to_owned()),
        ("found", "[true,true,true,false,false]".to_owned()),
        ("again", r#"[true,"[1]","Error"]"#.to_owned()),
        (
            "without_text",
            format!(
                "[{no_text},{no_text},{no_text},{no_text},\"FileNotFoundError: [Errno 2] No such file or directory: \
                 '/python/email/architecture.rst'\",\"FileNotFoundError\",[],true,\"ImportError: No code object available for \
                 sched\",\"ImportError: No module named no_such_module\"]"
            ),
        ),
    ] {
        assert_eq!(
            completed(&place, &format!("run loaders.py#{function} --cache none")),
            expected,
            "{function}"
        );
    }
}

#[test]
fn async_functions_are_awaited_in_javascript() {
    let Some(place) = place() else { return };
    place.0.write("async.js", ASYNC);
    for (call, expected) in [
        ("sum 4", "6"),
        ("arrow 5", r#"{"x":5}"#),
        ("order", r#"["a","b","a","b"]"#),
        ("waits", "\"woken\""),
        ("counted", "3"),
        ("again 0", "[1,0]"),
        ("count rest=[1,2,3]", "3"),
        ("caught", "\"late\""),
        ("gathered", r#"[[1,2],["fulfilled","rejected"],3,4]"#),
        ("after", r#"["job","finally"]"#),
    ] {
        assert_eq!(completed(&place, &format!("run async.js#{call} --cache none")), expected, "{call}");
    }
    refused(&place, "run async.js#fails", 1, ": RangeError: late");
    let ran = run(&place, "run async.js#fails --cache none");
    assert!(ran.stderr.contains("(async.js:29:"), "{ran}");
    refused(
        &place,
        "run async.js#never",
        1,
        "UnsettledPromise: the promise that never returned is never settled",
    );
    refused(&place, "run async.js#forever --timeout 200ms", 1, "TimedOut after 200 ms");
    for (source, expected) in [
        ("export async function* f() {}", "1:8: async generators are not supported"),
        ("await 1;", "1:1: `await` outside of async functions is not supported"),
        ("async function f() { for await (const x of []) {} }", "1:22: `for await` is not supported"),
        (
            "class A extends Object { async f() { return super.f(); } }",
            "`super` in async methods is not supported",
        ),
    ] {
        place.0.write("odd.js", source);
        refused(&place, "run odd.js#f", 2, expected);
    }
    // The declarations are those of the source.
    let shown = completed(&place, "inspect async.js");
    assert!(shown.contains("async.js#sum(n)"), "{shown}");
}

const ASYNC: &str = r"export async function sum(n) {
  let all = 0;
  for (let at = 0; at < n; at += 1) all += await Promise.resolve(at);
  return all;
}
export const arrow = async (x) => ({ x: await x });
export async function order() {
  const seen = [];
  const one = async name => { seen.push(name); await null; seen.push(name) };
  await Promise.all([one('a'), one('b')]);
  return seen;
}
export async function waits() {
  let wake;
  const woken = new Promise((resolve) => { wake = resolve; });
  const waiting = (async () => { await woken; return 'woken'; })();
  wake();
  return waiting;
}
class Counter {
  #n = 1;
  async next() { await null; return (this.#n += 1); }
}
export const counted = async () => { const c = new Counter(); await c.next(); return c.next(); };
export async function again(x) { var x = x || 1; const seen = []
  seen.push(x)
  if (x) await seen.push(0); else await null
  return seen }
export async function fails() { await null; throw new RangeError('late'); }
export async function count(...rest) { await null; return arguments.length; }
export async function caught() { try { await fails(); } catch (error) { return error.message; } }
export const never = () => new Promise(() => {});
export async function forever() { for (;;) await null; }
export async function gathered() {
  const states = await Promise.allSettled([1, Promise.reject(new Error('x'))]);
  const any = await Promise.any([Promise.reject(new Error('x')), 3]);
  return [await Promise.all([1, { then: (done) => done(2) }]), states.map((end) => end.status), any, await Promise.race([4, 5])];
}
export async function after() {
  const seen = [];
  queueMicrotask(() => seen.push('job'));
  await Promise.resolve().finally(() => seen.push('finally'));
  return seen;
}
";

const RESULTS: &str = r"
export const expression = () => ({ a: [/x/] });
export const error = () => new TypeError('x');
export const weak = () => new WeakMap();
export const view = () => new DataView(new ArrayBuffer(1));
export const member = () => ({ f() {} });
export const symbol = () => [1, Symbol('x')];
export const promises = () => [Promise.resolve(1)];
export const broken = () => { JSON.stringify = () => '{'; return 'text'; };
export const holes = () => [, 1];
export const boxes = () => [new Number(4), new String('text'), new Boolean(false), undefined];
";

#[test]
fn tags_that_do_not_fit_are_explained_alike() {
    let Some(place) = place() else { return };
    place.0.write("same.py", "def same(x): return x\ndef long(): raise ValueError('é' * 5000)");
    place.0.write(
        "same.js",
        "const same = (x) => x;\nconst long = () => { throw new Error('é'.repeat(5000)); };",
    );
    for file in ["same.py", "same.js"] {
        for (argument, expected) in [
            (r#"{"$float":1}"#, r#"$float: expected "NaN", "Infinity" or "-Infinity", found 1"#),
            (r#"{"$bytes":"YQ"}"#, r#"$bytes: expected a string in base64 with padding, found "YQ""#),
            (r#"{"$tuple":"ab"}"#, r#"$tuple: expected an array, found "ab""#),
            (r#"{"$set":{"a":1}}"#, r#"$set: expected an array"#),
            (r#"{"$object":[[1]]}"#, "$object: expected an array of pairs [KEY, VALUE]"),
            (r#"{"$datetime":5}"#, "$datetime: expected a date and time as a string, such as "),
        ] {
            let line = format!("run {file}#same '{argument}'");
            refused(&place, &line, 1, &format!("argument 1: the tag {expected}"));
        }
        let unknown = format!("run {file}#same '{{\"$cost\":1}}'");
        refused(&place, &unknown, 1, "argument 1: there is no tag $cost in ");
        refused(&place, &unknown, 1, r#"an object with such a member is {"$object": [[KEY, VALUE]]}"#);
        assert_eq!(
            completed(&place, &format!(r#"run {file}#same '{{"$object":[["$cost",1]]}}'"#)),
            r#"{"$object":[["$cost",1]]}"#
        );
        // A message has at most 4 KiB, and a whole last character.
        let failed: Json =
            serde_json::from_str(&run(&place, &format!("run {file}#long --states")).stdout).unwrap();
        let message = failed["error"]["value"]["thrown"]["message"].as_str().unwrap();
        assert_eq!((message.len(), message.trim_start_matches('é')), (4095, "…"));
    }
    let decimal = |argument: &str| format!("run same.py#same '{{\"$decimal\":{argument}}}'");
    refused(
        &place,
        &decimal("1.5"),
        1,
        r#"$decimal: expected a number as a string, such as "1.50", found 1.5"#,
    );
    refused(
        &place,
        "run same.js#same '{\"$decimal\":\"1\"}'",
        1,
        "there is no tag $decimal in JavaScript: expected one of $float, ",
    );
}

#[test]
fn what_does_not_end_or_needs_too_much_is_stopped() {
    let Some(place) = place() else { return };
    for file in ["tasks.py", "tasks.js"] {
        refused(&place, &format!("run {file}#spin --timeout 200ms"), 1, "TimedOut after 200 ms");
    }
    place.0.write("large.py", "def f(): return len('x' * 10**9)");
    refused(&place, "run large.py#f --max-memory 100MiB", 1, "MemoryError");
}

#[test]
fn stored_runs_and_schedules_have_the_source_with_them() {
    let Some(place) = place() else { return };
    let run_id = completed(&place, "delay tasks.py#add 40 2");
    std::fs::remove_file(place.0.path().join("tasks.py")).unwrap();
    assert_eq!(run(&place, "worker --until-idle --quiet").code, 0);
    completed(&place, &format!("runs wait {run_id}"));
    let shown: Json = json(&place, &format!("runs show {run_id} --output json"));
    assert_eq!(
        (&shown["state"], &shown["name"], &shown["function"], &shown["value"]),
        (&"Completed".into(), &"add".into(), &"add".into(), &42.into())
    );
}

/// The tasks of the examples, which E01 to E15 of Prefect's documentation have, too, with a data directory of their own.
fn examples() -> Option<(Place, &'static TempDir)> {
    let installed = INSTALLED.as_ref()?;
    let place = Place::with_data_dir();
    for file in ["tasks.py", "tasks.js"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-examples/scripts").join(file);
        place.write(file, std::fs::read(path).unwrap());
    }
    Some((place, installed))
}

#[test]
fn e01_to_e15_in_both_languages() {
    let Some(place) = examples() else { return };
    for file in ["tasks.py", "tasks.js"] {
        let ran = run(&place, &format!("run {file}#explain_tasks"));
        let lines: Vec<_> =
            ran.stderr.lines().filter_map(|line| line.split_once("out  ")).map(|(_, line)| line).collect();
        assert_eq!(lines, ["run any code here!", "but maybe just a little bit"], "{ran}");
        assert_eq!(completed(&place, &format!("run {file}#cool_task")), "\"sup\"");
        let sums = format!("map {file}#sum_plus --over x=[4,5,6] --with items=[1,2,3] --quiet");
        assert_eq!(completed(&place, &sums), "10\n11\n12");
        let processed = run(&place, &format!("map {file}#process_data --over item=[1,-2,3,-4,5]"));
        assert_eq!(processed.code, 1);
        assert!(processed.stderr.contains("5 runs: 3 completed, 2 failed"), "{processed}");
        assert!(processed.stderr.contains("Error: Cannot process negative value: -4"), "{processed}");
        let models = r#"model_config=[{"name":"random_forest"},{"name":"gradient_boosting"}]"#;
        let trained = format!(
            "map {file}#train_model --over '{models}' --with 'dataset={{\"name\":\"customers\"}}' --quiet"
        );
        let trained = completed(&place, &trained);
        let scores = trained.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let best = scores.max_by_key(|model| model["score"].as_u64()).unwrap();
        assert_eq!(best["model"], "gradient_boosting");
        let states = |line: &str| run(&place, line).stderr.contains("Cached");
        let lines = [
            format!("run {file}#add_one 1"),
            format!("run {file}#add_one 1"),
            format!("run {file}#add_one 2"),
        ];
        assert_eq!(lines.map(|line| states(&line)), [false, true, false]);
        assert_eq!(completed(&place, &format!("run {file}#power 323 1235")).len(), 3099);
    }
    let order = run(&place, "map tasks.py#stop_at_floor --over floor=[1.5,1.0,0.5] --workers 1");
    let stops: Vec<_> = order
        .stderr
        .lines()
        .filter_map(|line| line.split_once("stops on floor "))
        .map(|(_, floor)| floor)
        .collect();
    assert_eq!(stops, ["0.5", "1.0", "1.5"], "{order}");
    let stateful = "run tasks.py#my_stateful_task 1 --cache inputs --cache-expiration 1h";
    assert!(run(&place, stateful).stderr.contains("Completed"));
    assert!(run(&place, stateful).stderr.contains("Cached"));
    assert!(run(&place, &format!("{stateful} --refresh-cache")).stderr.contains("Completed"));
    let ids = ["add 1 2", "multiply 3 4"].map(|call| completed(&place, &format!("delay tasks.py#{call}")));
    assert_eq!(run(&place, "worker --until-idle --quiet").code, 0);
    ids.iter().for_each(|id| _ = completed(&place, &format!("runs wait {id}")));
    let logs = ids.map(|id| completed(&place, &format!("runs logs {id}")));
    assert!(logs[0].contains("1 + 2 = 3") && logs[1].contains("3 * 4 = 12"), "{logs:?}");
}

#[test]
fn without_a_runtime_the_way_to_one_is_named() {
    let place = Place::with_data_dir();
    place.write("tasks.py", PYTHON);
    let ran = place.run("run tasks.py#add 1");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("tasks.py needs the Python runtime, which is not installed"), "{ran}");
    assert!(ran.stderr.contains("hostel runtime install python FILE"), "{ran}");
    let ran = place.run("runtime install python arith.wasm");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("is no language runtime: it does not export hostel:runtime/language@0.1.0"),
        "{ran}"
    );
    assert!(place.run("runtime ls").stderr.contains("no runtime is installed"));
    let ran = place.run("runtime ls --output json");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    let ran = place.run("push tasks.py --name tasks");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("tasks.py needs the Python runtime, which is not installed"), "{ran}");
}

#[test]
fn installed_runtimes_are_listed() {
    let Some(place) = place() else { return };
    let json = run(&place, "runtime ls --output json");
    let table = run(&place, "runtime ls");
    assert_eq!((json.code, table.code, json.stdout.lines().count()), (0, 0, 2), "{json}");
    for (json, table) in json.stdout.lines().zip(table.stdout.lines()) {
        let json: Json = serde_json::from_str(json).unwrap();
        let cells: Vec<&str> = table.split_whitespace().collect();
        assert_eq!((&json["language"], &json["digest"]), (&cells[0].into(), &cells[1].into()));
    }
}
