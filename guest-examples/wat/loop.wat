;; Loops for ever when called. `spin` calls nothing and uses no memory.
(component
  (core module $m
    (func $spin (export "spin") (result i32)
      (loop (br 0))
      (unreachable)))
  (core instance $i (instantiate $m))
  (func (export "spin") (result u32)
    (canon lift (core func $i "spin"))))
