#!/usr/bin/env bash
# Run a program on a slurm cluster: GPUS=N GPUS_PER_NODE=N slurm.sh PARTITION JOB PROGRAM [arguments]
set -euo pipefail

PARTITION=${1:?partition}
JOB=${2:?job name}
PROGRAM=${3:?program}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
for NAME in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!NAME:-} =~ ^[1-9][0-9]*$ ]]; then
        echo "error: $NAME=${!NAME:-}: give a number, 1 or more" >&2
        exit 2
    fi
done
read -r -a SRUN_ARGS <<< "${SRUN_ARGS:-}"

srun -p "$PARTITION" \
    --job-name="$JOB" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="$CPUS_PER_TASK" \
    --kill-on-bad-exit=1 \
    "${SRUN_ARGS[@]}" \
    "${PYTHON:-python}" -u "$PROGRAM" "${@:4}"
