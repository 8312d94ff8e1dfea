"""Owns what one small machine runs (`aws-lite`): parts by its memory, and the script that installs them at first boot.

Pure: an instance type goes in, text comes out. No secret is in the script; the platform makes its own on the machine.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from signalink_core.errors import ConfigurationError

SIZES: Final = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0, "large": 8.0}
"""GiB of the T family, the same in t2, t3, t3a and t4g; each step above `large` doubles."""
FAMILIES: Final = ("t2", "t3", "t3a", "t4g")
EVERYTHING: Final = ("postgres", "valkey", "kafka", "api", "relay", "gateway", "analytics", "notifications", "prober")
SMALL: Final = ("postgres", "valkey", "api", "gateway")
FOLDER: Final = "/srv/signalink"
SWAP_GIB: Final = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What a machine runs: `runs` by `way`, and what it is too small for, with the memory that would do."""

    way: Literal["systemd", "k3s"]
    runs: tuple[str, ...]
    missing: tuple[str, ...]
    enough_gib: int

    def said(self) -> str:
        """For the person who waits for it."""
        if not self.missing:
            return "every part runs"
        return f"{', '.join(self.runs)} run; {', '.join(self.missing)} do not: they need {self.enough_gib} GiB"


def memory_gib(instance: str) -> float:
    """GiB of a machine of the T family. ConfigurationError for any other: its figure is not in the name."""
    family, _, size = instance.partition(".")
    doubled = re.fullmatch(r"(\d*)xlarge", size)
    if family not in FAMILIES or (size not in SIZES and not doubled):
        raise ConfigurationError(
            f"The machine {instance} is not one of {', '.join(FAMILIES)}.*: how much memory it has is not known here.",
            next_step="choose a burstable machine such as t3.micro, t3.medium or t4g.large.",
        )
    return SIZES[size] if doubled is None else 16.0 * int(doubled[1] or 1)


def parts(gib: float) -> Parts:
    """1 GiB: those that people see; 4 GiB: all; 8 GiB: all, as pods of k3s. Less than 1 GiB is refused."""
    if gib < 1:
        raise ConfigurationError(
            f"A machine with {gib:g} GiB is too small.", next_step="choose one with 1 GiB or more, such as t3.micro."
        )
    if gib < 4:
        return Parts("systemd", SMALL, tuple(part for part in EVERYTHING if part not in SMALL), 4)
    return Parts("systemd" if gib < 8 else "k3s", EVERYTHING, (), 0)


@dataclass(frozen=True, slots=True)
class Boot:
    """What the script needs to know. `source`: https address of the repository; `revision`: a tag or commit of it."""

    parts: Parts
    source: str
    revision: str
    region: str
    domain: str
    zone: str
    email: str
    hours: int
    """The machine ends itself after so many."""


def user_data(boot: Boot) -> str:
    """The script of the first boot, for Ubuntu: safe to run again."""
    install = _systemd(boot) if boot.parts.way == "systemd" else _k3s(boot)
    sections = [_HEAD, _end(boot.hours), _fetch(boot), install, *([_https(boot)] if boot.domain else []), _tail(boot)]
    return "\n".join(sections)


_HEAD: Final = f"""#!/bin/bash
# Signalink on one machine. Made from the stack's settings: another setting makes another machine.
set -euo pipefail
exec > >(tee -a /var/log/signalink-boot.log) 2>&1
export DEBIAN_FRONTEND=noninteractive
if [ ! -f /swapfile ]; then
  fallocate -l {SWAP_GIB}G /swapfile && chmod 0600 /swapfile && mkswap /swapfile && swapon /swapfile
  echo '/swapfile none swap sw 0 0' >> /etc/fstab
fi
"""


def _end(hours: int) -> str:
    """Powering off ends the machine: its shutdown behaviour is terminate."""
    return f"""cat > /etc/systemd/system/signalink-end.service <<'UNIT'
[Unit]
Description=End this machine: its time is over
[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl poweroff
UNIT
cat > /etc/systemd/system/signalink-end.timer <<'UNIT'
[Unit]
Description=End this machine after {hours} hours
[Timer]
OnBootSec={hours}h
[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now signalink-end.timer
"""


def _fetch(boot: Boot) -> str:
    return f"""apt-get update -q
apt-get install -q -y --no-install-recommends git make python3-venv ca-certificates
id signalink >/dev/null 2>&1 || useradd --system --create-home --shell /usr/sbin/nologin signalink
if [ ! -d {FOLDER} ]; then
  install -d -o signalink -g signalink {FOLDER}
  runuser -u signalink -- git clone --quiet {boot.source} {FOLDER}
fi
runuser -u signalink -- git -C {FOLDER} checkout --quiet {boot.revision}
"""


def _systemd(boot: Boot) -> str:
    services = [part for part in boot.parts.runs if part not in ("postgres", "valkey", "kafka")]
    only = f" --only {','.join(services)}" if boot.parts.missing else ""
    return f"""runuser -u signalink -- make --no-print-directory -C {FOLDER} ui
cat > /etc/systemd/system/signalink.service <<'UNIT'
[Unit]
Description=Signalink
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
User=signalink
WorkingDirectory={FOLDER}
ExecStart={FOLDER}/.venv/bin/signalink up{only}{_addresses(boot)}
ExecStop={FOLDER}/.venv/bin/signalink down
TimeoutStartSec=900
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=no
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now signalink.service
"""


def _addresses(boot: Boot) -> str:
    """Settings by which services know the name that people use."""
    if not boot.domain:
        return ""
    values = {
        "API_URL": f"https://{boot.domain}",
        "GATEWAY_URL": f"wss://{boot.domain}/v1/socket",
        "WS_ORIGINS": f"https://{boot.domain}",
        "API_HOSTS": boot.domain,
        "GATEWAY_HOSTS": boot.domain,
    }
    return "".join(f" --set {key}={value}" for key, value in values.items())


def _k3s(boot: Boot) -> str:
    return f"""runuser -u signalink -- make --no-print-directory -C {FOLDER} setup
export INSTALL_K3S_EXEC='--disable traefik --secrets-encryption \
  --write-kubeconfig-mode 0640 --write-kubeconfig-group signalink'
curl -sfL https://get.k3s.io | sh -
snap install helm --classic
runuser -u signalink -- {FOLDER}/.venv/bin/signalink up --target existing --by helm \
  --kubeconfig /etc/rancher/k3s/k3s.yaml --context default
"""


def _https(boot: Boot) -> str:
    """TLS by a certificate of Let's Encrypt, proven in DNS: no port is open to the world for it."""
    contact = f"-m {boot.email}" if boot.email else "--register-unsafely-without-email"
    return f"""apt-get install -q -y --no-install-recommends nginx certbot python3-certbot-dns-route53
certbot certonly -n --agree-tos {contact} --dns-route53 -d {boot.domain} --deploy-hook 'systemctl reload nginx'
cat > /etc/nginx/sites-available/default <<'SITE'
server {{
  listen 443 ssl http2;
  server_name {boot.domain};
  ssl_certificate /etc/letsencrypt/live/{boot.domain}/fullchain.pem;
  ssl_certificate_key /etc/letsencrypt/live/{boot.domain}/privkey.pem;
  ssl_protocols TLSv1.2 TLSv1.3;
  add_header Strict-Transport-Security "max-age=31536000" always;
  proxy_http_version 1.1;
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto https;
  location = /v1/socket {{
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_read_timeout 120s;
    proxy_pass http://127.0.0.1:8001;
  }}
  location /v1/analytics {{ proxy_pass http://127.0.0.1:8003; }}
  location ~ ^/v1/(preferences|mutes|notifications|unsubscribe) {{ proxy_pass http://127.0.0.1:8004; }}
  location / {{ proxy_pass http://127.0.0.1:8000; }}
}}
SITE
nginx -t && systemctl reload-or-restart nginx
"""


def _tail(boot: Boot) -> str:
    return f"echo 'signalink: {boot.parts.said()}'\n"
