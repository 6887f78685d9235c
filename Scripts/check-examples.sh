#!/usr/bin/env bash
# Builds the packages of Examples/ from this tree and runs them as their READMEs say: an operation of one's own with its
# test, the segmentation up to a mean IoU of 0.9, the fine-tuning, and the server with good and broken images and with many
# at once, up to its graceful end. The server needs libpng-dev, libjpeg-dev, libwebp-dev and libtiff-dev; without them it is
# left out, and said.
# Usage: [OCTCLI=program] Scripts/check-examples.sh [name of an example ...]
set -euo pipefail
cd "$(dirname "$0")/../Examples"
scratch=$PWD/../.build-examples
work=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

wanted=" ${*:-OwnOperation Segmentation FineTuning Server} "
wants() { [[ "$wanted" == *" $1 "* ]]; }
fail() { echo "error: $*" >&2; exit 1; }
# run PACKAGE ARGUMENTS: swift with one build folder for all, so that OctNet is built once.
run() { (cd "$1" && swift "$2" --scratch-path "$scratch" "${@:3}"); }

if wants OwnOperation; then
  # Built as "run" builds it, once for both.
  run OwnOperation build --build-tests
  run OwnOperation test --skip-build
  run OwnOperation run own-operation | tee "$work/own"
  [ "$(grep -c ': slopes' "$work/own")" -eq 5 ] || fail 'the example shows no slopes'
fi

if wants Segmentation; then
  run Segmentation run segmentation | tee "$work/segmentation"
  score=$(grep -o 'mean IoU [0-9.]*' "$work/segmentation" | tail -1 | cut -d' ' -f3)
  awk -v score="$score" 'BEGIN { exit !(score >= 0.9) }' || fail "mean IoU $score, expected 0.9 or more"
fi

if wants FineTuning; then
  run FineTuning run fine-tuning | tee "$work/tuning"
  awk -F'[:%]' '/frozen/ { frozen = $2 } /nothing/ { nothing = $2 } END { exit !(frozen > nothing + 10) }' \
    "$work/tuning" || fail 'pretrained weights are worth nothing'
fi

if wants Server && ! dpkg -s libpng-dev libjpeg-dev libwebp-dev libtiff-dev >/dev/null 2>&1; then
  echo 'skipped: the server, since libpng-dev, libjpeg-dev, libwebp-dev or libtiff-dev is not installed'
elif wants Server; then
  [ -n "${OCTCLI:-}" ] || OCTCLI=$(cd .. && swift build --product octcli >&2 && swift build --show-bin-path)/octcli
  "$OCTCLI" train --model resnet20 --alpha 0.25 --epochs 1 --limit-train 128 --limit-test 20 \
    --out "$work/run" --no-tensorboard
  image=../Tests/OctNetImagesTests/Fixtures/baseline-444.jpg
  run Server build
  bin=$(run Server build --show-bin-path)
  "$bin/server" "$work/run/last.safetensors" --port 0 > "$work/log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    port=$(grep -o 'listening on 127.0.0.1:[0-9]*' "$work/log" | grep -o '[0-9]*$' || true)
    [ -z "$port" ] || break
    kill -0 "$server" || { cat "$work/log"; fail 'the server did not start'; }
    sleep 0.1
  done
  [ -n "$port" ] || fail 'the server listens on no port'
  # expect STATUS CURL-ARGUMENTS: prints the answer.
  expect() {
    local status
    status=$(curl -s -o "$work/answer" -w '%{http_code}' "${@:2}")
    [ "$status" = "$1" ] || fail "status $status instead of $1 for ${*:2}"
    cat "$work/answer"; echo
  }
  url=http://127.0.0.1:$port
  expect 200 "$url/health"
  expect 200 --data-binary "@$image" "$url/classify?top=2" | grep '"classes"'
  expect 422 --data-binary @../README.md "$url/classify"
  expect 400 -X POST "$url/classify"
  expect 413 --data-binary @<(head -c 9000000 /dev/zero) "$url/classify"
  # Many at once: each is answered.
  many=()
  for _ in $(seq 40); do
    curl -sf -o /dev/null --data-binary "@$image" "$url/classify" &
    many+=($!)
  done
  for process in "${many[@]}"; do
    wait "$process" || fail "curl ended with $? for one image of 40 at once"
  done
  # And then the end: whoever has been taken is answered, and nobody else is taken. A request of which half is still to come
  # has surely been taken, and surely not been answered; with curl, both would be luck.
  held=()
  for _ in $(seq 8); do
    exec {connection}<>"/dev/tcp/127.0.0.1/$port"
    held+=("$connection")
    printf 'POST /classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' \
      "$(wc -c < "$image")" >&"$connection"
    head -c 700 "$image" >&"$connection"
  done
  sleep 1
  kill -TERM "$server"
  # Until nobody listens (7), a connection may still be taken, or ended before its request is read.
  code=0
  for _ in $(seq 100); do
    code=0
    curl -s -o /dev/null "$url/health" || code=$?
    [ "$code" -ne 7 ] || break
    sleep 0.1
  done
  [ "$code" -eq 7 ] || fail "curl ended with $code after the server was told to end, expected 7 (refused)"
  for connection in "${held[@]}"; do
    tail -c +701 "$image" >&"$connection" || fail 'the server ended a request that it had taken'
  done
  for connection in "${held[@]}"; do
    read -r -t 60 -u "$connection" answer || fail 'the server did not answer a request that it had taken'
    [[ $answer == 'HTTP/1.1 200 '* ]] || fail "found $answer for a request that the server had taken"
    exec {connection}>&-
  done
  wait "$server" || fail "the server ended with $?"
  server=''
fi
echo 'The examples run.'
