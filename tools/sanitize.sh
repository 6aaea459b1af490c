#!/usr/bin/env bash
# Runs the tests (arguments as for tools/test.R) with the C code built under gcc's address and
# undefined-behaviour sanitizers. They work with the stock R, whose own leaks are not looked at.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/library"
cat >"$work/Makevars" <<'MAKEVARS'
CFLAGS = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all
SHLIB_LDFLAGS = -shared -fsanitize=address,undefined
MAKEVARS

# A copy, so that these objects and those in src/ never meet.
tar -c --exclude='*.o' --exclude='*.so' DESCRIPTION NAMESPACE LICENSE R src | tar -x -C "$work"
R_MAKEVARS_USER="$work/Makevars" MAKEFLAGS=-j2 R CMD INSTALL --no-test-load --no-docs \
  --library="$work/library" "$work" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

R_LIBS="$work/library${R_LIBS:+:$R_LIBS}" LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 tools/test.sh "$@"
