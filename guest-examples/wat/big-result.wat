;; A result of any size, for nothing: `zeros` grows its memory and returns that many zero bytes. Fails with
;; an unreachable trap when the memory is refused.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "zeros") (param $bytes i32) (result i32)
      (if (i32.eq (i32.const -1)
            (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $bytes) (i32.const 16)))))
        (then (unreachable)))
      ;; The pair of address and length that the host reads.
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (local.get $bytes))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (func (export "zeros") (param "bytes" u32) (result (list u8))
    (canon lift (core func $i "zeros") (memory $mem))))
