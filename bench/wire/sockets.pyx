# The compiled form of sockets.py, which has the words for it: it does the same by the system's own calls.
#
# A call does not give up the interpreter lock: it lasts a microsecond or two, as long as to take the lock again.

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import os
from errno import EAGAIN, EINTR

cdef extern from *:
    """
    #include <errno.h>
    #include <stdlib.h>
    #include <string.h>
    #include <time.h>
    #include <sys/socket.h>
    #include <sys/types.h>
    #include <sys/uio.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #include <unistd.h>
    #endif
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    #ifndef SCM_TIMESTAMPING
    #define SCM_TIMESTAMPING 37
    #endif

    static long long bench_now_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long) now.tv_sec * 1000000000LL + now.tv_nsec;
    }

    static Py_ssize_t bench_receive(int descriptor, char *to, size_t size, long long *read_ns) {
        ssize_t received = recv(descriptor, to, size, MSG_DONTWAIT);
        int number = errno;
        *read_ns = bench_now_ns();
        return received < 0 ? -number : received;
    }

    static Py_ssize_t bench_receive_stamped(
        int descriptor, char *to, size_t size, long long *read_ns, long long *stamp_ns
    ) {
        union { char bytes[128]; struct cmsghdr aligned; } control;
        struct iovec piece;
        struct msghdr message;
        struct cmsghdr *part;
        struct timespec stamp;
        ssize_t received;
        int number;
        piece.iov_base = to;
        piece.iov_len = size;
        memset(&message, 0, sizeof message);
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        received = recvmsg(descriptor, &message, MSG_DONTWAIT);
        number = errno;
        *read_ns = bench_now_ns();
        *stamp_ns = 0;
        if (received < 0) return -number;
        for (part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
            if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPING
                && part->cmsg_len >= CMSG_LEN(sizeof stamp)) {
                memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
                *stamp_ns = (long long) stamp.tv_sec * 1000000000LL + stamp.tv_nsec;
            }
        }
        return received;
    }

    static Py_ssize_t bench_send(int descriptor, const char *from, size_t size, long long *sent_ns) {
        ssize_t sent;
        *sent_ns = bench_now_ns();
        sent = send(descriptor, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }

    #ifdef __linux__
    static int bench_poll_new(void) { int made = epoll_create1(EPOLL_CLOEXEC); return made < 0 ? -errno : made; }
    static int bench_poll_change(int poll, int how, int descriptor, unsigned events) {
        struct epoll_event event;
        static const int hows[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
        memset(&event, 0, sizeof event);
        event.events = events;
        event.data.fd = descriptor;
        return epoll_ctl(poll, hows[how], descriptor, &event) < 0 ? -errno : 0;
    }
    static void *bench_poll_room(int most) { return malloc(sizeof(struct epoll_event) * most); }
    static int bench_poll_find(int poll, void *found, int most) {
        int number = epoll_wait(poll, (struct epoll_event *) found, most, 0);
        return number < 0 ? 0 : number;
    }
    static int bench_poll_descriptor(void *found, int at) { return ((struct epoll_event *) found)[at].data.fd; }
    static int bench_poll_events(void *found, int at) { return (int) ((struct epoll_event *) found)[at].events; }
    static void bench_poll_close(int poll) { close(poll); }
    #else
    static int bench_poll_new(void) { return -ENOSYS; }
    static int bench_poll_change(int poll, int how, int descriptor, unsigned events) { return -ENOSYS; }
    static void *bench_poll_room(int most) { return NULL; }
    static int bench_poll_find(int poll, void *found, int most) { return 0; }
    static int bench_poll_descriptor(void *found, int at) { return -1; }
    static int bench_poll_events(void *found, int at) { return 0; }
    static void bench_poll_close(int poll) { }
    #endif
    """
    long long bench_now_ns() noexcept
    Py_ssize_t bench_receive(int descriptor, char *to, size_t size, long long *read_ns) noexcept
    Py_ssize_t bench_receive_stamped(
        int descriptor, char *to, size_t size, long long *read_ns, long long *stamp_ns
    ) noexcept
    Py_ssize_t bench_send(int descriptor, const char *source, size_t size, long long *sent_ns) noexcept
    int bench_poll_new() noexcept
    int bench_poll_change(int poll, int how, int descriptor, unsigned events) noexcept
    void *bench_poll_room(int most) noexcept
    int bench_poll_find(int poll, void *found, int most) noexcept
    int bench_poll_descriptor(void *found, int at) noexcept
    int bench_poll_events(void *found, int at) noexcept
    void bench_poll_close(int poll) noexcept

READABLE, WRITABLE, BROKEN, HUNG_UP, ENDED = 0x01, 0x04, 0x08, 0x10, 0x2000

cdef int _ADD = 0, _MODIFY = 1, _REMOVE = 2


cdef class Buffer:
    """The memory that is read into, and when that was; see sockets.py."""

    def __init__(self, size):
        self.size = size
        self.data = bytearray(size)
        self._memory = PyByteArray_AS_STRING(self.data)

    cpdef note_time(self):
        """Take note of now, as if there had been a read."""
        self.read_ns = bench_now_ns()

    cpdef bytes cut(self, Py_ssize_t begin, Py_ssize_t end):
        """Return the bytes between these places."""
        if begin < 0 or end < begin or end > self.size:
            raise IndexError("no part of the buffer")
        return PyBytes_FromStringAndSize(self._memory + begin, end - begin)

    cpdef put(self, bytes data, Py_ssize_t at):
        """Write bytes to this place. They must fit in."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if at < 0 or at + size > self.size:
            raise ValueError("it does not fit in")
        memcpy(self._memory + at, PyBytes_AS_STRING(data), size)


cdef class Channel:
    """A connected socket that does not block; see sockets.py."""

    def __init__(self):
        self.descriptor = -1

    cpdef take(self, connection, bint is_stamped):
        """Have this socket from now on."""
        self._socket = connection
        self.descriptor = connection.fileno()
        self.is_stamped = is_stamped

    cpdef ready(self, int events):
        """Read and write what can be."""

    cpdef Py_ssize_t receive(self, Buffer buffer, Py_ssize_t at) except? -1:
        """Read once into the buffer; see sockets.py."""
        if at < 0 or at >= buffer.size:
            raise ValueError("no room in the buffer")
        if self.is_stamped:
            return bench_receive_stamped(
                self.descriptor, buffer._memory + at, buffer.size - at, &buffer.read_ns, &buffer.stamp_ns
            )
        return bench_receive(self.descriptor, buffer._memory + at, buffer.size - at, &buffer.read_ns)

    cpdef Py_ssize_t send_now(self, bytes data) except? -1:
        """Send as much as the system takes; see sockets.py."""
        return bench_send(self.descriptor, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &self.sent_ns)

    cpdef release(self):
        """Close the socket."""
        connection, self._socket = self._socket, None
        self.descriptor = -1
        if connection is not None:
            connection.close()


def is_for_later(code):
    """Return whether what `receive` or `send_now` returned says only that nothing can be done now."""
    return code == -EAGAIN or code == -EINTR


cdef class ReadySet:
    """The channels that are watched, and those that are ready; see sockets.py."""

    def __cinit__(self):
        self._descriptor = -1

    def __init__(self):
        self._descriptor = bench_poll_new()
        if self._descriptor < 0:
            raise OSError(-self._descriptor, os.strerror(-self._descriptor))

    def __dealloc__(self):
        if self._descriptor >= 0:
            bench_poll_close(self._descriptor)
        free(self._found)

    def fileno(self):
        """Return a descriptor that can be read when a channel is ready."""
        return self._descriptor

    def add(self, int descriptor, int events):
        """Watch for these events of a descriptor from now on."""
        self._change(_ADD, descriptor, events)

    def change(self, int descriptor, int events):
        """Watch for other events of it."""
        self._change(_MODIFY, descriptor, events)

    def remove(self, int descriptor):
        """Watch it no longer. Call it before the descriptor is closed."""
        self._change(_REMOVE, descriptor, 0)

    def _change(self, int how, int descriptor, int events):
        code = bench_poll_change(self._descriptor, how, descriptor, events)
        if code < 0:
            raise OSError(-code, os.strerror(-code))

    cpdef int handle(self, list channels, Buffer buffer, int most) except -1:
        """Call `ready` of the channels that are ready; see sockets.py."""
        cdef int number, found
        cdef Channel channel
        if most > self._room:
            free(self._found)
            self._room = 0
            self._found = bench_poll_room(most)
            if self._found == NULL:
                raise MemoryError()
            self._room = most
        found = bench_poll_find(self._descriptor, self._found, most)
        buffer.read_ns = bench_now_ns()
        for number in range(found):
            channel = channels[bench_poll_descriptor(self._found, number)]
            if channel is not None:  # its own doing, or another's, has ended it meanwhile
                channel.ready(bench_poll_events(self._found, number))
        return found

    def close(self):
        """Watch nothing any more."""
        if self._descriptor >= 0:
            bench_poll_close(self._descriptor)
            self._descriptor = -1
