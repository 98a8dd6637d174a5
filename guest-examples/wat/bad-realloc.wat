;; Allocators that lie about where an argument may go. `outside` answers with an address past the end of
;; memory, `unaligned` with an odd one; `forever` never answers at all: a guest that hangs before its
;; function is even called.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "outside") (param i32 i32 i32 i32) (result i32) (i32.const 0x7fff0000))
    (func (export "unaligned") (param i32 i32 i32 i32) (result i32) (i32.const 1))
    (func (export "forever") (param i32 i32 i32 i32) (result i32) (loop (br 0)) (unreachable))
    (func (export "count") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (func (export "outside") (param "items" (list u32)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "outside"))))
  (func (export "unaligned") (param "items" (list u32)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "unaligned"))))
  (func (export "forever") (param "items" (list u32)) (result u32)
    (canon lift (core func $i "count") (memory $mem) (realloc (core func $i "forever")))))
