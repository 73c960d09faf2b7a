# The C types of decoder.py, for `make compiled`.

cpdef list plain_event(bytes message)
cpdef tuple plain_ack(bytes message)
