"""The commands of `bench`, a file for each."""
