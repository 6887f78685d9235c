#!/usr/bin/env bash
# Proves that OctNet works as a *versioned* dependency: clones the repository, tags the clone, and builds and runs two
# scratch packages that ask for it by version. One links OctNet and trains two steps of a network of its own; one links
# OctNetInference and runs a network. Fails where either builds a module that it has no use for: swift-protobuf and
# what only octcli has, and in the second training, data, studies or reports.
# Usage: Scripts/check-dependency.sh [scratch directory, kept; a temporary one, removed, if left out]
set -euo pipefail
# Modules are compared as the shell sorts their names: capitals first.
export LC_ALL=C
repository=$(cd "$(dirname "$0")/.." && pwd)
version=0.1.0

if [ $# -gt 0 ]; then
  mkdir -p "$1"
  scratch=$(cd "$1" && pwd)
  rm -rf "$scratch/OctNet" "$scratch/build" "$scratch"/*/Sources "$scratch"/*/Package.swift
else
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi

git clone --quiet "$repository" "$scratch/OctNet"
git -C "$scratch/OctNet" -c user.name=check -c user.email=check@example.invalid \
  tag --force --annotate "$version" --message "Scratch tag of check-dependency.sh"

# One build folder for both packages: what the first one links, which is looked at first, the second one links too.
build=$scratch/build

# The packages ask for `exact:` where a user writes `from:`: the clone has the repository's own tags, too, and `from:` would
# take a later one of them in place of the tree that is checked.
#
# check NAME PRODUCT MODULES: runs Scripts/consumers/NAME.swift with the product; MODULES are all that may be built.
check() {
  local name=$1 product=$2 expected=$3
  mkdir -p "$scratch/$name/Sources/consumer"
  cat > "$scratch/$name/Package.swift" <<EOF
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "$name",
  dependencies: [.package(url: "file://$scratch/OctNet", exact: "$version")],
  targets: [
    .executableTarget(name: "consumer", dependencies: [.product(name: "$product", package: "OctNet")])
  ])
EOF
  cp "$repository/Scripts/consumers/$name.swift" "$scratch/$name/Sources/consumer/main.swift"
  cd "$scratch/$name"
  swift package --scratch-path "$build" update --quiet
  swift run --scratch-path "$build" consumer

  local modules
  modules=$(cd "$(swift build --scratch-path "$build" --show-bin-path)/Modules" && echo *.swiftmodule | sed 's/\.swiftmodule//g')
  if [ "$modules" != "$expected" ]; then
    echo "error: a program that links only $product built $modules, expected $expected" >&2
    exit 1
  fi
}

inference='OctNetCheckpoint OctNetCore OctNetInference OctNetModels OctNetSupport'
check inference OctNetInference "$inference consumer"
check training OctNet "OctNet OctNetBenchmark OctNetCheckpoint OctNetCore OctNetData OctNetInference OctNetModels \
OctNetReport OctNetStudy OctNetSupport OctNetTraining consumer"
