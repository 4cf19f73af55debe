"""An API server with N simulated daemons behind it, as a process of its own: what benchmarks ask instead of a cloud.

It lives in real time on a loopback port behind TLS, as a real one does: lists in pages with objects as large as live
ones, port-forward, proxy, exec and logs of every pod, `Date` on each answer. A daemon takes 50 ms to answer; one in
ten takes the question and never says a word.

    python benchmarks/simulated_api.py --nodes 200 --folder DIR

writes kubeconfig, outputs.json and, once it listens, the file `ready` into the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import datetime
import hashlib
import ipaddress
import json
import os
import signal
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from mina_infra.cluster.cluster import LogRange
from mina_infra.cluster.objects import Pod, Program
from mina_infra.errors import ClusterError
from mina_infra.outputs import OutputsDocument
from mina_infra.simulator.cluster import SimulatedCluster
from mina_infra.simulator.deployment import CLAIM_GIB, outputs_of
from mina_infra.simulator.node import NodeSpec
from mina_infra.simulator.simulated import SimulatedNetwork, small_network

ANSWER_SECONDS = 0.05
SLOTS_LIVED = 60
Query = dict[str, list[str]]

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE = 0x81, 0x82, 0x88
_IMAGE = "registry.example/mina-daemon:3.0.1"


def nodes_of(count: int) -> list[NodeSpec]:
    """The shape of the stack `qa`, as many times as it takes: for 200 nodes 15 whales, 60 fish, 2 seeds."""
    whales, fish, seeds = max(1, 15 * count // 200), 60 * count // 200, max(2, 2 * count // 200)
    return small_network(whales, fish, seeds, count - whales - fish - seeds - 1)


def one_in_ten(names: list[str]) -> set[str]:
    """The nodes that never answer: spread over all roles."""
    return set(names[9::10])


# --- what the API server knows ----------------------------------------------------------------------------------------


@dataclass
class Objects:
    """The namespace's objects as an API server lists them, made once."""

    cluster: SimulatedCluster
    outputs: OutputsDocument

    async def items(self, plural: str) -> list[dict[str, Any]]:
        if plural == "pods":
            return [self._pod(pod) for pod in await self.cluster.pods()]
        if plural == "deployments":
            return [self._deployment(each.name, each.replicas) for each in await self.cluster.deployments()]
        if plural == "persistentvolumeclaims":
            return [self._claim(each.name, each.storage_class) for each in await self.cluster.claims()]
        return []

    def _pod(self, pod: Pod) -> dict[str, Any]:
        created = _stamp(pod.created)
        meta = _meta(pod.name, pod.node, pod.labels) | {"uid": pod.uid, "creationTimestamp": created}
        started = [
            {
                "name": each.name, "ready": each.ready, "restartCount": each.restarts, "image": _IMAGE,
                "imageID": f"{_IMAGE}@sha256:{'a' * 64}", "started": True,
                "state": {"running": {"startedAt": created}}, "lastState": {},
            }
            for each in pod.containers
        ]  # fmt: skip
        kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        truth = "True" if pod.ready else "False"
        conditions = [{"type": kind, "status": truth, "lastTransitionTime": created} for kind in kinds]
        status = {"phase": pod.phase, "containerStatuses": started, "podIP": "10.0.0.1", "conditions": conditions}
        return {
            "metadata": meta,
            "spec": _pod_spec(pod.node, self.outputs.namespace, pod.programs.get("mina")),
            "status": status,
        }

    def _deployment(self, name: str, replicas: int) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": name}}, "spec": _pod_spec(name, self.outputs.namespace)}
        spec = {"replicas": replicas, "strategy": {"type": "Recreate"}, "template": template}
        return {"metadata": _meta(name, name), "spec": spec, "status": {"readyReplicas": replicas}}

    def _claim(self, name: str, storage_class: str | None) -> dict[str, Any]:
        size, modes = f"{CLAIM_GIB}Gi", ["ReadWriteOncePod"]
        spec = {"accessModes": modes, "resources": {"requests": {"storage": size}}, "storageClassName": storage_class}
        return {
            "metadata": _meta(name, name),
            "spec": spec | {"volumeName": f"pv-{name}"},
            "status": {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}},
        }


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _meta(name: str, node: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """With the field managers that every live object drags along; they are half of its size."""
    fields = {"f:metadata": {"f:labels": {f"f:{key}": {} for key in ("app", "testnet", "role", "class", "version")}}}
    fields |= {"f:spec": {f"f:field-{number}": {".": {}, "f:name": {}, "f:value": {}} for number in range(40)}}
    managers = [
        {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
        for manager in ("pulumi-kubernetes", "kubelet")
    ]
    return {
        "name": name, "namespace": "testnet", "uid": f"uid-{name}", "labels": dict(labels or {"app": node}),
        "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": managers,
    }  # fmt: skip


def _pod_spec(node: str, namespace: str, program: Program | None = None) -> dict[str, Any]:
    arguments = ["daemon", "-config-directory", "/root/.mina-config", "-config-file", "/config/daemon.json"]
    arguments += ["-log-json", "true", "-log-level", "Info", "-file-log-level", "Debug", "-rest-port", "3085"]
    arguments += [f"-peer=/dns4/seed-{number}.{namespace}/tcp/10001/p2p/12D3KooW{'A' * 44}" for number in range(2)]
    image = program.image if program else _IMAGE
    arguments += program.arguments if program else ()
    return {
        "containers": [{
            "name": "mina", "image": image, "args": arguments,
            "env": [{"name": f"MINA_OPTION_{number}", "value": node} for number in range(8)],
            "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
            "resources": {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"memory": "16Gi"}},
            "volumeMounts": [{"name": "config-dir", "mountPath": "/root/.mina-config"}],
        }],
        "volumes": [{"name": "config-dir", "persistentVolumeClaim": {"claimName": f"{node}-runtime-state-e1"}}],
    }  # fmt: skip


_PORTS = {"client-port": 8301, "graphql-port": 3085, "limited-graphql": 3095, "metrics-port": 10001}


# --- HTTP and WebSockets ----------------------------------------------------------------------------------------------


class Front:
    """The server: one coroutine for each connection."""

    def __init__(self, cluster: SimulatedCluster, silent: set[str]) -> None:
        self.cluster, self.silent = cluster, silent
        self.outputs = outputs_of(cluster.network)
        self.objects = Objects(cluster, self.outputs)
        self._pages: dict[str, list[bytes]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client is gone
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, headers, body = await _request(reader)
        method, target, _ = line.split(" ")
        url = urlsplit(target)
        words, query = url.path.strip("/").split("/"), parse_qs(url.query)
        if "upgrade" in headers:
            await self._upgraded(reader, writer, headers, words, query)
            return False
        status, answer = await self._answer(method, words, query, body)
        writer.write(_response(status, answer))
        await writer.drain()
        return True

    async def _answer(self, method: str, words: list[str], query: Query, body: bytes) -> tuple[int, bytes]:
        if words == ["version"]:
            return 200, b'{"major":"1","minor":"36","gitVersion":"v1.36.3"}'
        if words[-2:-1] == ["namespaces"]:
            labels = await self.cluster.namespace_labels()
            return 200, _json({"kind": "Namespace", "metadata": {"name": words[-1], "labels": labels}})
        if words[-2:-1] == ["proxy"]:
            pod, _, port = words[-3].partition(":")
            return await self._daemon(pod, body, int(port))
        if words[-1] == "log":
            return await self._log(words[-2], query)
        if method == "POST" and "selfsubject" in words[-1]:
            return 201, _json({"kind": words[-1], "status": {"allowed": True}})
        return 200, await self._page(words[-1], query)

    async def _page(self, plural: str, query: Query) -> bytes:
        first = int(query.get("continue", ["0"])[0])
        if first == 0:
            self._pages[plural] = [_json(item) for item in await self.objects.items(plural)]
        most = int(query.get("limit", ["500"])[0])
        page, rest = self._pages[plural][first : first + most], self._pages[plural][first + most :]
        token = f'"continue":"{first + most}",' if rest else ""
        return b'{"kind":"List","metadata":{%s"resourceVersion":"1"},"items":[%s]}' % (token.encode(), b",".join(page))

    async def _log(self, pod: str, query: Query) -> tuple[int, bytes]:
        tail = query.get("tailLines")
        part = LogRange(previous=query.get("previous") == ["true"], tail_lines=int(tail[0]) if tail else None)
        try:
            return 200, await self.cluster.read_log(pod, query.get("container", ["mina"])[0], part)
        except ClusterError as error:
            return 400, _json({"kind": "Status", "reason": "BadRequest", "message": str(error), "code": 400})

    async def _daemon(self, pod: str, body: bytes, port: int) -> tuple[int, bytes]:
        node = pod.rpartition("-")[0]
        if node in self.silent:
            await asyncio.sleep(3600)  # not an Event that nobody holds: its waiter would be collected and cut off
        await asyncio.sleep(ANSWER_SECONDS)
        if port == _PORTS["metrics-port"]:
            return 200, await self.cluster.metrics(pod, port)
        network = self.cluster.network
        network.network.advance(time.time() * 1000)
        return 200, network.answers.reply(network.network.nodes[node], body, limited=port == _PORTS["limited-graphql"])

    async def _upgraded(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str], words: list[str],
        query: Query,
    ) -> None:  # fmt: skip
        protocol = headers["sec-websocket-protocol"].split(",")[-1].strip()
        key = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + _GUID).encode()).digest()).decode()
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        talk = self._forward if words[-1] == "portforward" else self._exec
        gone = asyncio.create_task(talk(_Frames(reader, writer), words[-2], query))
        await gone

    async def _forward(self, frames: _Frames, pod: str, query: Query) -> None:
        port = struct.pack("<H", int(query["ports"][0]))
        await frames.send(b"\0" + port)
        await frames.send(b"\1" + port)
        inner = asyncio.StreamReader()
        pump = asyncio.create_task(frames.into(inner))
        answering = asyncio.create_task(self._inner(frames, pod, inner, int(query["ports"][0])))
        done, rest = await asyncio.wait((pump, answering), return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*done, *rest, return_exceptions=True)

    async def _inner(self, frames: _Frames, pod: str, inner: asyncio.StreamReader, port: int) -> None:
        """HTTP inside the stream, until the client closes or asks to."""
        keep = True
        while keep:
            _, headers, body = await _request(inner)
            keep = headers.get("connection", "").lower() != "close"
            await frames.send(b"\0" + _response(*await self._daemon(pod, body, port)))
        await frames.close()

    async def _exec(self, frames: _Frames, pod: str, query: Query) -> None:
        result = await self.cluster.exec(pod, query["container"][0], query["command"])
        await frames.send(b"\1" + result.stdout)
        await frames.send(b"\2" + result.stderr)
        await frames.send(b"\3" + _json({"status": "Success"}))
        await frames.close()


class _Frames:
    """The binary frames of one socket, server side: what comes is masked, what goes is not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes, kind: int = _BINARY) -> None:
        size = len(data)
        head = bytes((kind, size)) if size < 126 else struct.pack("!BBH", kind, 126, size)
        if size > 0xFFFF:
            head = struct.pack("!BBQ", kind, 127, size)
        self._writer.write(head + data)
        await self._writer.drain()

    async def close(self) -> None:
        await self.send(struct.pack("!H", 1000), _CLOSE)

    async def into(self, stream: asyncio.StreamReader) -> None:
        """The data channel's bytes, until the client closes."""
        while True:
            kind, size = await self._reader.readexactly(2)
            size &= 0x7F
            if size >= 126:
                width = 2 if size == 126 else 8
                size = int.from_bytes(await self._reader.readexactly(width))
            mask = await self._reader.readexactly(4)
            data = await self._reader.readexactly(size)
            if kind == _CLOSE:
                return
            whole = (mask * (size // 4 + 1))[:size]
            plain = (int.from_bytes(data) ^ int.from_bytes(whole)).to_bytes(size)
            if plain[:1] == b"\0":
                stream.feed_data(plain[1:])


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return head[0], headers, await reader.readexactly(int(headers.get("content-length", "0")))


def _response(status: int, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n\r\n"
    ).encode() + body


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# --- the process ------------------------------------------------------------------------------------------------------


def certificate(folder: Path) -> ssl.SSLContext:
    """A key of 2048 bits and a certificate of its own, as an API server makes them: every connection pays for them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = built.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def write_kubeconfig(folder: Path, port: int) -> None:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "ca.pem")}
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "simulated",
        "clusters": [{"name": "simulated", "cluster": cluster}],
        "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "simulated"}}],
        "users": [{"name": "simulated", "user": {"token": "simulated"}}],
    }  # fmt: skip
    (folder / "kubeconfig").write_text(json.dumps(document))


async def serve(nodes: int, folder: Path) -> None:
    """Until the process is ended."""
    slot_ms = 180_000
    genesis = int(time.time() * 1000) - SLOTS_LIVED * slot_ms
    network = SimulatedNetwork(1, nodes_of(nodes), slot_ms=slot_ms, genesis_ms=genesis)
    network.network.advance(time.time() * 1000)
    front = Front(SimulatedCluster(network), one_in_ten(network.names))
    (folder / "outputs.json").write_text(json.dumps(front.outputs.to_json_value()))
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0, ssl=certificate(folder), backlog=1024)
    write_kubeconfig(folder, server.sockets[0].getsockname()[1])
    (folder / "ready").write_text(str(os.getpid()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)  # nobody waits for what is under way
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.nodes, arguments.folder))


if __name__ == "__main__":
    main()
