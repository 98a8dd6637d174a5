;; Shares its memory and adds to it atomically, which this host does not support.
(component
  (core module $m
    (memory 1 1 shared)
    (func (export "next") (result i32) (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func (export "next") (result u32) (canon lift (core func $i "next"))))
