# Sourced by the other scripts: packages, the .venv, and how a build folder is configured. Changes to the repository root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

apt_packages=(g++ ccache mold pkg-config clang-format git ca-certificates python3 python3-venv
  libsentencepiece-dev libcli11-dev libyaml-cpp-dev libspdlog-dev libstb-dev nlohmann-json3-dev
  libsimdjson-dev libturbojpeg0-dev libwebp-dev libgif-dev libssl-dev catch2)
build_wheels=(cmake==4.4.4 ninja==1.13.2)
torch_wheel=torch==2.11.0
# What the torch wheel needs and the CUDA 13 toolkit does not bring.
toolkit_wheels=(nvidia-cusparselt-cu13==0.8.0 nvidia-nvshmem-cu13==3.4.5 nvidia-cufile)
# What the tests' Python side compares with; torch's own dependencies are listed because torch comes without them.
test_wheels=(numpy==2.4.6 transformers==5.23.0 sentencepiece==0.2.3 pillow==13.0.0 scikit-learn==1.9.1
  safetensors==0.8.0 openpyxl==3.1.5 et_xmlfile==2.0.0 psutil filelock typing_extensions sympy networkx jinja2 fsspec setuptools)
test_wheels_alone=(peft==0.21.2 accelerate==1.15.0)  # their dependencies are above; pip would fetch another torch

say() { printf '%s\n' "== $*" >&2; }

# Runs the rest of the line unless $1 (a stamp below .venv) already holds it.
once() {
  local stamp=.venv/.qslaw-$1 want
  shift
  want="$*"
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return; fi
  "$@"
  printf '%s' "$want" >"$stamp"
}

install_apt_packages() {
  command -v dpkg-query >/dev/null || { say "no dpkg here: install the packages of docs/architecture.md yourself"; return 0; }
  local missing=() package root=()
  for package in "${apt_packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return; fi
  say "apt: ${missing[*]}"
  if ((EUID != 0)); then root=(sudo); fi
  "${root[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}

make_venv() {
  if [[ -x .venv/bin/python ]]; then return; fi
  say "python environment in .venv"
  python3 -m venv .venv
}

pip_install() {
  say "pip: $*"
  .venv/bin/python -m pip install -q --disable-pip-version-check "$@"
}

# Prints the path of nvcc, or nothing.
find_nvcc() {
  local nvcc
  nvcc=$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")
  if [[ -x $nvcc ]]; then printf '%s' "$nvcc"; fi
}

# grep reads to the end (no -q): a program that writes into a closed pipe fails, and with it the pipe.
has_cuda13_toolkit() {
  local nvcc
  nvcc=$(find_nvcc)
  [[ -n $nvcc ]] && "$nvcc" --version | grep 'release 13' >/dev/null &&
    /sbin/ldconfig -p | grep 'libcudart\.so\.13' >/dev/null
}

install_wheels() {
  once build-wheels pip_install "${build_wheels[@]}"
  if [[ -z ${CMAKE_PREFIX_PATH:-} ]]; then install_torch; fi  # else the user's own LibTorch
}

install_torch() {
  if has_cuda13_toolkit; then
    once torch pip_install --no-deps "$torch_wheel" "${toolkit_wheels[@]}"
  else
    once torch pip_install "$torch_wheel"
  fi
}

install_test_wheels() {
  install_torch  # transformers and PEFT compute with it, whatever LibTorch the program has
  once test-wheels pip_install "${test_wheels[@]}"
  once test-wheels-alone pip_install --no-deps "${test_wheels_alone[@]}"
}

# configure DIR [cmake options]: from nothing when DIR was last configured with other options, another CMAKE_PREFIX_PATH or
# another nvcc, because CMake's cache keeps what it once found. Otherwise Ninja configures again by itself when needed.
configure() {
  local dir=$1 nvcc want options
  shift
  nvcc=$(find_nvcc)
  options=(-G Ninja "-DCMAKE_MAKE_PROGRAM=$PWD/.venv/bin/ninja"
    ${CMAKE_PREFIX_PATH:+"-DCMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH//:/;}"} ${nvcc:+"-DQSLAW_NVCC=$nvcc"} "$@")
  # The file behind nvcc, too: the link /usr/local/cuda may lead to another toolkit one day.
  want="${options[*]}${nvcc:+ ($(readlink -f "$nvcc"))}"
  local stamp=$dir/.qslaw-options
  if [[ -f $dir/build.ninja && -f $stamp && $(<"$stamp") == "$want" ]]; then return; fi
  say "configuring $dir"
  rm -f "$stamp"
  .venv/bin/cmake --fresh -S . -B "$dir" "${options[@]}"
  printf '%s' "$want" >"$stamp"
}

# build DIR [targets]: all targets if none is named. A heavy source takes 1.5 GB, so memory bounds the jobs too.
build() {
  local dir=$1 jobs memory_jobs
  shift
  jobs=$(nproc)
  memory_jobs=$(awk '/^MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)
  if ((memory_jobs < jobs)); then jobs=$((memory_jobs > 0 ? memory_jobs : 1)); fi
  .venv/bin/cmake --build "$dir" -j "$jobs" ${1:+--target "$@"}
}
