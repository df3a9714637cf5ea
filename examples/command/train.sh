#!/bin/sh
# Training code in shell and awk. It shows all that a program in any language has to do:
# read its hyperparameters, go on from a checkpoint, report after each epoch, and do as it is told.
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sends one line to the worker and leaves what it answers in `answer`. Where netcat knows Unix sockets, this does it too:
#   answer=$(printf '%s\n' "$1" | nc -U -N "$RUNGMASTER_SOCKET")
ask() {
    answer=$(printf '%s\n' "$1" | python3 -c '
import os, socket, sys
with socket.socket(socket.AF_UNIX) as worker:
    worker.connect(os.environ["RUNGMASTER_SOCKET"])
    worker.sendall(sys.stdin.buffer.readline())
    print(worker.makefile().readline(), end="")')
    case $answer in
    *'"error"'* | '')
        echo "the worker refuses $1: ${answer:-it is gone}" >&2
        exit 1
        ;;
    esac
}

epoch=$RUNGMASTER_RESOURCE
if [ -n "${RUNGMASTER_CHECKPOINT:-}" ]; then
    cp "$RUNGMASTER_CHECKPOINT/weights" "$work/weights"
else
    : >"$work/weights"
fi

while :; do
    error=$(awk -F, -f "$here/epoch.awk" -v weights="$work/weights" -v seed="$RUNGMASTER_SEED" \
        -v learning_rate="$RUNGMASTER_HPARAM_LEARNING_RATE" -v decay="$RUNGMASTER_HPARAM_DECAY" "$here/iris.csv")
    epoch=$((epoch + 1))
    ask '{"op": "report", "resource": '"$epoch"', "metrics": {"validation_error": '"$error"'}}'
    report=$answer
    case $report in
    *'"save": true'*)
        mkdir -p "$work/checkpoint"
        cp "$work/weights" "$work/checkpoint/weights"
        ask '{"op": "checkpoint", "resource": '"$epoch"', "path": "'"$work/checkpoint"'"}'
        ;;
    esac
    case $report in
    *'"decision": "continue"'*) ;;
    *) exit 0 ;;
    esac
done
