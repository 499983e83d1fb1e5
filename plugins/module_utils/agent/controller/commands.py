# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's command channel: a text protocol on the container's loopback, reached from inside the container.

The port is never published: it has no authentication. The image has no netcat, so bash opens the connection.
"""

from __future__ import annotations

from ..engine.client import Engine, LateError, TooLongError
from ..text import printable

REPLY_SECONDS = 5
# Seconds for the whole conversation: the limit inside the container, and the further wait outside.
KILL_SECONDS, TALK_SECONDS = REPLY_SECONDS + 2, REPLY_SECONDS + 5
MAX_REPLY, MAX_LINES = 1 << 16, 50
_UNDER_WAY = "already in progress"
_NO_SERVER = 7
# One deadline for all lines. read reports its time-out by a status above 128, the connection's end by 1.
_TALK = """
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
printf '%s\\r\\n' "$4" >&3
end=$((SECONDS + $2)) lines=$3
while ((lines-- > 0 && SECONDS < end)); do
  IFS= read -r -n 1000 -t $((end - SECONDS)) line <&3 || exit $(($? > 128 ? 0 : 7))
  printf '%s\\n' "$line"
  case "$line" in ERR*) exit ;; esac
done
"""


class ChannelError(Exception):
    """The command was not carried out; the message says why."""


class NoServerError(ChannelError):
    """Nothing listens for commands in the container (yet, or again)."""


class UnderWayError(ChannelError):
    """The controller is already carrying out this command for somebody else."""


def send(engine: Engine, container: str, port: int, command: str, title: str = "IBC") -> list[str]:
    """Send *command* to the controller *title* and return its replies (``OK …`` each); TALK_SECONDS at most, whatever
    comes.

    Raises NoServerError when nothing listens or it hangs up without a reply, UnderWayError when it is at it already,
    ChannelError for any other error (IBC's begin with ``ERROR``, ibg-controller's with ``ERR``) and for no reply in
    time; EngineError from the engine.
    """
    talk = ["bash", "-c", _TALK, "bash", str(port), str(REPLY_SECONDS), str(MAX_LINES), command]
    try:
        # Kill a connect that hangs, or a bash that has been replaced.
        code, output = engine.execute(
            container, ["timeout", "-k", "1", str(KILL_SECONDS), *talk], TALK_SECONDS, MAX_REPLY
        )
    except LateError as error:
        raise ChannelError(f"{title} did not answer {command} within {TALK_SECONDS} s") from error
    except TooLongError as error:
        raise ChannelError(f"{title} answered {command} without an end") from error
    said = (line.strip() for line in output.splitlines())
    replies = [printable(line) for line in said if line.startswith(("OK", "ERR"))]
    refusal = next((reply for reply in replies if reply.startswith("ERR")), None)
    if refusal is not None:
        kind = UnderWayError if _UNDER_WAY in refusal else ChannelError
        raise kind(f"{title} answered {command} with: {refusal}")
    if replies:
        return replies
    if code == _NO_SERVER:
        raise NoServerError(
            f"nothing answers on 127.0.0.1:{port} in container {container}: {title} is not up, does not take commands "
            "from there, or its CommandServerPort is another one"
        )
    raise ChannelError(f"{title} did not answer {command} within {REPLY_SECONDS} s")
