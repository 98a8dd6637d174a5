;; Exports the interface of hooks, in which `on-commit` takes nothing and one function is not known at all.
(component
  (core module $m
    (func (export "none"))
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $i (instantiate $m))
  (func $none (canon lift (core func $i "none")))
  (func (export "answer") (result u32) (canon lift (core func $i "answer")))
  (instance $hooks
    (export "on-commit" (func $none))
    (export "on-holiday" (func $none)))
  (export "hostel:task/hooks@0.1.0" (instance $hooks)))
