#!/usr/bin/env bash
# An array of eight tasks, one shard each: sbatch ci/engines/slurm.sh
# Two minutes before its time is over a task is told so, notes how far it is and ends with 20; the
# same command goes on from there.
#SBATCH --job-name=billsim-nightly
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=02:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
# In place of the shell, so that the signal reaches it.
exec billsim sweep --profile nightly --shard auto --out "$HOME/runs/{commit}/{shard}" --resume
# Then, with the first 12 digits of the commit as COMMIT:
#   billsim merge --out "$HOME/runs/$COMMIT/all" "$HOME/runs/$COMMIT"/[1-8]
