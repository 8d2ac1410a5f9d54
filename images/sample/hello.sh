#!/bin/sh
# hello: greets from inside a container.
echo "$GREETING on $(hostname)"
