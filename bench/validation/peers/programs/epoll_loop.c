/* What the peer `epoll` runs: the least that a round trip can cost in a generator of one thread.
 *
 *     epoll_loop ADDRESS PORT CONNECTIONS
 *
 * Until SIGTERM; then one line of JSON. Per round trip one read, one write, two looks at the clock. A frame is made
 * once per connection, with a mask of zeros, and only the digits of its token change; a reply has to carry that token.
 * With PERIOD_US, a connection sends no earlier than so many microseconds after it sent last.
 * If RECORDS names a file, it gets a line for each round trip: the token, and when it was sent and received in ns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 4096, DIGITS = 10, SLOWEST_US = 1000000,
       LONGEST_WAIT_NS = 100000000 };

struct connection {
    int socket;
    int waits; /* for its period to end */
    int64_t sent_ns;
    size_t length;
    char *digits;   /* of the token, in the frame */
    char token[32];
    char frame[128];
};

struct record {
    char token[32];
    int64_t sent_ns, received_ns;
};

static volatile sig_atomic_t stopped;
static struct record *records; /* NULL: none are kept */
static size_t recorded, room;
static uint32_t histogram[SLOWEST_US + 1]; /* of microseconds; the last is for all that is slower */

static void stop(int number) { (void)number; stopped = 1; }

static void fail(const char *what)
{
    fprintf(stderr, "epoll_loop: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void send_whole(int socket, const char *bytes, size_t length)
{
    if (write(socket, bytes, length) != (ssize_t)length)
        fail("write");
}

/* Read until `end` has arrived, into a buffer of BUFFER bytes. */
static void await(int socket, const char *end, char *buffer)
{
    size_t have = 0;
    do {
        ssize_t got = read(socket, buffer + have, BUFFER - have - 1);
        if (got <= 0)
            fail("the handshake was not answered");
        have += (size_t)got;
        buffer[have] = '\0';
    } while (!memmem(buffer, have, end, strlen(end)));
}

static void join(struct connection *connection, const struct sockaddr_in *address, int number)
{
    static const char upgrade[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    static const char connect_packet[] = {(char)0x81, (char)0x82, 0, 0, 0, 0, '4', '0'};
    /* what RFC 6455 (section 1.3) has the server answer to that key */
    static const char accepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    char answer[BUFFER];
    int yes = 1;
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->socket < 0 || connect(connection->socket, (const struct sockaddr *)address, sizeof *address))
        fail("connect");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    send_whole(connection->socket, upgrade, sizeof upgrade - 1);
    await(connection->socket, "\"maxPayload\"", answer);
    if (strncmp(answer, "HTTP/1.1 101 ", 13) || !strstr(answer, accepted)) {
        errno = 0;
        fail("the handshake was not accepted");
    }
    send_whole(connection->socket, connect_packet, sizeof connect_packet);
    await(connection->socket, "40{", answer);

    char *text = connection->frame + 6;
    int head = snprintf(connection->token, sizeof connection->token, "rt-c-%d-", number);
    memset(connection->token + head, '0', DIGITS);
    int length = snprintf(text, sizeof connection->frame - 6, "42[\"FOO\",{\"name\":\"%s\",\"to\":\"sender\"}]",
                          connection->token);
    connection->digits = strstr(text, connection->token) + head;
    connection->frame[0] = (char)0x81;
    connection->frame[1] = (char)(0x80 | length);
    connection->length = (size_t)length + 6;
}

static void emit(struct connection *connection)
{
    char *digit = connection->digits + DIGITS - 1;
    while (*digit == '9')
        *digit-- = '0';
    ++*digit;
    connection->sent_ns = now_ns();
    send_whole(connection->socket, connection->frame, connection->length);
}

/* Emit on each connection whose period is over; return the time in ns until the next is, -1 if none waits. */
static int64_t emit_due(struct connection *all, int connections, int64_t period_ns)
{
    int64_t next_ns = -1, now = now_ns();
    for (int number = 0; number < connections; number++) {
        struct connection *connection = &all[number];
        if (!connection->waits)
            continue;
        int64_t left_ns = connection->sent_ns + period_ns - now;
        if (left_ns <= 0) {
            connection->waits = 0;
            emit(connection);
        } else if (next_ns < 0 || left_ns < next_ns) {
            next_ns = left_ns;
        }
    }
    return next_ns;
}

static void record(const struct connection *connection, int64_t received_ns)
{
    if (recorded == room) {
        room *= 2;
        records = realloc(records, room * sizeof *records);
        if (!records)
            fail("records");
    }
    struct record *new = &records[recorded++];
    size_t token = strlen(connection->token);
    memcpy(new->token, connection->digits + DIGITS - token, token);
    new->token[token] = '\0';
    new->sent_ns = connection->sent_ns;
    new->received_ns = received_ns;
}

static void write_records(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        fail("records");
    for (size_t index = 0; index < recorded; index++)
        fprintf(file, "%s %lld %lld\n", records[index].token, (long long)records[index].sent_ns,
                (long long)records[index].received_ns);
    if (fclose(file))
        fail("records");
}

/* A message that is no reply: a ping is answered. */
static void receive_other(struct connection *connection, const char *bytes, ssize_t length)
{
    static const char pong[] = {(char)0x81, (char)0x81, 0, 0, 0, 0, '3'};
    if (memmem(bytes, (size_t)length, "\x81\x01" "2", 3))
        send_whole(connection->socket, pong, sizeof pong);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: epoll_loop ADDRESS PORT CONNECTIONS\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    if (inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1)
        fail("no IPv4 address");
    int connections = atoi(arguments[3]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, stop);
    const char *path = getenv("RECORDS"), *period = getenv("PERIOD_US");
    int64_t period_ns = period ? (int64_t)(atof(period) * 1000) : 0;
    if (path) {
        room = 1 << 16;
        records = malloc(room * sizeof *records);
    }

    int poll = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (poll < 0 || !all)
        fail("start");
    for (int number = 0; number < connections; number++) {
        join(&all[number], &address, number);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[number]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[number].socket, &event))
            fail("epoll_ctl");
    }
    for (int number = 0; number < connections; number++)
        emit(&all[number]);

    uint64_t round_trips = 0;
    struct epoll_event events[EVENTS];
    char buffer[BUFFER];
    while (!stopped) {
        int64_t next_ns = period_ns ? emit_due(all, connections, period_ns) : -1;
        struct timespec wait = {0, next_ns < 0 || next_ns > LONGEST_WAIT_NS ? LONGEST_WAIT_NS : (long)next_ns};
        int ready = next_ns < 0 ? epoll_wait(poll, events, EVENTS, LONGEST_WAIT_NS / 1000000)
                                : epoll_pwait2(poll, events, EVENTS, &wait, NULL);
        for (int index = 0; index < ready; index++) {
            struct connection *connection = events[index].data.ptr;
            ssize_t got = read(connection->socket, buffer, sizeof buffer);
            if (got <= 0)
                fail("the server closed a connection");
            /* the token ends with the last digit that changed, which no other emission of this connection has */
            size_t token = (size_t)(strchr(connection->token, '\0') - connection->token);
            if (!memmem(buffer, (size_t)got, connection->digits + DIGITS - token, token)) {
                receive_other(connection, buffer, got);
                continue;
            }
            int64_t received_ns = now_ns();
            int64_t took_us = (received_ns - connection->sent_ns) / 1000;
            if (records)
                record(connection, received_ns);
            histogram[took_us < SLOWEST_US ? took_us : SLOWEST_US]++;
            round_trips++;
            if (got > 2 && (unsigned char)buffer[1] + 2 < got) /* a ping came with it */
                receive_other(connection, buffer, got);
            if (period_ns && received_ns < connection->sent_ns + period_ns)
                connection->waits = 1;
            else
                emit(connection);
        }
    }

    if (path)
        write_records(path);
    uint64_t seen = 0;
    int p50 = -1, p99 = -1;
    for (int us = 0; us <= SLOWEST_US; us++) {
        seen += histogram[us];
        if (p50 < 0 && seen * 2 >= round_trips)
            p50 = us;
        if (p99 < 0 && seen * 100 >= round_trips * 99)
            p99 = us;
    }
    printf("\n{\"round_trips\": %llu, \"p50_us\": %d, \"p99_us\": %d}\n", (unsigned long long)round_trips, p50, p99);
    return 0;
}
