#!/usr/bin/env bash
# Builds the documentation of every product with the toolchain's own docc, and fails where that warns (links to nothing,
# parameters that do not exist, some that are described and some that are not) and where a public symbol has no comment.
# Usage: Scripts/build-docs.sh [directory [symbols]]   (default: .build/documentation)
# Symbols: a directory of graphs that a build from nothing has left with the flags of Scripts/symbol-flags; else they are
# made here.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.build/documentation}
mkdir -p "$out"
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT

if [ $# -gt 1 ]; then
  symbols=$(cd "$2" && pwd)
else
  # With images where their libraries are installed: the module is empty without.
  traits=()
  if dpkg -s libpng-dev libjpeg-dev libwebp-dev libtiff-dev >/dev/null 2>&1; then traits=(--traits Images); fi
  symbols=$PWD/.build-docs/symbols
  # From nothing: an incremental build leaves the graphs of modules in which only comments have changed.
  rm -rf .build-docs
  mkdir -p "$symbols"
  # shellcheck disable=SC2046
  swift build ${traits[@]+"${traits[@]}"} --scratch-path .build-docs $(Scripts/symbol-flags "$symbols") \
    > "$graphs/log" 2>&1 || { cat "$graphs/log"; exit 1; }
fi

# build PRODUCT: the archive of a product from its catalogue and what its module has in public. A module that exports
# others again has their symbols in its own graph. Their own graphs beside it would name each symbol twice, and which of
# the two a link finds would be chance.
build() {
  local product=$1
  mkdir -p "$graphs/$product"
  cp "$symbols/$product.symbols.json" "$graphs/$product"
  docc convert "Sources/$product/$product.docc" --additional-symbol-graph-dir "$graphs/$product" \
    --fallback-display-name "$product" --fallback-bundle-identifier "octnet.$product" --warnings-as-errors \
    --output-path "$out/$product.doccarchive"
  echo "$out/$product.doccarchive"
}

for product in OctNet OctNetInference OctNetTesting OctNetImages OctNetTensorBoard OctNetONNX; do build $product; done

# Every public symbol says what it is.
swiftc -swift-version 6 Scripts/documentation/undocumented.swift -o "$graphs/undocumented"
find "$symbols" -name 'OctNet*.symbols.json' ! -name '*@*' ! -name 'OctNetSettings*' ! -name 'OctNet*Tests.*' -exec "$graphs/undocumented" {} +
