# Sourced by ./run and ./fetch-kernel: what is to be had from Debian's packages.

PATH=$PATH:/usr/sbin:/sbin

# Ends the run as skipped.
skip() {
  echo "kernel tests skipped: $*" >&2
  exit 77
}

# Once, and only when something is to be fetched. Without a network an older list has to do.
refresh_index() {
  if [ -z "${index_is_fresh:-}" ] && [ "$(id -u)" = 0 ]; then
    apt-get -qq update >&2 || echo "apt-get update failed" >&2
  fi
  index_is_fresh=1
}

# need_program PROGRAM PACKAGE: installs the package when the program is missing.
need_program() {
  if command -v "$1" >/dev/null; then return; fi
  command -v apt-get >/dev/null || skip "package $2 is missing and there is no apt-get"
  [ "$(id -u)" = 0 ] || skip "package $2 is missing and only root can install it"
  refresh_index
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$2" >&2 ||
    skip "package $2 cannot be had"
}
