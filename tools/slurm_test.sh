#!/usr/bin/env bash
# Test on a slurm cluster: tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [options of test.py]
set -euo pipefail

PARTITION=${1:?partition}
JOB=${2:?job name}
CONFIG=${3:?config file}
CHECKPOINT=${4:?checkpoint}
GPUS=${GPUS:-1}
GPUS_PER_NODE=${GPUS_PER_NODE:-1}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
for NAME in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!NAME} =~ ^[1-9][0-9]*$ ]]; then
        echo "error: $NAME=${!NAME}: give a number, 1 or more" >&2
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
    "${PYTHON:-python}" -u "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
