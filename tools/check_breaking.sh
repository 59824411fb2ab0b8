#!/usr/bin/env bash
# Compares the contracts with those of the last release, or while there is none with those of the main branch.
set -euo pipefail

baseline=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null) \
  || baseline=$(git rev-parse --verify --quiet origin/main) \
  || { echo "buf breaking: no release and no origin/main to compare with"; exit 0; }
git cat-file -e "$baseline:protos" 2>/dev/null || { echo "buf breaking: $baseline has no contracts yet"; exit 0; }

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$baseline" buf.yaml protos | tar -x -C "$before"
.venv/bin/buf breaking --against "$before"
