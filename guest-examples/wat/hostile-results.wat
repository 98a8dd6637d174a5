;; Results that are larger for the host than for the guest, or lie about their length. `aliases` is a list of 2^14 lists,
;; all of them the same 2^16 bytes: a gibibyte made of 192 KiB. `too-many` has so many items that their length times
;; their size has no room in 32 bits, `negative` a length of -1, `half-a-pair` text in UTF-16 that ends within a
;; character, `odd` the same at an odd address, `mixed` text whose length says Latin-1 or UTF-16 and is out of bounds,
;; and `far-too-long` a hundred MiB of text, for which it grows its memory.
(component
  (core module $m
    (memory (export "memory") 4)
    ;; 0: 2^14 lists at 65536. 8: 2^29 items of 8 bytes at 64. 16: -1 bytes at 64. 24: one unit at 40. 32: the same at 41.
    ;; 48: 2^31 and 2^30 units at 64.
    (data (i32.const 0) "\00\00\01\00\00\40\00\00")
    (data (i32.const 8) "\40\00\00\00\00\00\00\20")
    (data (i32.const 16) "\40\00\00\00\ff\ff\ff\ff")
    (data (i32.const 24) "\28\00\00\00\01\00\00\00")
    (data (i32.const 32) "\29\00\00\00\01\00\00\00")
    (data (i32.const 40) "\00\d8\00\d8")
    (data (i32.const 48) "\40\00\00\00\00\00\00\c0")
    (func (export "aliases") (result i32)
      (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $more
        ;; The bytes are those of the third page.
        (i32.store (local.get $at) (i32.const 196608))
        (i32.store offset=4 (local.get $at) (i32.const 65536))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $more (i32.lt_u (local.get $at) (i32.const 196608))))
      (i32.const 0))
    (func (export "too-many") (result i32) (i32.const 8))
    (func (export "negative") (result i32) (i32.const 16))
    (func (export "half-a-pair") (result i32) (i32.const 24))
    (func (export "odd") (result i32) (i32.const 32))
    (func (export "mixed") (result i32) (i32.const 48))
    (func (export "far-too-long") (result i32)
      (if (i32.eq (memory.grow (i32.const 1600)) (i32.const -1)) (then (unreachable)))
      (i32.store (i32.const 56) (i32.const 65536))
      (i32.store (i32.const 60) (i32.const 104857600))
      (i32.const 56)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (func (export "aliases") (result (list (list u8))) (canon lift (core func $i "aliases") (memory $mem)))
  (func (export "too-many") (result (list u64)) (canon lift (core func $i "too-many") (memory $mem)))
  (func (export "negative") (result string) (canon lift (core func $i "negative") (memory $mem)))
  (func (export "half-a-pair") (result string)
    (canon lift (core func $i "half-a-pair") (memory $mem) string-encoding=utf16))
  (func (export "odd") (result string) (canon lift (core func $i "odd") (memory $mem) string-encoding=utf16))
  (func (export "mixed") (result string)
    (canon lift (core func $i "mixed") (memory $mem) string-encoding=latin1+utf16))
  (func (export "far-too-long") (result string) (canon lift (core func $i "far-too-long") (memory $mem))))
