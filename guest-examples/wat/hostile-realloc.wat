;; Allocators that misbehave while the host writes arguments. `same-place` gives all of them the same place, `at-the-end`
;; one that only begins within the memory, `grows` takes another 16 MiB of memory each time it is asked, and `asks` calls
;; the host meanwhile, which is forbidden; `asks-afterwards` does so in its post-return function.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m
    (import "host" "now" (func $now (result i64)))
    (memory (export "memory") 1)
    (func (export "same-place") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "at-the-end") (param i32 i32 i32 i32) (result i32) (i32.const 65532))
    (func (export "grows") (param i32 i32 i32 i32) (result i32)
      (if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then (unreachable)))
      (i32.const 64))
    (func (export "asks") (param i32 i32 i32 i32) (result i32) (drop (call $now)) (i32.const 64))
    (func (export "count") (param i32 i32) (result i32) (local.get 1))
    (func (export "seven") (result i32) (i32.const 7))
    (func (export "ask") (param i32) (drop (call $now))))
  (core instance $i (instantiate $m (with "host" (instance (export "now" (func $now))))))
  (alias core export $i "memory" (core memory $mem))
  (func (export "same-place") (param "words" (list string)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "same-place"))))
  (func (export "at-the-end") (param "words" (list string)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "at-the-end"))))
  (func (export "grows") (param "words" (list string)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "grows"))))
  (func (export "asks") (param "words" (list string)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "asks"))))
  (func (export "asks-afterwards") (result u32)
    (canon lift (core func $i "seven") (post-return (core func $i "ask")))))
