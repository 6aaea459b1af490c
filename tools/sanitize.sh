#!/usr/bin/env bash
# Runs the tests (arguments as for tools/test.R) with the C code built under gcc's address and
# undefined-behaviour sanitizers. They work with the stock R, whose own leaks are not looked at.
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

R_LIBS="$work/library${R_LIBS:+:$R_LIBS}" LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 tools/test.sh "$@"
