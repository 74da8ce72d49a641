"""Kernels that are forked from a `kernel_server`, and so start some seconds earlier than others."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from wna_utils.support import paths
from wna_utils.support.workers import WORKER

NAME = "wna-forked"  # of the provisioner
ADDRESS = "WNA_KERNEL_SERVER"  # environment variable by which workers find the server of the process that started them
SERVER = Path(__file__).with_name("kernel_server.py")
_lock = Lock()


def possible() -> bool:
    """Whether kernels can be forked: not on macOS, whose libraries do not bear it, nor with several threads each.

    Numerical libraries count their threads when they are imported, and those of the server have one.
    """
    return sys.platform == "linux" and os.environ.get("OMP_NUM_THREADS") == WORKER["OMP_NUM_THREADS"]


def declared() -> dict[str, object]:
    """What a kernel's specification has to say to have it forked; Jupyter is told, in this process, what that means."""
    where = EntryPoint(NAME, f"{__name__}:{ForkedProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.instance().provisioners[NAME] = where
    return {"kernel_provisioner": {"provisioner_name": NAME}}


class ForkedProvisioner(LocalProvisioner):
    """Has a kernel forked; to Jupyter, it is like one that this process has started."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Have a process forked that is the kernel which the command `cmd` would start."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        self.cwd = str(kwargs.get("cwd") or Path.cwd())
        self.process = ForkedProcess({"arguments": arguments, "environment": kwargs["env"], "folder": self.cwd})
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class ForkedProcess:
    """A process of the server's, with as much of the interface of `subprocess.Popen` as Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, wanted: dict[str, Any]):
        self._connection, self._ended = _connected(), False
        self._connection.sendall(json.dumps(wanted).encode() + b"\n")
        with self._connection.makefile() as answers:
            answer = answers.readline()
        if not answer:
            raise RuntimeError("the process that starts kernels has died, perhaps for lack of memory; run it again")
        self.pid = int(answer)

    def poll(self) -> int | None:
        """None while it runs; else 1, since how it ended is not known."""
        with contextlib.suppress(BlockingIOError):
            self._ended = self._ended or not self._connection.recv(1, socket.MSG_DONTWAIT)
        if not self._ended:
            return None
        self._connection.close()
        return 1

    def wait(self) -> int:
        """Wait for its end."""
        self._ended = self._ended or not self._connection.recv(1)
        self._connection.close()
        return 1

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def known_environment() -> dict[str, str]:
    """What makes Python read and write UTF-8, and draw figures inline with matplotlib's own settings."""
    import matplotlib.font_manager  # makes the list of fonts, if there is none yet: the kernel would say that it does

    return {
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONUTF8": "1",
    }


def start_server() -> None:
    """Start the server that forks the kernels of this process and of its workers, where one can and there is none."""
    with _lock:
        if ADDRESS in os.environ or sys.platform != "linux":
            return
        folder = TemporaryDirectory(dir="/tmp")  # a socket's address has 107 characters at most
        address = str(Path(folder.name) / "kernels")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(address)
            listening.listen()
            environment = os.environ | WORKER | known_environment() | {"PYTHONHASHSEED": "0"}
            command = [sys.executable, "-P", str(SERVER), str(listening.fileno())]  # -P: nothing beside it is imported
            how = {"pass_fds": [listening.fileno()], "stdin": subprocess.DEVNULL, "start_new_session": True}
            server = subprocess.Popen(command, env=environment, cwd=paths.ROOT, **how)
        os.environ[ADDRESS] = address
        atexit.register(_stop, server, folder)


def _stop(server: subprocess.Popen, folder: TemporaryDirectory) -> None:
    server.kill()
    server.wait()
    folder.cleanup()


def _connected() -> socket.socket:
    """A connection to the server that there is, or else to a new one."""
    start_server()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ[ADDRESS])
    except OSError:  # the process that started it is gone
        del os.environ[ADDRESS]
        start_server()
        connection.connect(os.environ[ADDRESS])
    return connection
