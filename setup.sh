#!/usr/bin/env bash
# Sets this checkout up: apt packages, .venv, Python packages. Called by every target of the Makefile that runs code.
# A second run finds the stamp in .venv and ends at once; an interrupted one is simply started again.
set -euo pipefail

DOCKER_WAY='use Docker instead: docker build -t robot-rig . && docker run --rm -it robot-rig make demo'
PYTHON=/usr/bin/python3 # the distribution's own, never one from pyenv or conda: ROS is installed for this one
STAMP=.venv/robot-rig.stamp
SPACE_KB=$((4 * 1024 * 1024))

say() { printf 'set-up: %s\n' "$*"; }

refuse() {
  printf 'set-up: %s\n' "$*" >&2
  exit 2
}

# platform_problem KERNEL OS_RELEASE_FILE PYTHON_VERSION: one sentence when this machine cannot be set up, else nothing.
platform_problem() {
  local kernel=$1 os_release=$2 python_version=$3 name='this system' family=''
  if [[ $kernel != Linux ]]; then
    [[ $kernel == Darwin ]] && kernel=macOS
    echo "robot-rig sets itself up on Debian 12, Ubuntu 22.04 and newer, and this is $kernel; $DOCKER_WAY"
    return
  fi
  if [[ -r $os_release ]]; then
    name=$(. "$os_release" && echo "${PRETTY_NAME:-${ID:-unknown}}")
    family=$(. "$os_release" && echo " ${ID:-} ${ID_LIKE:-} ")
  fi
  if [[ $family != *' debian '* && $family != *' ubuntu '* ]]; then
    echo "robot-rig sets itself up on Debian 12, Ubuntu 22.04 and newer, and this is $name; $DOCKER_WAY"
  elif [[ -n $python_version ]] && ! is_supported "$python_version"; then
    echo "robot-rig needs Python 3.10 or newer, and $PYTHON of $name is $python_version; $DOCKER_WAY"
  fi
}

is_supported() {
  local major=${1%%.*} rest=${1#*.}
  ((major > 3 || (major == 3 && ${rest%%.*} >= 10)))
}

# The version of the distribution's Python, installed or (on a bare machine) about to be.
distribution_python() {
  if [[ -x $PYTHON ]]; then
    "$PYTHON" -c 'import platform; print(platform.python_version())'
  else
    candidate python3
  fi
}

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)$/\1/p'; }

# wanted: the entries of apt.txt of which no alternative is installed.
wanted() {
  local entry name
  while read -r entry; do
    for name in ${entry//[|?]/ }; do
      installed "$name" && continue 2
    done
    echo "$entry"
  done < <(sed 's/#.*//; /^[[:space:]]*$/d' apt.txt)
}

required() { grep -v '?$' || true; }

# choose: reads entries, prints the package names to install; fails when a required one is unknown to apt.
choose() {
  local entry name unknown=0
  while read -r entry; do
    for name in ${entry//[|?]/ }; do
      [[ -n $(candidate "$name") ]] && echo "$name" && continue 2
    done
    [[ $entry == *\? ]] || unknown=1
  done
  return $unknown
}

is_root() { ((EUID == 0)); }

has_sudo() { command -v sudo >/dev/null; }

with_sudo() { is_root || echo ' (with sudo)'; }

as_root() {
  if is_root; then
    "$@"
  elif has_sudo; then
    sudo "$@"
  else
    refuse "packages are missing and there is neither root nor sudo; have an administrator run: $*"
  fi
}

install_apt() {
  local missing names
  missing=$(wanted)
  [[ -z $missing ]] && return
  # Where even an optional one is unknown the lists may only be old, or empty as in a fresh container.
  if ! names=$(choose <<<"$missing") || (($(wc -w <<<"$names") < $(wc -l <<<"$missing"))); then
    say "updating apt's package lists$(with_sudo)"
    as_root apt-get update -qq
    names=$(choose <<<"$missing") || refuse "apt does not know all of: $(required <<<"$missing" | xargs); $DOCKER_WAY"
  fi
  [[ -z $names ]] && return
  names=$(xargs <<<"$names")
  say "installing with apt$(with_sudo): $names"
  # shellcheck disable=SC2086  # a list of names
  set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $names
  as_root "$@" || { as_root apt-get update -qq && as_root "$@"; } || refuse "apt-get failed; mend what it says and run this again"
}

make_venv() {
  local home
  if [[ -f .venv/pyvenv.cfg ]]; then
    home=$(sed -n 's/^home = //p' .venv/pyvenv.cfg)
    [[ $home == /usr/bin ]] || refuse ".venv was made by the Python in $home, not by $PYTHON; delete .venv and run this again"
    if .venv/bin/python -c 'import pip' 2>/dev/null && grep -q '^include-system-site-packages = true' .venv/pyvenv.cfg; then
      return
    fi
    say "rebuilding .venv, which is incomplete or of another Python"
  elif [[ -e .venv ]]; then
    # Only a set-up that was interrupted in its first second leaves a .venv without its configuration.
    [[ -d .venv ]] || refuse ".venv is not a folder; move it away and run this again"
  fi
  "$PYTHON" -m venv --clear --system-site-packages .venv
}

pip_install() {
  local quiet=''
  [[ -t 1 ]] || quiet=--quiet
  env -u PYTHONPATH .venv/bin/python -m pip install $quiet --disable-pip-version-check --constraint constraints.txt "$@"
}

install_python() {
  local free
  free=$(df --output=avail -k . | tail -1)
  ((free > SPACE_KB)) || refuse "$((free / 1024)) MiB are free here and set-up wants 4 GiB; make room and run this again"
  say 'installing Python packages with pip: about 500 MB to download when nothing is cached, 200 MB of them torch for the CPU.'
  say 'A plain package index gives Linux the CUDA build of torch instead, about 3 GB. For the CPU build, add the address that'
  say "PyTorch's installation page gives for CPU to your own pip settings (pip config set global.extra-index-url ...)."
  # A package that pip was killed over has no RECORD; without its metadata pip installs it anew.
  find .venv/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' ! -exec test -s '{}/RECORD' \; -exec rm -r '{}' +
  { pip_install setuptools && pip_install --no-build-isolation --editable '.[test]'; } ||
    refuse 'pip failed; mend what it says above and run this again (what it has installed stays)'
}

# Two OpenCV packages overwrite one another's cv2; a PYTHONPATH can hide what was installed, or this checkout itself.
check_python() {
  .venv/bin/python - <<'PYTHON'
import importlib.metadata
import importlib.util
import pathlib
import sys

checkout = pathlib.Path.cwd()
sys.path = [entry for entry in sys.path if entry]
own = [entry for entry in sys.path if entry.startswith(sys.prefix)]
names = {dist.metadata["Name"] for dist in importlib.metadata.distributions(path=own)}
opencv = sorted(name for name in names if name.startswith("opencv-"))
if opencv != ["opencv-python"]:
    pip = ".venv/bin/python -m pip"
    sys.exit(
        f"set-up: .venv holds {' and '.join(opencv) or 'no OpenCV'}, and opencv-python alone may be there; run "
        f"{pip} uninstall -y {' '.join(opencv)}; {pip} install -c constraints.txt opencv-python"
    )
homes = {name: pathlib.Path(sys.prefix) for name in ("cv2", "numpy", "torch", "yaml")}
homes |= {name: checkout for name in ("robot_rig", "drivers", "sim", "calibration") if (checkout / name).is_dir()}
for name, home in homes.items():
    found = importlib.util.find_spec(name)
    places = [*(found.submodule_search_locations or []), found.origin] if found else []
    if not any(place and pathlib.Path(place).is_relative_to(home) for place in places):
        sys.exit(f"set-up: {name} comes from {places or 'nowhere'} instead of {home}; unset PYTHONPATH and run this again")
PYTHON
}

# What the set-up depends on, as one hash.
fingerprint() {
  { cat apt.txt constraints.txt pyproject.toml setup.sh && pwd -P && "$PYTHON" -V; } | sha256sum | cut -d' ' -f1
}

main() {
  cd "$(dirname "${BASH_SOURCE[0]}")"
  local problem
  problem=$(platform_problem "$(uname -s)" /etc/os-release '')
  [[ -z $problem ]] || refuse "$problem"
  # One set-up at a time: the second waits here and then finds the stamp.
  exec 9<setup.sh
  flock 9
  if [[ -x .venv/bin/python && -f $STAMP && $(<"$STAMP") == $(fingerprint) && -z $(wanted | required) ]]; then
    [[ -z ${PYTHONPATH:-} ]] || check_python || exit 2
    return
  fi
  problem=$(platform_problem Linux /etc/os-release "$(distribution_python)")
  [[ -z $problem ]] || refuse "$problem"
  install_apt
  make_venv
  rm -f "$STAMP"
  install_python
  check_python || exit 2
  fingerprint >"$STAMP.new"
  mv "$STAMP.new" "$STAMP"
  say 'done'
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
fi
