"""What the API server says about ourselves: who we are, and what we may do."""

from __future__ import annotations

from mina_infra.cluster.api import ApiStatusError, KubeApi, Manifest

_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_UNAUTHORISED, _NOT_FOUND = 401, 404


class BadCredentialsError(ApiStatusError):
    """The API server answers, and does not know us."""


async def may(api: KubeApi, namespace: str, verb: str, resource: str, group: str = "", name: str = "") -> bool:
    """Whether we may do that; `resource` with a subresource as in `pods/exec`. Raises ClusterError."""
    kind, _, sub = resource.partition("/")
    attributes: Manifest = {"namespace": namespace, "verb": verb, "group": group, "resource": kind}
    attributes |= {"subresource": sub} if sub else {}
    attributes |= {"name": name} if name else {}
    review: Manifest = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await _ask(api, _ACCESS, review)
    return bool(answer.get("status", {}).get("allowed"))


async def who(api: KubeApi) -> str:
    """Our name to the API server. Raises BadCredentialsError, ClusterError."""
    try:
        answer = await _ask(api, _SELF, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    except ApiStatusError as error:
        if error.code == _NOT_FOUND:  # servers before 1.28 do not tell
            return "somebody"
        raise
    return str(answer.get("status", {}).get("userInfo", {}).get("username", "somebody"))


async def _ask(api: KubeApi, path: str, body: Manifest) -> Manifest:
    try:
        return await api.request("POST", path, body=body)
    except ApiStatusError as error:
        if error.code == _UNAUTHORISED:
            raise BadCredentialsError(error.code, error.reason, str(error)) from error
        raise
