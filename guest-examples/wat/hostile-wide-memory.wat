;; A memory with addresses of 64 bits, which is to begin with sixteen times more than 32 bits can address.
(component
  (core module $m
    (memory i64 0x100000)
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))
