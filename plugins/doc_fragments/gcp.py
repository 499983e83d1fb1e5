# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

# What the modules have in common, whichever of Google's APIs they ask.
PLACE = r"""
options:
  project:
    description: The id of the project. Defaults to the environment's C(GCP_PROJECT).
    type: str
    required: true
  region:
    description: The region of everything that is one region's, for example V(europe-west1).
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


class ModuleDocFragment:
    """Options of every module about Google Cloud."""

    PLACE = PLACE

    # The modules on Compute Engine.
    DOCUMENTATION = (
        PLACE
        + r"""
  api_endpoint:
    description:
      - Another address of the Compute Engine API, with C(/compute/v1/) at its end or without. Defaults to the
        environment's C(GCP_COMPUTE_ENDPOINT).
    type: str
requirements:
  - google-cloud-compute >= 1.56
"""
    )
