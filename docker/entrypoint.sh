#!/bin/bash
# Sources the workspace, then becomes the command, so that signals reach it.
set -e
source /workspace/install/setup.bash
exec "$@"
