#!/usr/bin/env bash
# Test on a slurm cluster.
set -euo pipefail
USAGE='usage: tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [options of test.py]'

PARTITION=${1:?$USAGE}
JOB=${2:?$USAGE}
CONFIG=${3:?$USAGE}
CHECKPOINT=${4:?$USAGE}
TOOLS=$(dirname "$0")

export GPUS=${GPUS:-1} GPUS_PER_NODE=${GPUS_PER_NODE:-1}
exec bash "$TOOLS/misc/slurm.sh" "$PARTITION" "$JOB" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
