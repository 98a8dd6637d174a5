;; A parameter of type `list<s32, 3>`, which needs the engine's feature of that name. Returns the sum.
(component
  (core module $m
    (func (export "sum") (param i32 i32 i32) (result i32)
      (i32.add (local.get 0) (i32.add (local.get 1) (local.get 2)))))
  (core instance $i (instantiate $m))
  (func (export "sum") (param "items" (list s32 3)) (result s32)
    (canon lift (core func $i "sum"))))
