// WebSocket clients that each send a message and wait for its echo.
// usage: websocket PORT CONNECTIONS SECONDS PAYLOAD (at most 125 bytes). Says what wrk.lua says.
#include "net.h"

#define IN_SIZE 4096

struct connection {
  int fd, open;
  size_t filled;
  char in[IN_SIZE];
};

static char frame[131];
static size_t payload, frame_length;

static const char handshake[] = "GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static int send_frame(struct connection *c) { return write(c->fd, frame, frame_length) == (ssize_t)frame_length; }

// What an unmasked echo of the frame is.
static int is_echo(const char *in) {
  return in[0] == frame[0] && (size_t)in[1] == payload && memcmp(in + 2, frame + 6, payload) == 0;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  signal(SIGPIPE, SIG_IGN);
  int port = atoi(argv[1]), count = atoi(argv[2]), alive = count, opened = 0;
  uint64_t length = (uint64_t)(atof(argv[3]) * 1e9), began = 0, messages = 0, errors = 0;
  payload = strtoul(argv[4], NULL, 10);
  if (payload > 125) return 2;
  // A whole text message; a mask of zeros is one, and changes nothing.
  frame[0] = (char)0x81;
  frame[1] = (char)(0x80 | payload);
  memset(frame + 6, 'm', payload);
  frame_length = payload + 6;

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct connection *all = calloc((size_t)count, sizeof *all);
  for (int i = 0; i < count; i++) {
    all[i].fd = dial(port);
    if (all[i].fd < 0) die("connect");
    watch(epoll, EPOLL_CTL_ADD, all[i].fd, EPOLLOUT, &all[i]);
  }
  struct epoll_event events[256];
  while (alive > 0 && (began == 0 || now_ns() - began < length)) {
    // Messages begin when every handshake is done.
    if (began == 0 && opened == alive) {
      began = now_ns();
      for (int i = 0; i < count; i++) {
        if (all[i].fd >= 0) send_frame(&all[i]);
      }
    }
    int n = epoll_wait(epoll, events, 256, 100);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      int ok = 1;
      if (events[i].events & EPOLLOUT) {
        ok = write(c->fd, handshake, sizeof handshake - 1) == (ssize_t)sizeof handshake - 1;
        watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
      } else {
        ssize_t got = read(c->fd, c->in + c->filled, IN_SIZE - c->filled);
        ok = got > 0;
        if (ok) c->filled += (size_t)got;
        if (ok && !c->open && memmem(c->in, c->filled, "\r\n\r\n", 4) != NULL) {
          ok = strncmp(c->in, "HTTP/1.1 101", 12) == 0;
          c->open = ok;
          c->filled = 0;
          opened += ok;
        } else if (ok && c->open && c->filled >= payload + 2) {
          ok = c->filled == payload + 2 && is_echo(c->in) && send_frame(c);
          c->filled = 0;
          messages += (uint64_t)ok;
        }
      }
      if (ok) continue;
      errors++;
      alive--;
      opened -= c->open;
      close(c->fd);
      c->fd = -1;
    }
  }
  uint64_t took = began == 0 ? 0 : (now_ns() - began) / 1000;
  printf("RESULT {\"requests\":%llu,\"microseconds\":%llu,\"badStatus\":0,\"socketErrors\":%llu}\n",
         (unsigned long long)messages, (unsigned long long)took, (unsigned long long)errors);
  return 0;
}
