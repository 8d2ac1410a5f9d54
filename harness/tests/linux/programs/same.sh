# What busybox's shell and applets print is the same on Linux and in a container: each line of `main` is one comparison.
# Runs in an empty directory; prints a heading before each command and its status after.

main() {
    show 'echo one | cat; x=$(echo hi | sed s/h/H/); echo $x `echo back` $((1 + 2 * 3)) $((0x10 << 2))'
    show 'cat <<END | tr a-z A-Z
a here document: $((6 * 7))
END'
    show 'set -- 1 2 3; shift; echo $# "$@"; case abc in a*) echo m;; esac; for i in 1 2; do echo $i; done; until true; do :; done'
    show 'f() { local z=1; return 5; }; f; echo $?; unset q; echo ${q:-def} ${#HOME} ${HOME%oot} ${HOME#/r}; (exit 7); echo $?'
    show 'echo "a b c" | { read a b; echo "$b"; }; printf "%5.2f|%-5s|%05d|%x\n" 3.14159 ab 42 255; expr abc : "a\(.*\)"'
    show 'trap "echo bye" EXIT; trap "echo usr1" USR1; kill -USR1 $$; echo after'
    show 'trap "echo term; exit 3" TERM; (sleep 0.1; kill $$) & while :; do sleep 0.02; done'
    show '{ sleep 100 & kill $!; wait $!; echo $?; sleep 100 & kill -9 $!; wait $!; echo $?; } 2> /dev/null'
    show '{ sh -c "ulimit -c 0; ulimit -f 8; head -c 100000 /dev/zero > big"; echo $?; } 2> /dev/null; wc -c < big; rm big'
    show '{ sh -c "ulimit -c 0; ulimit -t 1; while :; do :; done"; echo $?; } 2> /dev/null'
    show 'sh -c "kill -SEGV \$\$"; echo $?; nonexistent; echo $?; ./plain; echo $?; /; echo $?'
    show 'timeout 0.1 sleep 5; echo $?; time -f %C true; usleep 1000; sleep 0.01; echo $?'
    show 'yes | head -n 3; yes | head -n 100000 | wc -l; seq 1 20 | sort -rn | awk "{s+=\$1; print s}" | tail -n 3'
    show 'seq 1 10 | xargs -P 4 -n 1 echo | sort -n | tr "\n" " "; echo a b | xargs -n 1 echo -'
    show 'find tree | sort; find tree -type f -exec wc -c {} + | sort; find tree -name "*.t" -print0 | xargs -0 ls -l | cut -c1-10'
    show 'ls -a tree/deep; ls -l tree/deep | awk "NR > 1 { print \$1, \$2, \$5, \$9, \$10, \$11 }"; ls -R tree; du -a tree | wc -l'
    show 'tar cf - tree | tar tf - | sort; tar czf t.tgz tree && mkdir out && tar xzf t.tgz -C out && diff -r tree out/tree && echo same'
    show 'tar cf - tree | (mkdir -p two; cd two; tar xf -); find two | sort; readlink two/tree/deep/link; find tree | sort | cpio -o -H newc | cpio -t'
    show 'dd if=/dev/zero of=z bs=1k count=100 conv=fsync 2>&1 | head -n 2; md5sum z; sha1sum z; sha256sum z; sha512sum z; cksum z; rm z'
    show 'dd if=/dev/zero bs=1 count=10 seek=5 of=q conv=notrunc 2>/dev/null; wc -c q; dd if=words bs=4 skip=1 count=2 2>/dev/null'
    show 'grep -r own . | sort; grep -rl a tree | sort; grep -c . words; grep -nE "^q|x$" words; echo $?; grep none words; echo $?'
    show 'wc words; wc -l < words; cut -d" " -f1 words; paste -s -d, words; tac words; rev words; nl words; fold -w 5 words; uniq -c words'
    show 'sed -i s/quick/slow/ words; cat words; sed -n "/slow/{p;q}" words; sed = words; sort -u words words | head -n 2'
    show 'awk "BEGIN { while ((\"echo a b\" | getline x) > 0) print x; system(\"echo sys\"); print \"to pipe\" | \"cat -n\" }"'
    show 'printf "a\nb\nc\n" > 1; printf "a\nB\nc\n" > 2; diff 1 2; diff -u 1 2 | sed "s/\t.*//" > d; patch 1 < d; cat 1; cmp 1 2; echo $?'
    show 'printf "1,2p\ns/a/A/\nw\nq\n" | ed 1; cat 1; gzip 1; ls 1*; gunzip 1.gz; bzip2 -k 2; bunzip2 -c 2.bz2; xz -dc < /dev/null; cat 2'
    show 'echo "2^10; scale=5; 5/3" | bc; echo "2 3 + p" | dc; factor 12; cal 1 2020 | head -n 2; hexdump -C 2; od -c 2; xxd 2; base64 2'
    show 'ln -s a b; ln -s a b; ln nonexist c; ls -l b | awk "{print \$1, \$NF}"; rm b; mkfifo p; (echo through > p) & cat p; ls -l p | cut -c1'
    show 'touch -d "2020-01-02 03:04:05" f; stat -c %y f; date -u -r f +%s; touch g; find . -newer f -name "[fg]"; stat -c "%a %F %s %h" f'
    show 'umask; umask 077; touch h; stat -c %a h; mkdir hd; stat -c %a hd; chmod 755 h; chmod u+s h; ls -l h | cut -c1-10; truncate -s 100 h; wc -c h'
    show 'cp -a tree e2; diff -r tree e2 && echo same; mv e2 e3; ls e3; rm -r e3; ls e3; readlink -f tree/../words | sed s,.*/,,; realpath -- . | wc -l'
    show 'cat /dev/full | head -c 3 | od -c; echo x > /dev/full; head -c 5 /dev/zero | od -c; cat /dev/null; head -c 5 /dev/urandom | wc -c'
    show 'cat absent; cat .; rm absent; rmdir tree; mkdir tree; cd absent; cd words; rm tree; cp tree x; mv absent y; > tree; > absent/x'
    show 'stty -a; tty; stty size; kill -l 9; kill -l TERM; kill -0 $$; echo $?; mktemp -u | wc -c'
    show 'setsid echo session; which ls | sed s,.*/,,; type ls; arch'
    show 'cat /proc/self/stat | wc -w; cat /proc/self/comm; tr "\0" " " < /proc/self/cmdline; cat /proc/loadavg | wc -w; readlink /proc/self/exe | sed s,.*/,,'
    show 'echo x > /dev/stdout; echo y | cat /dev/stdin; cat /dev/fd/0 < words | head -n 1; ls -l /proc/self/fd/0 < /dev/null | sed "s/.* //"'
}

show() {
    echo "== $1"
    sh -c "$1" 2>&1 < /dev/null
    echo "-- $?"
}

mkdir -p tree/deep/er
printf 'the quick\nbrown own fox\n\nquit\n' > words
echo text > tree/deep/own.t
echo plain > plain
ln -s own.t tree/deep/link
ln tree/deep/own.t tree/deep/er/hard.t
main
