#!/usr/bin/env bash
# Test with N processes on this machine.
set -euo pipefail
USAGE='usage: tools/dist_test.sh CONFIG CHECKPOINT N [options of test.py]'

CONFIG=${1:?$USAGE}
CHECKPOINT=${2:?$USAGE}
PROCESSES=${3:?$USAGE}
TOOLS=$(dirname "$0")

exec bash "$TOOLS/misc/torchrun.sh" "$PROCESSES" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
