;; Well-formed text that is not valid: the core function returns nothing, its lifted type says a number.
(component
  (core module $m
    (func (export "answer")))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32)
    (canon lift (core func $i "answer"))))
