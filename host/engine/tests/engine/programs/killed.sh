#!/bin/sh
# Ends as a process that somebody kills, in the middle of its answer.
head -c 1 > /dev/null
echo "code lean"
kill -KILL $$
