//! views: what a container's programs say of it, and what it refuses beside what the host allows.

use crate::images::machine;
use expect_test::{Expect, expect};
use harness::fixture::{Booted, boot};

/// What `command` prints in a container of busybox, on a terminal where `options` say so.
fn prints(guest: &mut Booted, options: &str, command: &str, expected: &Expect) {
    let line = format!("conductor run --rm --hostname h {options} busybox {command}");
    expected.assert_eq(&guest.run(&line).expect("the guest answers").text);
}

#[test]
fn programs_say_what_they_see() {
    let mut guest = boot(&machine("linux-views"));
    prints(
        &mut guest,
        "",
        "ps -o pid,ppid,user,stat,args",
        &expect![[r#"
        PID   PPID  USER     STAT COMMAND
            1     0 root     R    ps -o pid,ppid,user,stat,args
    "#]],
    );
    prints(
        &mut guest,
        "",
        "id",
        &expect![[r#"
        uid=0(root) gid=0(root)
    "#]],
    );
    prints(
        &mut guest,
        "-t",
        "sh -c 'ls -la /etc /dev/pts | cut -c1-43; stty -a | head -n 1; ls -l /proc/self/fd/1 | cut -c1-10'",
        &expect![[r#"
            /dev/pts:
            total 0
            drwxr-xr-x    2 root     root             0
            drwxr-xr-x    4 root     root           280
            crw--w----    1 root     root      136,   0
            crw-rw-rw-    1 root     root        5,   2

            /etc:
            total 1
            drwxr-xr-x    1 root     root             0
            drwxr-xr-x    1 root     root             0
            -rw-r--r--    1 root     root            27
            -rw-r--r--    1 root     root            71
            speed 38400 baud; rows 24; columns 80; line = 0;
            l-wx------
        "#]],
    );
    prints(
        &mut guest,
        "",
        "sh -c 'top -bn1 | head -n 4 | sed \"s/[0-9]\\+/N/g; s/ \\+/ /g\"'",
        &expect![[r#"
            Mem: NK used, NK free, NK shrd, NK buff, NK cached
            CPU: N% usr N% sys N% nic N% idle N% io N% irq N% sirq
            Load average: N.N N.N N.N N/N N
             PID PPID USER STAT VSZ %VSZ %CPU COMMAND
        "#]],
    );
    prints(
        &mut guest,
        "",
        "sh -c 'mount | cut -d\" \" -f1-5 | sort'",
        &expect![[r#"
            cgroup2 on /sys/fs/cgroup type cgroup2
            devpts on /dev/pts type devpts
            devtmpfs on /proc/xv6 type devtmpfs
            overlay on / type overlay
            proc on /proc type proc
            proc on /proc/sys type proc
            tmpfs on /dev type tmpfs
            tmpfs on /dev/shm type tmpfs
            tmpfs on /sys type tmpfs
        "#]],
    );
    prints(
        &mut guest,
        "",
        "sh -c '(nc 127.0.0.1 80; ping -c 1 127.0.0.1; wget http://127.0.0.1/; kill -9 4000) 2>&1'",
        &expect![[r#"
            nc: socket: Address family not supported by protocol
            PING 127.0.0.1 (127.0.0.1): 56 data bytes
            ping: can't create raw socket: Address family not supported by protocol
            Connecting to 127.0.0.1 (127.0.0.1:80)
            wget: socket: Address family not supported by protocol
            sh: can't kill pid 4000: No such process
        "#]],
    );
}

/// A container's root may not; the root of a user namespace of its own may, in namespaces that are its own too.
#[test]
fn namespaces_and_mounts_need_their_capability() {
    let mut guest = boot(&machine("linux-privileges"));
    let refused = "mount -t tmpfs none /mnt; umount /proc; unshare -m true; unshare -u true; unshare -fp true; \
        nsenter -t 1 -u hostname; hostname x; unshare -r mount -t tmpfs none /mnt; mknod /tmp/n c 1 3 && cat /tmp/n";
    let allowed = "chroot / busybox echo rooted; unshare -U id; unshare -r id; unshare -ru sh -c 'hostname x; hostname'; hostname; \
        unshare -rm sh -c 'mount -t tmpfs none /mnt && df /mnt | wc -l'; mount | grep -c /mnt; unshare -rfp sh -c 'echo pid $$'; \
        unshare -rm sh -c 'mount -o bind /etc /mnt && cat /mnt/group; umount /mnt; ls /mnt'; unshare -rn true; echo $?";
    prints(
        &mut guest,
        "",
        &format!("sh -c {}", harness::quote(refused)),
        &expect![[r#"
        mount: permission denied (are you root?)
        umount: can't unmount /proc: Operation not permitted
        unshare: unshare(0x20000): Operation not permitted
        unshare: unshare(0x4000000): Operation not permitted
        unshare: unshare(0x20000000): Operation not permitted
        nsenter: setns(): can't reassociate to namespace 'uts': Operation not permitted
        hostname: sethostname: Operation not permitted
        mount: permission denied (are you root?)
        cat: can't open '/tmp/n': Permission denied
    "#]],
    );
    prints(
        &mut guest,
        "",
        &format!("sh -c {}", harness::quote(allowed)),
        &expect![[r#"
        rooted
        uid=65534(nobody) gid=65534(nogroup)
        uid=0(root) gid=0(root)
        x
        h
        2
        0
        pid 1
        root:x:0:
        nogroup:x:65534:
        0
    "#]],
    );
}

/// Outside, the same programs are the host's root: unshare, nsenter and mount do what they are for.
#[test]
fn the_host_enters_a_container_with_busyboxs_tools() {
    let mut guest = boot(&machine("linux-nsenter"));
    let container = guest.conductor().start(&["--hostname", "inner", "busybox", "sleep", "1000"]).expect("it starts");
    // The image's own busybox, run from the host's disk.
    guest.ok("mkdir /root/bb /root/bb/bin /root/bb/proc /root/bb/mnt").expect("the guest answers");
    guest.ok(&format!("cp /proc/{}/root/bin/busybox /root/bb/bin/", container.pid)).expect("the guest answers");
    guest.ok("mount --bind /root/bb /root/bb && mount -t proc proc /root/bb/proc").expect("the guest answers");
    let script = "nsenter -t PID -u hostname; nsenter -t PID -m -p ps -o pid,args; nsenter -t 999 -u; \
        unshare -m sh -c 'mount -t tmpfs none /mnt; mount | grep -c /mnt'; mount | grep -c /mnt; \
        unshare -fp --mount-proc sh -c 'ps -o pid,args'; unshare -u sh -c 'hostname else; hostname'; hostname; \
        unshare -i true; unshare -n true; stty size; id -u";
    let line = format!("chroot /root/bb /bin/busybox sh -c {}", harness::quote(script))
        .replace("PID", &container.pid.to_string());
    expect![[r#"
        inner
        PID   COMMAND
            1 sleep 1000
            2 ps -o pid,args
        nsenter: can't open '/proc/999/ns/uts': No such file or directory
        1
        0
        PID   COMMAND
            1 {ps} sh -c ps -o pid,args
        else
        xv6
        24 80
        0
    "#]]
    .assert_eq(&guest.run(&line).expect("the guest answers").text);
}
