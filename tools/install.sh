#!/usr/bin/env bash
# Installs the package into a library: tools/install.sh LIBRARY [options of R CMD INSTALL]. Goes
# through a source package, so that objects other builds left in src/ never get in. Silent unless
# it fails.
set -euo pipefail

root=$PWD
mkdir -p "$1"
library=$(cd "$1" && pwd)
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{
  R CMD build --no-build-vignettes "$root" &&
    MAKEFLAGS=-j2 R CMD INSTALL --library="$library" "$@" cwmix_*.tar.gz
} >log 2>&1 || {
  cat log >&2
  exit 1
}
