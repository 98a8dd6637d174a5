//! The dashboard's files: what is sent, with which headers, and that the vendored ones are those that were reviewed.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::client::Request;
use crate::running::Running;

/// The vendored modules, with the packages they come from. Their imports are made relative, and the line that names a source map is left
/// out; nothing else is changed. The licences are beside them.
const VENDORED: [(&str, &str, &str); 5] = [
    (
        "preact.js",
        "preact 11.2.0: dist/preact.mjs",
        "225d7a773766e6fb2cfcc45274fe41d2059f5782f3f2c4569aa5132a2d3a2902",
    ),
    (
        "hooks.js",
        "preact 11.2.0: hooks/dist/hooks.mjs",
        "5c65ab263688d0805862fd0807c779af02c2799c44fda0873dfcb870d0da70a0",
    ),
    ("htm.js", "htm 3.1.1: dist/htm.mjs", "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4"),
    (
        "signals.js",
        "@preact/signals 2.11.4: dist/signals.mjs",
        "822c3a0f6516b2221beae1f8fea0ca2d0c886eb16ce98949530aa1d2b8ac64d6",
    ),
    (
        "signals-core.js",
        "@preact/signals-core 1.14.5: dist/signals-core.mjs",
        "147cdbe5e0e6e9cb35a27f2d4f496f8ba0fbd6beedf9e683e0297a976773b724",
    ),
];

fn files() -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/app")];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn the_page_is_sent_at_every_address_of_one_and_leads_back_to_the_root() {
    let server = Running::start();
    for (path, base) in [
        ("/", "./"),
        ("/runs", "./"),
        ("/runs/x", "../"),
        ("/runs/x/logs", "../../"),
        ("/tasks/a%23b%2Fc", "../"),
    ] {
        let answer = Request::new(server.address, "GET", path).send();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{path}"
        );
        assert!(answer.text().contains(&format!("<base href=\"{base}\">")), "{path}: {}", answer.text());
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn an_address_without_a_page_says_so_to_browsers_and_is_a_problem_for_others() {
    let server = Running::start();
    let send = |method: &str, path: &str, accept: Option<&str>| {
        let request = Request::new(server.address, method, path);
        accept.into_iter().fold(request, |request, accept| request.header("Accept", accept)).send()
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (path, base) in [("/nowhere", "./"), ("/runs/x/logs/more", "../../../"), ("/runs/", "../")] {
        let answer = send("GET", path, Some(browser));
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some("text/html; charset=utf-8")),
            "{path}"
        );
        let text = answer.text();
        assert!(text.contains(&format!("<base href=\"{base}\">")), "{path}: {text}");
        assert!(text.contains("/main.js") && text.contains("/pages/none.js"), "{path}: {text}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for accept in [None, Some("*/*"), Some("application/json"), Some("text/html;q=0, application/json")] {
            send("GET", path, accept).problem(404, "no-route");
        }
        send("POST", path, Some(browser)).problem(404, "no-route");
        assert_eq!(send("HEAD", path, Some(browser)).status, 404);
    }
    for path in ["/api/v1/nowhere", "/api/v2", "/assets/dev/nothing.js"] {
        send("GET", path, Some(browser)).problem(404, "no-route");
    }
}

#[test]
fn what_the_page_loads_is_there_under_the_hash_of_this_version_only() {
    let server = Running::start();
    let get = |path: &str| Request::new(server.address, "GET", path).send();
    let page = get("/").text();
    let loaded: Vec<_> =
        page.split('"').filter(|text| text.starts_with("assets/")).map(|text| format!("/{text}")).collect();
    assert!(loaded.len() >= 4, "{page}");
    for path in &loaded {
        let answer = get(path);
        assert_eq!(answer.status, 200, "{path}");
        let ty = answer.header("content-type").unwrap();
        assert!(
            ["text/javascript", "text/css", "image/svg+xml"].iter().any(|known| ty.starts_with(known)),
            "{path}: {ty}"
        );
    }
    let script = loaded.iter().find(|path| path.ends_with("main.js")).unwrap();
    let (folder, _) = script.rsplit_once('/').unwrap();
    for wrong in [
        "/assets/0123456789abcdef/main.js".to_owned(),
        format!("{folder}/nothing.js"),
        format!("{folder}/index.html"),
        format!("{folder}/../assets.rs"),
        format!("{folder}/..%2f..%2fCargo.toml"),
        format!("{folder}/{}", "x".repeat(5000)),
    ] {
        get(&wrong).problem(404, "no-route");
    }
    Request::new(server.address, "POST", script).send().problem(405, "method-not-allowed");
}

#[test]
fn a_page_asks_at_once_for_its_two_scripts_which_have_all_modules() {
    let server = Running::start();
    let get = |path: &str| Request::new(server.address, "GET", path).send().text();
    let scripts = |path: &str| -> Vec<String> {
        let page = get(path);
        let links = page.split('"').filter(|text| text.starts_with("assets/") && text.ends_with(".js"));
        links.filter(|link| !link.ends_with("/first.js")).map(ToOwned::to_owned).collect()
    };
    for (path, file) in
        [("/", "overview"), ("/runs/x/logs", "run"), ("/tasks/a", "task"), ("/system", "system")]
    {
        let scripts = scripts(path);
        assert_eq!(scripts.len(), 2, "{path}: {scripts:?}");
        assert!(
            scripts[0].ends_with(&format!("/pages/{file}.js")) && scripts[1].ends_with("/main.js"),
            "{scripts:?}"
        );
        let [page, main] = [&scripts[0], &scripts[1]].map(|script| get(&format!("/{script}")));
        assert!(main.contains("hostel$[\"vendor/preact.js\"] = ") && !main.contains("\nimport "), "{path}");
        let imports: Vec<_> = page.lines().filter(|line| line.starts_with("import ")).collect();
        assert_eq!(imports, ["import { hostel$ } from \"../main.js\";"], "{path}");
    }
    let [map, main] = scripts("/maps/x").try_into().unwrap();
    let has = |script: &str, module: &str| {
        get(&format!("/{script}")).contains(&format!("hostel$[\"{module}\"] = "))
    };
    assert!(has(&map, "parts/gantt.js") && !has(&main, "parts/gantt.js"));
}

#[test]
fn vendored_files_are_those_of_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/app/vendor");
    let mut there: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.retain(|name| name.ends_with(".js"));
    assert_eq!(there.len(), VENDORED.len(), "{there:?}");
    for (name, package, sha256) in VENDORED {
        let found: String = Sha256::digest(std::fs::read(folder.join(name)).unwrap())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, sha256, "{name} of {package}");
    }
    for licence in ["LICENSE-preact", "LICENSE-htm", "LICENSE-signals"] {
        assert!(folder.join(licence).exists(), "{licence}");
    }
}

#[test]
fn files_are_short_and_make_no_markup_from_texts() {
    // Written in two parts, so that this list is not found by a search for them.
    let forbidden = [
        ["inner", "HTML"],
        ["outer", "HTML"],
        ["insertAdjacent", "HTML"],
        ["dangerously", "SetInner"],
        ["document.", "write"],
        ["ev", "al("],
        ["new ", "Function"],
    ];
    for path in files() {
        let name = path.display();
        if path.components().any(|part| part.as_os_str() == "vendor") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 400, "{name} has {} lines", text.lines().count());
        for parts in forbidden {
            assert!(!text.contains(&parts.concat()), "{name} has {}", parts.concat());
        }
        if path.extension().is_some_and(|ending| ending == "js") {
            assert!(text.starts_with("// "), "{name} does not say what it is for");
        }
    }
}
