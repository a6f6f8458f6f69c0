// A client at a constant rate (open loop): requests fall due whatever became of those before, and the time of each counts
// from when it was due. So a stall is paid by all that fell due in it, which a client that waits for answers hides.
// usage: paced PORT CONNECTIONS PER_SECOND SECONDS PATH OUT
// Each request is three doubles in OUT: due (ms of CLOCK_MONOTONIC), latency (ms), and a label: the first character of
// the answer's X-Version, '-' without one, 0 if there was no answer with status 200.
#include "net.h"
#include <sys/prctl.h>

#define IN_SIZE 16384
#define PATIENCE_NS 5000000000u

struct connection {
  int fd, busy, connected;
  uint64_t due;
  size_t filled, left;
  int label;
  char in[IN_SIZE + 1];
};

struct record {
  double due, latency, label;
};

static int epoll, port;
static char request[4096];
static size_t request_length;
static struct record *records;
static size_t recorded;
// Those that may be given a request, the longest idle first.
static struct connection **idle;
static size_t idle_first, idle_count, connections;

static void put_idle(struct connection *c) { idle[(idle_first + idle_count++) % connections] = c; }

static void redial(struct connection *c) {
  close(c->fd);
  c->busy = c->connected = 0;
  c->filled = c->left = 0;
  c->fd = dial(port);
  if (c->fd < 0) die("connect");
  watch(epoll, EPOLL_CTL_ADD, c->fd, EPOLLIN | EPOLLOUT, c);
}

static void record(struct connection *c, int label) {
  records[recorded++] = (struct record){(double)c->due / 1e6, (double)(now_ns() - c->due) / 1e6, label};
  c->busy = 0;
}

static void drop(struct connection *c) {
  if (c->busy) record(c, 0);
  else {
    // Closed while idle, by its right: taken out of the queue.
    size_t kept = 0;
    for (size_t i = 0; i < idle_count; i++) {
      struct connection *each = idle[(idle_first + i) % connections];
      if (each != c) idle[(idle_first + kept++) % connections] = each;
    }
    idle_count = kept;
  }
  redial(c);
}

static void begin(struct connection *c, uint64_t due) {
  c->busy = 1;
  c->due = due;
  if (write(c->fd, request, request_length) != (ssize_t)request_length) drop(c);
}

// An answer is a head with Content-Length, and as many bytes.
static void readable(struct connection *c) {
  ssize_t n = read(c->fd, c->in + c->filled, IN_SIZE - c->filled);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || !c->busy) return drop(c);
  if (c->left > 0) {
    if ((size_t)n > c->left) return drop(c);
    c->left -= (size_t)n;
  } else {
    c->filled += (size_t)n;
    char *end = memmem(c->in, c->filled, "\r\n\r\n", 4);
    if (end == NULL) {
      if (c->filled == IN_SIZE) drop(c);
      return;
    }
    end[2] = '\0';
    char *length = strcasestr(c->in, "\ncontent-length:"), *version = strcasestr(c->in, "\nx-version:");
    if (length == NULL) return drop(c);
    size_t whole = (size_t)(end + 4 - c->in) + strtoul(length + 16, NULL, 10);
    if (c->filled > whole) return drop(c);
    c->label = strncmp(c->in, "HTTP/1.1 200", 12) != 0 ? 0 : version == NULL ? '-' : version[12];
    c->left = whole - c->filled;
    c->filled = 0;
  }
  if (c->left > 0) return;
  record(c, c->label);
  put_idle(c);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  port = atoi(argv[1]);
  connections = strtoul(argv[2], NULL, 10);
  double per_second = atof(argv[3]);
  size_t total = (size_t)(per_second * atof(argv[4])), next = 0;
  request_length = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", argv[5], port);
  records = calloc(total, sizeof *records);
  idle = calloc(connections, sizeof *idle);
  struct connection *all = calloc(connections, sizeof *all);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < connections; i++) {
    all[i].fd = -1;
    redial(&all[i]);
  }
  struct epoll_event events[256];
  uint64_t began = 0;
  double gap = 1e9 / per_second;
  while (recorded < total) {
    uint64_t now = now_ns();
    // The clock starts when all are connected.
    if (began == 0 && idle_count == connections) began = now;
    uint64_t due = began + (uint64_t)((double)next * gap);
    while (began > 0 && next < total && due <= now && idle_count > 0) {
      struct connection *c = idle[idle_first];
      idle_first = (idle_first + 1) % connections;
      idle_count--;
      begin(c, due);
      due = began + (uint64_t)((double)++next * gap);
    }
    if (began > 0 && now > began + (uint64_t)((double)total * gap) + PATIENCE_NS) break;
    int waits = began > 0 && next < total && idle_count > 0;
    uint64_t pause = waits ? due - now : 100000000;
    struct timespec timeout = {.tv_sec = (time_t)(pause / 1000000000), .tv_nsec = (long)(pause % 1000000000)};
    int n = epoll_pwait2(epoll, events, 256, &timeout, NULL);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c->connected && events[i].events & EPOLLOUT && !(events[i].events & (EPOLLERR | EPOLLHUP))) {
        c->connected = 1;
        watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
        put_idle(c);
      } else if (!c->connected) {
        fprintf(stderr, "no connection to port %d\n", port);
        return 1;
      } else readable(c);
    }
  }
  // What was never answered, or never even sent.
  for (size_t i = 0; i < connections; i++) {
    if (all[i].busy) record(&all[i], 0);
  }
  for (; next < total; next++) {
    double due = (double)began + (double)next * gap;
    records[recorded++] = (struct record){due / 1e6, ((double)now_ns() - due) / 1e6, 0};
  }
  FILE *out = fopen(argv[6], "w");
  if (out == NULL || fwrite(records, sizeof *records, recorded, out) != recorded || fclose(out) != 0) die(argv[6]);
  return 0;
}
