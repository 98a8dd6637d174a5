//! Commands with `--server`: a real server executes, and the command shows what it would show without one.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value as Json;

use crate::hostel::{Place, check, interrupt};
use crate::server::{PATIENCE, Server, StandIn, Watchdog, ran};
use crate::stored::Worker;

/// Starts a command with pipes for its output.
fn start(mut command: Command) -> (Child, Watchdog) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watchdog = Watchdog::of(&child);
    (child, watchdog)
}

/// Reads lines until one has this text.
#[track_caller]
fn until(lines: &mut impl BufRead, text: &str) {
    let (mut line, mut all) = (String::new(), String::new());
    while !line.contains(text) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "no {text:?} in {all:?}");
        all += &line;
    }
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_run_on_a_server_looks_as_without_one() {
    let server = Server::start("--workers 1");
    let here = Place::with_data_dir();
    let lines = [
        "run arith.wasm#add 40 2",
        "run arith.wasm#add a=40 b=2 --output json",
        "run arith.wasm 'add(40, 2)' --quiet",
        "run arith.wasm#add --json '[40, 2]'",
        "run text.wasm#greet Ada",
        "run text.wasm#word-count 'one two three' --output table",
        "run interface.wat#ops.add 1 2",
        "run models.wasm#scores.add nan inf --output json",
        "run elevator.wasm#explain-tasks",
        "run elevator.wasm#stop-at-floor ms-per-floor=1 floor=2",
        "run batch.wasm#process-data item=-3",
        "run spin-forever.wasm#spin --timeout 20ms --name spinning",
        "run command.wasm hello a=b",
        "run command.wasm --output json -- --bytes",
        "run arith.wasm#add x 2",
        "run arith.wasm#add 1",
        "run missing.wasm#add 1",
    ];
    check!("remote_run", server.session(&lines));
    for line in lines {
        let (there, here) = (server.run(line), here.run(line));
        assert_eq!((there.code, &there.stdout), (here.code, &here.stdout), "{line}: {}", there.stderr);
    }
    // A trap has its backtrace.
    let ran = server.run("run panic.wasm 'so much for that'");
    assert_eq!(ran.code, 1);
    for part in ["so much for that", "watch_it_burn", "\nFailed in "] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn the_states_and_attempts_of_a_run_on_a_server() {
    let server = Server::start("--workers 1");
    let ran =
        server.run("run batch.wasm#process-data item=-3 --retries 1 --retry-delay 1ms --states --receipt");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let run = json(&ran.stdout);
    assert_eq!((&run["state"], &run["attempt_count"]), (&"Failed".into(), &2.into()));
    assert_eq!(run["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(run.get("queue"), None, "the members are those of a run here");
    for part in ["attempt 1 of 2 failed in ", "Failed in ", "(2 attempts)", "used     "] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    // The same again comes from the cache.
    server.completed("run arith.wasm#add 40 2");
    let again = server.run("run arith.wasm#add 40 2");
    assert!(again.last().starts_with("Cached (made by run "), "{}", again.stderr);
}

#[test]
fn options_without_a_meaning_are_named() {
    let server = Server::start("--workers 0");
    let lines = [
        "run arith.wasm#add 1 2 --data-dir here",
        "run arith.wasm#add 1 2 --no-data-dir",
        "run arith.wasm#add 1 2 --max-host-memory 1GiB",
        "run arith.wasm#add 1 2 --record none",
        "run arith.wasm#add 1 2 --explain-cache",
        "run arith.wasm#add 1 2 --dir .",
        "run arith.wasm#add 1 2 --remote-cache file:///here",
        "run command.wasm --stdin input.txt",
        "delay command.wasm --stdin input.txt",
        "runs ls --data-dir here",
        "runs ls --follow",
        "components ls --data-dir here",
        "cache rm --from-remote",
    ];
    check!("remote_unfit", server.session(&lines));
    // An empty address is this machine.
    let here = server.run("run arith.wasm#add 40 2 --data-dir here --server ''");
    assert_eq!((here.code, here.stdout.as_str()), (0, "42\n"), "{}", here.stderr);
}

#[test]
fn components_are_pushed_compared_and_accepted() {
    let server = Server::start("--workers 1");
    let pushed = server.run("push arith.wasm --name acme.math");
    assert_eq!((pushed.code, pushed.stdout.as_str()), (0, "acme.math@1.0.0\n"), "{}", pushed.stderr);
    let again = server.run("push arith.wasm --name acme.math");
    assert!(again.stderr.contains("acme.math@1.0.0 was stored before"), "{}", again.stderr);
    assert_eq!(server.completed("run acme.math#add 40 2 --quiet"), "42");
    assert_eq!(server.completed("run acme.math@1.0.0 'add(40, 2)' --quiet"), "42");

    // Another one asks for more.
    let more = server.run("push peek.wasm --name acme.math@2.0.0");
    assert_eq!((more.code, more.stdout.as_str()), (0, "acme.math@2.0.0\n"), "{}", more.stderr);
    assert!(more.stderr.contains("acme.math@2.0.0 asks for more than 1.0.0"), "{}", more.stderr);
    let diff = server.completed("components diff acme.math@1.0.0 acme.math@2.0.0");
    assert!(diff.lines().all(|line| line.starts_with("+ ") || line.starts_with("- ")), "{diff}");
    assert_eq!(server.completed("components accept acme.math@2.0.0"), "accepted acme.math@2.0.0");
    let listed = server.completed("components ls --output json");
    let versions: Vec<Json> = listed.lines().map(json).collect();
    assert!(versions.iter().all(|version| version["accepted"] == true), "{listed}");
    assert_eq!(versions.len(), 2, "{listed}");
    let shown = server.completed("components show acme.math");
    assert!(shown.contains("Versions\n  acme.math@2.0.0"), "{shown}");
    assert_eq!(server.completed("components rm acme.math@1.0.0"), "removed acme.math@1.0.0");
    server.refused("components show acme.math@1.0.0", 3, "acme.math@1.0.0");
    // They are on the server, and not here.
    assert_eq!(server.completed("components ls --server ''"), "");

    // The same JSON as without a server, but for times and persons.
    let here = Place::with_data_dir();
    let members = |text: &str| json(text).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let there = server.completed("push calculator.wasm --name calc --output json");
    assert_eq!(members(&there), members(&here.run("push calculator.wasm --name calc --output json").stdout));
    let digest = server.completed("push text.wasm");
    assert_eq!(format!("{digest}\n"), here.run("push text.wasm").stdout);
    assert_eq!(
        server.completed(&format!("run {digest}#greet Ada --quiet")),
        here.run("run text.wasm#greet Ada --quiet").stdout.trim_end()
    );
}

#[test]
fn a_file_that_is_no_component_is_named() {
    let server = Server::start("--workers 0");
    server.client.write("text.wasm.txt", "no component");
    server.client.write("core.wasm", b"\0asm\x01\0\0\0");
    server.refused("run ./core.wasm#add 1 2", 2, "core.wasm: ");
    server.refused("push text.wasm.txt", 2, "text.wasm.txt");
    server.refused("run arith.wasm#adds 1 2", 3, "add");
    server.refused("run no.such#add 1 2", 3, "no.such");
}

#[test]
fn runs_are_delayed_found_and_acted_on() {
    let server = Server::start("--workers 0");
    let run = server.completed("delay arith.wasm#add 40 2 --queue numbers --tag a --priority 3");
    let id = "01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21";
    // Repeated, nothing changes; another run is refused.
    for _ in 0..2 {
        assert_eq!(server.completed(&format!("delay arith.wasm#add 1 2 --id {id} --in 1h")), id);
    }
    server.refused(&format!("delay arith.wasm#add 1 3 --id {id} --in 1h"), 2, "another specification");
    let first = server.completed("delay arith.wasm#add 5 6 --unique k");
    assert_eq!(server.completed("delay arith.wasm#add 7 8 --unique k"), first);
    server.refused("delay arith.wasm#add 7 8 --unique k:reject", 2, "has the key");

    let listed = |filter: &str| -> Vec<Json> {
        server.completed(&format!("runs ls --output json {filter}")).lines().map(json).collect()
    };
    assert_eq!(listed("queue:numbers")[0]["priority"], 3);
    assert_eq!((listed("").len(), listed("state:scheduled").len(), listed("--limit 2").len()), (3, 1, 2));
    let page = server.run("runs ls --limit 1");
    let cursor = page.stderr.split("--after ").nth(1).unwrap_or_else(|| panic!("{}", page.stderr)).trim();
    assert_eq!(listed(&format!("--limit 5 --after {cursor}")).len(), 2);

    let table = server.completed(&format!("runs show {run}"));
    for part in ["waits for  a worker that serves the queue numbers", "tags       a", "input      40"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let timeout = server.run(&format!("runs wait {run} --timeout 1ms"));
    assert!(timeout.code == 1 && timeout.stderr.contains("it is Pending"), "{}", timeout.stderr);

    assert_eq!(server.place.run("worker --until-idle --quiet").code, 0);
    let waited = server.completed(&format!("runs wait {run}"));
    assert!(waited.starts_with(&format!("{run} Completed add-")), "{waited}");
    // What is shown is what the journal of the server has.
    for line in
        [format!("runs show {run} --output json"), format!("runs show {run}"), format!("runs wait {run}")]
    {
        let here = server.place.run(&line);
        assert_eq!(server.completed(&line), here.stdout.trim_end(), "{line}");
    }

    assert_eq!(server.completed("runs cancel --where state:scheduled --dry-run"), "1 run would be cancelled");
    // Only runs that the action fits are counted.
    assert_eq!(server.completed("runs retry --where state:scheduled --dry-run"), "0 runs would be retried");
    assert_eq!(server.completed(&format!("runs cancel {id}")), format!("cancelled {id}"));
    assert_eq!(server.completed(&format!("runs cancel {id}")), format!("{id} had ended before"));
    assert_eq!(server.completed(&format!("runs retry {id}")), format!("retried {id}"));
    server.refused(&format!("runs retry {run}"), 2, "Completed");
    server.refused(&format!("runs rm {id}"), 2, "expected one that has ended");
    let said = server.run("runs cancel --where state:unfinished");
    assert_eq!((said.code, said.stdout.trim_end()), (0, "cancelled 1 run"), "{}", said.stderr);
    assert_eq!(server.completed("runs rm --where 'state:completed'"), "removed 2 runs");
    server.refused(&format!("runs show {run}"), 3, &run);
}

#[test]
fn batches_of_a_server_look_as_without_one() {
    let server = Server::start("--workers 1");
    let failed = server.completed("delay batch.wasm#process-data -1 --unique k");
    server.run(&format!("runs wait {failed}"));
    // While it waits it has the key, so that the other one cannot be retried.
    server.completed("delay batch.wasm#process-data -2 --unique k --in 1h");
    let ran = server.run("runs retry --where state:failed");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "retried 0 runs\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("1 run could not be retried: {failed}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("hostel runs retry RUN says why"), "{}", ran.stderr);

    server.completed("delay batch.wasm#process-data -3 --id 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21");
    server.run("runs wait 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21");
    assert_eq!(server.completed(&format!("runs seen {failed}")), format!("marked as seen {failed}"));
    assert_eq!(server.completed(&format!("runs seen {failed}")), format!("{failed} needs no attention"));
    assert_eq!(server.completed("runs seen --where state:failed"), "marked as seen 1 run");

    assert_eq!(server.completed("runs batches"), server.place.run("runs batches").stdout.trim_end());
    let line = "runs batches --output json";
    assert_eq!(server.completed(line), server.place.run(line).stdout.trim_end());
    assert_eq!(server.completed("runs batches --stop 1"), "batch 1 was finished before");
    server.refused("runs batches --stop 77", 3, "no batch 77");
    server.refused("runs batches --resume 1", 2, "--resume cannot be used with a server");
}

#[test]
fn options_are_checked_before_a_file_is_sent() {
    let server = Server::start("--workers 0");
    for (options, part) in
        [("--dir .", "--dir"), ("--env HOSTEL_TEST_UNSET", "HOSTEL_TEST_UNSET"), ("--http ''", "http")]
    {
        server.refused(&format!("run arith.wasm#add 1 2 {options}"), 2, part);
    }
    let answer = server.request("GET", "/api/v1/components", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"items\":[]"), "{answer}");
}

#[test]
fn commands_of_this_machine_say_so() {
    let place = Place::with_data_dir();
    let note = "this command acts on this machine, not on HOSTEL_SERVER";
    for line in ["runs stats", "limits ls", "cache clear", "runtime ls"] {
        let mut command = place.command(line);
        command.env("HOSTEL_SERVER", "http://127.0.0.1:1");
        let ran = ran(command);
        assert!(ran.code == 0 && ran.stderr.matches(note).count() == 1, "{line}: {}", ran.stderr);
        assert!(!place.run(line).stderr.contains(note), "{line}");
    }
}

#[test]
fn a_wait_ends_in_time_although_the_server_does_not_answer() {
    // It accepts connections and is silent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with_data_dir();
    let mut command = place.command("runs wait 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21 --timeout 1ms");
    command.env("HOSTEL_SERVER", format!("http://{}", silent.local_addr().unwrap()));
    command.env("HOSTEL_TOKEN", "token");
    let ran = ran(command);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("has not answered within the timeout"), "{}", ran.stderr);
}

#[test]
fn the_log_of_a_run_comes_from_its_server() {
    let server = Server::start("--workers 1");
    let run = server.completed("delay elevator.wasm#stop-at-floor 0");
    let log = server.completed(&format!("runs logs {run} --follow"));
    assert!(
        log.contains("elevator moving to floor 0\n") && log.ends_with("elevator stops on floor 0"),
        "{log}"
    );
    for options in ["", "--text stops", "--from 1 --output json", "--attempt 2"] {
        let line = format!("runs logs {run} {options}");
        assert_eq!(server.completed(&line), server.place.run(&line).stdout.trim_end(), "{line}");
    }
}

#[test]
fn schedules_of_a_server() {
    let server = Server::start("--workers 0");
    let added =
        server.completed("schedule add nightly arith.wasm#add 1 2 --cron '30 2 * * *' --zone Europe/Berlin");
    assert!(added.starts_with("nightly: At 02:30 (Europe/Berlin); next "), "{added}");
    server.refused("schedule add nightly arith.wasm#add 1 2 --every 5m", 2, "there is a schedule nightly");
    server.completed("schedule add often arith.wasm#add 1 2 --every 5m --overlap skip --queue q --tag t");
    for line in ["schedule ls", "schedule ls --output json", "schedule next nightly"] {
        assert_eq!(server.completed(line), server.place.run(line).stdout.trim_end(), "{line}");
    }
    assert_eq!(server.completed("schedule pause often"), "paused often");
    assert!(server.completed("schedule ls").contains("paused"));
    assert_eq!(server.completed("schedule resume often"), "resumed often");
    let run = server.completed("schedule run-now often");
    let shown = json(&server.completed(&format!("runs show {run} --output json")));
    assert_eq!((&shown["queue"], &shown["inputs"]), (&"q".into(), &serde_json::json!([1, 2])));
    assert_eq!(server.completed("schedule rm often"), "removed often");
    server.refused("schedule next often", 3, "there is no schedule often");
}

#[test]
fn cached_results_of_a_server() {
    let server = Server::start("--workers 1");
    assert_eq!(server.completed("cache ls"), "");
    server.completed("run arith.wasm#add 40 2");
    // The server writes it in the background.
    let deadline = Instant::now() + PATIENCE;
    let listed = loop {
        let listed = server.completed("cache ls --output json");
        if !listed.is_empty() {
            break json(&listed);
        }
        assert!(Instant::now() < deadline, "no result in {PATIENCE:?}");
    };
    let key = listed["key"].as_str().unwrap();
    let shown = json(&server.completed(&format!("cache show {key} --output json")));
    assert_eq!(shown["value"], 42);
    assert!(server.completed(&format!("cache show {key}")).contains("value       42"));
    assert_eq!(json(&server.completed("cache stats --output json"))["entries"], 1);
    assert_eq!(server.completed(&format!("cache rm {key}")), "removed 1 result");
    server.refused(&format!("cache show {key}"), 3, "no cached result");
}

#[test]
fn ctrl_c_cancels_the_run_on_the_server() {
    let server = Server::start("--workers 1");
    let (mut child, _watchdog) = start(server.command("run spin-forever.wasm#spin-after 0"));
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    until(&mut stderr, "spinning");
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("Cancelled after "), "{rest}");
    assert_eq!(json(&server.completed("runs ls --output json"))["state"], "Cancelled");
}

#[test]
fn a_run_that_does_not_stop_is_no_success() {
    let server = Server::start("--workers 0");
    let worker = Worker::start(&server.place, "");
    let (mut child, _watchdog) = start(server.command("run spin-forever.wasm#spin-after 0"));
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    until(&mut stderr, "spinning");
    // The worker does not hear of it.
    let process = worker.child.id().to_string();
    assert!(Command::new("kill").args(["-STOP", &process]).status().unwrap().success());
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("has not stopped yet: it is Cancelling"), "{rest}");
    assert!(rest.contains("hostel runs wait "), "{rest}");
}

#[test]
fn a_wait_goes_on_with_the_next_server() {
    let mut server = Server::start("--workers 0");
    let first = server.completed("delay arith.wasm#add 40 2");
    assert_eq!(server.place.run("worker --until-idle --quiet").code, 0);
    let second = server.completed("delay elevator.wasm#stop-at-floor 0");
    // With the first line it is known that it has reached the server.
    let (mut wait, _of_wait) = start(server.command(&format!("runs wait {first} {second}")));
    let mut shown = BufReader::new(wait.stdout.take().unwrap());
    until(&mut shown, &first);
    server.kill();
    let mut said = BufReader::new(wait.stderr.take().unwrap());
    until(&mut said, "trying again");
    server.restart("--workers 0");
    let _worker = Worker::start(&server.place, "");
    until(&mut shown, &format!("{second} Completed"));
    assert_eq!(wait.wait().unwrap().code(), Some(0));
}

#[test]
fn a_token_may_be_missing_wrong_or_too_weak() {
    let server = Server::start("--workers 1");
    let command = |token: Option<&str>, line: &str| {
        let mut command = server.client.command(line);
        command.env("HOSTEL_SERVER", server.url());
        token.into_iter().for_each(|token| _ = command.env("HOSTEL_TOKEN", token));
        ran(command)
    };
    let check = |token, line: &str, code, message: &str| {
        let ran = command(token, line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    };
    check(None, "runs ls", 4, "HOSTEL_TOKEN is not set, and ");
    check(Some("wrong"), "runs ls", 4, "the token comes from HOSTEL_TOKEN: does it belong to this server?");
    assert!(!command(Some("wrong"), "runs ls").stderr.contains("DATA_DIR"), "a hint for other programs");
    check(Some("two words"), "runs ls", 4, "HOSTEL_TOKEN has no token");
    let answer = server.request("POST", "/api/v1/tokens", r#"{"name": "weak", "scopes": ["read", "run"]}"#);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let weak = json(body)["token"].as_str().unwrap().to_owned();
    let weak = Some(weak.as_str());
    assert_eq!(command(weak, "runs ls").code, 0);
    check(weak, "run arith.wasm#add 1 2", 4, "lacks the scope components");
    server.completed("push arith.wasm --name math");
    check(weak, "run math#add 1 2 --env A=b", 4, "lacks the scope admin");
    check(weak, "run math#add 1 2", 4, "may not see its value");
    check(weak, "map math#add --over 'a=[1, 2]' --with b=2", 4, "may not see its value");
    // Without the variable, the token is that of the data directory, for a server on this machine.
    let mut own = server.place.command("runs ls --output json");
    own.env("HOSTEL_SERVER", server.url());
    assert_eq!(ran(own).code, 0);
    // A pipe in the place of the file is not waited for.
    let pipe = server.client.data_dir().join("token");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    check(None, "runs ls", 4, "HOSTEL_TOKEN is not set, and ");
}

#[test]
fn an_error_after_the_submission_names_the_run() {
    let server = Server::start("--workers 0");
    server.completed("push arith.wasm --name math");
    let task = server.request("GET", "/api/v1/tasks/math%23add", "");
    let (_, task) = task.split_once("\r\n\r\n").unwrap();
    let task = StandIn::answer("200 OK", "application/json", "", task);
    let page = StandIn::answer("502 Bad Gateway", "text/html", "", "");
    let ran = StandIn::start(vec![task, page]).run("run math#add 1 2");
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let (_, run) = ran.stderr.split_once("error: run ").unwrap_or_else(|| panic!("{}", ran.stderr));
    let (run, _) = run.split_once(": ").unwrap();
    let hint = format!("the run may still be running: hostel runs show {run} shows its state");
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
}

#[test]
fn what_is_no_server_is_said_in_one_line() {
    let check = |answers: Vec<String>, line: &str, code: i32, parts: &[&str]| {
        let ran = StandIn::start(answers).run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
        assert_eq!(ran.stderr.matches("error").count(), 1, "{}", ran.stderr);
    };
    let html = StandIn::answer("502 Bad Gateway", "text/html", "", "<html>bad gateway</html>");
    check(vec![html], "runs ls", 5, &["status 502, text/html", "does a proxy before it pass on /api/v1?"]);
    let page = StandIn::answer("200 OK", "text/html", "", "<html>hello</html>");
    check(vec![page], "runs ls", 5, &["did not answer like a Hostel server: status 200, text/html"]);
    let moved = StandIn::answer("301 Moved Permanently", "text/html", "Location: https://b.example/\r\n", "");
    check(vec![moved], "runs ls", 5, &["is not a Hostel server: it redirects to https://b.example/"]);
    let broken = StandIn::answer("200 OK", "application/json", "", "{\"items\": 1}");
    check(vec![broken], "runs ls", 5, &["cannot be read", "another version"]);

    let problem = |status: &str, code: &str, kind: &str, detail: &str, headers: &str| {
        let number = &status[..3];
        let body = format!(
            r#"{{"type":"/problems/{code}","title":"","status":{number},"kind":"{kind}","code":"{code}","detail":"{detail}"}}"#
        );
        StandIn::answer(status, "application/problem+json", headers, &body)
    };
    let many =
        problem("429 Too Many Requests", "too-many-requests", "exhausted", "too many", "Retry-After: 70\r\n");
    check(vec![many], "runs ls", 5, &["too many", "try again in 70 s"]);
    // One that asks to come back has answered.
    let busy = problem("503 Service Unavailable", "busy", "unavailable", "starting", "Retry-After: 0\r\n");
    let none = StandIn::answer("200 OK", "application/json", "", r#"{"items":[],"next":null}"#);
    let ran = StandIn::start(vec![busy, none]).run("runs ls");
    assert!(ran.code == 0 && ran.stderr.contains("no run matches"), "{ran:?}");
    let host = problem("421 Misdirected Request", "wrong-host", "invalid", "expected a.b", "");
    check(
        vec![host],
        "runs ls",
        2,
        &["expected a.b", "use one of these names in place of http://127.0.0.1:"],
    );

    // A server without a feature, and one that knows less of it.
    let info = |features: &str| {
        let body = format!(r#"{{"version":"0.0.9","features":[{features}],"later":1}}"#);
        StandIn::answer("200 OK", "application/json", "", &body)
    };
    let none = || problem("404 Not Found", "no-route", "not-found", "there is no such address", "");
    let parts =
        ["of version 0.0.9 does not have the feature schedules", "use a server that is at least as new"];
    check(vec![none(), info("\"runs\"")], "schedule ls", 5, &parts);
    let parts = ["of version 0.0.9 does not know the request: there is no such address"];
    check(vec![none(), info("\"schedules\"")], "schedule ls", 5, &parts);
    // A later one answers more than this version knows.
    let page = r#"{"items":[{"name":"a","task":"t","every_ms":1000,"anchor_at":"2026-01-01T00:00:00Z","description":null,"missed":"later","overlap":"allow","spread_ms":0,"queue":"q","tags":[],"paused":false,"created_at":"2026-01-01T00:00:00Z","next_at":null,"last_at":null,"more":[1]}],"next":null,"total":1}"#;
    let ran =
        StandIn::start(vec![StandIn::answer("200 OK", "application/json", "", page)]).run("schedule ls");
    assert!(ran.code == 0 && ran.stdout.contains("Every 1s"), "{ran:?}");
}

#[test]
fn another_scheme_is_suggested() {
    // What a server of TLS answers without it, as an alert of TLS and as a page, and a server of HTTP that is asked for TLS.
    let alert = "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{32}".to_owned();
    let page =
        StandIn::answer("400 Bad Request", "text/html", "", "The plain HTTP request was sent to HTTPS port");
    for answer in [alert, page] {
        let server = StandIn::start(vec![answer]);
        let ran = server.run("runs ls");
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        let hint = format!("if the server uses https, its address is https://{}", server.address);
        assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
    }
    let server = Server::start("--workers 0");
    let ran = server.run(&format!("runs ls --server https://{}", server.address));
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let hint = format!("if the server uses http, its address is http://{}", server.address);
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
}

#[test]
fn hints_of_a_server_speak_of_commands() {
    let server = Server::start("--workers 0");
    let run = "01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21";
    server.completed(&format!("delay arith.wasm#add 1 2 --id {run}"));
    let check = |line: &str, hint: &str| {
        let ran = server.run(line);
        assert!(ran.code != 0 && ran.stderr.contains(hint), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains("/api/"), "{line}: {}", ran.stderr);
    };
    check("runs show 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c22", "hostel runs ls lists runs");
    check("schedule rm nightly", "hostel schedule ls lists schedules");
    check("run math#add 1 2", "hostel components ls lists components");
    check(&format!("delay arith.wasm#add 1 3 --id {run}"), "choose another --id, or repeat the same command");
}

#[test]
fn an_address_is_checked_before_anything_is_sent() {
    let place = Place::with_data_dir();
    let lines = [
        "runs ls --server 127.0.0.1:4700",
        "runs ls --server ftp://hostel.example",
        "runs ls --server 'http://127.0.0.1:4700/#login=secret'",
        "runs ls --server http://me:secret@hostel.example",
        "runs ls --server https://hostel.example",
    ];
    check!("remote_address", place.session(&lines));
    // Nothing listens there: the port was given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = place.command(&format!("runs ls --server http://127.0.0.1:{port}"));
    command.env("HOSTEL_TOKEN", "token");
    let ran = ran(command);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let expected = format!("cannot reach the server http://127.0.0.1:{port}/: ");
    assert!(ran.stderr.contains(&expected) && ran.stderr.contains("refused"), "{}", ran.stderr);
}
