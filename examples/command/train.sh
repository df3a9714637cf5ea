#!/bin/sh
# Training code in shell and awk. It shows all that a program in any language has to do:
# read its hyperparameters, go on from a checkpoint, report after each epoch, and do as it is told.
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "${RUNGMASTER_CHECKPOINT:-}" ]; then
    cp "$RUNGMASTER_CHECKPOINT/weights" "$work/weights"
else
    : >"$work/weights"
fi

while :; do
    error=$(awk -F, -f "$here/epoch.awk" -v weights="$work/weights" -v seed="$RUNGMASTER_SEED" \
        -v learning_rate="$RUNGMASTER_HPARAM_LEARNING_RATE" -v decay="$RUNGMASTER_HPARAM_DECAY" "$here/iris.csv")
    mkdir -p "$work/checkpoint"
    cp "$work/weights" "$work/checkpoint/weights"
    # Exit code 0: train on; 3: the training ends here. The checkpoint is taken where one is wanted.
    rungmaster report --save "$work/checkpoint" validation_error="$error" && continue
    [ $? -eq 3 ] && exit 0
    exit 1
done
