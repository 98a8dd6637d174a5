;; Needs a function that no host has: `transform` of `acme:unknown/thing@1.0.0`. Cannot be instantiated.
(component
  (import "acme:unknown/thing@1.0.0" (instance $thing
    (export "transform" (func (param "x" u32) (result u32)))))
  (core func $transform (canon lower (func $thing "transform")))
  (core module $m
    (import "thing" "transform" (func $transform (param i32) (result i32)))
    (func (export "twice") (param i32) (result i32)
      (call $transform (call $transform (local.get 0)))))
  (core instance $i (instantiate $m
    (with "thing" (instance (export "transform" (func $transform))))))
  (func (export "twice") (param "x" u32) (result u32)
    (canon lift (core func $i "twice"))))
