#!/bin/sh
# Make an apt repository in the folder $1 with a stand-in of Google's Ops Agent for the suite of $2 (a Debian codename), signed by a new
# key, whose fingerprint goes to the folder's file fingerprint.
#
# The package has the names of the real one, which cannot be had for tests: its unit, which refuses to start where its own program
# refuses the configuration, and its configuration as a file of dpkg's (GoogleCloudPlatform/ops-agent: systemd, debian, Dockerfile).
# The program knows the top level of the configuration alone.
set -eu
repository=$1 suite=google-cloud-ops-agent-$2-2
architecture=$(dpkg --print-architecture)
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
mkdir -p "$repository/doc" "$repository/dists/$suite/main/binary-$architecture"
cd "$repository"

package=$GNUPGHOME/package
agent=$package/opt/google-cloud-ops-agent/libexec
mkdir -p "$package/DEBIAN" "$package/etc/google-cloud-ops-agent" "$package/usr/lib/systemd/system" "$agent"
cat >"$package/DEBIAN/control" <<EOF
Package: google-cloud-ops-agent
Version: 2.71.0~standin
Architecture: $architecture
Maintainer: nobody <nobody@example.org>
Depends: python3-yaml
Conflicts: stackdriver-agent, google-fluentd
Description: stand-in of Google's Ops Agent
EOF
echo /etc/google-cloud-ops-agent/config.yaml >"$package/DEBIAN/conffiles"
printf '# Enter custom agent configurations in this file.\nlogging: {}\nmetrics: {}\n' \
    >"$package/etc/google-cloud-ops-agent/config.yaml"
cat >"$package/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
systemctl daemon-reload
systemctl enable --now google-cloud-ops-agent.service
EOF
cat >"$package/DEBIAN/prerm" <<'EOF'
#!/bin/sh
systemctl disable --now google-cloud-ops-agent.service
EOF
cat >"$package/usr/lib/systemd/system/google-cloud-ops-agent.service" <<'EOF'
[Unit]
Description=Google Cloud Ops Agent

[Service]
Type=oneshot
ExecStartPre=/opt/google-cloud-ops-agent/libexec/google_cloud_ops_agent_engine -in /etc/google-cloud-ops-agent/config.yaml
ExecStart=/bin/true
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
EOF
cat >"$agent/google_cloud_ops_agent_engine" <<'EOF'
#!/usr/bin/python3
import os
import sys

import yaml

path = sys.argv[sys.argv.index("-in") + 1]
if os.path.exists(path):
    with open(path) as file:
        unknown = yaml.safe_load(file).keys() - {"combined", "logging", "metrics", "traces", "global"}
    if unknown:
        sys.exit(f"The agent config file is not valid. Detailed error: unknown field {sorted(unknown)}")
EOF
chmod 0755 "$package/DEBIAN/postinst" "$package/DEBIAN/prerm" "$agent/google_cloud_ops_agent_engine"
dpkg-deb --root-owner-group --build "$package" google-cloud-ops-agent.deb

# Google's file of keys has several.
for name in other pinned; do
    gpg --batch --quiet --passphrase '' --quick-generate-key "$name <$name@example.org>" rsa2048 sign never
done
gpg --armor --export >doc/apt-key.gpg
index=main/binary-$architecture/Packages
{
    dpkg-deb --field google-cloud-ops-agent.deb
    echo "Filename: google-cloud-ops-agent.deb"
    echo "Size: $(stat -c %s google-cloud-ops-agent.deb)"
    echo "SHA256: $(sha256sum <google-cloud-ops-agent.deb | cut -c -64)"
} >"dists/$suite/$index"
cd "dists/$suite"
{
    printf 'Suite: %s\nCodename: %s\nComponents: main\nArchitectures: %s\n' "$suite" "$suite" "$architecture"
    printf 'Date: %s\nSHA256:\n %s %s %s\n' "$(date -Ru)" "$(sha256sum <"$index" | cut -c -64)" "$(stat -c %s "$index")" "$index"
} | gpg --batch --local-user pinned --clearsign --output InRelease
gpg --with-colons --list-keys pinned | sed -n '/^fpr/{s/[^0-9A-F]//g;p;q}' >"$repository/fingerprint"
rm -r "$GNUPGHOME"
