/* The floor of the fan-out benchmark: the least that any server must do, a loop of send() over the same sockets.
 *
 * Usage: floor PORT CONNECTIONS PAYLOAD. PAYLOAD is a file: a text with one "@CCCC:KKKKKKKK:NNNNNNNNNNNNNNNNNNNN@".
 * Answers each connection's request by a bare 101. Then obeys lines on stdin:
 *   run FIRST TICKS INTERVAL_NS JOINED -> numbers FIRST.., one send() of JOINED frames per socket and tick, at absolute
 *   times; prints {"done": frames sent}. Frames of one send() carry channels 0..JOINED-1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STAMP "%04d:%08ld:%020llu"

static int *sockets, total;
static unsigned char *frame;
static size_t frame_size, stamp_at;

static void die(const char *what) { perror(what); exit(1); }

static void load(const char *path) {
    static unsigned char text[65536];
    FILE *file = fopen(path, "rb");
    size_t size, head;
    unsigned char *stamp;
    if (!file) die(path);
    size = fread(text, 1, 65000, file);
    fclose(file);
    stamp = memchr(text, '@', size);
    if (!stamp || size > 65000) die("payload");
    head = size < 126 ? 2 : 4;
    frame_size = head + size;
    frame = malloc(frame_size);
    frame[0] = 0x81;
    frame[1] = (unsigned char)(size < 126 ? size : 126);
    if (head == 4) { frame[2] = (unsigned char)(size >> 8); frame[3] = (unsigned char)size; }
    memcpy(frame + head, text, size);
    stamp_at = head + (size_t)(stamp - text) + 1;
}

static void accept_all(uint16_t port) {
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, i, entry = socket(AF_INET, SOCK_STREAM, 0);
    char request[4096];
    setsockopt(entry, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(entry, (struct sockaddr *)&here, sizeof here) || listen(entry, 2048)) die("bind");
    printf("{\"listening\": %d}\n", port);
    fflush(stdout);
    for (i = 0; i < total; i++) {
        sockets[i] = accept(entry, NULL, NULL);
        if (sockets[i] < 0) die("accept");
        setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (recv(sockets[i], request, sizeof request, 0) <= 0) die("recv");
        if (send(sockets[i], answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) die("send");
    }
    close(entry);
}

static void stamp(unsigned char *at, int channel, long number, uint64_t when) {
    char text[64];
    snprintf(text, sizeof text, STAMP, channel, number, (unsigned long long)when);
    memcpy(at, text, 34);
}

static void run(long first, long ticks, long interval, int joined) {
    size_t size = frame_size * (size_t)joined;
    unsigned char *data = malloc(size);
    struct timespec due;
    long tick;
    int i, channel;
    for (channel = 0; channel < joined; channel++) memcpy(data + frame_size * (size_t)channel, frame, frame_size);
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (tick = 0; tick < ticks; tick++) {
        uint64_t when = (uint64_t)due.tv_sec * 1000000000u + (uint64_t)due.tv_nsec;
        for (channel = 0; channel < joined; channel++)
            stamp(data + frame_size * (size_t)channel + stamp_at, channel, first + tick, when);
        for (i = 0; i < total; i++)
            if (send(sockets[i], data, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
        due.tv_nsec += interval;
        while (due.tv_nsec >= 1000000000) { due.tv_nsec -= 1000000000; due.tv_sec++; }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) continue;
    }
    printf("{\"done\": %ld}\n", ticks * total * joined);
    fflush(stdout);
    free(data);
}

int main(int argc, char **argv) {
    char line[256];
    long first, ticks, interval;
    int joined;
    if (argc != 4) { fprintf(stderr, "usage: floor PORT CONNECTIONS PAYLOAD\n"); return 64; }
    total = atoi(argv[2]);
    sockets = calloc((size_t)total, sizeof *sockets);
    load(argv[3]);
    accept_all((uint16_t)atoi(argv[1]));
    while (fgets(line, sizeof line, stdin))
        if (sscanf(line, "run %ld %ld %ld %d", &first, &ticks, &interval, &joined) == 4) run(first, ticks, interval, joined);
    return 0;
}
