;; Uses the garbage collector and exceptions, which this host does not support. `sum` adds the numbers from 1 to n out of a list of objects, `churn` makes n objects
;; and keeps none, `hoard` keeps all of them, and `halve` throws and catches where n is odd.
(component
  (core module $m
    (rec (type $node (struct (field $value i64) (field $next (ref null $node)))))
    (tag $odd (param i32))
    (func (export "sum") (param $n i32) (result i64)
      (local $list (ref null $node)) (local $sum i64)
      (loop $make
        (if (local.get $n) (then
          (local.set $list (struct.new $node (i64.extend_i32_u (local.get $n)) (local.get $list)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $make))))
      (loop $add
        (if (i32.eqz (ref.is_null (local.get $list))) (then
          (local.set $sum (i64.add (local.get $sum) (struct.get $node $value (local.get $list))))
          (local.set $list (struct.get $node $next (local.get $list)))
          (br $add))))
      (local.get $sum))
    (func (export "churn") (param $n i32) (result i64)
      (local $last (ref null $node))
      (loop $make
        (local.set $last (struct.new $node (i64.extend_i32_u (local.get $n)) (ref.null $node)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $make (local.get $n)))
      (struct.get $node $value (local.get $last)))
    (func (export "hoard") (param $n i32) (result i64)
      (local $list (ref null $node))
      (loop $make
        (local.set $list (struct.new $node (i64.extend_i32_u (local.get $n)) (local.get $list)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $make (local.get $n)))
      (struct.get $node $value (local.get $list)))
    (func $half (param $n i32) (result i32)
      (if (i32.and (local.get $n) (i32.const 1)) (then (throw $odd (local.get $n))))
      (i32.shr_u (local.get $n) (i32.const 1)))
    (func (export "halve") (param $n i32) (result i32)
      (block $caught (result i32)
        (return (try_table (result i32) (catch $odd $caught) (call $half (local.get $n))))))
    (func (export "uncaught") (param $n i32) (result i32) (call $half (local.get $n))))
  (core instance $i (instantiate $m))
  (func (export "sum") (param "n" u32) (result u64) (canon lift (core func $i "sum")))
  (func (export "churn") (param "n" u32) (result u64) (canon lift (core func $i "churn")))
  (func (export "hoard") (param "n" u32) (result u64) (canon lift (core func $i "hoard")))
  (func (export "halve") (param "n" u32) (result u32) (canon lift (core func $i "halve")))
  (func (export "uncaught") (param "n" u32) (result u32) (canon lift (core func $i "uncaught"))))
