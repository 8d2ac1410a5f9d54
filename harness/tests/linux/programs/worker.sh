# A job: says that it works, and each time it goes on after a stop.
trap 'echo going on' CONT
echo at work
while :; do sleep 0.02; done
