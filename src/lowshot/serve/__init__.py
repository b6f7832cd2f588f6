"""A gallery over HTTP: an API for programs, a page for people, and a client in Python."""
