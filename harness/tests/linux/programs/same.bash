# What bash prints is the same on Linux and in a container: each line of `main` is one comparison.
# Runs in an empty directory; prints a heading before each command and its status after.

main() {
    show 'cat <<< "a here string"; cat <(echo a) <(echo b); diff <(echo 1) <(echo 2); echo x > >(tr x y); wait $!'
    show 'a=(1 2 "3 4"); echo ${#a[@]} "${a[2]}" "${a[@]:1}"; declare -A m=([k]=v); echo ${m[k]}; mapfile -t L < words; echo ${L[1]}'
    show 'coproc C { read x; echo "got $x"; }; echo hello >&${C[1]}; read y <&${C[0]}; echo $y; wait'
    show 'printf "%q\n" "a b'\''c"; printf "%(%Y)T\n" 0; printf -v v "%03d" 7; echo $v; echo {1..5} {a..c} $((16#ff)) {a,b}{1,2}'
    show 'read -t 0.1 z < <(sleep 1); echo $?; echo abc | { read -n 2 q; echo $q; }; IFS=: read u p <<< root:x; echo $u $p'
    show '(sleep 0.3; exit 3) & (sleep 0.1; exit 4) & wait -n; echo $?; wait -n; echo $?; wait -n; echo $?'
    show 'trap "echo int" INT; kill -INT $$; trap "echo err" ERR; false; trap "echo chld" CHLD; /bin/true 2> /dev/null; (exit 2); echo done'
    show 'ulimit -n 10; exec 20> x'
    show 'exec 3<> f; echo hi >&3; cat f; exec 3>&-; echo x >&3; exec {fd}> f2; echo z >&$fd; cat f2'
    show 'set -o pipefail; false | true; echo $?; yes | head -n 1; echo ${PIPESTATUS[@]}; yes | true; echo ${PIPESTATUS[@]}'
    show 'select x in a b; do echo $x; break; done <<< 2; [[ abc =~ ^a(.)c$ ]] && echo ${BASH_REMATCH[1]}; [[ -p /dev/stdin ]]; echo $?'
    show '{ bash -c "kill -ABRT \$\$"; } 2> /dev/null; echo $?; bash -c "kill -PIPE \$\$"; echo $?; bash -c "exit 300"; echo $?'
    show 'head -c 200000 /dev/zero | tr "\0" x > big; x=$(cat big); echo ${#x}; echo "$x" | wc -c; busybox echo "$x" 2>&1 | sed "s/.*: //"'
    show 'busybox echo $(seq 1 20000) | wc -c; for ((i = 0; i < 50; i++)); do echo $i | cat; done | wc -l; echo | tee /dev/stderr > /dev/null'
    show 'mkfifo p; exec 5<> p; echo one >&5; read -u 5 o; echo $o; (trap "" TERM; sleep 0.2; echo survived) & sleep 0.1; kill $!; wait'
    show 'ln -s loop loop; cat loop; mkdir d; cd d; rmdir ../d; pwd -P; echo $?; : > file; echo $?; cd ..; set -C; : > words; echo $?'
    show 'while read -r l; do echo "[$l]"; done < <(printf "a\nb\n"); echo "$(< words)"; shopt -s globstar; echo w**; times | wc -l; umask -S'
}

show() {
    echo "== $1"
    bash -c "$1" 2>&1 < /dev/null
    echo "-- $?"
}

printf 'one\ntwo\n' > words
main
