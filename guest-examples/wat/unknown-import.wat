;; Needs an interface that no host has, `acme:unknown/thing@1.0.0`, with a resource. `twice` calls it, `double` never does.
(component
  (import "acme:unknown/thing@1.0.0" (instance $thing
    (export "handle" (type $handle (sub resource)))
    (export "open" (func (result (own $handle))))
    (export "transform" (func (param "x" u32) (result u32)))))
  (core func $transform (canon lower (func $thing "transform")))
  (core func $open (canon lower (func $thing "open")))
  (core module $m
    (import "thing" "transform" (func $transform (param i32) (result i32)))
    (import "thing" "open" (func $open (result i32)))
    (func (export "twice") (param i32) (result i32)
      (call $transform (call $transform (local.get 0))))
    (func (export "double") (param i32) (result i32)
      (i32.mul (local.get 0) (i32.const 2))))
  (core instance $i (instantiate $m
    (with "thing" (instance (export "transform" (func $transform)) (export "open" (func $open))))))
  (func (export "twice") (param "x" u32) (result u32)
    (canon lift (core func $i "twice")))
  (func (export "double") (param "x" u32) (result u32)
    (canon lift (core func $i "double"))))
