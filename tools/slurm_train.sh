#!/usr/bin/env bash
# Train under Slurm: [GPUS=8] tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
set -euo pipefail
if [ $# -lt 4 ]; then sed -n '2s/^# //p' "$0" >&2; exit 2; fi
partition=$1 job=$2 config=$3 work_dir=$4
gpus=${GPUS:-8} gpus_per_node=${GPUS_PER_NODE:-8}
python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}
[ -x "$python" ] || python=python
# shellcheck disable=SC2086  # SRUN_ARGS is a list of arguments
exec srun -p "$partition" --job-name="$job" --gres="gpu:$((gpus < gpus_per_node ? gpus : gpus_per_node))" \
    --ntasks="$gpus" --ntasks-per-node="$((gpus < gpus_per_node ? gpus : gpus_per_node))" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$python" -u "$(dirname "$0")/train.py" "$config" --work-dir "$work_dir" --launcher slurm "${@:5}"
