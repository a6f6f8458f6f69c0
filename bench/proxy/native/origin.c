// The instance behind every peer: answers as cheaply as a process can, so that it is never what is measured.
// usage: origin [LABEL]; a label is told in X-Version. Ends when its stdin does.
#include "net.h"

#define IN_SIZE 32768
#define BIG (1024 * 1024)

// The handshake of RFC 6455 section 1.3: the bench's clients always send its key.
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct answer {
  const char *path;
  size_t length;
  char *bytes;
};

struct connection {
  int fd;
  int closing, tunnel, waiting;
  size_t body_left;
  const char *out;
  size_t out_left;
  size_t filled;
  char in[IN_SIZE];
};

static struct answer answers[5];
static char label[64];
static int epoll;

static void prepare(int index, const char *path, size_t body, const char *fields) {
  char *bytes = malloc(body + 1024);
  int head = snprintf(bytes, 1024,
                      "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
                      "Content-Length: %zu\r\n%s%s\r\n",
                      body, label, fields);
  memset(bytes + head, 'x', body);
  answers[index] = (struct answer){path, (size_t)head + body, bytes};
}

static void finish(struct connection *c) {
  close(c->fd);
  free(c);
}

// False if the connection is over.
static int flush_out(struct connection *c) {
  while (c->out_left > 0) {
    ssize_t n = write(c->fd, c->out, c->out_left);
    if (n < 0 && errno == EAGAIN) {
      if (!c->waiting) watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
      c->waiting = 1;
      return 1;
    }
    if (n < 0) return 0;
    c->out += n;
    c->out_left -= (size_t)n;
  }
  if (c->waiting) watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
  c->waiting = 0;
  return !c->closing;
}

// For short answers made on the spot, which always fit into an empty send buffer.
static int say(struct connection *c, const char *bytes, size_t length) {
  return write(c->fd, bytes, length) == (ssize_t)length;
}

static int reply(struct connection *c, const char *path, size_t length) {
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    if (strlen(answers[i].path) != length || memcmp(path, answers[i].path, length) != 0) continue;
    c->out = answers[i].bytes;
    c->out_left = answers[i].length;
    return flush_out(c);
  }
  static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  return say(c, missing, sizeof missing - 1);
}

// `/head` is answered with the head that was received: what a peer adds to it can be looked at.
static int reply_head(struct connection *c, const char *head, size_t length) {
  static char bytes[IN_SIZE + 256];
  int n = snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", length, (int)length, head);
  return say(c, bytes, (size_t)n);
}

// Echoes every whole frame that is there; clients mask (RFC 6455 section 5.3), servers do not. Below 64 KiB each.
static int echo_frames(struct connection *c) {
  static char out[IN_SIZE];
  size_t at = 0, made = 0;
  while (c->filled - at >= 6) {
    unsigned char *frame = (unsigned char *)c->in + at;
    size_t payload = frame[1] & 0x7f, head = 2;
    if (payload == 126) {
      payload = (size_t)frame[2] << 8 | frame[3];
      head = 4;
    }
    if (c->filled - at < head + 4 + payload) break;
    unsigned char *mask = frame + head, *data = mask + 4;
    memcpy(out + made, frame, head);
    out[made + 1] = (char)(frame[1] & 0x7f);
    for (size_t i = 0; i < payload; i++) out[made + head + i] = (char)(data[i] ^ mask[i & 3]);
    made += head + payload;
    at += head + 4 + payload;
  }
  c->filled -= at;
  memmove(c->in, c->in + at, c->filled);
  return made == 0 || say(c, out, made);
}

static int has(const char *head, const char *field) { return strcasestr(head, field) != NULL; }

// Takes one request from the buffer: 1 done, 0 more bytes are needed, -1 the connection is over.
static int take_request(struct connection *c) {
  char *end = memmem(c->in, c->filled, "\r\n\r\n", 4);
  if (end == NULL) return c->filled == IN_SIZE ? -1 : 0;
  size_t head = (size_t)(end - c->in) + 4;
  // Only what stands before the empty line is looked at as text.
  end[2] = '\0';
  char *path = memchr(c->in, ' ', head);
  char *path_end = path == NULL ? NULL : strchr(path + 1, ' ');
  if (path_end == NULL) return -1;
  path++;
  if (c->in[0] == 'P') {
    char *field = strcasestr(c->in, "\ncontent-length:");
    if (field == NULL) return -1;
    c->body_left = strtoul(field + 16, NULL, 10);
  }
  if (has(c->in, "\nconnection: close")) c->closing = 1;
  int alive;
  if (strncmp(path, "/head ", 6) == 0) alive = reply_head(c, c->in, head - 2);
  else if (strncmp(path, "/socket ", 8) == 0) {
    static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                   "Sec-WebSocket-Accept: " WS_ACCEPT "\r\n\r\n";
    c->tunnel = 1;
    alive = say(c, accepted, sizeof accepted - 1);
  } else if (c->body_left == 0) alive = reply(c, path, (size_t)(path_end - path));
  // The answer to a request with a body comes after the body.
  else alive = 1;
  c->filled -= head;
  memmove(c->in, c->in + head, c->filled);
  return alive ? 1 : -1;
}

static int take_body(struct connection *c) {
  size_t n = c->body_left < c->filled ? c->body_left : c->filled;
  c->body_left -= n;
  c->filled -= n;
  memmove(c->in, c->in + n, c->filled);
  return c->body_left > 0 || reply(c, "/55", 3);
}

static int readable(struct connection *c) {
  ssize_t n = read(c->fd, c->in + c->filled, IN_SIZE - c->filled);
  if (n < 0) return errno == EAGAIN;
  if (n == 0) return 0;
  c->filled += (size_t)n;
  while (c->filled > 0 && c->out_left == 0) {
    if (c->tunnel) return echo_frames(c);
    if (c->body_left > 0) {
      if (!take_body(c)) return 0;
    } else {
      int done = take_request(c);
      if (done <= 0) return done == 0;
    }
  }
  return 1;
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    no_delay(fd);
    struct connection *c = malloc(sizeof *c);
    memset(c, 0, offsetof(struct connection, in));
    c->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, c);
  }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc > 1) snprintf(label, sizeof label, "X-Version: %.32s\r\n", argv[1]);
  // About 300 bytes of head, as an application's answer to a browser has.
  const char *browser = "Cache-Control: private, max-age=0, must-revalidate\r\nETag: \"5f1c-61a2b3c4d5e6f\"\r\n"
                        "Vary: Accept-Encoding, Cookie\r\nX-Content-Type-Options: nosniff\r\n"
                        "Strict-Transport-Security: max-age=31536000\r\n";
  prepare(0, "/55", 55, "");
  prepare(1, "/browser", 55, browser);
  prepare(2, "/10k", 10 * 1024, "");
  prepare(3, "/1m", BIG, "");
  prepare(4, "/post", 55, "");
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_somewhere(), in = 0;
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  watch(epoll, EPOLL_CTL_ADD, in, EPOLLIN, &in);
  struct epoll_event events[256];
  for (;;) {
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      void *data = events[i].data.ptr;
      if (data == &in) return 0;
      if (data == &listener) accept_all(listener);
      else {
        struct connection *c = data;
        int alive = events[i].events & EPOLLOUT ? flush_out(c) : readable(c);
        if (!alive) finish(c);
      }
    }
  }
}
