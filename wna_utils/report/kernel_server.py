"""A process that has imported what notebooks use, and becomes a kernel, as a fork, for each who asks.

`python -P kernel_server.py N` serves at the listening Unix socket that it got as file descriptor N, as long as the
process lives that started it. Who connects sends a line of JSON: the kernel's `arguments`, the `environment` and the
`folder` that it works in. The answer is a line with the number of the kernel's process, which ends when the connection
does. It is run as a file, since nothing of this package may be imported before there is a kernel: what a module finds
out when it is imported, such as the time, is to be found out by each.
"""

import atexit
import json
import os
import socket
import sys
from importlib import import_module
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from threading import Thread

# Together they take a new process some seconds.
PRELOADED = ["torchvision", "pandas", "sklearn.linear_model", "seaborn", "nbformat", "ipykernel.kernelapp"]


class KernelServer(ForkingMixIn, UnixStreamServer):
    """Forks a process for each connection."""

    def __init__(self, listening: socket.socket):
        super().__init__(listening.getsockname(), Kernel, bind_and_activate=False)
        self.socket.close()
        self.socket, self.parent = listening, os.getppid()

    def service_actions(self) -> None:
        """Collect what has ended, and end with the process that started this one; called twice a second."""
        super().service_actions()
        if os.getppid() != self.parent:
            os._exit(0)


class Kernel(StreamRequestHandler):
    """The forked process: a kernel of Jupyter's."""

    def handle(self) -> None:
        """Be a kernel until it is told to stop, or who asked for it is gone."""
        from ipykernel.kernelapp import launch_new_instance

        wanted = json.loads(self.rfile.readline())
        self.server.socket.close()
        os.setsid()  # what kills a kernel kills the processes that it started, too
        os.chdir(wanted["folder"])
        os.environ.clear()
        os.environ.update(wanted["environment"])
        self.wfile.write(f"{os.getpid()}\n".encode())
        Thread(target=self._end_with_the_connection, daemon=True).start()
        try:
            launch_new_instance(wanted["arguments"])
        finally:
            atexit._run_exitfuncs()  # a forked process ends without

    def _end_with_the_connection(self) -> None:
        self.connection.recv(1)
        os._exit(1)


if __name__ == "__main__":
    server = KernelServer(socket.socket(fileno=int(sys.argv[1])))
    for name in PRELOADED:
        import_module(name)
    server.serve_forever()
