;; Traps in a start function: instantiating it fails, before any call.
(component
  (core module $m
    (func $refuse-to-start (unreachable))
    (start $refuse-to-start)
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32)
    (canon lift (core func $i "answer"))))
