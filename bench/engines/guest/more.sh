# Beside the lab's guest: a database that keeps its data in memory only, and a compiler that works from the order to begin until it
# is stopped. Neither does anything by itself.
redis-server --port 6380 --bind 0.0.0.0 --protected-mode no --save '' --appendonly no --logfile /dev/null &
ask() { redis-cli -p 6380 "$@" 2>/dev/null; }
until ask ping | grep -q PONG; do sleep 0.1; done
while :; do
  ask blpop compile 0 >/dev/null || sleep 1
  until [ "$(ask exists stop)" = 1 ]; do
    /usr/lib/godwit/cc1 -quiet -O2 /usr/lib/godwit/unit.c -o /tmp/unit.s && ask incr compiled >/dev/null
  done
done
