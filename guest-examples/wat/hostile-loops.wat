;; Never comes back, from where nobody expects it to compute. `in-post-return` loops after it has given its result,
;; `by-calls` has no loop and calls itself sixty deep and twice each time, `by-filling` fills all of its memory with one
;; instruction, again and again. `trap-in-post-return` gives a result and then fails.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "seven") (result i32) (i32.const 7))
    (func (export "for-ever") (param i32) (loop (br 0)))
    (func (export "fail") (param i32) (unreachable))
    (func $twice (param $depth i32)
      (if (local.get $depth)
        (then
          (call $twice (i32.sub (local.get $depth) (i32.const 1)))
          (call $twice (i32.sub (local.get $depth) (i32.const 1))))))
    (func (export "by-calls") (call $twice (i32.const 60)))
    (func (export "by-filling")
      (drop (memory.grow (i32.const 255)))
      (loop
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1000000))
        (br 0))))
  (core instance $i (instantiate $m))
  (func (export "in-post-return") (result u32)
    (canon lift (core func $i "seven") (post-return (core func $i "for-ever"))))
  (func (export "trap-in-post-return") (result u32)
    (canon lift (core func $i "seven") (post-return (core func $i "fail"))))
  (func (export "by-calls") (canon lift (core func $i "by-calls")))
  (func (export "by-filling") (canon lift (core func $i "by-filling"))))
