;; Asks the host for the time when its first core instance starts, and has ten more core instances with a memory each after
;; that: a host with room for fewer finds out when the guest has acted already.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $acts
    (import "host" "now" (func $now (result i64)))
    (func $start (drop (call $now)))
    (start $start))
  (core instance (instantiate $acts (with "host" (instance (export "now" (func $now))))))
  (core module $m
    (memory (export "memory") 1)
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance $last (instantiate $m))
  (func (export "answer") (result u32)
    (canon lift (core func $last "answer"))))
