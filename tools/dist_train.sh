#!/usr/bin/env bash
# Train with N processes on this machine.
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment. Gloo without GPUs.
set -euo pipefail
USAGE='usage: tools/dist_train.sh CONFIG N [options of train.py]'

CONFIG=${1:?$USAGE}
PROCESSES=${2:?$USAGE}
TOOLS=$(dirname "$0")

exec bash "$TOOLS/misc/torchrun.sh" "$PROCESSES" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"
