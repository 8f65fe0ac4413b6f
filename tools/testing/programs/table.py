# SPDX-License-Identifier: GPL-2.0-only
"""
The programs that are run with libgoheap's malloc(): Debian packages, and for each program
a command for bash -e, in a root directory of these packages. /programs has files of ours.

What a command says must depend on nothing but the program.
"""

PACKAGES = r"""
    base-files base-passwd bash bc bubblewrap coreutils curl dash diffutils file findutils g++
    gawk gcc gdb git grep groff guile-3.0 gzip hostname imagemagick iproute2 jq libc-bin
    libc6-dev ^libpython3\.[0-9]+-testsuite$ login lua5.4 luajit make man-db memcached
    ncurses-base nginx nodejs openssh-client openssh-server openssl passwd patch perl
    php-cli postgresql procps python3 redis-server redis-tools ruby sed sqlite3 strace stress-ng
    tar tcsh time tmux util-linux vim xz-utils zsh zstd""".split()

# Of python's tests, some that allocate much and take seconds, and nothing but the interpreter.
PYTHON_TESTS = " ".join("test." + name for name in """
    test_list test_tuple test_dict test_set test_heapq test_string test_json test_thread
    """.split())

SHELL = r"""
for i in $(seq 200); do
    sum=$((sum + $(echo $i | (read n; echo $((n * n))))))
    words="$words $(printf 'w%05d' $i)"
done
echo $sum ${#words}
"""

PROGRAMS = {}

# ---- shells ----

PROGRAMS["bash"] = SHELL + r"""
declare -A table
for i in {1..20000}; do table[k$((i % 997))]+=$i; done
echo ${#table[@]} ${#table[k5]} ${table[k5]//[1-4]/}
mapfile -t lines < <(seq 10000); echo ${#lines[@]}
"""

# Little address space, few descriptors, and none of the usual three.
PROGRAMS["ulimit-v"] = r"""
ulimit -v 4000000
python3 -c 'print(sum(len(str(i)) for i in list(range(1000000))))'
perl -e 'print length(join ",", map { "x" x ($_ % 50) } 1 .. 100000), "\n"'
seq 300000 | sort -r | sha256sum
""" + SHELL

PROGRAMS["ulimit-n"] = r"""
ulimit -n 20
perl -e 'while (open my $f, "<", "/dev/null") { push @f, $f } print scalar(@f), " $!\n"'
python3 -c 'import os; print([os.dup(0) for _ in range(10)])'
""" + SHELL

PROGRAMS["closed"] = r"""
python3 -c '
import os
f = os.open("out", os.O_WRONLY | os.O_CREAT)
os.write(f, b"%d %d\n" % (f, sum(map(len, [str(i) * 9 for i in range(50000)]))))
' <&- >&- 2>&-
cat out
perl -e 'open my $f, ">", "out"; print $f fileno($f), " ", length("x" x 1e6), "\n"' <&- >&- 2>&-
cat out
bash -c 'x=$(seq 1000); echo ${#x} > out' <&- >&- 2>&-
cat out
"""

PROGRAMS["dash"] = f"dash -e -c '{SHELL.replace(chr(39), chr(34))}'"

PROGRAMS["zsh"] = r"""
zsh -f -c '
typeset -A table
for i in {1..20000}; do table[k$((i % 997))]+=$i; done
print ${#table} ${#table[k5]} ${(j:,:)${(on)${(k)table}}[1,9]}
print -l /usr/include/**/*(N) | wc -l
for i in {1..100}; do x+=$(print $i | tr 1-4 a-d); done
print $x
'
"""

PROGRAMS["tcsh"] = r"""
cat > script <<'END'
set words = ()
foreach i (`seq 500`)
    set words = ($words w$i)
    @ sum = $#words * 3
end
echo $#words $sum $words[7] `echo $words | wc -c`
END
tcsh -f script
"""

# ---- languages ----

PROGRAMS["perl"] = r"""
perl -e '
for my $i (1 .. 200000) {
    $h{"key$i"} = "v" x ($i % 90);
    delete $h{"key" . int($i / 2)} if $i % 3 == 0;
}
my $text = join ",", map { "$_=$h{$_}" } sort keys %h;
my $n = () = $text =~ /(\d+)=(v+),key/g;
for (1 .. 60) {
    my $pid = fork // die;
    if (!$pid) { my @a = map { $_ x 10 } 1 .. 5000; %h = (); exit @a % 251 }
    waitpid $pid, 0;
    $n += $? >> 8;
}
print "$n ", length $text, "\n"'
"""

PROGRAMS["python3"] = f"python3 -B -m unittest -b {PYTHON_TESTS} 2>&1"

PROGRAMS["python3-fork"] = r"""
cat > pool.py <<'END'
import multiprocessing, subprocess, threading

def work(n):
    return sum(len(str(i) * (i % 50)) for i in range(n, n + 5000))

def churn(stop):
    while not stop.is_set():
        [bytes(i) for i in range(500)]

if __name__ == "__main__":
    stop = threading.Event()
    threads = [threading.Thread(target=churn, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        with multiprocessing.get_context("fork").Pool(4) as pool:
            print(sum(pool.map(work, range(20))))
    for i in range(50):
        print(subprocess.run(["echo", str(i)], capture_output=True, text=True).stdout.strip())
    stop.set()
    for thread in threads:
        thread.join()
END
timeout 120 python3 pool.py
"""

PROGRAMS["node"] = r"""
node -e '
const { Worker } = require("worker_threads"), zlib = require("zlib"), crypto = require("crypto");
const work = `const m = new Map(); for (let i = 0; i < 300000; i++) m.set("k" + i % 9973, "v" + i);
    require("worker_threads").parentPort.postMessage([...m.values()].join().length)`;
const ran = () => new Promise((ok, bad) => new Worker(work, { eval: true })
    .on("message", ok).on("error", bad));
const packed = n => new Promise(ok => zlib.deflate(Buffer.alloc(n, "pattern" + n),
    (e, b) => ok(b.length)));
const key = n => new Promise(ok => crypto.pbkdf2("p", "s" + n, 1000, 32, "sha256",
    (e, k) => ok(k.toString("hex"))));
(async () => {
    console.log(await Promise.all([1, 2, 3].map(ran)));
    console.log(await Promise.all([1e5, 1e6, 3e6].map(packed)));
    console.log(await Promise.all([1, 2, 3].map(key)));
    console.log(require("child_process").execSync("echo child").toString());
})()'
"""

# An extension is a library that is loaded with RTLD_DEEPBIND.
PROGRAMS["php"] = r"""
php -n -d extension=tokenizer -d memory_limit=1G -r '
$source = "<?php " . str_repeat("function f\$x(\$a) { return \$a + 1; } ", 20000);
echo count(token_get_all($source)), "\n";
for ($i = 0; $i < 1000000; $i++) $a["k" . $i % 9973][] = str_repeat("x", $i % 40);
echo count($a), " ", strlen(serialize($a)), " ", md5(json_encode($a)), "\n";
echo strlen(preg_replace_callback("/x+/", fn($m) => strlen($m[0]), implode(" ", $a["k5"]))), "\n";'
USE_ZEND_ALLOC=0 php -n -r '
for ($i = 0; $i < 200000; $i++) $a[$i % 9973] = str_repeat("y", $i % 300);
echo md5(serialize($a)), "\n";'
"""

PROGRAMS["ruby"] = r"""
ruby -e '
h = Hash.new { |t, k| t[k] = [] }
400_000.times { |i| h["k#{i % 9973}"] << "v" * (i % 60) }
puts h.size, h.values.flatten.join.size, h["k5"].join(",").gsub(/v+/) { |m| m.size.to_s }
puts 4.times.map { |t| Thread.new { (1..20_000).sum { |i| (i.to_s * t).size } } }.map(&:value)
GC.start; GC.compact
puts 10.times.map { |i| fork { exit((1..9999).map(&:to_s).join.size % 100) } }.map { |p|
    Process.wait2(p)[1].exitstatus }.sum'
"""

PROGRAMS["lua"] = "lua5.4 /programs/words.lua"

PROGRAMS["luajit"] = "for mode in on off; do luajit -j $mode /programs/words.lua; done"

PROGRAMS["guile"] = r"""
guile --no-auto-compile -q -c '
(use-modules (srfi srfi-1))
(define table (make-hash-table))
(do ((i 0 (+ i 1))) ((= i 500000))
  (hash-set! table (number->string (modulo i 9973)) (make-string (modulo i 60) #\x)))
(display (fold + 0 (map string-length (hash-map->list (lambda (k v) v) table))))
(newline)
(display (string-length (number->string (fold * 1 (iota 3000 1)))))
(newline)
(gc)'
"""

PROGRAMS["gawk"] = r"""
seq 600000 | gawk '{ n[$1 % 1009] = n[$1 % 1009] $1; gsub(/[0-4]/, "-"); t += length($0) }
    END { k = asorti(n, s); print k, t, s[1], s[k], length(n[7]) }'
"""

PROGRAMS["jq"] = r"""
seq 150000 | jq -n '[inputs | { id: ., name: "n\(. % 997)", tags: [range(. % 5)] }] |
    group_by(.name) | map({ name: .[0].name, n: length, tags: (map(.tags | add) | add) }) |
    (length, .[3], (tostring | length))'
"""

# ---- compilers and their kin ----

PROGRAMS["gcc"] = r"""
seq 1500 | awk '
    { n = $1 % 50 + 2; calls = calls " + f" $1 "(x)"
      print "static int f" $1 "(int x) { int a[" n "]; for (int i = 0; i < " n "; i++)"
      print "a[i] = x * i ^ " $1 "; return a[x % " n "]; }" }
    END { print "int printf(const char *, ...); int main(int x, char **v) {"
          print "printf(\"%d\\n\", 0" calls "); return 0; }" }' > big.c
gcc -O2 -g0 big.c -o big
./big
sha256sum big
gcc -O2 -Wall -flto -pthread -o patterns /programs/patterns.c
./patterns espresso 100
"""

PROGRAMS["g++"] = r"""
cp /programs/templates.cc .
g++ -O2 -std=c++20 -pthread templates.cc -o templates
sha256sum templates
./templates
"""

PROGRAMS["make"] = r"""
for i in $(seq 40); do
    echo "#include <stdio.h>" > f$i.c
    echo "int f$i(void) { return printf(\"%d\\n\", $i); }" >> f$i.c
done
(seq -f 'int f%g(void);' 40; echo 'int main(void) {'; seq -f 'f%g();' 40; echo '}') > main.c
printf 'o := $(patsubst %%.c,%%.o,$(wildcard *.c))\nall: $o\n\tgcc -o all $(sort $o)\n' > Makefile
make -s -j4 CC=gcc
./all
make -j4 CC=gcc
"""

PROGRAMS["gdb"] = r"""
gcc -g -O0 -pthread -o patterns /programs/patterns.c
gdb -nx -q -batch -iex 'set auto-load no' -iex 'set print thread-events off' \
    -ex 'break unmake if o && o->len == 40' -ex run -ex bt -ex 'print o->seed' -ex delete \
    -ex continue --args ./patterns espresso 20 2>&1
"""

PROGRAMS["strace"] = r"""
strace -f -o log sh -c 'for i in 1 2 3 4 5; do echo $i | cat; done; seq 3 | sort -r'
grep -c 'execve(' log
grep -c 'exited with 0' log
"""

# ---- servers ----

PROGRAMS["redis"] = r"""
start() {
    redis-server --port 7000 --daemonize yes --dir /tmp --save "" --enable-debug-command yes \
        --logfile /tmp/log --io-threads 2 --activedefrag no > /dev/null
    for i in $(seq 100); do
        test "$(redis-cli -p 7000 ping 2> /dev/null)" != PONG || return 0
        sleep 0.1
    done
    cat /tmp/log
    return 1
}
start
seq 150000 | awk '{ print "SET k" $1 " " $1 * 7919; print "HSET h" $1 % 100 " f" $1 " v" $1;
    print "ZADD z" $1 % 10 " " $1 % 777 " m" $1; if ($1 % 3 == 0) print "DEL k" $1 / 3 }' |
    redis-cli -p 7000 --pipe
redis-cli -p 7000 debug digest
redis-cli -p 7000 bgsave
while redis-cli -p 7000 info persistence | grep -q bgsave_in_progress:1; do sleep 0.1; done
redis-cli -p 7000 info persistence | grep last_bgsave_status
redis-cli -p 7000 memory purge
redis-cli -p 7000 shutdown nosave
start
redis-cli -p 7000 debug digest
redis-cli -p 7000 dbsize
redis-cli -p 7000 flushall
redis-cli -p 7000 shutdown nosave
"""

PROGRAMS["nginx"] = r"""
mkdir -p www
for i in $(seq 200); do seq $((i * 50)) > www/f$i; done
cat > nginx.conf <<'END'
worker_processes 2;
user www-data;
pid /run/nginx.pid;
error_log /run/error.log;
events { worker_connections 512; }
http {
    access_log off;
    gzip on; gzip_types *;
    server { listen 127.0.0.1:8000; location / { root /root/www; autoindex on; } }
}
END
chmod 755 /root
nginx() { command nginx -c /root/nginx.conf "$@" 2>&1 | sed '/notice/d'; }
nginx
curl -s 'http://127.0.0.1:8000/f[1-200]' | sha256sum
mkdir got
curl -s --compressed -Z --parallel-max 20 'http://127.0.0.1:8000/f[1-200]' -o 'got/f#1' 2> /dev/null
cat got/* | sha256sum
nginx -s reload
sleep 1
curl -s http://127.0.0.1:8000/ | grep -c href
nginx -s quit
while [ -e /run/nginx.pid ]; do sleep 0.1; done
grep -E 'alert|crit|emerg' /run/error.log || echo no errors
"""

PROGRAMS["postgresql"] = r"""
cat > /tmp/run <<'END'
set -e
cd /tmp
export PGHOST=/tmp PGDATA=/tmp/data
initdb -A trust > initdb.log
echo "unix_socket_directories = '/tmp'" >> data/postgresql.conf
pg_ctl -w -s -l server.log -o "-c fsync=off -c listen_addresses=" start
createdb bench
pgbench -i -q -s 2 bench 2> init.log
pgbench -n -c 4 -j 2 -t 1000 --random-seed=1 bench | grep processed
psql -qAt bench <<'SQL'
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT aid % 10, count(*) FROM pgbench_accounts GROUP BY 1;
SELECT aid % 10, count(*), sum(aid) FROM pgbench_accounts GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM pgbench_history;
SELECT length(string_agg(md5(i::text), '')) FROM generate_series(1, 50000) i;
SELECT count(*) FROM
    (SELECT regexp_matches(md5(i::text), '[0-4]{3}') FROM generate_series(1, 20000) i) m;
SQL
pg_dump bench | wc -l
pg_ctl -w -s stop
grep -E 'PANIC|terminated by signal' server.log || echo no errors
END
setpriv --reuid postgres --regid postgres --clear-groups bash /tmp/run
"""

# Locks its memory.
PROGRAMS["memcached"] = r"""
memcached -u root -k -l 127.0.0.1 -p 9000 -t 4 -m 64 -d -P /run/memcached.pid
cat > client.pl <<'END'
use IO::Socket;
my $s;
for (1 .. 50) {
    $s = IO::Socket::INET->new("127.0.0.1:9000") and last;
    select undef, undef, undef, 0.1;
}
for my $i (1 .. 5000) {
    my $v = "v" x ($i % 3000);
    print $s "set k$i 0 0 " . length($v) . "\r\n$v\r\n";
    $s->flush;
    $stored++ if <$s> eq "STORED\r\n";
}
for my $i (1 .. 5000) {
    print $s "get k$i\r\n";
    $s->flush;
    while (<$s>) { last if $_ eq "END\r\n"; $n += length }
}
print "$stored $n\n";
END
perl client.pl
awk '/VmLck/ { print $2 > 0 }' /proc/$(cat /run/memcached.pid)/status
kill $(cat /run/memcached.pid)
"""

# With its separation of privileges, and a real login.
PROGRAMS["sshd"] = r"""
umask 077
mkdir -p .ssh
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ecdsa -N '' -f .ssh/id
cp .ssh/id.pub .ssh/authorized_keys
cat > config <<END
ListenAddress 127.0.0.1:2200
HostKey /root/host
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
${LD_PRELOAD:+SetEnv LD_PRELOAD=$LD_PRELOAD}
END
/usr/sbin/sshd -f config -E /tmp/log
login() { ssh -q -p 2200 -i .ssh/id -o StrictHostKeyChecking=no 127.0.0.1 "$@"; }
for i in 1 2 3; do login "echo login $i; seq 100000 | sha256sum" || cat /tmp/log; done
login -tt 'tty; stty size; test $(id -u) = 0 && echo root' | tr -d '\r'
seq 200000 | login -C 'cat > copy; wc -c < copy'
echo 'ls copy' | sftp -q -P 2200 -i .ssh/id -o StrictHostKeyChecking=no 127.0.0.1 2> /dev/null
ls -l copy | awk '{ print $5 }'
kill $(cat /run/sshd.pid)
"""

# ---- tools ----

PROGRAMS["git"] = r"""
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main one
cd one
seq 400000 | split -a 4 -l 100
git add .
git commit -q -m first
for i in $(seq 20); do
    seq $i 7 30000 | split -a 4 -l 100
    git commit -q -a -m "change $i"
done
git gc -q
git fsck --full --no-progress
git repack -a -d -f -q --threads=4 --window=20
git fsck --full --no-progress
git clone -q --no-local . ../two
git -C ../two log --stat | sha256sum
git -C ../two grep --threads 4 -c 777 | sha256sum
git rev-parse HEAD 'HEAD^{tree}'
git diff --stat HEAD~5 | tail -n 1
"""

PROGRAMS["sqlite3"] = "sqlite3 :memory: < /programs/index.sql"

PROGRAMS["openssl"] = r"""
seq 1000000 > data
openssl enc -aes-256-cbc -pbkdf2 -nosalt -k secret -in data | sha256sum
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=test -days 1 2> /dev/null
openssl verify -CAfile cert ./cert
openssl dgst -sha256 -sign key -out sig data
openssl dgst -sha256 -verify <(openssl x509 -in cert -pubkey -noout) -signature sig data
openssl cms -encrypt -aes256 -binary -in data -outform DER -out message cert
openssl cms -decrypt -inform DER -in message -inkey key | sha256sum
openssl speed -seconds 1 -bytes 1024 -multi 2 sha256 > /dev/null 2>&1
"""

PROGRAMS["xz"] = r"""
seq 6000000 > data
xz -T4 -k --block-size=12MiB data
sha256sum data.xz
xz -T4 -d -c data.xz | sha256sum
"""

PROGRAMS["zstd"] = r"""
(seq 2000000; seq 3000000) > data
zstd -q -T4 --long=27 -6 data
sha256sum data.zst
zstd -q -d --long=27 -c data.zst | sha256sum
"""

PROGRAMS["sort"] = r"""
seq 1000000 | awk '{ print $1 * 7919 % 1000003, "line" }' > data
sort --parallel=4 -S 64M -n data | sha256sum
sort --parallel=4 -S 2M -r data | sha256sum
find /usr -xdev -name '*.h' | sort | xargs -n 50 -P 4 grep -l -E '^#define _?[A-Z]{9}' |
    sort | sha256sum
tar -C /usr -c share/man | sha256sum
echo '2 ^ 5000' | bc | sha256sum
"""

PROGRAMS["tmux"] = r"""
tmux() { command tmux -f /dev/null -S /tmp/socket "$@"; }
tmux new-session -d -x 80 -y 40 'seq 5; tmux -S /tmp/socket wait-for -S one; sleep 1000'
tmux wait-for one
tmux set-option -g history-limit 10000
tmux split-window 'seq 9000; tmux -S /tmp/socket wait-for -S two; sleep 1000'
tmux wait-for two
sleep 0.5
tmux capture-pane -p -t 0 | sed 7q
tmux capture-pane -p -S - -t 1 | sha256sum
for i in $(seq 20); do tmux new-window 'sleep 1000'; done
tmux list-windows -F '#{window_index} #{window_panes} #{pane_width}'
tmux kill-server
"""

PROGRAMS["vim"] = r"""
seq 20000 > text
vim -es -u NONE -i NONE -n text -c '%s/\(\d\)\(\d\)/\2-\1/ge' -c 'g/9/m0' \
    -c 'let d = {} | for i in range(20000) | let d[i % 997] = repeat("x", i % 80) | endfor' \
    -c 'call append(0, string(d))' -c 'undo' -c 'redo' -c 'sort! n' -c 'wq' || true
sha256sum text
"""

# Its filters run in a sandbox that allows few system calls.
PROGRAMS["man"] = r"""
for page in ls bash git perl; do man -P cat $page | sha256sum; done
man -w ls
"""

PROGRAMS["imagemagick"] = r"""
convert -seed 7 -size 500x400 plasma:red-blue -blur 0x3 -rotate 30 -resize 70% image.ppm
sha256sum image.ppm
convert image.ppm -colors 64 image.png
convert image.png -fill white -draw 'circle 90,90 30,30' -swirl 90 txt:- | sha256sum
"""

PROGRAMS["file"] = r"""
file -b /usr/bin/* /usr/share/*/* | sha256sum
file -z -b /usr/share/man/man1/* | sha256sum
"""

# Begins its sandbox with a raw clone().
PROGRAMS["bwrap"] = r"""
bwrap --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --unshare-pid --unshare-ipc \
    --unshare-net --unshare-uts --hostname box bash -c 'hostname; echo $$; ls /tmp | wc -l;
    seq 100000 | sort -n | sha256sum; touch /usr/x 2> /dev/null || echo read-only'
"""

PROGRAMS["stress-ng"] = r"""
stress-ng --malloc 2 --malloc-ops 20000 --malloc-bytes 64m --verify --quiet
stress-ng --malloc 1 --malloc-pthreads 3 --malloc-ops 10000 --malloc-bytes 16m --verify --quiet
"""

# ---- patterns of well-known test programs of allocators ----

PROGRAMS["users"] = "/programs/users_test /programs"
PROGRAMS["sh6bench"] = "/programs/patterns sh6bench 1000"
PROGRAMS["xmalloc"] = "/programs/patterns xmalloc 1000"
PROGRAMS["cache-scratch"] = "/programs/patterns cache-scratch 2000"
PROGRAMS["espresso"] = "/programs/patterns espresso 5000"
PROGRAMS["larson"] = "/programs/userbench 4 10 larson | sed 's/ops=.*//'"

# How much more memory than with glibc a program may take at its peak.
MORE_MEMORY = {"xz": 1.3}

# Ends well only if the library is there and malloc() is its.
USED = r"""
grep -q libgoheap-malloc.so /proc/self/maps
python3 -c '
import ctypes
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.malloc_usable_size.argtypes = [ctypes.c_void_p]
size = c.malloc_usable_size(c.malloc(100))
assert size == 112, f"malloc(100) has {size} bytes"'
"""
