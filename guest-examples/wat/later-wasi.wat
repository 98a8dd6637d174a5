;; Made for a WASI that this host does not have: `wasi:clocks/monotonic-clock@0.3.0`. Cannot be instantiated.
(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m
    (import "clock" "now" (func $now (result i64)))
    (func (export "ticks") (result i64) (call $now)))
  (core instance $i (instantiate $m
    (with "clock" (instance (export "now" (func $now))))))
  (func (export "ticks") (result u64)
    (canon lift (core func $i "ticks"))))
