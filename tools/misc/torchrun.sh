#!/usr/bin/env bash
# Run a program in N processes on this machine: torchrun.sh N PROGRAM [arguments]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment.
set -euo pipefail

PROCESSES=${1:?number of processes}
PROGRAM=${2:?program}
PORT=${PORT:-29500}
if ! [[ $PROCESSES =~ ^[1-9][0-9]*$ ]]; then
    echo "error: $PROCESSES processes: give a number, 1 or more" >&2
    exit 2
fi
if [ "${NODE_RANK:-0}" = 0 ] && (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; then
    echo "error: port $PORT is taken, most likely by another run: set PORT to a free one" >&2
    exit 2
fi
CORES=$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)
# torchrun would give each process one thread, however many cores there are
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > PROCESSES ? CORES / PROCESSES : 1))}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="$PORT" \
    --nproc_per_node="$PROCESSES" \
    -- "$PROGRAM" "${@:3}"
