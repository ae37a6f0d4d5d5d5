/* Loaded into a node with LD_PRELOAD: while the file hold-sync exists in FIELD_NODE_DIR,
 * fsync and fdatasync wait before they begin, as on a disk that hangs; while slow-sync does, each
 * takes a while longer. Writes still go through: what is held back is only the promise that they
 * will survive. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef int (*sync_function)(int);

static int is_there(const char *name) {
    const char *dir = getenv("FIELD_NODE_DIR");
    char path[4096];
    if (dir == NULL || snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
        return 0;
    }
    return access(path, F_OK) == 0;
}

static void wait_while_held(void) {
    if (is_there("slow-sync")) {
        usleep(100000);
    }
    while (is_there("hold-sync")) {
        usleep(5000);
    }
}

static int held(const char *name, int file) {
    sync_function real = (sync_function)dlsym(RTLD_NEXT, name);
    wait_while_held();
    return real(file);
}

int fsync(int file) {
    return held("fsync", file);
}

int fdatasync(int file) {
    return held("fdatasync", file);
}
