;; Sixteen core instances of one module, each with a memory of its own: as many as one component may have, and more than a
;; host for one instance has room for.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
  (core instance $last (instantiate $m))
  (func (export "answer") (result u32)
    (canon lift (core func $last "answer"))))
