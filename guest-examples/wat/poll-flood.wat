;; Polls one timer many times over in one call: `flood` makes a list of so many handles of it, and returns how many of them were ready.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $p (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core module $mem
    (memory (export "memory") 16)
    ;; Everything that the host returns is written over the list.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
  (core instance $mem (instantiate $mem))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $poll (canon lower (func $poll "poll")
    (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))
  (core module $m
    (import "mem" "memory" (memory 16))
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (func (export "flood") (param $handles i32) (result i32) (local $timer i32) (local $at i32)
      (local.set $timer (call $after (i64.const 0)))
      (loop $next
        (i32.store (i32.add (i32.const 16) (i32.shl (local.get $at) (i32.const 2))) (local.get $timer))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $handles))))
      (call $poll (i32.const 16) (local.get $handles) (i32.const 0))
      (i32.load (i32.const 4))))
  (core instance $i (instantiate $m
    (with "mem" (instance $mem))
    (with "host" (instance
      (export "after" (func $after))
      (export "poll" (func $poll))))))
  (func (export "flood") (param "handles" u32) (result u32)
    (canon lift (core func $i "flood"))))
