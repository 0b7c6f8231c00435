#!/usr/bin/env bash
# Train with N processes on this machine: tools/dist_train.sh CONFIG N [options of train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment. Gloo without GPUs.
set -euo pipefail

CONFIG=${1:?config file}
GPUS=${2:?number of processes}
PORT=${PORT:-29500}
if ! [[ $GPUS =~ ^[1-9][0-9]*$ ]]; then
    echo "error: $GPUS processes: give a number, 1 or more" >&2
    exit 2
fi
if [ "${NODE_RANK:-0}" = 0 ] && (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; then
    echo "error: port $PORT is taken, most likely by another run: set PORT to a free one" >&2
    exit 2
fi
CORES=$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)
# torchrun would give each process one thread, however many cores there are
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > GPUS ? CORES / GPUS : 1))}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="$PORT" \
    --nproc_per_node="$GPUS" \
    -- "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
