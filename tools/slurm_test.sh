#!/usr/bin/env bash
# Test on a slurm cluster: tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [options of test.py]
set -euo pipefail

PARTITION=${1:?partition}
JOB=${2:?job name}
CONFIG=${3:?config file}
CHECKPOINT=${4:?checkpoint}
TOOLS=$(dirname "$0")

export GPUS=${GPUS:-1} GPUS_PER_NODE=${GPUS_PER_NODE:-1}
exec bash "$TOOLS/misc/slurm.sh" "$PARTITION" "$JOB" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
