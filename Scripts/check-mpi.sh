#!/usr/bin/env bash
# Proves that training on several ranks gives the bytes of one process, and that a job ends whatever happens to one of them.
#
# Usage: Scripts/check-mpi.sh [path of octcli]     (with the trait MPI; by default built in .build-mpi)
#
# All ranks are processes of this machine, more than it has processors. Needs mpirun, of Open MPI or of MPICH, whichever octcli was
# built with. A tiny network is trained by one process and by 2, 4 and 8 ranks; by a job that is stopped by SIGTERM to one rank and
# goes on with other numbers of ranks; by one of which a rank is killed; and a larger network by one process and by 2 ranks. Numbers of
# ranks that do not fit, wrong flags and a full disk end a job with one message. A build with the trait Images too trains on shards of
# images, and meets one that a rank cannot read.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  octcli=$1
else
  swift build --traits MPI --scratch-path .build-mpi --product octcli
  octcli=$(swift build --traits MPI --scratch-path .build-mpi --show-bin-path)/octcli
fi
export OMP_WAIT_POLICY=passive
# As root, in a container, with more ranks than processors.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "error: $*" >&2
  [ ! -s "$scratch/errors" ] || cat "$scratch/errors" >&2
  exit 1
}

tiny=(--data synthetic --model resnet20 --alpha 0.25 --shards 8 --batch-size 16 --epochs 3 --schedule constant
  --learning-rate 0.05 --limit-train 60 --limit-test 30 --augment crop,flip --mixup 0.2 --threads 1 --checkpoint-every 1
  --no-tensorboard)
# The optimizer's work is divided, and all of it is every rank's.
divided=(train "${tiny[@]}" --optimizer adam --ema 0.9)
whole=(train "${tiny[@]}" --epochs 1 --clip-gradients 0.5 --accumulate 2 --validation 12)

# What equal runs have in common: everything but times and the state, which holds some.
outcome() {
  (cd "$1" && sha256sum best.safetensors config.json last.safetensors log.csv results.json)
}

expect_same() { # what, directory, directory
  diff <(outcome "$2") <(outcome "$3") || fail "$1: other bytes"
  echo "$1: the same bytes"
}

# Runs a job that has to end; sets `code`.
job() { # ranks, arguments…
  local ranks=$1
  shift
  code=0
  timeout 300 mpirun -n "$ranks" "$octcli" "$@" > "$scratch/output" 2> "$scratch/errors" || code=$?
  [ $code -ne 124 ] || fail "$ranks ranks: hung"
}

succeed() { # ranks, arguments…
  job "$@"
  [ $code -eq 0 ] || fail "$1 ranks: exit code $code"
}

expect_message() { # exit code, message
  [ $code -eq "$1" ] || fail "exit code $code, expected $1"
  # A lone message: one a rank would be more.
  [ "$(grep -c -i '^\(octcli: \)\?error: ' "$scratch/errors")" -eq 1 ] || fail "expected one message"
  grep -q -i "error: $2" "$scratch/errors" || fail "expected: $2"
  echo "exit code $1: $2"
}

"$octcli" "${divided[@]}" --out "$scratch/one" 2>/dev/null >/dev/null
for ranks in 2 4 8; do
  succeed $ranks "${divided[@]}" --out "$scratch/of-$ranks"
  expect_same "$ranks ranks" "$scratch/one" "$scratch/of-$ranks"
done
"$octcli" "${whole[@]}" --out "$scratch/whole" 2>/dev/null >/dev/null
succeed 4 "${whole[@]}" --out "$scratch/whole-4"
expect_same '4 ranks, clipping, accumulation, validation' "$scratch/whole" "$scratch/whole-4"

half=(train "${tiny[@]}" --epochs 1 --reduce-dtype bfloat16)
"$octcli" "${half[@]}" --out "$scratch/half" 2>/dev/null >/dev/null
for ranks in 2 8; do
  succeed $ranks "${half[@]}" --out "$scratch/half-$ranks"
  expect_same "$ranks ranks, sums in bfloat16" "$scratch/half" "$scratch/half-$ranks"
done

# 11 million parameters, which leave in several buckets while the backward pass goes on.
large=(train --data synthetic --model resnet18 --alpha 0.25 --shards 4 --batch-size 8 --epochs 1 --limit-train 24 --limit-test 8
  --threads 1 --no-tensorboard)
for flags in '' '--clip-gradients 1' '--reduce-dtype bfloat16'; do
  # shellcheck disable=SC2086 # none, or two words
  "$octcli" "${large[@]}" $flags --out "$scratch/large-one" 2>/dev/null >/dev/null
  # shellcheck disable=SC2086
  succeed 2 "${large[@]}" $flags --out "$scratch/large-2"
  grep -q 'exchanged [0-9]*% in backward, waited [0-9]*%' "$scratch/errors" || fail 'overlap: not said'
  expect_same "2 ranks, several buckets $flags" "$scratch/large-one" "$scratch/large-2"
  rm -r "$scratch"/large-*
done

# Starts a job and sends a signal to one of its ranks once the first state is written; sets `code`.
disturb() { # directory, signal, ranks, arguments…
  local directory=$1 signal=$2 ranks=$3
  shift 3
  rm -f "$scratch/marker"
  touch "$scratch/marker"
  timeout 300 mpirun -n "$ranks" "$octcli" "$@" > "$scratch/output" 2> "$scratch/errors" &
  local job=$!
  until [ "$directory/resume.safetensors" -nt "$scratch/marker" ]; do
    kill -0 $job 2>/dev/null || fail 'ended before its first state'
    sleep 0.02
  done
  # The last rank: not the one that writes. mpirun is a child of timeout; the ranks are its children, or with MPICH those of a proxy.
  local launcher proxy
  launcher=$(pgrep -P $job)
  proxy=$(pgrep -P "$launcher" hydra_pmi_proxy || echo "$launcher")
  kill "-$signal" "$(pgrep -P "$proxy" | sort -n | tail -1)"
  code=0
  wait $job || code=$?
  [ $code -ne 124 ] || fail "signal $signal: hung"
}

disturb "$scratch/parts" TERM 2 "${divided[@]}" --out "$scratch/parts"
[ $code -eq 143 ] || fail "SIGTERM to one rank: exit code $code, expected 143"
grep -q 'stopped; go on with' "$scratch/errors" || fail 'SIGTERM to one rank: not said'
disturb "$scratch/parts" TERM 4 train --resume "$scratch/parts"
[ $code -eq 143 ] || fail "SIGTERM to one rank: exit code $code, expected 143"
succeed 8 train --resume "$scratch/parts"
expect_same '2 ranks, stopped, 4, stopped, 8' "$scratch/one" "$scratch/parts"

disturb "$scratch/killed" KILL 4 "${divided[@]}" --out "$scratch/killed"
[ $code -ne 0 ] || fail 'a killed rank: exit code 0'
"$octcli" train --resume "$scratch/killed" 2>/dev/null >/dev/null
expect_same '4 ranks, one of them killed, then one process' "$scratch/one" "$scratch/killed"

job 3 "${divided[@]}" --out "$scratch/wrong"
expect_message 1 'ranks: expected a power of two, found 3'
job 4 "${divided[@]}" --shards 2 --out "$scratch/wrong"
expect_message 1 'ranks: found 4, expected at most the 2 shards of a batch'
# Ranks that were started otherwise.
code=0
timeout 300 mpirun -n 1 "$octcli" "${divided[@]}" --out "$scratch/wrong" : -n 1 "$octcli" "${divided[@]}" --seed 77 --out "$scratch/wrong" \
  > "$scratch/output" 2> "$scratch/errors" || code=$?
[ $code -ne 124 ] || fail 'ranks with other settings: hung'
expect_message 1 'ranks: rank 1 has seed 77, the first rank'
job 2 train --shards 3
expect_message 64 '--shards: expected a power of two, found 3'
job 2 train --resume "$scratch/nothing"
expect_message 1 "$scratch/nothing"
[ ! -e "$scratch/wrong" ] || fail 'a job that could not begin made a directory'

# Images of 32×32 in tars, whose pixels are digits.
image() { # number
  printf 'BM\x36\x0c\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\0\0\0\x20\0\0\0\x01\0\x18\0\0\0\0\0\0\x0c\0\0'
  printf '\0%.0s' {1..16}
  { seq $((97 * $1 + 1)) 20000 || true; } 2> "$scratch/errors" | head -c 3072
}
shard() { # name, first, last
  local number files=()
  for number in $(seq "$2" "$3"); do
    printf '%s' $((number % 2)) > "$scratch/images/$number.cls"
    image "$number" > "$scratch/images/$number.bmp"
    files+=("$number.bmp" "$number.cls")
  done
  tar -cf "$scratch/wds/$1.tar" -C "$scratch/images" "${files[@]}"
}
mkdir "$scratch/images" "$scratch/wds"
shard train-0 0 9
shard train-1 10 19
shard val-0 20 23
printf 'even\nodd\n' > "$scratch/wds/classes.txt"
photographs=(train --data "tar:$scratch/wds/*.tar" --model resnet20 --alpha 0.25 --image-size 32 --shards 4 --batch-size 8 --epochs 2
  --schedule constant --learning-rate 0.05 --augment resized-crop,flip --threads 1 --no-tensorboard
  --mean .5,.5,.5 --std .2,.2,.2) # all images would be read to measure them
if "$octcli" "${photographs[@]}" --out "$scratch/tar-one" > "$scratch/output" 2> "$scratch/errors"; then
  for ranks in 2 4; do
    # Each makes the indices.
    rm "$scratch"/wds/*.octidx
    succeed $ranks "${photographs[@]}" --out "$scratch/tar-$ranks"
    expect_same "$ranks ranks, tars" "$scratch/tar-one" "$scratch/tar-$ranks"
  done
  # An image of one rank, under a tar's old time, so that nobody reads it before its turn.
  cp -p "$scratch/wds/train-1.tar" "$scratch/train-1.tar"
  printf 'xxxx' | dd of="$scratch/wds/train-1.tar" bs=1 seek=512 conv=notrunc 2> "$scratch/errors"
  touch -r "$scratch/train-1.tar" "$scratch/wds/train-1.tar"
  job 2 "${photographs[@]}" --out "$scratch/tar-damaged"
  expect_message 1 "$scratch/wds/train-1.tar: 10.[a-z]* at byte 512: .*the run's state is written"
  cp -p "$scratch/train-1.tar" "$scratch/wds/train-1.tar"
  succeed 4 train --resume "$scratch/tar-damaged"
  expect_same '2 ranks, a damaged image, then 4 ranks with it mended' "$scratch/tar-one" "$scratch/tar-damaged"
else
  grep -q 'without the trait Images' "$scratch/errors" || fail 'tars'
  echo 'skipped: images in tars, which need the trait Images'
fi

# A full disk where the first rank writes. Shared memory would be a file that is limited, too.
code=0
OMPI_MCA_btl=self,tcp UCX_TLS=self,tcp timeout 300 mpirun -n 1 bash -c "ulimit -f 64; exec \"\$0\" \"\$@\"" "$octcli" "${divided[@]}" \
  --out "$scratch/full" : -n 1 "$octcli" "${divided[@]}" --out "$scratch/full" \
  > "$scratch/output" 2> "$scratch/errors" || code=$?
[ $code -ne 124 ] || fail 'a full disk: hung'
expect_message 1 "$scratch/full"
