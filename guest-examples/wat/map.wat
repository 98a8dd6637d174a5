;; A parameter of type `map`, which needs the engine's feature of that name. Returns how many entries it has.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "size") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (func (export "size") (param "entries" (map u32 u32)) (result u32)
    (canon lift (core func $i "size") (memory $mem) (realloc (core func $i "realloc")))))
