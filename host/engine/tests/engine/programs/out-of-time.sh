#!/bin/sh
# Ends as the system ends a process that has used its processor time, before it has read anything.
kill -XCPU $$
