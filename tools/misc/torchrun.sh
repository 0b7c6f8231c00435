#!/usr/bin/env bash
# Run a program in N processes on this machine: torchrun.sh N PROGRAM [arguments]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment.
set -euo pipefail

PROCESSES=${1:?number of processes}
PROGRAM=${2:?program}
PORT=${PORT:-29500}
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
if ! [[ $PROCESSES =~ ^[1-9][0-9]*$ ]]; then
    echo "error: $PROCESSES processes: give a number, 1 or more" >&2
    exit 2
fi
if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || [ "$PORT" -gt 65535 ]; then
    echo "error: PORT=$PORT: give a number, 1 to 65535" >&2
    exit 2
fi
if ! [[ $NNODES =~ ^[1-9][0-9]{0,4}$ ]]; then
    echo "error: NNODES=$NNODES: give a number of machines, 1 or more" >&2
    exit 2
fi
if ! [[ $NODE_RANK =~ ^[0-9]{1,5}$ ]] || [ "$NODE_RANK" -ge "$NNODES" ]; then
    echo "error: NODE_RANK=$NODE_RANK: give the number of this machine, 0 to NNODES - 1" >&2
    exit 2
fi
if [ "$NODE_RANK" = 0 ] && (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; then
    echo "error: port $PORT is taken, most likely by another run: set PORT to a free one" >&2
    exit 2
fi
CORES=$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)
# torchrun would give each process one thread, however many cores there are
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > PROCESSES ? CORES / PROCESSES : 1))}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="$NNODES" \
    --node_rank="$NODE_RANK" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="$PORT" \
    --nproc_per_node="$PROCESSES" \
    -- "$PROGRAM" "${@:3}"
