;; Takes what it can get and asks on. `memory` and `table` grow by one until they are refused, and fail then;
;; `whatever-is-said` never heeds a refusal; `at-once` asks for all that can be addressed. `touch` writes to each of
;; so many pages of 64 KiB first.
(component
  (core module $m
    (memory 1)
    (table $t 1 funcref)
    (func (export "memory")
      (loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (unreachable))
    (func (export "table")
      (loop $more
        (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1))))
      (unreachable))
    (func (export "whatever-is-said")
      (loop $more
        (drop (memory.grow (i32.const 16)))
        (br $more)))
    (func (export "at-once") (result i32) (memory.grow (i32.const 65535)))
    (func (export "touch") (param $pages i32) (result i32)
      (local $page i32)
      (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable)))
      (loop $more
        (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
        (local.set $page (i32.add (local.get $page) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $page) (local.get $pages))))
      (local.get $page)))
  (core instance $i (instantiate $m))
  (func (export "memory") (canon lift (core func $i "memory")))
  (func (export "table") (canon lift (core func $i "table")))
  (func (export "whatever-is-said") (canon lift (core func $i "whatever-is-said")))
  (func (export "at-once") (result s32) (canon lift (core func $i "at-once")))
  (func (export "touch") (param "pages" u32) (result u32) (canon lift (core func $i "touch"))))
