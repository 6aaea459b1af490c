#!/bin/sh
# Sees to it that what the arguments name is there: Debian packages, or a field of DESCRIPTION
# (Imports, Suggests) for all R packages it lists. Root gets what is missing through apt, anyone
# else is told what it is. When nothing is missing, apt is not touched.
set -eu

# Packages that come with R itself.
own='base|compiler|datasets|graphics|grdevices|grid|methods|parallel|splines|stats|stats4|tcltk|tools|utils'

# The Debian packages of the R packages in one field of DESCRIPTION.
field() {
  awk -v field="$1:" '/^[^ \t]/ { on = ($1 == field); sub(/^[^:]*:/, "") } on' DESCRIPTION |
    sed 's/([^)]*)//g' | tr ',A-Z' '\na-z' | tr -d ' \t' | grep -vxE "$own|" |
    sed 's/^/r-cran-/'
}

libraries() {
  if command -v Rscript >/dev/null; then
    Rscript --vanilla -e 'cat(tolower(list.files(.libPaths())), sep = "\n")'
  fi
}

# Which of the arguments are missing. What counts is that a thing works, not that apt installed it.
missing() {
  installed=$(libraries)
  for package in "$@"; do
    case $package in
      r-cran-*) echo "$installed" | grep -qx "${package#r-cran-}" ;;
      r-base-core) command -v Rscript ;;
      gcc) command -v gcc ;;
      libc6-dev) [ -e /usr/include/stdio.h ] ;;
      *) command -v "$package" ;;
    esac >/dev/null || printf '%s ' "$package"
  done
}

wanted="r-base-core gcc libc6-dev make"
for argument in "$@"; do
  case $argument in
    Imports | Suggests) wanted="$wanted $(field "$argument")" ;;
    *) wanted="$wanted $argument" ;;
  esac
done

lacking=$(missing $wanted)
[ -n "$lacking" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "These Debian packages are missing: $lacking" >&2
  echo "Install them as root: apt-get install --no-install-recommends $lacking" >&2
  exit 1
fi

echo "Installing $lacking"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{
  apt-get update -q &&
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $lacking
} </dev/null >"$log" 2>&1 || {
  cat "$log" >&2
  echo "apt could not install $lacking" >&2
  exit 1
}

lacking=$(missing $wanted)
if [ -n "$lacking" ]; then
  echo "Installed by apt, but this R ($(command -v Rscript)) does not see it: $lacking" >&2
  exit 1
fi
