"""The commands of `bench`, a file for each.

A module that has a function of its own name is a command of that name: nothing else lists it.
"""
