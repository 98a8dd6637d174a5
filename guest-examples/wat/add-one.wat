;; The smallest task: no imports, no memory, no compiler. `add-one` adds 1, and wraps around at the end.
(component
  (core module $m
    (func (export "add-one") (param i64) (result i64)
      (i64.add (local.get 0) (i64.const 1))))
  (core instance $i (instantiate $m))
  (func (export "add-one") (param "x" s64) (result s64)
    (canon lift (core func $i "add-one"))))
