;; Holds memory while it sleeps. `hold` grows its memory by so many pages of 64 KiB and its table by so many elements, traps if one
;; of the two is refused, and sleeps for `ms` milliseconds.
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
  (core module $m
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (memory (export "memory") 0)
    (table $t 0 funcref)
    (func (export "hold") (param $pages i32) (param $elements i32) (param $ms i64)
      (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then unreachable))
      (if (i32.eq (table.grow $t (ref.null func) (local.get $elements)) (i32.const -1)) (then unreachable))
      (call $block (call $after (i64.mul (local.get $ms) (i64.const 1000000))))))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "after" (func $after))
      (export "block" (func $block))))))
  (func (export "hold") (param "pages" u32) (param "elements" u32) (param "ms" u64)
    (canon lift (core func $i "hold"))))
