#!/usr/bin/env bash
# Train on a slurm cluster.
set -euo pipefail
USAGE='usage: tools/slurm_train.sh PARTITION JOB CONFIG [options of train.py]'

PARTITION=${1:?$USAGE}
JOB=${2:?$USAGE}
CONFIG=${3:?$USAGE}
TOOLS=$(dirname "$0")

export GPUS=${GPUS:-4} GPUS_PER_NODE=${GPUS_PER_NODE:-4}
exec bash "$TOOLS/misc/slurm.sh" "$PARTITION" "$JOB" \
    "$TOOLS/train.py" "$CONFIG" --launcher slurm "${@:4}"
