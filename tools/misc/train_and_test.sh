#!/usr/bin/env bash
# Train, test the last checkpoint, draw the strip:
# tools/misc/train_and_test.sh CONFIG WORK_DIR [PROCESSES] [ROLE]
set -euo pipefail

CONFIG=${1:?config file}
WORK_DIR=${2:?work dir}
PROCESSES=${3:-1}
ROLE=${4:-test}
TOOLS=$(dirname "$0")/..
export PYTHON=${PYTHON:-python}

if ! [[ $PROCESSES =~ ^[1-9][0-9]*$ ]]; then
    echo "error: $PROCESSES processes: GPUS is a number, 1 or more" >&2
    exit 2
fi
OPTIONS=(--work-dir "$WORK_DIR")
if compgen -G "$WORK_DIR/epoch_*.pth" > /dev/null; then
    echo "$WORK_DIR holds a run, which goes on; WORK_DIR=... trains anew elsewhere"
    OPTIONS+=(--resume)
fi
if [ "$PROCESSES" -gt 1 ]; then
    "$TOOLS/dist_train.sh" "$CONFIG" "$PROCESSES" "${OPTIONS[@]}"
else
    "$PYTHON" "$TOOLS/train.py" "$CONFIG" "${OPTIONS[@]}"
fi
LAST=$(ls -t "$WORK_DIR"/epoch_*.pth | head -n 1)
"$PYTHON" "$TOOLS/test.py" "$CONFIG" "$LAST" --role "$ROLE" --show-dir "$WORK_DIR/pictures"
echo "checkpoint:   $LAST"
echo "figure strip: $WORK_DIR/pictures/strip.png"
