/* The reference: an echo server as a C programmer writes it by hand on epoll. Compiled twice: -DEDGE=1 and -DEDGE=0.
 *
 *   raw-epoll-edge [PORT] */
#define _GNU_SOURCE
#include "epoll.h"

static int answer(int fd, const char *bytes, size_t length) { return send_all(fd, bytes, length); }

static void forget(int fd) { (void)fd; }

int main(int argc, char **argv) { serve_all(argc > 1 ? atoi(argv[1]) : 0); }
