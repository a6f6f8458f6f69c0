// The floor: a proxy that moves bytes and does nothing else. What it costs is what the kernel's calls cost.
// usage: floor ORIGIN_PORT. One connection to the origin for each client's. Ends when its stdin does.
#include "net.h"

#define SIZE (256 * 1024)

struct half {
  int fd;
  // Not read while these bytes wait to be written to the peer.
  char *kept;
  size_t left, at;
  struct half *peer;
  int gone;
};

static char shared[SIZE];
static int epoll;
// Closed in this turn of the loop; freed after it, since events of it may still name them.
static struct half *closed[8192];
static int closed_count;

static void listen_for(struct half *h) {
  watch(epoll, EPOLL_CTL_MOD, h->fd, (h->left > 0 ? 0 : EPOLLIN) | (h->peer->left > 0 ? EPOLLOUT : 0), h);
}

static void finish(struct half *h) {
  if (h->gone) return;
  struct half *pair[2] = {h, h->peer};
  for (int i = 0; i < 2; i++) {
    close(pair[i]->fd);
    free(pair[i]->kept);
    pair[i]->gone = 1;
    closed[closed_count++] = pair[i];
  }
}

// Writes on what was kept from `h`; reading goes on once it is gone.
static void flush_kept(struct half *h) {
  while (h->left > 0) {
    ssize_t n = write(h->peer->fd, h->kept + h->at, h->left);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (n < 0) return finish(h);
    h->at += (size_t)n;
    h->left -= (size_t)n;
  }
  free(h->kept);
  h->kept = NULL;
  listen_for(h);
  listen_for(h->peer);
}

static void move(struct half *h) {
  ssize_t n = read(h->fd, shared, SIZE);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return finish(h);
  ssize_t written = write(h->peer->fd, shared, (size_t)n);
  if (written == n) return;
  if (written < 0 && errno != EAGAIN && errno != ENOTCONN) return finish(h);
  if (written < 0) written = 0;
  h->left = (size_t)(n - written);
  h->at = 0;
  h->kept = malloc(h->left);
  memcpy(h->kept, shared + written, h->left);
  listen_for(h);
  listen_for(h->peer);
}

static void accept_all(int listener, int port) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    no_delay(fd);
    int up = dial(port);
    if (up < 0) {
      close(fd);
      continue;
    }
    struct half *client = calloc(1, sizeof *client), *origin = calloc(1, sizeof *origin);
    *client = (struct half){.fd = fd, .peer = origin};
    *origin = (struct half){.fd = up, .peer = client};
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, client);
    watch(epoll, EPOLL_CTL_ADD, up, EPOLLIN, origin);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  int port = atoi(argv[1]), in = 0;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_somewhere();
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  watch(epoll, EPOLL_CTL_ADD, in, EPOLLIN, &in);
  struct epoll_event events[256];
  for (;;) {
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      void *data = events[i].data.ptr;
      if (data == &in) return 0;
      if (data == &listener) {
        accept_all(listener, port);
        continue;
      }
      struct half *h = data;
      if (h->gone) continue;
      if (events[i].events & EPOLLOUT) flush_kept(h->peer);
      if (!h->gone && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && h->left == 0) move(h);
    }
    while (closed_count > 0) free(closed[--closed_count]);
  }
}
