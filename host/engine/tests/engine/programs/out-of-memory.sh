#!/bin/sh
# Ends as a program does that gets no more memory.
head -c 1 > /dev/null
echo "memory allocation of 8400 bytes failed" >&2
kill -ABRT $$
