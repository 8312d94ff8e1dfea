/* The sink of the socket benchmarks: opens many WebSocket connections, then counts what arrives.
 *
 * Usage: sink HOST PORT PLAN WINDOW. PLAN is a file of connections, one after another:
 *   "<source address> <bytes of handshake> <bytes sent after the 101> <text frames that end the set-up>\n" + both blobs.
 * At most WINDOW connections are being set up at once. Prints {"ready": n} when all are, then obeys lines on stdin:
 *   report  -> one JSON line: counted, lost, duplicates, closed, bytes, latency in microseconds
 *   reset   -> forgets counts and latencies, keeps the last number seen per connection and channel
 * A counted frame carries "@CCCC:KKKKKKKK:NNNNNNNNNNNNNNNNNNNN@" in its body: channel, number, CLOCK_MONOTONIC in ns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RCVBUF 262144
#define READ_BYTES 262144
#define CHANNELS 256
#define MARK "\"body\":\"@"

enum phase { WAITING, CONNECTING, UPGRADING, SETTING_UP, READY, GONE };

struct client {
    int fd, setup;
    enum phase phase;
    struct in_addr source;
    char *first, *after;
    size_t first_len, after_len, held;
    unsigned char *rest;
    int32_t last[CHANNELS];
};

static struct client *clients;
static int total, begun, ready, window, epoll_fd;
static struct sockaddr_in server;
static uint64_t counted, lost, duplicates, closed, bytes;
static uint32_t *latencies;
static size_t kept, space;

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void send_all(struct client *c, const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) { usleep(100); continue; }
        if (n < 0) return;
        at += n;
        size -= (size_t)n;
    }
}

static void begin(struct client *c) {
    int size = RCVBUF, one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = c->source};
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)(c - clients)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    c->phase = CONNECTING;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
}

static void begin_more(void) {
    while (begun < total && begun - ready < window) begin(&clients[begun++]);
}

static void is_ready(struct client *c) {
    c->phase = READY;
    if (++ready == total) { printf("{\"ready\": %d}\n", ready); fflush(stdout); }
    begin_more();
}

static void count(struct client *c, const unsigned char *text, size_t size) {
    const char *found = memmem(text, size, MARK, sizeof MARK - 1);
    uint64_t at = now_ns(), sent;
    unsigned channel;
    int32_t number;
    if (!found || (size_t)(found - (const char *)text) + sizeof MARK + 34 > size) return;
    found += sizeof MARK - 1;
    channel = (unsigned)strtoul(found, NULL, 10) % CHANNELS;
    number = (int32_t)strtol(found + 5, NULL, 10);
    sent = strtoull(found + 14, NULL, 10);
    if (c->last[channel] >= 0 && number <= c->last[channel]) { duplicates++; return; }
    if (c->last[channel] >= 0) lost += (uint64_t)(number - c->last[channel] - 1);
    c->last[channel] = number;
    counted++;
    if (kept == space) {
        space = space ? space * 2 : 1u << 20;
        latencies = realloc(latencies, space * sizeof *latencies);
        if (!latencies) die("realloc");
    }
    latencies[kept++] = at > sent ? (uint32_t)((at - sent) / 1000) : 0;
}

static void pong(struct client *c, const unsigned char *payload, size_t size) {
    unsigned char frame[6 + 125] = {0x8A, (unsigned char)(0x80 | size), 0, 0, 0, 0};
    memcpy(frame + 6, payload, size);
    send_all(c, frame, 6 + size);
}

static size_t take(struct client *c, const unsigned char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 2) {
        uint64_t length = data[at + 1] & 0x7F;
        size_t head = 2, i;
        int opcode = data[at] & 0x0F;
        if (length >= 126) {
            size_t wide = length == 126 ? 2 : 8;
            if (size - at < 2 + wide) break;
            for (length = 0, i = 0; i < wide; i++) length = length << 8 | data[at + 2 + i];
            head += wide;
        }
        if (size - at < head + length) break;
        if (opcode == 1 && c->phase == SETTING_UP) { if (--c->setup == 0) is_ready(c); }
        else if (opcode == 1) count(c, data + at + head, length);
        else if (opcode == 9) pong(c, data + at + head, length);
        else if (opcode == 8) fprintf(stderr, "sink: closed: %.*s\n", (int)length, data + at + head);
        at += head + length;
    }
    return at;
}

static size_t upgraded(struct client *c, const unsigned char *data, size_t size) {
    const unsigned char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "sink: refused: %.*s\n", (int)size, data);
        exit(1);
    }
    send_all(c, c->after, c->after_len);
    c->phase = SETTING_UP;
    if (!c->setup) is_ready(c);
    return (size_t)(end - data) + 4;
}

static void read_from(struct client *c) {
    static unsigned char buffer[READ_BYTES + 131072];
    size_t at = 0, size = c->held;
    ssize_t n;
    memcpy(buffer, c->rest, size);
    n = recv(c->fd, buffer + size, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        if (c->phase != READY) { fprintf(stderr, "sink: a connection ended while being set up\n"); exit(1); }
        closed++;
        c->phase = GONE;
        close(c->fd);
        return;
    }
    bytes += (uint64_t)n;
    size += (size_t)n;
    if (c->phase == UPGRADING) at = upgraded(c, buffer, size);
    if (c->phase != UPGRADING) at += take(c, buffer + at, size - at);
    c->held = size - at;
    if (c->held > 131072) { fprintf(stderr, "sink: a frame is too large\n"); exit(1); }
    c->rest = realloc(c->rest, c->held ? c->held : 1);
    memcpy(c->rest, buffer + at, c->held);
}

static void on_socket(struct client *c) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - clients)};
    int error = 0;
    socklen_t length = sizeof error;
    if (c->phase == GONE) return;
    if (c->phase != CONNECTING) { read_from(c); return; }
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) { errno = error; die("connect"); }
    c->phase = UPGRADING;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    send_all(c, c->first, c->first_len);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static unsigned quantile(double q) { return kept ? latencies[(size_t)(q * (double)(kept - 1) + 0.5)] : 0; }

static void report(void) {
    qsort(latencies, kept, sizeof *latencies, by_size);
    printf("{\"counted\": %llu, \"lost\": %llu, \"duplicates\": %llu, \"closed\": %llu, \"bytes\": %llu, "
           "\"p50\": %u, \"p95\": %u, \"p99\": %u, \"max\": %u}\n",
           (unsigned long long)counted, (unsigned long long)lost, (unsigned long long)duplicates,
           (unsigned long long)closed, (unsigned long long)bytes, quantile(0.5), quantile(0.95), quantile(0.99), quantile(1));
    fflush(stdout);
}

static void obey(void) {
    char line[64];
    ssize_t n = read(0, line, sizeof line - 1);
    if (n <= 0) exit(0);
    line[n] = 0;
    if (strstr(line, "report")) report();
    if (strstr(line, "reset")) {
        counted = lost = duplicates = closed = bytes = kept = 0;
        printf("{\"reset\": true}\n");
        fflush(stdout);
    }
}

static void load(const char *path) {
    FILE *plan = fopen(path, "rb");
    char source[64];
    size_t first, after;
    int setup, held_for = 0;
    if (!plan) die(path);
    while (fscanf(plan, "%63s %zu %zu %d", source, &first, &after, &setup) == 4) {
        struct client *c;
        if (total == held_for) {
            held_for = held_for ? held_for * 2 : 1024;
            clients = realloc(clients, (size_t)held_for * sizeof *clients);
        }
        c = &clients[total++];
        memset(c, 0, sizeof *c);
        memset(c->last, 0xFF, sizeof c->last);
        c->setup = setup;
        c->first_len = first;
        c->after_len = after;
        c->first = malloc(first + 1);
        c->after = malloc(after + 1);
        c->rest = malloc(1);
        if (!inet_aton(source, &c->source)) die(source);
        if (fgetc(plan) != '\n' || fread(c->first, 1, first, plan) != first || fread(c->after, 1, after, plan) != after)
            die("plan");
    }
    fclose(plan);
}

int main(int argc, char **argv) {
    struct epoll_event events[512], input = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    struct rlimit files;
    int i, n;
    if (argc != 5) { fprintf(stderr, "usage: sink HOST PORT PLAN WINDOW\n"); return 64; }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    if (!inet_aton(argv[1], &server.sin_addr)) die(argv[1]);
    load(argv[3]);
    window = atoi(argv[4]);
    epoll_fd = epoll_create1(0);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &input);
    begin_more();
    for (;;) {
        n = epoll_wait(epoll_fd, events, 512, -1);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (i = 0; i < n; i++) {
            if (events[i].data.u32 == UINT32_MAX) obey();
            else on_socket(&clients[events[i].data.u32]);
        }
    }
}
