/* The least that an arrival can cost: a timer, an epoll, a send and a receive, at an even rate.

   low_rate RATE SECONDS CORE SERVER_CORE prints the CPU time of an arrival in microseconds, of the thread on CORE alone.
   A thread on SERVER_CORE sends back what it gets. A core of -1 is any core. */

#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000L
#define MESSAGE_BYTES 40

static int listener, server_core;

static void keep_to(int core)
{
    cpu_set_t set;
    if (core < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void *serve(void *nothing)
{
    char data[256];
    int one = 1, client;
    ssize_t size;
    keep_to(server_core);
    client = accept(listener, NULL, NULL);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while ((size = recv(client, data, sizeof data, 0)) > 0)
        if (send(client, data, size, MSG_NOSIGNAL) < 0)
            break;
    return nothing;
}

int main(int count, char **arguments)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec alarm = {0};
    char data[256];
    pthread_t server;
    int one = 1, client, epoll, timer;
    long interval, end, due, began, arrivals = 0;
    if (count != 5) {
        fprintf(stderr, "usage: low_rate RATE SECONDS CORE SERVER_CORE\n");
        return 2;
    }
    interval = NS_PER_S / atol(arguments[1]);
    server_core = atoi(arguments[4]);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &length) || pthread_create(&server, NULL, serve, NULL)) {
        perror("low_rate");
        return 1;
    }
    keep_to(atoi(arguments[3]));
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&address, length)) {
        perror("low_rate");
        return 1;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
    memset(data, 'x', sizeof data);
    due = now(CLOCK_MONOTONIC);
    end = due + (long)(atof(arguments[2]) * NS_PER_S);
    began = now(CLOCK_THREAD_CPUTIME_ID);
    while ((due += interval) < end) {
        alarm.it_value.tv_sec = due / NS_PER_S;
        alarm.it_value.tv_nsec = due % NS_PER_S;
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
        epoll_wait(epoll, &event, 1, -1);
        if (read(timer, data, 8) < 0 || send(client, data, MESSAGE_BYTES, 0) < 0)
            return 1;
        epoll_wait(epoll, &event, 1, -1);
        if (recv(client, data, sizeof data, 0) <= 0)
            return 1;
        arrivals++;
    }
    printf("%.1f\n", (now(CLOCK_THREAD_CPUTIME_ID) - began) / 1e3 / arrivals);
    return 0;
}
