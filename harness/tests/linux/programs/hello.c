/* A program of musl's: each function checks one thing that C programs expect, and prints a line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 1000

extern char **environ;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static long counter;
static int whose;
static _Thread_local int own;
static volatile sig_atomic_t seen;
static sigjmp_buf back;

static void check(int holds, const char *what) {
    if (!holds) {
        printf("FAILED: %s (%s)\n", what, strerror(errno));
        exit(1);
    }
}

static void standard_io(void) {
    char line[64];
    FILE *file = tmpfile();
    check(file != NULL, "tmpfile");
    fprintf(file, "%d %s %.3f\n", 42, "words", 3.25);
    rewind(file);
    check(fgets(line, sizeof line, file) != NULL, "fgets");
    fclose(file);
    printf("stdio: %s", line);
}

static void memory(void) {
    size_t bytes = 0;
    char *blocks[200];
    for (int i = 0; i < 200; i++) {
        size_t size = (size_t)1 << (i % 18);
        blocks[i] = malloc(size);
        check(blocks[i] != NULL, "malloc");
        memset(blocks[i], i, size);
        bytes += size;
    }
    blocks[0] = realloc(blocks[0], 4 << 20);
    check(blocks[0] != NULL && blocks[0][0] == 0, "realloc");
    for (int i = 0; i < 200; i++)
        free(blocks[i]);
    printf("malloc: %zu bytes\n", bytes);
}

static void *worker(void *arg) {
    own = (int)(long)arg;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    while (whose != own)
        pthread_cond_wait(&turn, &lock);
    whose++;
    pthread_cond_broadcast(&turn);
    pthread_mutex_unlock(&lock);
    return (void *)(long)own;
}

static void threads(void) {
    pthread_t all[THREADS];
    long sum = 0;
    for (long i = 0; i < THREADS; i++)
        check((errno = pthread_create(&all[i], NULL, worker, (void *)i)) == 0, "pthread_create");
    for (int i = 0; i < THREADS; i++) {
        void *result;
        check(pthread_join(all[i], &result) == 0, "pthread_join");
        sum += (long)result;
    }
    printf("threads: %ld rounds, %ld\n", counter, sum);
}

static void *endless(void *arg) {
    for (;;)
        pause();
    return arg;
}

static void cancelling(void) {
    pthread_t thread;
    void *result;
    check(pthread_create(&thread, NULL, endless, NULL) == 0, "pthread_create");
    check(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0, "pthread_cancel");
    printf("cancelled: %s\n", result == PTHREAD_CANCELED ? "yes" : "no");
}

static void note(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen = signal * 1000 + info->si_value.sival_int;
}

static void fault(int signal) {
    siglongjmp(back, signal);
}

static void signals(void) {
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigset_t set;
    int got;
    check(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    check(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7}) == 0, "sigqueue");
    printf("signal: %d\n", (int)seen);
    action = (struct sigaction){.sa_handler = fault, .sa_flags = SA_ONSTACK};
    check(sigaltstack(&other, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0, "sigaltstack");
    got = sigsetjmp(back, 1);
    if (got == 0)
        *(volatile int *)0 = 1;
    printf("fault: %s\n", strsignal(got));
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    check(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
    ualarm(10000, 0);
    check(sigwait(&set, &got) == 0, "sigwait");
    printf("alarm: %s\n", strsignal(got));
}

static void children(void) {
    char line[64] = "";
    char *words[] = {"sh", "-c", "exit 9", NULL};
    pid_t pid;
    int status;
    FILE *pipe = popen("echo from the shell", "r");
    check(pipe != NULL && fgets(line, sizeof line, pipe) != NULL, "popen");
    check(pclose(pipe) == 0, "pclose");
    printf("popen: %s", line);
    check((errno = posix_spawnp(&pid, "sh", NULL, NULL, words, environ)) == 0, "posix_spawnp");
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    printf("spawn: %d\n", WEXITSTATUS(status));
    printf("spawn of nothing: %s\n", strerror(posix_spawnp(&pid, "/absent", NULL, NULL, words, environ)));
    printf("system: %d\n", WEXITSTATUS(system("exit 4")));
    fflush(stdout);
    if ((pid = fork()) == 0)
        abort();
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    printf("abort: %s%s\n", strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core" : "");
}

static void mappings(void) {
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *bytes;
    check(fd >= 0 && ftruncate(fd, 8192) == 0, "ftruncate");
    bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(bytes != MAP_FAILED, "mmap");
    if (fork() == 0) {
        strcpy(bytes + 4096, "shared");
        _exit(0);
    }
    check(wait(NULL) > 0, "wait");
    char read[8] = "";
    check(pread(fd, read, 7, 4096) == 7, "pread");
    printf("mapping: %s %s\n", bytes + 4096, read);
    unlink("mapped");
}

static void clocks(void) {
    struct timespec before, after, nap = {.tv_nsec = 5000000};
    check(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&nap, NULL) == 0, "nanosleep");
    check(clock_gettime(CLOCK_MONOTONIC, &after) == 0, "clock_gettime");
    long spent = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    printf("slept: %s\n", spent >= nap.tv_nsec ? "enough" : "too little");
}

int main(int argc, char **argv) {
    printf("arguments: %d %s\n", argc, argv[argc - 1]);
    standard_io();
    memory();
    threads();
    cancelling();
    signals();
    children();
    mappings();
    clocks();
    return 5;
}
