# The C types of encoder.py, for `make compiled`.

cpdef bytes plain_message(name, argument)
