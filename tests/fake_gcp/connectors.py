"""Serverless VPC Access, as far as its connectors are listed."""

from __future__ import annotations

import copy

from tests.fake_gcp.platform import Body, FakePlatform


class FakeConnectors(FakePlatform):
    """Its *connectors*, as the API answers them."""

    document = "vpcaccess.v1"
    service = "vpcaccess.googleapis.com"

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.connectors: list[Body] = []
        self.handlers = {"connectors.list": lambda _asked: {"connectors": copy.deepcopy(self.connectors)}}
