;; Four tasks in one component, so a reference that names only the component is ambiguous. One of them
;; takes nothing and one returns nothing.
(component
  (core module $m
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "subtract") (param i64 i64) (result i64) (i64.sub (local.get 0) (local.get 1)))
    (func (export "answer") (result i32) (i32.const 42))
    (func (export "ignore") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "add")))
  (func (export "subtract") (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "subtract")))
  (func (export "answer") (result u32)
    (canon lift (core func $i "answer")))
  (func (export "ignore") (param "value" u32)
    (canon lift (core func $i "ignore"))))
