//! What wasmtime provides for a guest without telling: stacks of calls, and copies of values that pass between the guest and the host.

use hostel_core::{Limit, LimitKind, Limits};
use hostel_engine::{Engine, EngineOptions, Function};

use crate::limits::{MIB, limit_of};
use crate::run_with;

fn of(engine: &Engine, text: &str, name: &str) -> Function {
    engine.load_bytes(text.as_bytes()).unwrap().function(Some(name)).unwrap()
}

/// A component of so many parts. Its `go` calls one function of each of the first `k`, which wait for ever on stacks of their own.
fn waiting(parts: usize) -> String {
    let each = |text: &dyn Fn(usize) -> String| (0..parts).map(text).collect::<String>();
    format!(
        r#"(component
             (component $never
               (core func $new (canon waitable-set.new))
               (core module $m
                 (import "h" "new" (func $new (result i32)))
                 (func (export "f") (result i32)
                   (i32.or (i32.const 2) (i32.shl (call $new) (i32.const 4))))
                 (func (export "cb") (param i32 i32 i32) (result i32) i32.const 1))
               (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new))))))
               (func (export "f") async (canon lift (core func $i "f") async (callback (core func $i "cb")))))
             (component $part
               (import "never" (func $never async))
               (core func $l (canon lower (func $never)))
               (core module $m (import "h" "never" (func $never)) (func (export "f") (call $never)))
               (core instance $i (instantiate $m (with "h" (instance (export "never" (func $l))))))
               (func (export "f") async (canon lift (core func $i "f"))))
             (component $caller
               {imports}
               (core module $m
                 {core_imports}
                 (func (export "go") (param i32) (result i32) {calls} (local.get 0)))
               (core instance $i (instantiate $m (with "h" (instance {lowered}))))
               (func (export "go") async (param "k" u32) (result u32) (canon lift (core func $i "go"))))
             (instance $never (instantiate $never))
             {instances}
             (instance $caller (instantiate $caller {arguments}))
             (export "go" (func $caller "go")))"#,
        imports = each(&|n| format!(
            r#"(import "f{n}" (func $f{n} async)) (core func $l{n} (canon lower (func $f{n}) async))"#
        )),
        core_imports = each(&|n| format!(r#"(import "h" "f{n}" (func $f{n} (result i32)))"#)),
        calls =
            each(&|n| format!("(if (i32.gt_u (local.get 0) (i32.const {n})) (then (drop (call $f{n}))))")),
        lowered = each(&|n| format!(r#"(export "f{n}" (func $l{n}))"#)),
        instances =
            each(&|n| format!(r#"(instance $p{n} (instantiate $part (with "never" (func $never "f"))))"#)),
        arguments = each(&|n| format!(r#"(with "f{n}" (func $p{n} "f"))"#)),
    )
}

#[tokio::test(flavor = "current_thread")]
async fn the_stacks_of_calls_that_wait_are_memory_of_the_host() {
    let mut options = EngineOptions::default();
    options.max_memory_bytes = 32 * MIB;
    let engine = Engine::new(options).unwrap();
    let go = of(&engine, &waiting(40), "go");
    // Each takes a mebibyte, and one attempt gets four fifths of all.
    assert_eq!(run_with(&go, &["20"], Limits::default()).await.value(), "20");
    let ran = run_with(&go, &["40"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::HostMemory, allowed: 32 * MIB });
    assert_eq!(engine.memory_bytes(), 0);
}

/// A component whose functions return `n` texts of a million bytes, all of them the same in its memory, and go on: `post` in its post-return
/// function, and `after` after it has given them.
const LONG_RESULT: &str = r#"(component
  (core module $memory (memory (export "m") 40))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "m" (core memory $m))
  (core func $return (canon task.return (result (list string)) (memory $m)))
  (core module $main
    (import "h" "return" (func $return (param i32 i32)))
    (import "h" "m" (memory 1))
    (func $fill (param $n i32) (local $at i32)
      (local.set $at (i32.const 1024))
      (loop $next
        (i32.store (local.get $at) (i32.const 65536))
        (i32.store offset=4 (local.get $at) (i32.const 1000000))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.add (i32.const 1024) (i32.shl (local.get $n) (i32.const 3)))))))
    (func (export "post") (param i32) (result i32)
      (call $fill (local.get 0))
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (local.get 0))
      i32.const 16)
    (func (export "post-return") (param i32) (loop (br 0)))
    (func (export "after") (param i32) (result i32)
      (call $fill (local.get 0))
      (call $return (i32.const 1024) (local.get 0))
      (loop (br 0))
      i32.const 0)
    (func (export "callback") (param i32 i32 i32) (result i32) i32.const 0))
  (core instance $main (instantiate $main
    (with "h" (instance (export "return" (func $return)) (export "m" (memory $m))))))
  (func (export "post") (param "n" u32) (result (list string))
    (canon lift (core func $main "post") (memory $m) (post-return (core func $main "post-return"))))
  (func (export "after") async (param "n" u32) (result (list string))
    (canon lift (core func $main "after") async (memory $m) (callback (core func $main "callback")))))"#;

/// A component of which one part gives `n` short lists to another in a stream, whose `realloc` does not end.
const LONG_TRANSFER: &str = r#"(component
  (component $writer
    (type $list (list u8)) (type $stream (stream $list))
    (core module $memory (memory (export "m") 64)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 64))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "m" (core memory $m))
    (alias core export $memory "realloc" (core func $realloc))
    (core func $new (canon stream.new $stream))
    (core func $write (canon stream.write $stream async (memory $m) (realloc $realloc)))
    (core func $return (canon task.return (result $stream)))
    (core func $set (canon waitable-set.new))
    (core module $main
      (import "h" "new" (func $new (result i64)))
      (import "h" "write" (func $write (param i32 i32 i32) (result i32)))
      (import "h" "return" (func $return (param i32)))
      (import "h" "set" (func $set (result i32)))
      (import "h" "m" (memory 1))
      (func (export "go") (param $n i32) (result i32) (local $ends i64) (local $at i32)
        (local.set $at (i32.const 1024))
        (loop $next
          (i32.store (local.get $at) (i32.const 65536))
          (i32.store offset=4 (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $next (i32.lt_u (local.get $at) (i32.add (i32.const 1024) (i32.shl (local.get $n) (i32.const 3))))))
        (local.set $ends (call $new))
        (drop (call $write
          (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))) (i32.const 1024) (local.get $n)))
        (call $return (i32.wrap_i64 (local.get $ends)))
        (i32.or (i32.const 2) (i32.shl (call $set) (i32.const 4))))
      (func (export "callback") (param i32 i32 i32) (result i32) i32.const 0))
    (core instance $main (instantiate $main (with "h" (instance
      (export "new" (func $new)) (export "write" (func $write)) (export "return" (func $return))
      (export "set" (func $set)) (export "m" (memory $m))))))
    (func (export "go") async (param "n" u32) (result $stream)
      (canon lift (core func $main "go") async (callback (core func $main "callback")))))
  (component $reader
    (type $list (list u8)) (type $stream (stream $list))
    (import "go" (func $go async (param "n" u32) (result $stream)))
    (core module $memory (memory (export "m") 64)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop (br 0)) i32.const 64))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "m" (core memory $m))
    (alias core export $memory "realloc" (core func $realloc))
    (core func $read (canon stream.read $stream async (memory $m) (realloc $realloc)))
    (core func $lowered (canon lower (func $go)))
    (core module $main
      (import "h" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "h" "go" (func $go (param i32) (result i32)))
      (func (export "go") (param $n i32) (result i32)
        (call $read (call $go (local.get $n)) (i32.const 1024) (local.get $n))))
    (core instance $main (instantiate $main (with "h" (instance
      (export "read" (func $read)) (export "go" (func $lowered))))))
    (func (export "go") async (param "n" u32) (result u32) (canon lift (core func $main "go"))))
  (instance $writer (instantiate $writer))
  (instance $reader (instantiate $reader (with "go" (func $writer "go"))))
  (export "go" (func $reader "go")))"#;

#[tokio::test(flavor = "current_thread")]
async fn no_guest_goes_on_while_the_host_has_much_for_it_and_too_much_memory() {
    let mut options = EngineOptions::default();
    options.max_process_bytes = Some(1);
    let engine = Engine::new(options).unwrap();
    for (text, name, n) in
        [(LONG_RESULT, "post", "100"), (LONG_RESULT, "after", "100"), (LONG_TRANSFER, "go", "200000")]
    {
        // Without this, it would go on for ever.
        let ran = run_with(&of(&engine, text, name), &[n], Limits::default()).await;
        assert_eq!(limit_of(&ran).kind, LimitKind::HostMemory, "{name}");
    }
}
