;; Makes `n` handles of a resource of its own and keeps them all: what a limit on handles counts.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $m
    (import "host" "new" (func $new (param i32) (result i32)))
    (func (export "keep") (param $n i32) (result i32)
      (local $made i32)
      (block $end
        (loop $more
          (br_if $end (i32.ge_u (local.get $made) (local.get $n)))
          (drop (call $new (local.get $made)))
          (local.set $made (i32.add (local.get $made) (i32.const 1)))
          (br $more)))
      (local.get $made)))
  (core instance $i (instantiate $m
    (with "host" (instance (export "new" (func $new))))))
  (func (export "keep") (param "n" u32) (result u32)
    (canon lift (core func $i "keep"))))
