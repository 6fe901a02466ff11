/* libuv in C, as its guide does it: one read buffer, one write a chunk, uv_try_write first as a careful
 * programmer does, a queued uv_write only for what the kernel did not take.
 *
 *   libuv [PORT]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { kRecvBytes = 65536, kBacklog = 4096 };

static char chunk[kRecvBytes];

struct queued_write {
  uv_write_t request;
  char bytes[];
};

static void check(int status, const char *what) {
  if (status >= 0) return;
  fprintf(stderr, "libuv: %s: %s\n", what, uv_strerror(status));
  exit(1);
}

static void on_close(uv_handle_t *handle) { free(handle); }

static void close_stream(uv_stream_t *stream) {
  if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_close);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)handle;
  (void)suggested;
  *buffer = uv_buf_init(chunk, sizeof chunk);
}

static void on_written(uv_write_t *request, int status) {
  if (status < 0) close_stream(request->handle);
  free(request);
}

static void queue_write(uv_stream_t *stream, const char *bytes, size_t length) {
  struct queued_write *write = malloc(sizeof *write + length);
  memcpy(write->bytes, bytes, length);
  uv_buf_t buffer = uv_buf_init(write->bytes, (unsigned)length);
  if (uv_write(&write->request, stream, &buffer, 1, on_written) == 0) return;
  free(write);
  close_stream(stream);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
  if (got == 0) return;
  if (got < 0) return close_stream(stream);
  uv_buf_t out = uv_buf_init(buffer->base, (unsigned)got);
  int sent = uv_try_write(stream, &out, 1);
  if (sent == got) return;
  if (sent < 0 && sent != UV_EAGAIN) return close_stream(stream);
  if (sent < 0) sent = 0;
  queue_write(stream, buffer->base + sent, (size_t)(got - sent));
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status < 0) return;
  uv_tcp_t *client = malloc(sizeof *client);
  check(uv_tcp_init(listener->loop, client), "uv_tcp_init");
  if (uv_accept(listener, (uv_stream_t *)client) == 0) uv_read_start((uv_stream_t *)client, on_alloc, on_read);
  else close_stream((uv_stream_t *)client);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  uv_tcp_t listener;
  struct sockaddr_storage address;
  int length = sizeof address;
  signal(SIGPIPE, SIG_IGN);
  check(uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, (struct sockaddr_in *)&address), "address");
  check(uv_tcp_init(loop, &listener), "uv_tcp_init");
  check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "bind");
  check(uv_listen((uv_stream_t *)&listener, kBacklog, on_connection), "listen");
  check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "getsockname");
  printf("listening %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
