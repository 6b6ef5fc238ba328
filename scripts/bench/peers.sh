# Sourced by the benchmarks that run a peer: a Python environment of its own, .venv-peers, over the packages of .venv (the same
# torch for all).
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

peer_wheels=(bitsandbytes==0.50.2)
torchvision_wheels=(torchvision==0.26.0)  # the one for torch 2.11
llama_wheels=(gguf==0.19.0 diskcache==5.6.3)
llama_source=llama-cpp-python==0.3.36

# peer_install STAMP PACKAGES...: into .venv-peers, unless the stamp says that they are there.
peer_install() {
  local stamp=.venv-peers/.qslaw-$1
  shift
  if [[ -f $stamp && $(<"$stamp") == "$*" ]]; then return; fi
  say "pip: $*"
  .venv-peers/bin/python -m pip install -q --disable-pip-version-check --no-deps "$@"
  printf '%s' "$*" >"$stamp"
}

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
  peer_install wheels "${peer_wheels[@]}"
}

install_torchvision() {
  peer_install torchvision-wheels "${torchvision_wheels[@]}"
}

# Built from its source for this machine's own instruction set, which takes 20 minutes on two cores; without its picture part.
install_llama_cpp() {
  peer_install llama-wheels "${llama_wheels[@]}"
  CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" peer_install llama-cpp --no-binary llama-cpp-python "$llama_source"
}
