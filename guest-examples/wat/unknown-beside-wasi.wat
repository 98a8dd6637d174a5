;; Needs what no host has beside interfaces of WASI that share a resource, as nearly every program does: `acme:unknown/thing@1.0.0`,
;; which takes a pollable, and a function that `wasi:clocks/monotonic-clock` does not have. `nap` calls neither.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $here (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $here))))
    (export "turn-back" (func (param "by" u64)))))
  (import "acme:unknown/thing@1.0.0" (instance $thing
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $here (eq $outer)))
    (export "hurry" (func (param "it" (borrow $here))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $turn-back (canon lower (func $clock "turn-back")))
  (core func $hurry (canon lower (func $thing "hurry")))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "" "block" (func $block (param i32)))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "" "turn-back" (func $turn-back (param i64)))
    (import "" "hurry" (func $hurry (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "nap") (param $nanos i64)
      (local $timer i32)
      (local.set $timer (call $subscribe (local.get $nanos)))
      (call $block (local.get $timer))
      (call $drop (local.get $timer)))
    (func (export "hurry") (call $hurry (call $subscribe (i64.const 1))))
    (func (export "back") (call $turn-back (i64.const 1))))
  (core instance $i (instantiate $m (with "" (instance
    (export "block" (func $block))
    (export "subscribe" (func $subscribe))
    (export "turn-back" (func $turn-back))
    (export "hurry" (func $hurry))
    (export "drop" (func $drop))))))
  (func (export "nap") (param "nanos" u64) (canon lift (core func $i "nap")))
  (func (export "hurry") (canon lift (core func $i "hurry")))
  (func (export "back") (canon lift (core func $i "back"))))
