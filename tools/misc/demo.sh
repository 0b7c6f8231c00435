#!/usr/bin/env bash
# Publish the quick model and let it report on a phantom patient that training never saw:
# tools/misc/demo.sh WORK_DIR PHANTOM
set -euo pipefail

WORK_DIR=${1:?work dir of a run of configs/quick/recommended_semi.py}
PHANTOM=${2:?folder of tools/prepare_data.py phantom}
CONFIG=configs/quick/recommended_semi.py
CHECKPOINT=$WORK_DIR/$(basename "$(cat "$WORK_DIR/last_checkpoint")")
PYTHON=${PYTHON:-python}
export XAICOVID_STORE="$PHANTOM/store" XAICOVID_SPLIT=default

echo 'scoring the model and its maps on the validation patients'
"$PYTHON" tools/test.py "$CONFIG" "$CHECKPOINT" --role val --explain > /dev/null
rm -rf "$WORK_DIR/model"
"$PYTHON" tools/publish_model.py "$CONFIG" "$CHECKPOINT" "$WORK_DIR/model" \
    --tested "$(dirname "$CHECKPOINT")/test_val"
SCAN=$("$PYTHON" -c "import json
patients = json.load(open('$PHANTOM/store/splits/default.json'))['patients']['test']
print(sorted(p for p in patients if p.startswith('covid'))[0])")_0_image.nii.gz
"$PYTHON" tools/infer.py "$PHANTOM/volumes/$SCAN" --model "$WORK_DIR/model" --out "$WORK_DIR/demo"
