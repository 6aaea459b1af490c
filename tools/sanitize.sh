#!/usr/bin/env bash
# Runs the tests (arguments as for tools/test.R) with the C code built under gcc's address and
# undefined-behaviour sanitizers, then for about a minute seeded fuzzers: of entry calls and of
# edited densities. They work with the stock R, whose own leaks are not looked at.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/Makevars" <<'MAKEVARS'
CFLAGS = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined,float-cast-overflow \
  -fno-sanitize-recover=all
SHLIB_LDFLAGS = -shared -fsanitize=address,undefined
CWMIX_DEBUG = 1
MAKEVARS

# The library loads only into a process that starts with the sanitizer's own, so no trial load.
R_MAKEVARS_USER="$work/Makevars" tools/install.sh "$work/library" --no-test-load --no-docs

export R_LIBS="$work/library${R_LIBS:+:$R_LIBS}" UBSAN_OPTIONS=print_stacktrace=1
# An allocation that is refused is an error of R, as it is without the sanitizer.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
preload=$(gcc -print-file-name=libasan.so)
LD_PRELOAD=$preload tools/test.sh "$@"
LD_PRELOAD=$preload Rscript --vanilla tools/fuzz-calls.R --calls=10000
LD_PRELOAD=$preload Rscript --vanilla tools/fuzz.R --edits=2
