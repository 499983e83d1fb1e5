# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """The option that describes the desired files of the host."""

    DOCUMENTATION = r"""
options:
  files:
    description:
      - The files, in the order in which they are written. Missing directories above them are made (0755).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description:
          - V(present) is a file or link as the other options say, V(directory) a directory, V(absent)
            nothing, for a directory only when it is empty.
          - V(attributes) changes mode, owner and group of what is there, and does nothing where nothing is.
        type: str
        choices: [absent, attributes, directory, present]
        default: present
      content:
        description: The whole text of the file.
        type: str
      settings:
        description:
          - Keys of a file in which each line is a key and its value. Every other line stays as it is.
          - A new key is added behind the commented-out example of it, else at the end; an empty value removes a key.
        type: dict
      separator:
        description: What stands between a key and its value.
        type: str
        default: " "
      lines:
        description: Lines of a file of which every other line stays as it is.
        type: list
        elements: dict
        suboptions:
          match:
            description:
              - A Python regular expression, searched in each line.
              - The first line with a match is replaced, further ones are removed.
              - Where none matches, the line is added at the end.
            type: str
            required: true
          line:
            description: The line; without one, matching lines are removed.
            type: str
      target:
        description: Make it a symbolic link to this path.
        type: str
      optional:
        description: Edit O(files[].settings) or O(files[].lines) only where the file exists.
        type: bool
        default: false
      mode:
        description:
          - Permissions, as octal digits in quotes.
          - Defaults to V(0644) with O(files[].content) and for a new file, V(0755) for a new directory, else to what is
            found.
        type: str
      owner:
        description: Name or number of the owner; by default root with O(files[].content), else whoever it is.
        type: str
      group:
        description: Name or number of the group; by default root with O(files[].content), else whichever it is.
        type: str
      validate:
        description:
          - A command without a shell that succeeds only for a right text; V(%s) in it is a file with the new text.
          - It runs before anything is written, also in check mode. Without its program nothing is checked.
        type: str
      commands:
        description:
          - What makes a change of this file take effect, each a command line without a shell.
          - Runs when the file changed, after all files are written; a command that several files name runs once.
        type: list
        elements: str
        default: []
      retire:
        description: With O(originals), what M(ibops.gateway.host_originals) runs before it puts the old file back.
        type: list
        elements: str
        default: []
  originals:
    description:
      - A directory, for root only, in which the files are kept as they were before they were first written, for
        M(ibops.gateway.host_originals). By default they are not kept.
    type: path
"""
