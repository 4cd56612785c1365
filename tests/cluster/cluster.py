# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on loopback, for tests.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler run as ordinary processes; kwok
plays the nodes and their kubelets. ./build makes the programs. The commands of this folder are
thin wrappers of this module; a test in Python can use it directly:

    cluster = Cluster(directory)
    cluster.up()
    cluster.kubectl("create", "deployment", "web", "--image=web")
    status, headers, body = cluster.request("GET", "/api/v1/namespaces/default/pods")
    cluster.kill("kube-apiserver")
    cluster.start("kube-apiserver")
    cluster.wait_api()
    cluster.down()

All that belongs to one cluster is in its directory:

    kubeconfig          cluster-admin, by client certificate
    kubeconfig.viewer   user "viewer", by token: reads Pods, Deployments and ReplicaSets of the
                        namespace "default", and nothing else
    env                 for a shell: PATH with our kubectl, KUBECONFIG
    bin/                the programs (a link into the cache), kubectl among them
    pids/NAME           one process id a file
    logs/NAME.log       standard error and output of each program
    pki/                the authority, its keys and certificates, the static tokens
    state.json          ports and command lines; what a restart uses
"""

import argparse
import base64
import http.client
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
NODES = ("node-a", "node-b")
START_LIMIT_S = 90
END_LIMIT_S = 30
USER_AGENT = "kstatusd-tests"


class ClusterError(Exception):
    """Something a person has to look at; the text says what and where."""


def say(text):
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def default_directory():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "kstatusd", "cluster", "run")


class Cluster:
    def __init__(self, directory=None):
        self.dir = os.path.abspath(directory or default_directory())
        self.kubeconfig = self.path("kubeconfig")
        self.viewer_kubeconfig = self.path("kubeconfig.viewer")
        self._children = {}

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    # --- life ---------------------------------------------------------------------------------

    def up(self, apiserver_args=()):
        """Starts everything and returns when a Deployment becomes available on it.

        On failure all processes are stopped, the logs stay, and the exception says where.
        """
        if os.path.isdir(self.dir) and os.listdir(self.dir):
            if not os.path.exists(self.path("state.json")):
                raise ClusterError(f"{self.dir} is in use for something else")
            if any(self.alive(name) for name in PROGRAMS):
                raise ClusterError(f"a cluster runs in {self.dir} already; stop it with down")
            shutil.rmtree(self.dir)

        built = subprocess.run([os.path.join(HERE, "build")], text=True, stdout=subprocess.PIPE)
        if built.returncode:
            raise ClusterError("there are no programs to run; see above")
        cache = built.stdout.strip()
        started = time.monotonic()
        for sub in ("", "pids", "logs", "pki", "kwok"):
            os.makedirs(self.path(sub), mode=0o700, exist_ok=True)
        os.symlink(os.path.join(cache, "bin"), self.path("bin"))
        etcd, etcd_peer, api = free_ports(3)
        state = {
            "url": f"https://127.0.0.1:{api}",
            "port": api,
            "argv": command_lines(self.dir, cache, etcd, etcd_peer, api, apiserver_args),
        }
        with open(self.path("state.json"), "w") as file:
            json.dump(state, file, indent=1)
        try:
            make_pki(self.path("pki"))
            self._write_kubeconfigs(state["url"])
            self._write_env()
            self.start("etcd")
            self.start("kube-apiserver")
            self.wait_api()
            for name in PROGRAMS[2:]:
                self.start(name)
            self._create_basics()
            self._wait_basics()
        except BaseException:
            self._stop_all()
            say(f"could not start; logs are kept in {self.path('logs')}")
            raise
        seconds = time.monotonic() - started
        say(f"ready after {seconds:.1f} s at {state['url']}, files in {self.dir}")

    def down(self):
        """Stops every process of this cluster and removes its directory. Safe to repeat."""
        if not os.path.isdir(self.dir):
            return
        if not os.path.exists(self.path("state.json")):
            raise ClusterError(f"{self.dir} holds no cluster; nothing was touched")
        self._stop_all()
        shutil.rmtree(self.dir)

    def _stop_all(self):
        # The data is thrown away with the directory, so nothing needs time to say goodbye.
        for name in reversed(PROGRAMS):
            self.kill(name)

    # --- one program --------------------------------------------------------------------------

    def start(self, name):
        """Starts a program with the command line that `up` settled, on the same ports."""
        if self.alive(name):
            raise ClusterError(f"{name} runs already (pid {self.pid(name)})")
        self._wait_end(name)
        env = dict(os.environ, KWOK_WORKDIR=self.path("kwok"))
        for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "KUBECONFIG"):
            env.pop(proxy, None)
        with open(self.path("logs", name + ".log"), "ab") as log:
            child = subprocess.Popen(self._state()["argv"][name], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, cwd=self.dir, env=env,
                                     start_new_session=True)
        self._children[name] = child
        with open(self.path("pids", name), "w") as file:
            file.write(f"{child.pid}\n")

    def kill(self, name, how=signal.SIGKILL):
        """Signals a program and waits until its process has ended; nothing to do is fine."""
        if self.alive(name):
            os.kill(self.pid(name), how)
        self._wait_end(name)

    def _wait_end(self, name):
        """Waits for a process that was told to end, and forgets it.

        A process that is killed loses its executable first and its last thread, with the sockets,
        some milliseconds later. Only then can another one listen on its port.
        """
        pid = self.pid(name)
        if not pid:
            return
        deadline = time.monotonic() + END_LIMIT_S
        while True:
            if name in self._children:
                self._children[name].poll()
            try:
                with open(f"/proc/{pid}/stat") as file:
                    comm, fields = file.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                break
            state, threads = fields.split()[0], int(fields.split()[17])
            if (state in "ZX" and threads <= 1) or comm != name[:15]:
                break
            if time.monotonic() > deadline:
                raise ClusterError(f"{name} (pid {pid}) did not end within {END_LIMIT_S} s")
            time.sleep(0.01)
        os.remove(self.path("pids", name))

    def pid(self, name):
        """The recorded process id of a program, or None when it was stopped or never started."""
        try:
            with open(self.path("pids", name)) as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def alive(self, name):
        """Whether the recorded process runs and is the one that we started.

        A pid can be given to a stranger after our process died, so its executable and command
        line have to be ours. A zombie has no executable: that is dead too.
        """
        pid = self.pid(name)
        if not pid:
            return False
        child = self._children.get(name)
        if child and child.pid == pid:
            # Nobody else has its pid before it is reaped. And its command line is empty for a
            # moment after it has started: longer, when its pages come from a disk.
            return child.poll() is None
        argv = self._state()["argv"][name]
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                cmdline = os.fsdecode(file.read()).split("\0")[:-1]
        except OSError:
            return False
        return exe.removesuffix(" (deleted)") == os.path.realpath(argv[0]) and cmdline == argv

    # --- talking to the API server ------------------------------------------------------------

    def connect(self, timeout_s=10, with_certificate=True):
        """A new HTTPS connection to the API server, as cluster-admin or as nobody yet."""
        tls = ssl.create_default_context(cafile=self.path("pki", "ca.crt"))
        if with_certificate:
            tls.load_cert_chain(self.path("pki", "admin.crt"), self.path("pki", "admin.key"))
        return http.client.HTTPSConnection("127.0.0.1", self._state()["port"], context=tls,
                                           timeout=timeout_s)

    def request(self, method, path, body=None, headers=None):
        """One request as cluster-admin; `body` is made JSON. Returns (status, headers, text)."""
        headers = dict({"Accept": "application/json", "User-Agent": USER_AGENT}, **(headers or {}))
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def kubectl(self, *args, stdin=None, kubeconfig=None):
        """Runs kubectl as cluster-admin (or with another kubeconfig) and returns its output."""
        env = self._env()
        if kubeconfig:
            env["KUBECONFIG"] = kubeconfig
        done = subprocess.run([self.path("bin", "kubectl"), *args], input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, **env))
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def wait_api(self):
        """Returns when the API server calls itself ready."""
        def ready():
            status, _, text = self.request("GET", "/readyz?verbose")
            return status == 200 or text
        self.wait("the API server's /readyz", ready)

    def wait(self, what, check):
        """Calls `check` until it returns True; anything else is the newest reason why not."""
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                seen = check()
            except (OSError, http.client.HTTPException) as error:
                seen = error
            if seen is True:
                return
            for name in PROGRAMS:
                if self.pid(name) and not self.alive(name):
                    raise ClusterError(f"{name} ended:\n{self._log_tail(name)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{what} not reached within {START_LIMIT_S} s: {seen}")
            time.sleep(0.05)

    # --- inside -------------------------------------------------------------------------------

    def _state(self):
        with open(self.path("state.json")) as file:
            return json.load(file)

    def _log_tail(self, name):
        with open(self.path("logs", name + ".log"), errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def _write_kubeconfigs(self, url):
        def inline(name):
            with open(self.path("pki", name), "rb") as file:
                return base64.b64encode(file.read()).decode()

        def write(path, user, credentials):
            text = KUBECONFIG.format(ca=inline("ca.crt"), url=url, user=user,
                                     credentials="\n".join("    " + c for c in credentials))
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)

        for user in ("admin", "kube-controller-manager", "kube-scheduler"):
            write(self.kubeconfig if user == "admin" else self.path("pki", user + ".kubeconfig"),
                  user, [f"client-certificate-data: {inline(user + '.crt')}",
                         f"client-key-data: {inline(user + '.key')}"])
        with open(self.path("pki", "tokens.csv"), "w") as file:
            token = secrets.token_hex(24)
            file.write(f'{token},viewer,viewer,"viewers"\n')
        write(self.viewer_kubeconfig, "viewer", [f"token: {token}"])

    def _env(self):
        return {"KUBECONFIG": self.kubeconfig, "KUBECACHEDIR": self.path("kubectl-cache")}

    def _write_env(self):
        with open(self.path("env"), "w") as file:
            file.write(f"export PATH={shlex.quote(self.path('bin'))}:$PATH\n")
            for name, value in self._env().items():
                file.write(f"export {name}={shlex.quote(value)}\n")

    def _create_basics(self):
        for path, body in basics():
            status, _, text = self.request("POST", path, body)
            if status != 201:
                raise ClusterError(f"POST {path}: {status} {text}")

    def _wait_basics(self):
        def found(path, good):
            status, _, text = self.request("GET", path)
            return (status == 200 and good(json.loads(text))) or text

        def is_ready(obj):
            return any(c["type"] == "Ready" and c["status"] == "True"
                       for c in obj["status"].get("conditions", []))

        for node in NODES:
            self.wait(f"Node {node} Ready", lambda: found(f"/api/v1/nodes/{node}", is_ready))
        self.wait("the service account default/default", lambda: found(
            "/api/v1/namespaces/default/serviceaccounts/default", lambda o: True))

        # A Deployment that becomes available needs the controllers, the scheduler and kwok; that
        # all of it goes away after a delete needs the garbage collector.
        self.wait("an available Deployment", lambda: found(
            PROBE_PATH, lambda o: o["status"].get("availableReplicas") == 1))
        self.request("DELETE", PROBE_PATH)
        self.wait("the Pods of a deleted Deployment gone", lambda: found(
            "/api/v1/namespaces/kube-system/pods", lambda o: not o["items"]))


# --- what the parts are ---------------------------------------------------------------------------

PROBE_PATH = "/apis/apps/v1/namespaces/kube-system/deployments/startup-probe"

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {url}
    certificate-authority-data: {ca}
contexts:
- name: test
  context:
    cluster: test
    user: {user}
users:
- name: {user}
  user:
{credentials}
"""


def free_ports(count):
    """Ports on loopback that nothing listens on.

    They lie below the range from which the kernel takes ports for outgoing connections: a
    program that is down for a moment must find its port free when it comes back.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        low = int(file.read().split()[0])
    start, stop = (low - 12000, low) if low > 14000 else (61000, 65535)
    held, ports = [], []
    for port in random.sample(range(start, stop), 400):
        listener = socket.socket()
        held.append(listener)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            break
    for listener in held:
        listener.close()
    if len(ports) < count:
        raise ClusterError("found no free ports on 127.0.0.1")
    return ports


def command_lines(directory, cache, etcd, etcd_peer, api, apiserver_args):
    def program(name):
        return os.path.join(cache, "bin", name)

    def pki(name):
        return os.path.join(directory, "pki", name)

    def client(name):
        # QPS: the defaults (20 a second) protect a shared API server and only slow a test down.
        return [program(name), "--kubeconfig", pki(name + ".kubeconfig"), "--secure-port", "0",
                "--kube-api-qps", "1000", "--kube-api-burst", "2000", "--leader-elect=false"]

    stages = sorted(os.path.join(folder, file)
                    for folder in (os.path.join(cache, "stages"), os.path.join(HERE, "stages"))
                    for file in os.listdir(folder))
    return {
        "etcd": [
            program("etcd"), "--data-dir", os.path.join(directory, "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", f"http://127.0.0.1:{etcd}",
            "--advertise-client-urls", f"http://127.0.0.1:{etcd}",
            "--listen-peer-urls", f"http://127.0.0.1:{etcd_peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{etcd_peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{etcd_peer}",
            "--log-level", "warn"],
        "kube-apiserver": [
            program("kube-apiserver"), "--etcd-servers", f"http://127.0.0.1:{etcd}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", str(api), "--endpoint-reconciler-type", "none",
            "--tls-cert-file", pki("server.crt"), "--tls-private-key-file", pki("server.key"),
            "--client-ca-file", pki("ca.crt"), "--token-auth-file", pki("tokens.csv"),
            "--authorization-mode", "RBAC",
            # Without the node lifecycle controller nobody would take the taint away again that
            # this plugin gives to new Nodes, and nothing would ever be scheduled.
            "--disable-admission-plugins", "TaintNodesByCondition",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", pki("service-account.pub"),
            "--service-account-signing-key-file", pki("service-account.key"),
            "--service-cluster-ip-range", "10.0.0.0/24", *apiserver_args],
        "kube-controller-manager": client("kube-controller-manager") + [
            "--controllers", "*,-nodelifecycle", "--use-service-account-credentials",
            "--root-ca-file", pki("ca.crt"),
            "--service-account-private-key-file", pki("service-account.key")],
        "kube-scheduler": client("kube-scheduler"),
        "kwok": [
            program("kwok"), "--kubeconfig", os.path.join(directory, "kubeconfig"),
            "--manage-all-nodes", "--node-lease-duration-seconds", "0",
            *(arg for stage in stages for arg in ("--config", stage))],
    }


def make_pki(directory):
    def run(*args):
        done = subprocess.run(["openssl", *args], cwd=directory, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise ClusterError(f"openssl {' '.join(args)}: {done.stdout}")

    if not shutil.which("openssl"):
        raise ClusterError("openssl is missing; on Debian: apt-get install openssl")
    with open(os.path.join(directory, "openssl.cnf"), "w") as file:
        file.write("[req]\ndistinguished_name = name\n[name]\n")

    new = ["req", "-x509", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    run(*new, "-subj", "/CN=kstatusd test cluster authority", "-keyout", "ca.key", "-out", "ca.crt",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
    leaf = [*new, "-CA", "ca.crt", "-CAkey", "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE"]
    run(*leaf, "-subj", "/CN=kube-apiserver", "-keyout", "server.key", "-out", "server.crt",
        "-addext", "extendedKeyUsage=serverAuth",
        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc")
    for user, subject in (
            ("admin", "/O=system:masters/CN=admin"),
            ("kube-controller-manager", "/CN=system:kube-controller-manager"),
            ("kube-scheduler", "/CN=system:kube-scheduler")):
        run(*leaf, "-subj", subject, "-keyout", f"{user}.key", "-out", f"{user}.crt",
            "-addext", "extendedKeyUsage=clientAuth")
    run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-out", "service-account.key")
    run("pkey", "-in", "service-account.key", "-pubout", "-out", "service-account.pub")


def basics():
    """The objects that every cluster has from the start, as (path to POST to, object)."""
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    for name in NODES:
        yield "/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"allocatable": {"cpu": "32", "memory": "256Gi", "pods": "10000"},
                       "capacity": {"cpu": "32", "memory": "256Gi", "pods": "10000"}}}
    yield f"{rbac}/roles", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "viewer"},
        "rules": [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments", "replicasets"],
                   "verbs": ["get", "list", "watch"]}]}
    yield f"{rbac}/rolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "viewer"}]}
    yield PROBE_PATH.rsplit("/", 1)[0], {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "startup-probe"},
        "spec": {"selector": {"matchLabels": {"app": "startup-probe"}},
                 "template": {"metadata": {"labels": {"app": "startup-probe"}},
                              "spec": {"containers": [{"name": "main", "image": "probe"}]}}}}


# --- commands -------------------------------------------------------------------------------------

def run(function):
    """Runs a command's work and ends the process: a failure is one clear text and exit code 1.

    SIGTERM unwinds the stack as Ctrl-C does, so that no cluster is left behind half started.
    """
    def unwind(signal_number, _):
        sys.exit(128 + signal_number)

    signal.signal(signal.SIGTERM, unwind)
    try:
        function()
    except (ClusterError, OSError) as error:
        say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def command(function, description, extra=None):
    """Runs one of this folder's small commands: a cluster's directory, and what to do with it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dir", dest="option", metavar="DIR",
                        help=f"the cluster's directory (default: {default_directory()})")
    if extra:
        extra(parser)
    else:
        parser.add_argument("dir", nargs="?", metavar="DIR", help="the same without --dir")
    options = parser.parse_args()
    directory = options.option or getattr(options, "dir", None)
    run(lambda: function(Cluster(directory), options))


def require_cluster(cluster):
    if not os.path.exists(cluster.path("state.json")):
        raise ClusterError(f"{cluster.dir} holds no cluster; start one with up")
