#!/bin/sh
# Makes the compile target wasm32-wasip2 available, by the first of these that works:
#
#   1. the active rustc has it already;
#   2. rustup adds it;
#   3. it is assembled in DIR from the Debian packages rustc-web, rust-web-src and wasi-libc.
#
# usage: toolchain.sh DIR [debian]
#
# After 1 and 2, plain cargo builds guests and DIR is not used. After 3, DIR/bin/rustc is the compiler:
#   RUSTC=DIR/bin/rustc cargo build --release --target wasm32-wasip2
# The word `debian` goes straight to 3. RUSTC names the active compiler if it is not the one on PATH.
# Safe to repeat: DIR is replaced as a whole, when it is complete, and only if something changed.
set -eu

TARGET=wasm32-wasip2
PACKAGES="rustc-web rust-web-src wasi-libc"
RECIPE=1 # raise when the steps below change, so that older directories are made again

# What belongs to no package, so to the rustup toolchain: the linker that writes components.
LINKER=wasm-component-ld
DEBIAN_RUSTC=/usr/bin/rustc
DEBIAN_STD=/usr/lib/rustlib/src/rust/library/std/src/lib.rs
DEBIAN_LIBC=/usr/lib/wasm32-wasi

say() { echo "toolchain: $*"; }
fail() { echo "toolchain: $*" >&2; exit 1; }

main() {
    [ $# -ge 1 ] || { echo "usage: toolchain.sh DIR [debian]" >&2; exit 2; }
    case $1 in /*) dest=$1 ;; *) dest=$PWD/$1 ;; esac
    route=${2:-any}
    active=${RUSTC:-rustc}
    # A cargo around this script sets variables that would bend the cargo inside it.
    unset RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS \
        CARGO_TARGET_DIR CARGO_BUILD_TARGET LD_LIBRARY_PATH || true
    command -v "$active" >/dev/null || fail "no Rust compiler found (looked for \`$active\`); install Rust first"

    notes=$(mktemp)
    staging=
    trap 'rm -rf "$notes" ${staging:+"$staging"}' EXIT
    trap 'exit 1' HUP INT TERM

    if [ "$route" = any ] && has_std; then say "$TARGET is installed already"; exit 0; fi
    # Before rustup gets its turn: an unreachable network is not worth waiting for twice.
    if packages_present && up_to_date; then say "$dest is up to date"; exit 0; fi
    if [ "$route" = any ]; then
        if add_with_rustup; then say "rustup added $TARGET"; exit 0; fi
        say "rustup cannot add $TARGET here; using Debian's packages"
    fi
    ensure_packages
    assemble
}

# Whether the active compiler can build for the target. It prints the directory even when there is none.
has_std() {
    for f in "$("$active" --print target-libdir --target "$TARGET" 2>/dev/null)"/libstd-*; do
        [ -e "$f" ] && return 0
    done
    return 1
}

# Quiet: what rustup says matters only when every other way fails too.
add_with_rustup() {
    command -v rustup >/dev/null || { echo "there is no rustup" >>"$notes"; return 1; }
    limit=
    if command -v timeout >/dev/null; then limit="timeout 300"; fi
    $limit rustup target add "$TARGET" >>"$notes" 2>&1 && has_std
}

packages_present() {
    [ -x "$DEBIAN_RUSTC" ] && [ -e "$DEBIAN_STD" ] && [ -e "$DEBIAN_LIBC/crt1.o" ]
}

ensure_packages() {
    packages_present && return
    command -v apt-get >/dev/null || give_up "this system has no apt-get"
    if [ "$(id -u)" = 0 ]; then root=
    elif sudo -n true 2>>"$notes"; then root="sudo -n"
    else give_up "installing packages needs root"
    fi
    say "installing $PACKAGES"
    $root apt-get update >>"$notes" 2>&1 &&
        $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends $PACKAGES >>"$notes" 2>&1 &&
        packages_present || give_up "the packages could not be installed"
}

# Every way has failed: what each of them said, then what a person can do.
give_up() {
    tail -n 20 "$notes" >&2
    echo "toolchain: $TARGET is missing: $1. Run one of" >&2
    echo "  rustup target add $TARGET" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $PACKAGES" >&2
    exit 1
}

# What DIR is made of: when one of these changes, it is made again.
ingredients() {
    echo "recipe $RECIPE, $("$DEBIAN_RUSTC" -V), $(cksum <"$DEBIAN_LIBC/libc.a")," \
        "tools of $("$active" --print sysroot)"
}

up_to_date() {
    [ -x "$dest/bin/rustc" ] && [ "$(cat "$dest/stamp" 2>/dev/null)" = "$(ingredients)" ]
}

assemble() {
    sysroot=$("$active" --print sysroot)
    host=$("$active" -vV | sed -n 's/^host: //p')
    tools=$sysroot/lib/rustlib/$host/bin
    [ -x "$tools/$LINKER" ] || fail "$tools has no $LINKER: the active rustc must be rustup's, not Debian's"

    say "assembling $TARGET in $dest (a minute)"
    mkdir -p "$(dirname "$dest")"
    staging=$dest.new.$$
    lay_out
    build_std
    add_libc
    ingredients >"$staging/stamp"
    rm -rf "$dest"
    mv "$staging" "$dest"
    say "done: build guests with RUSTC=$dest/bin/rustc"
}

# A directory shaped like a toolchain: Debian's compiler and host libraries, rustup's cargo and linkers.
lay_out() {
    rustlib=$staging/lib/rustlib
    mkdir -p "$staging/bin" "$rustlib/$host/bin" "$rustlib/$TARGET/lib/self-contained"
    ln -s "/usr/lib/rustlib/$host/lib" "$rustlib/$host/lib"
    ln -s /usr/lib/rustlib/src "$rustlib/src"
    for tool in "$LINKER" rust-lld gcc-ld; do ln -s "$tools/$tool" "$rustlib/$host/bin/$tool"; done
    if [ -x "$sysroot/bin/cargo" ]; then cargo=$sysroot/bin/cargo; else cargo=$(command -v cargo); fi
    ln -s "$cargo" "$staging/bin/cargo"
    # Debian's C library is older than std and lacks threads, sockets and a few calls more. With this
    # linker flag a program that mentions them still links, and traps if it ever calls them.
    cat >"$staging/bin/rustc" <<-'WRAPPER'
	#!/bin/sh
	case "$*" in *wasm32-wasip2*) set -- "$@" -Clink-arg=--warn-unresolved-symbols ;; esac
	exec /usr/bin/rustc --sysroot "${0%/*}/.." "$@"
	WRAPPER
    chmod +x "$staging/bin/rustc"
}

# Compiles std from Debian's copy of its source, as a by-product of an empty crate.
build_std() {
    work=$staging/work
    mkdir -p "$work"
    : >"$work/empty.rs"
    cat >"$work/Cargo.toml" <<-'MANIFEST'
	[package]
	name = "empty"
	version = "0.0.0"
	edition = "2024"
	[lib]
	path = "empty.rs"
	[workspace]
	MANIFEST
    # Building std is a nightly feature, hence RUSTC_BOOTSTRAP. Without bitcode in std no guest could use LTO.
    (cd "$work" && RUSTC_BOOTSTRAP=1 RUSTC=$DEBIAN_RUSTC RUSTFLAGS=-Cembed-bitcode=yes \
        "$cargo" build --quiet --release -Zbuild-std=std,panic_abort --target "$TARGET" --target-dir out) ||
        fail "std could not be built for $TARGET"
    cp "$work/out/$TARGET/release/deps/"lib*.rlib "$rustlib/$TARGET/lib/"
    rm -f "$rustlib/$TARGET/lib/"libempty-*.rlib
    rm -rf "$work"
}

# Debian's crt1-command.o makes the linker run constructors around every export, the allocator's too,
# where a component may not call out: a trap. The older crt1.o runs them once, at the start.
add_libc() {
    inside=$rustlib/$TARGET/lib/self-contained
    cp "$DEBIAN_LIBC/libc.a" "$DEBIAN_LIBC/crt1-reactor.o" "$inside/"
    cp "$DEBIAN_LIBC/crt1.o" "$inside/crt1-command.o"
}

main "$@"
