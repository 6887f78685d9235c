#!/usr/bin/env bash
# Runs tests under the address sanitizer and, for C, the one for undefined behaviour, on each instruction set that the
# machine has: the kernels on random descriptors, and random graphs forward and backward.
#
# Usage: Scripts/sanitize.sh [descriptors of each kind, default 150] [graphs, default 300]
set -euo pipefail
cd "$(dirname "$0")/.."

export OCTNET_RANDOM_DESCRIPTORS=${1:-150} OCTNET_RANDOM_GRAPHS=${2:-300}
# OpenMP's runtime keeps its threads to the end.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
flags=(--scratch-path .build-sanitize --sanitize address -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
swift build --build-tests "${flags[@]}"
for isa in avx512 avx2 portable; do
  printf '\n=== OCTNET_MAX_ISA=%s\n' "$isa"
  OCTNET_MAX_ISA=$isa swift test --skip-build "${flags[@]}" --filter 'RandomDescriptorTests|RandomGraphTests'
done
