/* UDP echo by hand: up to 256 datagrams a recvmmsg, all of them back by one sendmmsg. */
#define _GNU_SOURCE
#include <string.h>

#include "listen.h"

#define MOST 256
#define BYTES 2048

int main(int argc, char **argv) {
  static struct mmsghdr headers[MOST];
  static struct iovec parts[MOST];
  static struct sockaddr_in senders[MOST];
  static char bytes[MOST][BYTES];
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    for (int i = 0; i < MOST; i++) {
      parts[i] = (struct iovec){bytes[i], BYTES};
      headers[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
                                           .msg_namelen = sizeof senders[i],
                                           .msg_iov = &parts[i],
                                           .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, headers, MOST, MSG_WAITFORONE, NULL);
    if (count < 0) continue;
    for (int i = 0; i < count; i++) parts[i].iov_len = headers[i].msg_len;
    for (int at = 0; at < count;) {
      int sent = sendmmsg(fd, headers + at, (unsigned)(count - at), 0);
      at += sent > 0 ? sent : 1;
    }
  }
}
