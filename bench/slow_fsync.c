/* A disk whose every flush takes SLOW_FSYNC_US microseconds longer: LD_PRELOAD this library.
 *
 *     cc -shared -fPIC -O2 -o slow_fsync.so slow_fsync.c -ldl
 *     SLOW_FSYNC_US=2000 LD_PRELOAD=./slow_fsync.so evidence-vault serve …
 *
 * Memory and tmpfs flush in microseconds, real disks in 1 to 5 ms; what is quick only because flushing is
 * free would fool us. It covers every call that waits for the disk: SQLite's write-ahead log and PostgreSQL
 * use fdatasync or fsync, a file mapped into memory msync. The delay is a sleep, as it is with a disk: other
 * threads go on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

static void wait_for_the_disk(void)
{
    static long us = -1;
    if (us < 0) {
        const char *given = getenv("SLOW_FSYNC_US");
        us = given ? atol(given) : 2000;
    }
    struct timespec rest = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&rest, &rest) != 0) { }
}

#define SLOW(name, parameters, arguments)                               \
    int name parameters                                                 \
    {                                                                   \
        static int (*real) parameters;                                  \
        if (!real) real = (int (*) parameters) dlsym(RTLD_NEXT, #name); \
        wait_for_the_disk();                                            \
        return real arguments;                                          \
    }

SLOW(fsync, (int fd), (fd))
SLOW(fdatasync, (int fd), (fd))
SLOW(msync, (void *start, size_t length, int flags), (start, length, flags))
SLOW(sync_file_range, (int fd, off64_t offset, off64_t bytes, unsigned int flags), (fd, offset, bytes, flags))
