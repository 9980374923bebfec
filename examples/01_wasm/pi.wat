;; Estimates pi by throwing points at a square with a seeded generator, in integers only.
;;
;; Each input is a text "SAMPLES SEED". For each, the output has a line "INSIDE SAMPLES MILLIONTHS":
;; how many points fell into the quarter circle, of how many, and pi in millionths.
(module
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))  ;; where the next allocation begins
  (global $read (mut i32) (i32.const 0))     ;; the next byte to read
  (global $write (mut i32) (i32.const 0))    ;; where the next byte goes

  ;; Never frees: a module serves one task. Answers 0 when no memory is left.
  (func $alloc (export "alloc") (param $size i32) (result i32)
    (local $start i32) (local $missing i64)
    (local.set $start (global.get $free))
    (local.set $missing
      (i64.sub
        (i64.add (i64.extend_i32_u (local.get $start)) (i64.extend_i32_u (local.get $size)))
        (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16))))
    (if (i64.gt_s (local.get $missing) (i64.const 0))
      (then
        (if (i32.eq
              (memory.grow
                (i32.wrap_i64
                  (i64.shr_u (i64.add (local.get $missing) (i64.const 65535)) (i64.const 16))))
              (i32.const -1))
          (then (return (i32.const 0))))))
    (global.set $free (i32.add (local.get $start) (local.get $size)))
    (local.get $start))

  ;; Reads the next decimal number before $end, skipping what is no digit; 0 if there is none.
  (func $number (param $end i32) (result i64)
    (local $value i64) (local $digit i32) (local $begun i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (global.get $read) (local.get $end)))
        (local.set $digit (i32.sub (i32.load8_u (global.get $read)) (i32.const 48)))
        (if (i32.lt_u (local.get $digit) (i32.const 10))
          (then
            (local.set $begun (i32.const 1))
            (local.set $value
              (i64.add
                (i64.mul (local.get $value) (i64.const 10))
                (i64.extend_i32_u (local.get $digit)))))
          (else (br_if $done (local.get $begun))))
        (global.set $read (i32.add (global.get $read) (i32.const 1)))
        (br $next)))
    (local.get $value))

  (func $put (param $byte i32)
    (i32.store8 (global.get $write) (local.get $byte))
    (global.set $write (i32.add (global.get $write) (i32.const 1))))

  ;; Writes a number in decimal: the digits before the last one first.
  (func $print (param $value i64)
    (if (i64.ge_u (local.get $value) (i64.const 10))
      (then (call $print (i64.div_u (local.get $value) (i64.const 10)))))
    (call $put
      (i32.add
        (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10)))
        (i32.const 48))))

  ;; Counts the points that fall into the quarter circle; the generator is SplitMix64, whose
  ;; output gives two coordinates of 31 bits, so that the sum of their squares fits.
  (func $throw (param $samples i64) (param $state i64) (result i64)
    (local $inside i64) (local $mixed i64) (local $x i64) (local $y i64)
    (block $done
      (loop $next
        (br_if $done (i64.eqz (local.get $samples)))
        (local.set $samples (i64.sub (local.get $samples) (i64.const 1)))
        (local.set $state (i64.add (local.get $state) (i64.const 0x9E3779B97F4A7C15)))
        (local.set $mixed
          (i64.mul
            (i64.xor (local.get $state) (i64.shr_u (local.get $state) (i64.const 30)))
            (i64.const 0xBF58476D1CE4E5B9)))
        (local.set $mixed
          (i64.mul
            (i64.xor (local.get $mixed) (i64.shr_u (local.get $mixed) (i64.const 27)))
            (i64.const 0x94D049BB133111EB)))
        (local.set $mixed
          (i64.xor (local.get $mixed) (i64.shr_u (local.get $mixed) (i64.const 31))))
        (local.set $x (i64.and (local.get $mixed) (i64.const 0x7FFFFFFF)))
        (local.set $y (i64.shr_u (local.get $mixed) (i64.const 33)))
        (local.set $inside
          (i64.add
            (local.get $inside)
            (i64.extend_i32_u
              (i64.lt_u
                (i64.add
                  (i64.mul (local.get $x) (local.get $x))
                  (i64.mul (local.get $y) (local.get $y)))
                (i64.const 0x4000000000000000)))))
        (br $next)))
    (local.get $inside))

  (func $line (param $end i32)
    (local $samples i64) (local $inside i64)
    (local.set $samples (call $number (local.get $end)))
    (local.set $inside (call $throw (local.get $samples) (call $number (local.get $end))))
    (call $print (local.get $inside))
    (call $put (i32.const 32))
    (call $print (local.get $samples))
    (call $put (i32.const 32))
    (if (i64.eqz (local.get $samples))
      (then (call $print (i64.const 0)))
      (else
        (call $print
          (i64.div_u
            (i64.mul (local.get $inside) (i64.const 4000000))
            (local.get $samples)))))
    (call $put (i32.const 10)))

  ;; Answers where the output begins (high half) and its length (low half).
  (func (export "run") (param $pointer i32) (param $length i32) (result i64)
    (local $count i32) (local $output i32) (local $end i32)
    (local.set $count (i32.load (local.get $pointer)))
    (global.set $read (i32.add (local.get $pointer) (i32.const 4)))
    ;; Three numbers of at most 20 digits, two spaces and the end of the line.
    (local.set $output (call $alloc (i32.mul (local.get $count) (i32.const 64))))
    (if (i32.eqz (local.get $output)) (then (unreachable)))
    (global.set $write (local.get $output))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (local.set $length (i32.load (global.get $read)))
        (global.set $read (i32.add (global.get $read) (i32.const 4)))
        (local.set $end (i32.add (global.get $read) (local.get $length)))
        (call $line (local.get $end))
        (global.set $read (local.get $end))
        (br $next)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $output)) (i64.const 32))
      (i64.extend_i32_u (i32.sub (global.get $write) (local.get $output))))))
