"""The real command in front of an account that refuses: two plain lines, whatever AWS answers."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

LAPSE = Path(__file__).parents[2] / "bin" / "lapse"
ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>canary</Message></Error>"
    "<RequestId>r</RequestId></ErrorResponse>"
)


@dataclass
class Account:
    """A server that answers each call with an error."""

    server: ThreadingHTTPServer
    code: str = ""

    def lapse(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command there."""
        environment: dict[str, str] = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **more,
        }
        return subprocess.run(  # noqa: S603 -- our own script
            [str(LAPSE), *words],
            env={n: e for n, e in environment.items() if e},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def account() -> Iterator[Account]:
    """One that refuses everything."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = ERROR.format(code=refusing.code).encode()
            self.send_response(400 if refusing.code == "ValidationError" else 403)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    refusing = Account(ThreadingHTTPServer(("127.0.0.1", 0), Refusing))
    thread = Thread(target=refusing.server.serve_forever, daemon=True)
    thread.start()
    yield refusing
    refusing.server.shutdown()
    refusing.server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("code", "what", "remedy"),
    [
        (
            "AccessDenied",
            "AWS does not permit DescribeStacks (AccessDenied).",
            "The credentials need cloudformation:DescribeStacks on the stack's resources.",
        ),
        ("ExpiredToken", "AWS does not take the credentials (ExpiredToken).", "Sign in again."),
        (
            "ValidationError",
            'There is no stack "lapse" in eu-west-1.',
            "Name it with --stack; the account and the region by AWS_PROFILE and AWS_DEFAULT_REGION.",
        ),
    ],
)
@pytest.mark.parametrize("command", [("holds",), ("preflight",), ("dead-letters",)])
def test_what_an_account_refuses_is_said_in_two_lines(
    account: Account, command: tuple[str], code: str, what: str, remedy: str
) -> None:
    """Permission, credentials, stack: by every command alike, and without AWS's own message."""
    account.code = code
    found = account.lapse(*command)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == f"lapse: {what}\n{remedy}\n"


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ({"AWS_DEFAULT_REGION": ""}, "No AWS region is named."),
        ({"AWS_ACCESS_KEY_ID": ""}, "There are no AWS credentials (NoCredentialsError)."),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "There are no AWS credentials (PartialCredentialsError)."),
        ({"AWS_PROFILE": "canary"}, "AWS_PROFILE names a profile that is not there."),
    ],
)
def test_what_is_not_set_is_said_before_anything_is_asked(
    account: Account, missing: dict[str, str], what: str
) -> None:
    """Region, credentials, profile."""
    found = account.lapse("holds", **missing)
    assert (found.returncode, found.stderr.splitlines()[0]) == (1, f"lapse: {what}")
    assert "canary" not in found.stderr
