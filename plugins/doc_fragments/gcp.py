# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of every module for Google Cloud, and more for Compute Engine."""

    DOCUMENTATION = r"""
options:
  project:
    description: The id of the project. Defaults to the environment's C(GCP_PROJECT).
    type: str
    required: true
  access_token:
    description:
      - An OAuth 2 access token. Defaults to the environment's C(GCP_ACCESS_TOKEN).
      - Without it and O(credentials_file) the application default credentials are used.
    type: str
  credentials_file:
    description: The JSON file of a service account's key. Defaults to the environment's C(GCP_SERVICE_ACCOUNT_FILE).
    type: path
  timeout:
    description: How long the module may take for everything, in seconds.
    type: float
    default: 600
"""

    REGION = r"""
options:
  region:
    description: The region of everything that is one region's, for example V(europe-west1).
    type: str
    required: true
"""

    COMPUTE = r"""
requirements:
  - google-cloud-compute >= 1.56
options:
  api_endpoint:
    description:
      - Another address of the Compute Engine API, with C(/compute/v1/) at its end or without. Defaults to the
        environment's C(GCP_COMPUTE_ENDPOINT).
    type: str
"""
