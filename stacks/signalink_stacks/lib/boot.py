"""Owns the script of the first boot of one small machine (`aws-lite`): what cloud-init runs as root on Ubuntu. Pure.

Settings go in, text comes out; it may run again. No secret is in it: the platform makes its own on the machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signalink_stacks.lib import cidrs
from signalink_stacks.lib.machine import Parts

FOLDER: Final = "/srv/signalink"
SWAP_GIB: Final = 2
PULL_SECRET: Final = "signalink-registry"  # noqa: S105  a name
NAMESPACE: Final = "signalink"
PORTS: Final = {"api": 8000, "gateway": 8001, "analytics": 8003, "notifications": 8004}
"""Of the services that people reach, as their manifests say."""
LOCATIONS: Final = {
    "analytics": "/v1/analytics",
    "notifications": "~ ^/v1/(preferences|mutes|notifications|unsubscribe)",
}
"""Where nginx finds those that are not the api and not the socket."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What the script needs to know. `source`: address of the repository; `revision`: branch, tag or commit of it."""

    parts: Parts
    source: str
    revision: str
    region: str
    domain: str
    zone: str
    email: str
    hours: int
    """The machine ends itself after so many."""
    registry: str = ""
    """With k3s: the host that its images come from."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """With k3s: the table `global` of the charts."""


def script(boot: Boot) -> str:
    """The whole script, for `user_data`."""
    install = _systemd(boot) if boot.parts.way == "systemd" else _k3s(boot)
    sections = [_HEAD, _end(boot.hours), _fetch(boot), install, *([_https(boot)] if boot.domain else []), _tail(boot)]
    return "\n".join(sections)


_HEAD: Final = f"""#!/bin/bash
# Signalink on one machine. Made from the stack's settings: another setting makes another machine.
set -euo pipefail
exec > >(tee -a /var/log/signalink-boot.log) 2>&1
export DEBIAN_FRONTEND=noninteractive HOME=/root
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
    """Detached at what the revision names, on the first run and on a later one."""
    return f"""apt-get update -q
apt-get install -q -y --no-install-recommends git make python3-venv ca-certificates
id signalink >/dev/null 2>&1 ||
  useradd --system --create-home --home-dir /var/lib/signalink --shell /usr/sbin/nologin signalink
as() {{ runuser -u signalink -- env HOME=/var/lib/signalink "$@"; }}
if [ ! -d {FOLDER}/.git ]; then
  install -d -o signalink -g signalink {FOLDER}
  as git clone --quiet {boot.source} {FOLDER}
fi
as git -C {FOLDER} fetch --quiet --tags origin
as git -C {FOLDER} checkout --quiet --detach origin/{boot.revision} 2>/dev/null ||
  as git -C {FOLDER} checkout --quiet --detach {boot.revision}
"""


def _systemd(boot: Boot) -> str:
    services = [part for part in boot.parts.runs if part not in ("postgres", "valkey", "kafka")]
    only = f" --only {','.join(services) if boot.parts.missing else 'all'}"
    return f"""as make --no-print-directory -C {FOLDER} local
as make --no-print-directory -C {FOLDER} ui || echo 'signalink: the page was not built; the rest runs without it'
{_hosts(boot)}cat > /etc/systemd/system/signalink.service <<'UNIT'
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
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=no
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable signalink.service
systemctl restart signalink.service
"""


def _hosts(boot: Boot) -> str:
    """The machine reaches its own name by itself: from outside it may not be allowed to."""
    if not boot.domain:
        return ""
    return f"grep -q ' {boot.domain}$' /etc/hosts || echo '127.0.0.1 {boot.domain}' >> /etc/hosts\n"


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
    values |= {f"{name.upper()}_URL": f"https://{boot.domain}" for name in LOCATIONS if name in boot.parts.runs}
    return "".join(f" --set {key}={value}" for key, value in values.items())


def _k3s(boot: Boot) -> str:
    return f"""as make --no-print-directory -C {FOLDER} setup
export INSTALL_K3S_EXEC='--disable traefik --secrets-encryption \
  --cluster-cidr {cidrs.PODS} --service-cidr {cidrs.SERVICES} --cluster-dns {cidrs.SERVICES_DNS} \
  --write-kubeconfig-mode 0640 --write-kubeconfig-group signalink'
curl -sfL https://get.k3s.io | sh -
snap install helm --classic
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl get namespace {NAMESPACE} >/dev/null 2>&1 || kubectl create namespace {NAMESPACE}
{_pull(boot)}cat > /etc/signalink-values.json <<'VALUES'
{json.dumps({"global": {**boot.values, **_secret(boot)}}, indent=1)}
VALUES
as {FOLDER}/.venv/bin/signalink up --target existing --by helm --namespace {NAMESPACE} \
  --kubeconfig /etc/rancher/k3s/k3s.yaml --context default --values /etc/signalink-values.json
"""


def _at_ecr(boot: Boot) -> bool:
    return boot.registry.partition("/")[0].endswith(".amazonaws.com")


def _secret(boot: Boot) -> dict[str, list[str]]:
    return {"imagePullSecrets": [PULL_SECRET]} if _at_ecr(boot) else {}


def _pull(boot: Boot) -> str:
    """ECR's passwords last twelve hours: a timer asks for the next one by the machine's role."""
    if not _at_ecr(boot):
        return ""
    host = boot.registry.partition("/")[0]
    return f"""snap install aws-cli --classic
cat > /usr/local/sbin/signalink-registry <<'SH'
#!/bin/bash
set -euo pipefail
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml PATH=$PATH:/snap/bin:/usr/local/bin
aws ecr get-login-password --region {boot.region} | python3 -c '
import base64, json, sys
word = base64.b64encode(b"AWS:" + sys.stdin.read().strip().encode()).decode()
kept = json.dumps({{"auths": {{"{host}": {{"auth": word}}}}}})
print(json.dumps({{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
  "metadata": {{"name": "{PULL_SECRET}", "namespace": "{NAMESPACE}"}}, "stringData": {{".dockerconfigjson": kept}}}}))
' | kubectl apply -f -
SH
chmod 0755 /usr/local/sbin/signalink-registry
cat > /etc/systemd/system/signalink-registry.service <<'UNIT'
[Unit]
Description=A new password of the registry
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/signalink-registry
UNIT
cat > /etc/systemd/system/signalink-registry.timer <<'UNIT'
[Unit]
Description=A new password of the registry every six hours
[Timer]
OnUnitActiveSec=6h
OnBootSec=1min
[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl start signalink-registry.service
systemctl enable --now signalink-registry.timer
"""


def _https(boot: Boot) -> str:
    """TLS by a certificate of Let's Encrypt, proven in DNS: no port is open to the world for it."""
    contact = f"-m {boot.email}" if boot.email else "--register-unsafely-without-email"
    return f"""apt-get install -q -y --no-install-recommends nginx certbot python3-certbot-dns-route53
certbot certonly -n --agree-tos {contact} --dns-route53 -d {boot.domain} --deploy-hook 'systemctl reload nginx'
cat > /etc/nginx/sites-available/default <<'SITE'
{site(boot)}SITE
{_upstreams(boot)}nginx -t
systemctl enable nginx
systemctl reload-or-restart nginx
"""


def site(boot: Boot) -> str:
    """nginx before the services that run."""
    others = "".join(
        f"  location {place} {{ proxy_pass http://127.0.0.1:{PORTS[name]}; }}\n"
        for name, place in LOCATIONS.items()
        if name in boot.parts.runs
    )
    return f"""server {{
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
    proxy_pass http://127.0.0.1:{PORTS["gateway"]};
  }}
{others}  location / {{ proxy_pass http://127.0.0.1:{PORTS["api"]}; }}
}}
"""


def _upstreams(boot: Boot) -> str:
    """With k3s the services are at their cluster addresses, which the machine itself reaches."""
    if boot.parts.way == "systemd":
        return ""
    return f"""for each in {" ".join(f"{name}:{port}" for name, port in PORTS.items())}; do
  address=$(kubectl get service "signalink-${{each%:*}}" -n {NAMESPACE} -o jsonpath='{{.spec.clusterIP}}')
  sed -i "s/127.0.0.1:${{each#*:}}/$address:${{each#*:}}/" /etc/nginx/sites-available/default
done
"""


def _tail(boot: Boot) -> str:
    return f"echo 'signalink: {boot.parts.said()}'\n"
