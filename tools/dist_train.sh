#!/usr/bin/env bash
# Train with N processes on this machine: tools/dist_train.sh CONFIG N [options of train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment. Gloo without GPUs.
set -euo pipefail

CONFIG=${1:?config file}
PROCESSES=${2:?number of processes}
TOOLS=$(dirname "$0")

exec bash "$TOOLS/misc/torchrun.sh" "$PROCESSES" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"
