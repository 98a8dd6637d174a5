;; Exports an instance inside another one: what is in the inner one is shown and not callable.
(component
  (core module $m (func (export "answer") (result i32) (i32.const 42)))
  (core instance $i (instantiate $m))
  (func $answer (result u32) (canon lift (core func $i "answer")))
  (instance $inner (export "answer" (func $answer)))
  (instance $outer (export "answer" (func $answer)) (export "inner" (instance $inner)))
  (export "outer" (instance $outer)))
