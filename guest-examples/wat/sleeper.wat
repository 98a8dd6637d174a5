;; Sleeps, and is next to nothing while it does: no memory, one core instance. For running ten thousand.
;; `sleep` asks the clock for a pollable that is ready in `ms` milliseconds, waits for it, and drops it.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $p (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "sleep") (param $ms i64) (local $pollable i32)
      (local.set $pollable (call $after (i64.mul (local.get $ms) (i64.const 1000000))))
      (call $block (local.get $pollable))
      (call $drop (local.get $pollable))))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "after" (func $after))
      (export "block" (func $block))
      (export "drop" (func $drop))))))
  (func (export "sleep") (param "ms" u64)
    (canon lift (core func $i "sleep"))))
