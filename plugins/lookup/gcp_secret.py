# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: gcp_secret
short_description: A secret of Google's Secret Manager
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Returns what a version of a secret holds, as text, after its checksum (CRC32C) was compared.
  - The text is what the secret holds, a newline at its end too. A gateway's password must not have one;
    C(printf %s … | gcloud secrets versions add NAME --data-file=-) adds none.
  - It passes through the control node, and role P(ibops.gateway.gateway#role) shows it nowhere.
requirements:
  - google-auth >= 2.40
options:
  _terms:
    description: Names of secrets, V(NAME), V(projects/PROJECT/secrets/NAME) or that with C(/versions/VERSION).
    type: list
    elements: str
    required: true
  project:
    description: The project of secrets that are named without one.
    type: str
    env: [{name: GCP_PROJECT}]
  version:
    description: The version of secrets that are named without one, a number, an alias or V(latest).
    type: str
    default: latest
  access_token:
    description:
      - An OAuth 2 access token.
      - Without it and O(credentials_file) the application default credentials are used.
    type: str
    env: [{name: GCP_ACCESS_TOKEN}]
  credentials_file:
    description: The JSON file of a service account's key.
    type: path
    env: [{name: GCP_SERVICE_ACCOUNT_FILE}]
  api_endpoint:
    description: Another address of the Secret Manager API, for example a region's.
    type: str
    default: https://secretmanager.googleapis.com
    env: [{name: GCP_SECRET_MANAGER_ENDPOINT}]
  timeout:
    description: Seconds for a secret in all. Transient errors are tried four times.
    type: float
    default: 10
"""

EXAMPLES = r"""
# examples/gcp/group_vars/live.yml
gateway_user: "{{ lookup('ibops.gateway.gcp_secret', 'ibkr-live-user', project='my-project') }}"
# The version that was tested, and not the one that somebody adds next.
gateway_password: >-
  {{ lookup('ibops.gateway.gcp_secret', 'projects/my-project/secrets/ibkr-live-password/versions/3') }}
"""

RETURN = r"""
_raw:
  description: The secrets' texts, in the order of their names.
  type: list
  elements: str
"""

import http.client
import typing as t
import urllib.error

from ansible.errors import AnsibleLookupError
from ansible.module_utils.urls import open_url
from ansible.plugins.lookup import LookupBase

from ansible_collections.ibops.gateway.plugins.module_utils.agent import bounded_http
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import secret_manager
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError


def fetch(url: str, headers: dict[str, str], timeout: float) -> tuple[int, bytes]:
    """Open a URL as Ansible does, through its proxy; OSError without an answer within *timeout* seconds."""

    def open_and_read() -> tuple[int, bytes]:
        try:
            with open_url(url, headers=headers, timeout=timeout) as reply:
                return reply.status, reply.read(bounded_http.MAX_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(bounded_http.MAX_BYTES)
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error

    return bounded_http.within(timeout, open_and_read)


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        project, version = self.get_option("project"), self.get_option("version")
        try:
            names = [secret_manager.resource(term, project, version) for term in terms]
            token = self._token()
            return [self._text(name, token) for name in names]
        except (GcpError, secret_manager.SecretError) as error:
            raise AnsibleLookupError(str(error)) from error

    def _token(self) -> str:
        given, seconds = (
            (self.get_option("access_token"), self.get_option("credentials_file")),
            self.get_option("timeout"),
        )
        try:
            return bounded_http.within(seconds, lambda: credentials.token(*given))
        except TimeoutError as error:
            raise GcpError(f"Google gives no access token: {error}. Check the network and the credentials.") from error

    def _text(self, name: str, token: str) -> str:
        data = secret_manager.access(name, token, fetch, self.get_option("api_endpoint"), self.get_option("timeout"))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise secret_manager.SecretError(f"{name}: holds no text (UTF-8): is it the right secret?") from None
