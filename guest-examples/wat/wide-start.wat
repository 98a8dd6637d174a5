;; Wants 40 MiB of memory before it does anything. `pages` returns how many pages of 64 KiB it has.
(component
  (core module $m
    (memory (export "memory") 640)
    (func (export "pages") (result i32) (memory.size)))
  (core instance $i (instantiate $m))
  (func (export "pages") (result u32)
    (canon lift (core func $i "pages"))))
