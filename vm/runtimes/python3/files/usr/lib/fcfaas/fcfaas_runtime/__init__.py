"""The runtime python3: serves a function's code over HTTP on $PORT.

Few modules are imported, and those late that not every function needs: a
start is mostly imports."""
