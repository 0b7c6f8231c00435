#!/usr/bin/env bash
# Test with N processes on this machine: tools/dist_test.sh CONFIG CHECKPOINT N [options of test.py]
set -euo pipefail

CONFIG=${1:?config file}
CHECKPOINT=${2:?checkpoint}
PROCESSES=${3:?number of processes}
TOOLS=$(dirname "$0")

exec bash "$TOOLS/misc/torchrun.sh" "$PROCESSES" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
