# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find credentials."""

from __future__ import annotations

import importlib
import typing as t

from .errors import GcpError, printable

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def find(access_token: str | None, file: str | None) -> t.Any:
    """Credentials from an access token, else a service account's file, else as Google's libraries find them.

    GcpError, with the kinds that were tried, if there are none.
    """
    if access_token:
        return importlib.import_module("google.oauth2.credentials").Credentials(access_token)
    if file:
        return _from_file(file)
    auth = importlib.import_module("google.auth")
    try:
        found, _project = auth.default(scopes=SCOPES)
    except auth.exceptions.DefaultCredentialsError as error:
        raise GcpError(
            "No credentials for Google Cloud. Tried: option access_token (environment GCP_ACCESS_TOKEN), option "
            "credentials_file (environment GCP_SERVICE_ACCOUNT_FILE), environment GOOGLE_APPLICATION_CREDENTIALS, "
            f"gcloud's application default credentials, this machine's metadata server. Google's library says: "
            f"{printable(str(error))} Set one of them, or run `gcloud auth application-default login`."
        ) from error
    return found


def token(access_token: str | None, file: str | None) -> str:
    """An access token for these credentials; GcpError if there are none, or Google grants none."""
    if access_token:
        return access_token
    found = find(None, file)
    auth = importlib.import_module("google.auth")
    try:
        found.refresh(importlib.import_module("google.auth.transport.requests").Request())
    except auth.exceptions.GoogleAuthError as error:
        said = printable(str(error))
        raise GcpError(f"Google gives no access for these credentials: {said}. Renew them and run again.") from error
    return str(found.token)


def _from_file(path: str) -> t.Any:
    accounts = importlib.import_module("google.oauth2.service_account")
    try:
        return accounts.Credentials.from_service_account_file(path, scopes=SCOPES)
    except (OSError, ValueError) as error:
        raise GcpError(
            f"credentials_file is {path!r}: {printable(str(error))}. Name the JSON file of a service account's key."
        ) from error
