#!/bin/sh
# Answers with something that is no code.
cat > /dev/null
echo "code lean"
echo "rubbish"
