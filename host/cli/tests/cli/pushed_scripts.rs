//! Scripts in the registry: pushed, found by name, delayed, scheduled, and on a server.

use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::hostel::{Place, Ran};
use crate::scripts::{INSTALLED, runtimes};
use crate::server::{Server, ran};

const TASKS: &str = "\
def add(a: int, b: int = 2, *, scale=1) -> int:
    \"\"\"Adds two numbers.\"\"\"
    return (a + b) * scale

def greet(name):
    return f\"Hello, {name}!\"

def every(a, /, *rest, **named):
    return [a, rest, named]
";

const TASKS_JS: &str = "/** Adds two values. */\nexport const add = (a, b = 2) => a + b;\nexport const fail = () => { throw new RangeError('no'); };\n";

/// A place whose commands use the data directory with the runtimes, if there are runtimes. Names in it are those of one test.
struct Pushed(Place, &'static TempDir);

impl Pushed {
    fn place() -> Option<Self> {
        let installed = INSTALLED.as_ref()?;
        let place = Place::with_data_dir();
        place.write("tasks.py", TASKS);
        Some(Self(place, installed))
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.0.command(line);
        command.env("HOSTEL_DATA_DIR", self.1.path());
        command
    }

    fn run(&self, line: &str) -> Ran {
        ran(self.command(line))
    }

    #[track_caller]
    fn completed(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran}");
        ran.stdout.trim_end().to_owned()
    }

    #[track_caller]
    fn json(&self, line: &str) -> Json {
        serde_json::from_str(&self.completed(line)).unwrap()
    }

    #[track_caller]
    fn refused(&self, line: &str, code: i32, expected: &str) {
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {ran}");
        assert!(ran.stderr.contains(expected), "{line}: {}", ran.stderr);
    }

    /// The value of a delayed run, once workers have executed it.
    #[track_caller]
    fn executed(&self, run: &str) -> Json {
        // The worker of another test may be the one that executes it.
        assert_eq!(self.run("worker --until-idle --quiet").code, 0);
        self.completed(&format!("runs wait {run}"));
        self.json(&format!("runs show {run} --output json"))["value"].clone()
    }
}

#[test]
fn a_pushed_script_stands_where_its_file_does() {
    let Some(place) = Pushed::place() else { return };
    assert_eq!(place.completed("push tasks.py --name stands@1.0.0"), "stands@1.0.0");
    assert!(place.run("push tasks.py --name stands@1.0.0").stderr.contains("stands@1.0.0 was stored before"));
    let digest = place.json("components show stands --output json")["digest"].as_str().unwrap().to_owned();
    std::fs::remove_file(place.0.path().join("tasks.py")).unwrap();
    for script in ["stands", "stands@1.0.0", &digest] {
        assert_eq!(place.completed(&format!("run {script}#add 40 2")), "42", "{script}");
        assert_eq!(place.completed(&format!("run {script} 'add(40, scale=2)'")), "84", "{script}");
        let mapped = place.completed(&format!("map {script}#add --over a=0..3 --with b=1 --quiet"));
        assert_eq!(mapped, "1\n2\n3", "{script}");
        let shown = place.completed(&format!("inspect {script}"));
        let expected = format!("{script}#add(a: int, b: int = 2, *, scale = 1) -> int");
        assert!(shown.contains(&expected) && shown.contains("Adds two numbers."), "{shown}");
    }
    let run = place.completed("delay stands#greet Ada");
    assert_eq!(place.executed(&run), "Hello, Ada!");
    place.refused("run stands#ad 1", 3, "stands defines no function ad: it defines add, greet, every");
    place.refused("run stands", 3, "which function of stands?");
    place.refused("run stands#add", 2, "missing arguments: a");
    place.refused("run stands@2.0.0#add 1", 3, "the registry has no component stands@2.0.0");
}

#[test]
fn a_file_and_what_was_pushed_of_it_share_results() {
    let Some(place) = Pushed::place() else { return };
    place.completed("push tasks.py --name shares");
    assert!(place.run("run tasks.py#add 20 20").stderr.contains("Completed"));
    assert!(place.run("run shares#add 20 20").stderr.contains("Cached"));
}

#[test]
fn versions_of_a_script_differ_in_their_declarations_and_grants() {
    let Some(place) = Pushed::place() else { return };
    assert_eq!(place.completed("push tasks.py --name differs"), "differs@1.0.0");
    place.0.write("tasks.py", format!("{TASKS}\ndef more(): pass\n"));
    assert_eq!(place.completed("push tasks.py --name differs"), "differs@1.1.0");
    place.0.write("tasks.py", TASKS.replace("(name)", "(name: str)"));
    assert_eq!(place.completed("push tasks.py --name differs"), "differs@2.0.0");
    let diff = place.completed("components diff differs@1.0.0 differs@2.0.0");
    assert_eq!(diff, "- greet: (name)\n+ greet: (name: str)");
    place.0.write("hostel.toml", "[tasks.\"tasks.py#greet\"]\nhttp = [\"example.org\"]\n");
    let ran = place.run("push tasks.py --name differs");
    assert!(ran.stderr.contains("asks for more than 2.0.0, and is not used"), "{ran}");
    assert!(ran.stderr.contains("+ grant http example.org"), "{ran}");
    let shown = place.json("components show differs@1.0.0 --output json");
    assert_eq!(
        (&shown["script"]["language"], &shown["script"]["file"]),
        (&"python".into(), &"tasks.py".into())
    );
    let exports = shown["exports"].as_array().unwrap();
    assert_eq!(exports[2]["signature"], "(a, /, *rest, **named)");
    let shown = place.completed("components show differs@1.0.0");
    assert!(shown.contains("language  python") && shown.contains("greet: (name)"), "{shown}");
}

#[test]
fn a_runtime_stays_as_long_as_a_script_needs_it() {
    let Some(place) = Pushed::place() else { return };
    place.completed("push tasks.py --name keeps");
    let runtime = place.json("components show keeps --output json")["script"]["runtime"].clone();
    let runtime = place.json(&format!("components show {} --output json", runtime.as_str().unwrap()));
    let version = &runtime["versions"][0];
    assert_eq!(version["name"], "hostel.runtime-python");
    let line = format!("components rm hostel.runtime-python@{}", version["version"].as_str().unwrap());
    place.refused(&line, 2, "keeps@1.0.0");
    place.refused(&line, 2, "remove ");
}

#[test]
fn a_schedule_of_a_pushed_script_uses_what_its_name_stands_for() {
    let Some(place) = Pushed::place() else { return };
    let run_now = || {
        let ran = place.completed("schedule run-now plans");
        place.executed(ran.split_whitespace().last().unwrap())
    };
    place.completed("push tasks.py --name plans");
    place.completed("schedule add plans plans#every 1 rest=[2,3] named='{\"x\": \"4\"}' --cron '0 0 1 1 *'");
    assert_eq!(run_now().to_string(), r#"[1,{"$tuple":[2,3]},{"x":"4"}]"#);
    place.0.write("tasks.py", TASKS.replace("[a, rest, named]", "[named, rest, a]"));
    place.completed("push tasks.py --name plans");
    assert_eq!(run_now().to_string(), r#"[{"x":"4"},{"$tuple":[2,3]},1]"#);
    place.0.write("tasks.py", TASKS.replace("(a, /, *rest, **named)", "(a, b, /)"));
    place.completed("push tasks.py --name plans");
    place.refused("schedule run-now plans", 2, "it has no value for the parameter \"b\"");
    place.completed("schedule rm plans");
}

#[test]
fn what_cannot_be_pushed_is_named() {
    let Some(place) = Pushed::place() else { return };
    place.0.write("bad.py", "def f(:\n  pass\n");
    place.refused("push bad.py --name bad", 2, "bad.py:1:7: invalid syntax");
    place.0.write("latin.py", b"def f(): return '\xe9'".as_slice());
    place.refused("push latin.py --name bad", 2, "latin.py is not UTF-8");
    place.refused("push missing.py --name bad", 3, "cannot read missing.py");
    place.refused("components show bad", 3, "the registry has no component bad");
}

#[test]
fn a_server_executes_scripts() {
    if INSTALLED.is_none() {
        return;
    }
    let server = Server::start("");
    let place = &server.client;
    place.write("tasks.js", TASKS_JS);
    let expected = "the server has no JavaScript runtime";
    server.refused("run tasks.js#add 40 2", 2, expected);
    let runtime = runtimes().join("js.wasm");
    server.completed(&format!("push {} --name hostel.runtime-js", runtime.display()));
    assert_eq!(server.completed("run tasks.js#add 40 2"), "42");
    assert_eq!(server.completed("push tasks.js --name tasks"), "tasks@1.0.0");
    assert_eq!(server.completed("run tasks#add 40"), "42");
    let task = server.request("GET", "/api/v1/tasks/tasks%23add", "");
    assert!(task.contains(r#""docs":"Adds two values.""#), "{task}");
    assert_eq!(server.completed("run tasks#add '\"a\"' '\"b\"'"), "\"ab\"");
    assert_eq!(server.completed("map tasks#add --over a=[1,2] --with b=1 --quiet"), "2\n3");
    let failed = server.run("run tasks#fail");
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("RangeError: no"), "{failed}");
    let run = server.completed("delay tasks#add 1 2");
    server.completed(&format!("runs wait {run}"));
    let shown: Json =
        serde_json::from_str(&server.completed(&format!("runs show {run} --output json"))).unwrap();
    assert_eq!(shown["value"], 3);
    server.refused("run tasks#ad 1", 3, "no export is named `ad`");
    place.write("bad.js", "export function f( {\n");
    server.refused("run bad.js#f", 2, "Unexpected token");
    let shown: Json = serde_json::from_str(&server.completed("components show tasks --output json")).unwrap();
    assert_eq!(shown["script"]["language"], "js");
    server.refused("components rm hostel.runtime-js@1.0.0", 2, "tasks@1.0.0");
    server.completed("schedule add daily tasks#add 2 3 --cron '0 0 1 1 *'");
    let run = server.completed("schedule run-now daily");
    server.completed(&format!("runs wait {}", run.split_whitespace().last().unwrap()));
}
