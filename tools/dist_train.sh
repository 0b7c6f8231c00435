#!/usr/bin/env bash
# Train with N processes on this machine: tools/dist_train.sh CONFIG N [options of train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment. Gloo without GPUs.
set -euo pipefail

CONFIG=${1:?config file}
GPUS=${2:?number of processes}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$GPUS" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
