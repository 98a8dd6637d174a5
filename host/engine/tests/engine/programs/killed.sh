#!/bin/sh
# Ends as a process that somebody kills, in the middle of its answer.
cat > /dev/null
echo "code lean"
kill -KILL $$
