#!/usr/bin/env bash
# Proves that a run which is killed, or meets a full disk, at any moment ends with the bytes of one that was left alone.
#
# Usage: Scripts/kill-test.sh [moments] [seed] [path of octcli]     (200, 1, the debug build)
#
# A tiny training and a tiny study are run once undisturbed. Then a process is killed by SIGKILL again and again, each time
# after a random part of the time that the whole takes, and resumed; what each comes to is compared byte for byte: weights,
# logs, results, settings and the report's tables. Every directory is killed up to eight times before it may finish. Last,
# the training meets a disk that is full at each size of file it writes (`ulimit -f`), and where this shell may mount one, a
# file system of each size.
set -euo pipefail
moments=${1:-200}
RANDOM=${2:-1}
octcli=${3:-$(cd "$(dirname "$0")/.." && swift build --show-bin-path)/octcli}
export OMP_WAIT_POLICY=passive
scratch=$(mktemp -d)
trap 'umount "$scratch/disk" 2>/dev/null || true; rm -rf "$scratch"' EXIT

tiny=(--data synthetic --model resnet20 --batch-size 16 --limit-train 60 --schedule constant --learning-rate 0.05
  --augment crop,flip --threads 1 --checkpoint-every 1)
# Most of the time of the first goes into steps and states, of the second into evaluations; the third keeps everything that
# has a memory.
steps=(train --alpha 0.25 --epochs 4 --limit-test 20 "${tiny[@]}")
evaluations=(train --alpha 0.25 --epochs 3 --limit-test 400 "${tiny[@]}" --no-tensorboard)
memories=(train --alpha 0.25 --epochs 3 --limit-test 40 "${tiny[@]}" --accumulate 2 --ema 0.9 --mixup 0.2
  --early-stopping 1 --optimizer adam --learning-rate 0.001)
study=(study --alphas 0,0.5 --epochs 2 --limit-test 40 "${tiny[@]}")

# What equal runs have in common: everything but times, the state and the events.
outcome() {
  (cd "$1" && find . -type f \( -name '*.safetensors' -o -name '*.json' -o -name log.csv -o -name 'epochs.csv' \) \
    ! -name resume.safetensors -exec sha256sum {} + | sort -k 2)
}

leftovers() { find "$1" -name '*.octnet-tmp' -o -name .octnet-lock; }

# Runs until it is done, killing the process now and then. Sets `killed`.
disturb() { # directory, seconds of the whole, arguments…
  local directory=$1 whole=$2 kills=$((RANDOM % 8 + 1))
  shift 2
  killed=0
  while :; do
    local arguments=("$@" --out "$directory")
    # A run that was killed before its first state begins again; a study goes on by itself.
    if [ "$1" = train ]; then
      if [ -e "$directory/resume.safetensors" ]; then arguments=(train --resume "$directory"); else rm -rf "$directory"; fi
    fi
    "$octcli" "${arguments[@]}" >"$scratch/out" 2>"$scratch/err" &
    local process=$!
    if [ "$killed" -lt "$kills" ] && [ "$done_moments" -lt "$moments" ]; then
      sleep "$(awk -v t="$whole" -v r="$RANDOM" 'BEGIN { printf "%.4f", t * r / 32768 }')"
      if kill -KILL "$process" 2>/dev/null; then
        killed=$((killed + 1))
        done_moments=$((done_moments + 1))
        wait "$process" 2>/dev/null || true
        continue
      fi
    fi
    wait "$process" || { cat "$scratch/err" >&2; exit 1; }
    return
  done
}

compare() { # expected, found, what
  if ! diff <(outcome "$1") <(outcome "$2"); then
    echo "error: $3 differs from the undisturbed one" >&2
    exit 1
  fi
  if [ -n "$(leftovers "$2")" ]; then
    echo "error: $3 left files behind: $(leftovers "$2")" >&2
    exit 1
  fi
}

done_moments=0
for name in steps evaluations memories study; do
  declare -n arguments=$name
  start=$(date +%s.%N)
  "$octcli" "${arguments[@]}" --out "$scratch/$name" >/dev/null 2>&1
  declare "seconds_$name=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')"
done
rounds=0
while [ "$done_moments" -lt "$moments" ]; do
  for name in steps evaluations memories study; do
    [ "$done_moments" -lt "$moments" ] || break
    declare -n arguments=$name seconds=seconds_$name
    rm -rf "$scratch/parts"
    disturb "$scratch/parts" "$seconds" "${arguments[@]}"
    compare "$scratch/$name" "$scratch/parts" "$name, killed $killed times,"
    rounds=$((rounds + 1))
  done
done
echo "$done_moments kills in $rounds runs and studies: all ended with the same bytes"

# A full disk is an error (1), and one that suffices is none; a signal or a trap would be neither.
expect_ending() { # exit code, what
  if [ "$1" -gt 1 ]; then
    echo "error: $2 ended with $1, expected 0 or 1" >&2
    exit 1
  fi
}

# A limit on the size of files stands for a disk that is full in the middle of each of them.
disks=0
sizes=$(find "$scratch/steps" -type f -printf '%s\n' | sort -n | uniq | awk '{ print int($1 / 1024), int($1 / 2048) }' |
  tr ' ' '\n' | sort -n | uniq)
for size in $sizes; do
  rm -rf "$scratch/parts"
  code=0
  ( trap '' XFSZ; ulimit -f "$size"; exec "$octcli" "${steps[@]}" --out "$scratch/parts" ) >/dev/null 2>&1 || code=$?
  expect_ending "$code" "a run whose files could have $size KiB"
  disturb "$scratch/parts" 0 "${steps[@]}"
  compare "$scratch/steps" "$scratch/parts" "a run whose files could have $size KiB"
  disks=$((disks + 1))
done

# A file system that is full after each so many bytes, where one can be mounted; the run moves to a larger one.
mkdir "$scratch/disk"
if mount -t tmpfs -o size=64k tmpfs "$scratch/disk" 2>/dev/null; then
  for size in $(seq 64 192 6400); do
    umount "$scratch/disk"
    mount -t tmpfs -o "size=${size}k" tmpfs "$scratch/disk"
    code=0
    "$octcli" "${steps[@]}" --out "$scratch/disk/parts" >/dev/null 2>&1 || code=$?
    expect_ending "$code" "a run on $size KiB"
    mount -o remount,size=1g "$scratch/disk"
    disturb "$scratch/disk/parts" 0 "${steps[@]}"
    compare "$scratch/steps" "$scratch/disk/parts" "a run on $size KiB"
    disks=$((disks + 1))
  done
else
  echo 'no file system can be mounted here: full disks were limits on the size of files only'
fi
echo "$disks full disks: all resumed to the same bytes"
