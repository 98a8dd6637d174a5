;; Knows the interface but not what is in it: `wasi:random/random` has no function `roll-dice`.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "roll-dice" (func (result u32)))))
  (core func $roll (canon lower (func $random "roll-dice")))
  (core module $m
    (import "random" "roll" (func $roll (result i32)))
    (func (export "roll") (result i32) (call $roll)))
  (core instance $i (instantiate $m
    (with "random" (instance (export "roll" (func $roll))))))
  (func (export "roll") (result u32)
    (canon lift (core func $i "roll"))))
