#!/usr/bin/env bash
# Train on a slurm cluster: tools/slurm_train.sh PARTITION JOB CONFIG [options of train.py]
set -euo pipefail

PARTITION=${1:?partition}
JOB=${2:?job name}
CONFIG=${3:?config file}
TOOLS=$(dirname "$0")

export GPUS=${GPUS:-4} GPUS_PER_NODE=${GPUS_PER_NODE:-4}
exec bash "$TOOLS/misc/slurm.sh" "$PARTITION" "$JOB" \
    "$TOOLS/train.py" "$CONFIG" --launcher slurm "${@:4}"
