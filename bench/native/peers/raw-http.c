/* The reference of HTTP: a server as a C programmer writes it by hand on epoll (edge) for one answer. It finds each
 * head's end, looks at the request line and at the fields that say where a request ends and whether the connection
 * stays, and sends the answers to all requests of a receive at once.
 *
 *   raw-http [PORT]
 *
 * A request with its body has at most 64 KiB here; chunks are refused. */
#define _GNU_SOURCE
#include "epoll.h"
#include <strings.h>
#include <time.h>

#define CONTENT "Content-Type: text/plain\r\nContent-Length: 13\r\n"
#define BODY "Hello, World!"

enum {
  kRequestBytes = 65536,
  kShortestRequest = sizeof "A / HTTP/1.1\r\n\r\n" - 1,
  kLongestReply = 160,
  kDateAt = sizeof "HTTP/1.1 200 OK\r\nDate: " - 1,
  kDateBytes = sizeof "Thu, 01 Jan 1970 00:00:00 GMT" - 1,
};

/* What the head of a request says. */
struct request {
  const char *refusal; /* the status line's rest, where it cannot be answered; NULL otherwise */
  size_t body;
  int is_head, is_old, has_close, has_keep_alive;
};

/* The beginning of a request whose end has not come. */
struct beginning {
  size_t length;
  char bytes[];
};

static char reply[] = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" CONTENT "\r\n" BODY;
static char joined[kRequestBytes + kRecvBytes];
static char out[sizeof joined / kShortestRequest * kLongestReply];
static struct beginning *beginning_by_fd[kMaxDescriptors];

static void forget(int fd) {
  free(beginning_by_fd[fd]);
  beginning_by_fd[fd] = NULL;
}

static void keep_date(void) {
  static time_t written;
  time_t now = time(NULL);
  char text[kDateBytes + 1];
  struct tm parts;
  if (now == written) return;
  written = now;
  strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
  memcpy(reply + kDateAt, text, kDateBytes);
}

static int is_word(const char *from, const char *end, const char *word) {
  size_t length = strlen(word);
  return (size_t)(end - from) == length && strncasecmp(from, word, length) == 0;
}

static void read_request_line(const char *line, const char *end, struct request *request) {
  const char *target = memchr(line, ' ', (size_t)(end - line));
  const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
  request->refusal = "400 Bad Request";
  if (!version || target == line || version == target + 1) return;
  if (end - version != sizeof " HTTP/1.1" - 1 || memcmp(version, " HTTP/1.", 8) != 0) return;
  if (version[8] != '0' && version[8] != '1') return;
  request->refusal = NULL;
  request->is_old = version[8] == '0';
  request->is_head = is_word(line, target, "HEAD");
}

static void read_connection(const char *from, const char *end, struct request *request) {
  while (from < end) {
    const char *comma = memchr(from, ',', (size_t)(end - from));
    const char *stop = comma ? comma : end, *last = stop;
    while (from < last && (*from == ' ' || *from == '\t')) from++;
    while (last > from && (last[-1] == ' ' || last[-1] == '\t')) last--;
    request->has_close |= is_word(from, last, "close");
    request->has_keep_alive |= is_word(from, last, "keep-alive");
    from = stop + 1;
  }
}

static void read_length(const char *from, const char *end, struct request *request) {
  size_t length = 0, digits = 0;
  while (from < end && (*from == ' ' || *from == '\t')) from++;
  while (end > from && (end[-1] == ' ' || end[-1] == '\t')) end--;
  for (; from < end && *from >= '0' && *from <= '9' && digits < 15; from++, digits++)
    length = length * 10 + (size_t)(*from - '0');
  if (from < end || digits == 0) request->refusal = "400 Bad Request";
  request->body = length;
}

/* Whether a field has this name, written with its colon. */
static int has_name(const char *line, const char *end, const char *name, size_t length) {
  return (size_t)(end - line) >= length && strncasecmp(line, name, length) == 0;
}
#define HAS_NAME(name) has_name(line, end, name, sizeof name - 1)

static void read_field(const char *line, const char *end, struct request *request) {
  char first = *line | 0x20;
  if (first == 'c' && HAS_NAME("connection:")) read_connection(line + sizeof "connection:" - 1, end, request);
  else if (first == 'c' && HAS_NAME("content-length:")) read_length(line + sizeof "content-length:" - 1, end, request);
  else if (first == 't' && HAS_NAME("transfer-encoding:")) request->refusal = "501 Not Implemented";
}

/* Bytes of the head, its empty line included; 0: its end has not come. Stops at what cannot be. */
static size_t read_head(const char *from, const char *end, struct request *request) {
  const char *line = from, *feed;
  for (; (feed = memchr(line, '\n', (size_t)(end - line))); line = feed + 1) {
    if (feed == line || feed[-1] != '\r') request->refusal = "400 Bad Request";
    else if (line == from) read_request_line(line, feed - 1, request);
    else if (feed == line + 1) return (size_t)(feed + 1 - from);
    else read_field(line, feed - 1, request);
    if (request->refusal) return (size_t)(feed + 1 - from);
  }
  return 0;
}

/* Writes an answer that is not the usual one. Returns where the next begins. */
static char *write_rare(char *to, const struct request *request, int is_last) {
  const char *connection = is_last ? "Connection: close\r\n" : request->is_old ? "Connection: keep-alive\r\n" : "";
  if (request->refusal) return to + sprintf(to, "HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n", request->refusal, connection);
  const char *body = request->is_head ? "" : BODY;
  return to + sprintf(to, "%.*s\r\n" CONTENT "%s\r\n%s", kDateAt + kDateBytes, reply, connection, body);
}

static char *write_answer(char *to, const struct request *request, int is_last) {
  if (is_last || request->is_old || request->is_head) return write_rare(to, request, is_last);
  memcpy(to, reply, sizeof reply - 1);
  return to + sizeof reply - 1;
}

/* Bytes of the next request, its body included; 0: its end has not come. */
static size_t read_request(const char *from, const char *end, struct request *request) {
  size_t head = read_head(from, end, request);
  if (request->refusal) return head;
  size_t wanted = head + request->body;
  if (head > 0 && wanted <= (size_t)(end - from)) return wanted;
  if (wanted <= kRequestBytes && end - from <= kRequestBytes) return 0;
  request->refusal = "413 Content Too Large";
  return (size_t)(end - from);
}

static void keep_beginning(int fd, const char *from, const char *end) {
  forget(fd);
  if (from == end) return;
  struct beginning *beginning = malloc(sizeof *beginning + (size_t)(end - from));
  beginning->length = (size_t)(end - from);
  memcpy(beginning->bytes, from, beginning->length);
  beginning_by_fd[fd] = beginning;
}

static const char *join(const struct beginning *beginning, const char *bytes, size_t length) {
  memcpy(joined, beginning->bytes, beginning->length);
  memcpy(joined + beginning->length, bytes, length);
  return joined;
}

static int finish(int fd, int sent) {
  if (sent == 0) pending_by_fd[fd]->is_last = 1;
  return sent == 0 ? 0 : -1;
}

static int answer(int fd, const char *bytes, size_t length) {
  const struct beginning *beginning = beginning_by_fd[fd];
  const char *at = beginning ? join(beginning, bytes, length) : bytes;
  const char *end = at + length + (beginning ? beginning->length : 0);
  char *to = out;
  int is_last = 0;
  keep_date();
  while (at < end && !is_last) {
    struct request request = {0};
    size_t taken = read_request(at, end, &request);
    if (taken == 0) break;
    at += taken;
    is_last = request.refusal || request.has_close || (request.is_old && !request.has_keep_alive);
    to = write_answer(to, &request, is_last);
  }
  if (beginning || at < end) keep_beginning(fd, at, end);
  int sent = to > out ? send_all(fd, out, (size_t)(to - out)) : 1;
  return is_last ? finish(fd, sent) : sent;
}

int main(int argc, char **argv) { serve_all(argc > 1 ? atoi(argv[1]) : 0); }
