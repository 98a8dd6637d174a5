;; Wants a table of ten million elements: 80 MB of the host's memory that no memory limit counts.
(component
  (core module $m
    (table 10000000 funcref)
    (func (export "elements") (result i32) (table.size)))
  (core instance $i (instantiate $m))
  (func (export "elements") (result u32)
    (canon lift (core func $i "elements"))))
