#!/usr/bin/env bash
# Fuzzes the readers of files from outside with libFuzzer under the address and undefined-behaviour sanitizers, beginning
# with Fuzz/Corpus. An input that ends the process is kept as Fuzz/Corpus/READER/crash-…; `swift test` replays it from then
# on. Inputs that reach new code go to .build-fuzz/corpus/READER, from which the next run goes on.
#
# Usage: Scripts/fuzz.sh READER|all [--seconds N | --runs N] [--seed N]
# Readers: safetensors torch numpy mxnet json yaml log idx cifar prepared tar png jpeg webp tiff bmp; the last five need
# libpng-dev, libjpeg-dev, libwebp-dev and libtiff-dev.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  sed -n '6,8s/^# //p' "$0" >&2
  exit 64
}

readers='safetensors torch numpy mxnet json yaml log idx cifar prepared tar png jpeg webp tiff bmp'
[ $# -ge 1 ] || usage
reader=$1
shift
if [ "$reader" = all ]; then
  chosen=$readers
elif [[ " $readers " == *" $reader "* ]]; then
  chosen=$reader
else
  usage
fi
limit=-max_total_time=60
seed=1
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] && [[ $2 =~ ^[0-9]+$ ]] || usage
  case $1 in
    --seconds) limit=-max_total_time=$2 ;;
    --runs) limit=-runs=$2 ;;
    --seed) seed=$2 ;;
    *) usage ;;
  esac
  shift 2
done

export OCTNET_FUZZ=1
build=(swift build -c release --product octfuzz --scratch-path .build-fuzz --traits Images
  --sanitize address --sanitize fuzzer -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
"${build[@]}"
program=$("${build[@]}" --show-bin-path)/octfuzz

# A refusal is no leak of the process that it ends.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
for reader in $chosen; do
  mkdir -p ".build-fuzz/corpus/$reader"
  printf '\n=== %s\n' "$reader"
  # A prepared file's parts begin at pages, a tar's entries at blocks, and CIFAR's records have 3073 bytes.
  length=4096
  [[ $reader != prepared && $reader != tar && $reader != cifar ]] || length=16384
  OCTNET_FUZZ_READER=$reader "$program" "$limit" -seed="$seed" -max_len="$length" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="Fuzz/Corpus/$reader/" -print_final_stats=1 -verbosity=0 \
    ".build-fuzz/corpus/$reader" "Fuzz/Corpus/$reader"
done
