# Sourced by the benchmarks that run a peer: a Python environment of its own, .venv-peers, over the packages of .venv (the same
# torch for all).
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

peer_wheels=(bitsandbytes==0.50.2)

install_peers() {
  install_test_wheels
  if [[ ! -x .venv-peers/bin/python ]]; then
    say "python environment for the peers in .venv-peers"
    .venv/bin/python -m venv .venv-peers
    local below
    for below in .venv/lib/python3*/site-packages; do
      printf '%s\n' "$PWD/$below" >"$(.venv-peers/bin/python -c 'import site; print(site.getsitepackages()[0])')/main.pth"
    done
  fi
  local want="${peer_wheels[*]}" stamp=.venv-peers/.qslaw-wheels
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return; fi
  say "pip: ${peer_wheels[*]}"
  .venv-peers/bin/python -m pip install -q --disable-pip-version-check --no-deps "${peer_wheels[@]}"
  printf '%s' "$want" >"$stamp"
}
