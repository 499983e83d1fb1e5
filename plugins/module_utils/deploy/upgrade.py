# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an upgrade, ``upgrade.json``: the image before, whether it ran, and whether the new one has worked."""

from __future__ import annotations

import collections.abc as c
import typing as t
from dataclasses import dataclass

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy


@dataclass(frozen=True)
class Upgrade:
    """The upgrade to *image* from *previous* (empty: a first deployment); *running*: whether it ran before."""

    image: str
    running: bool
    tried: bool
    previous: str


def current(left: Upgrade | None, image: str, container: c.Mapping[str, t.Any]) -> Upgrade:
    """Return the upgrade of the existing *container* to *image*.

    A record that an earlier run *left* holds until the image has been tried or another one is wanted.
    """
    if left and left.image == image and (not left.tried or container["image"] == image):
        return left
    previous = "" if container["image"] == image else str(container["image"])
    return Upgrade(image, bool(container["running"]), tried=False, previous=previous)


def taken_back(left: Upgrade | None, image: str, cause: str) -> bool:
    """Return whether to go back to the previous image after the first sign-in with *image* failed for *cause*."""
    of_image = cause in policy.CAUSES and policy.CAUSES[cause].of_image
    return bool(left and left.image == image and not left.tried and left.previous and of_image)
