# Sourced by ./godwit and the scripts beside this: Node 24 and the npm dependencies of this checkout.
# Node comes from the machine where it is new enough, else from the npm registry into .tools/.
# Says on standard error what it does, and nothing when there is nothing to do. Every ./godwit runs it: where all is
# in place it starts two small processes, node --version and sha256sum, and no other.

godwit_root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)

# --version answers before V8 starts, in a fifth of the time that a line of JavaScript takes.
godwit_is_node24() {
  local version
  [ -x "$1" ] && version=$("$1" --version 2>/dev/null) && version=${version#v} && [ "${version%%.*}" -ge 24 ] 2>/dev/null
}

# Several programs may start at once on a fresh checkout: one installs, the others wait for it.
godwit_bootstrap() {
  local machine node lock_hash
  case $HOSTTYPE in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) echo "godwit: Node 24 is not offered for this machine ($HOSTTYPE); install it yourself" >&2; return 1 ;;
  esac
  node=$(type -P node || true)
  if ! godwit_is_node24 "$node"; then
    node=$godwit_root/.tools/node_modules/node-linux-$machine/bin/node
    godwit_is_node24 "$node" || godwit_locked godwit_install_node "$machine" "$node" || return
  fi
  export PATH=${node%/*}:$godwit_root/node_modules/.bin:$PATH
  lock_hash=$(sha256sum <"$godwit_root/package-lock.json")
  lock_hash=${lock_hash%% *}
  godwit_has_dependencies "$lock_hash" || godwit_locked godwit_install_dependencies "$lock_hash" || return
}

godwit_locked() {
  # A service starts what is installed, or says what is missing; it never installs. 78: EX_CONFIG of sysexits.h.
  if [ -n "${GODWIT_NO_INSTALL:-}" ]; then
    echo "godwit: Node 24 or the npm dependencies of $godwit_root are missing or not of this version; run $godwit_root/godwit setup" >&2
    return 78
  fi
  mkdir -p "$godwit_root/.tools"
  (
    flock 9
    "$@" 9>&-
  ) 9>"$godwit_root/.tools/lock"
}

godwit_need_npm() {
  command -v npm >/dev/null && return 0
  echo "godwit: installing npm (Debian package)" >&2
  [ "$(id -u)" = 0 ] || { echo "godwit: npm is missing; install it (apt-get install npm) or run this with sudo" >&2; return 1; }
  (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends npm) >&2 9>&-
}

# The one version that is installed, and the hash of its package as the npm registry tells it (sha512, base64). What is
# downloaded is checked against it before anything of it runs, so that a registry or a proxy cannot put another in place.
godwit_node_version=24.21.0
godwit_node_hash_x64=3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==
godwit_node_hash_arm64=FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==

godwit_install_node() {
  local expected=godwit_node_hash_$1 folder=$godwit_root/.tools/node_modules/node-linux-$1 download
  godwit_is_node24 "$2" && return 0
  godwit_need_npm || return 1
  echo "godwit: installing Node $godwit_node_version (npm package node-linux-$1)" >&2
  download=$(mktemp -d "$godwit_root/.tools/download.XXXXXX") || return 1
  (
    trap 'rm -rf "$download"' EXIT
    cd "$download" || exit 1
    npm pack --silent "node-linux-$1@$godwit_node_version" >/dev/null || exit 1
    godwit_check_hash *.tgz "${!expected}" || exit 1
    tar -xzf *.tgz && mkdir -p "${folder%/*}" && rm -rf "$folder" && mv package "$folder"
  )
}

# The SHA-512 of a file is the one given, in base64 as npm writes it.
godwit_check_hash() {
  local found
  found=$(sha512sum <"$1" | cut -d ' ' -f 1 | sed 's/../\\x&/g') && found=$(printf "$found" | base64 -w 0)
  [ "$found" = "$2" ] && return 0
  echo "godwit: ${1##*/} is not the file that this version of Godwit expects (SHA-512 $found, not $2); it is not used" >&2
  return 1
}

godwit_has_dependencies() {
  local installed=
  # The file has no newline at its end, at which read fails but for all that has read it.
  { read -r installed <"$godwit_root/node_modules/.godwit-lock"; } 2>/dev/null || true
  [ "$installed" = "$1" ]
}

godwit_install_dependencies() {
  godwit_has_dependencies "$1" && return 0
  godwit_need_npm || return 1
  echo "godwit: installing the npm dependencies (npm ci)" >&2
  (cd "$godwit_root" && npm ci --no-audit --no-fund --loglevel=error >&2) || return 1
  printf %s "$1" >"$godwit_root/node_modules/.godwit-lock"
}
