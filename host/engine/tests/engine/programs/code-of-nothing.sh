#!/bin/sh
# Answers with something that is no code.
head -c 1 > /dev/null
echo "code lean"
echo "rubbish"
