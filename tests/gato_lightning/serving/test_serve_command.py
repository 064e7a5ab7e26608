"""The command, and what docs/serving.md shows of it."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from run import main

PAGE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def serve_and(client: Callable[[], None], port: int, *args: str) -> None:
    """Runs the command, a client of it in a thread, and then stops the command by SIGTERM."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)
            client()
        except BaseException as error:
            failures.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=run)
    thread.start()
    main(["serve", "--port", str(port), *args])
    thread.join(10)
    if failures:
        raise failures[0]


def test_the_client_of_the_page_balances_a_pole(capsys):
    pytest.importorskip("openpi_client", reason="openpi-client asks for an older numpy; see docs/serving.md")
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert "port=8000" in block
    port = free_port()
    serve_and(lambda: exec(block.replace("port=8000", f"port={port}"), {}), port, "--task", "cartpole")
    printed = capsys.readouterr().out
    assert "gato-small listens at ws://127.0.0.1:" in printed
    assert float(printed.split()[-1]) > 100


def test_a_client_with_the_token_is_let_in(tmp_path):
    policy = pytest.importorskip("openpi_client.websocket_client_policy", reason="openpi-client asks for an older numpy")
    (tmp_path / "token").write_text("open sesame\n")
    port = free_port()

    def client() -> None:
        client = policy.WebsocketClientPolicy("127.0.0.1", port, api_key="open sesame")
        assert client.get_server_metadata()["task"] is None

    serve_and(client, port, "--token_file", str(tmp_path / "token"))


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--task", "cartpool"], "unknown task 'cartpool'; did you mean cartpole?"),
        (["--pretrained", "gato-smal"], "did you mean gato-small?"),
        (["--port", "70000"], "ServerSettings.port: 70000"),
        (["--temperature", "-1"], "ActingSettings.temperature: -1"),
        (["--token_file", "nowhere"], "nowhere: cannot be read as a token"),
    ],
    ids=range(5),
)
def test_mistakes_are_told(args, why, capsys):
    with pytest.raises(SystemExit):
        main(["serve", *args])
    assert why in capsys.readouterr().err
