# Says the terminal's size when that changes, for which the file is a sign.
trap 'echo resized to $(stty size)' WINCH
touch /tmp/go
while :; do sleep 0.02; done
