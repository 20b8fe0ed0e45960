"""What operators deploy: the image's recipe and the chart, checked with the tools that clusters are checked with."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml

from gateway.config import load, reference_schema
from gateway.model.secret import Secret

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/ocm-gateway"
VALUES = {path.stem.removesuffix("-values"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*"))}
LEAST = VALUES["least"]
KUBERNETES = ("1.29", "1.37")


def render(values):
    """Return the objects of the chart by kind and name."""
    with helm_python.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="cloud", namespace="ocm")
    manifests = (text for name, text in texts.items() if name.endswith(".yaml"))
    objects = [item for text in manifests for item in yaml.safe_load_all(text) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def with_least(changes):
    return {**LEAST, **changes}


def pod(values):
    return render(values)["Deployment", "cloud-ocm-gateway"]["spec"]["template"]["spec"]


def config_of(values, tmp_path):
    """Return the configuration that the gateway in the pod reads, with its secrets where the test can read them."""
    text = render(values)["ConfigMap", "cloud-ocm-gateway"]["data"]["gateway.yaml"]
    for name in ("storage-credentials", "redis-password"):
        (tmp_path / name).write_text("user:password")
    path = tmp_path / "gateway.yaml"
    path.write_text(text.replace("/run/secrets/ocm-gateway/", f"{tmp_path}/"))
    return load(path)


def test_the_image_recipe_is_clean():
    """Hadolint finds nothing in the Dockerfile."""
    hadolint = shutil.which("hadolint", path=f"{Path(os.sys.executable).parent}:{os.environ.get('PATH', '')}")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_not_root_and_tells_its_health():
    """The image runs as a numbered user, asks the operations port for health, and starts the gateway."""
    final = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "\nUSER 65532:65532\n" in final
    assert "/healthz" in final
    assert final.index("USER") < final.index("ENTRYPOINT")
    assert "pip install" not in final


def test_the_image_is_built_from_what_it_needs_only():
    """What the recipe copies is let through to the build, and nothing else."""
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert passed == copied


def test_the_chart_is_clean():
    """The linter finds nothing, with any set of values."""
    for values in VALUES.values():
        report = helm_python.lint(str(CHART), values, strict=True)
        assert [message for message in report["messages"] if message["severity"] > 1] == []
        assert not report["errors"]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", VALUES)
def test_every_object_is_valid(name, version):
    """Every object that the chart renders is valid for the oldest and newest Kubernetes that we name."""
    objects = render(VALUES[name])
    assert ("Deployment", "cloud-ocm-gateway") in objects
    for item in objects.values():
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("name", VALUES)
def test_the_gateway_can_start_with_what_the_chart_writes(name, tmp_path):
    """The configuration in the ConfigMap loads, and listens where the probes and the services look."""
    config = config_of(VALUES[name], tmp_path)
    assert (config.http.host, config.http.port, config.ops.host, config.ops.port) == ("0.0.0.0", 8080, "0.0.0.0", 8081)
    ports = {port["name"]: port["containerPort"] for port in pod(VALUES[name])["containers"][0]["ports"]}
    assert ports == {"http": 8080, "ops": 8081}


def test_replicas_share_store_and_keys(tmp_path):
    """With an external store the options, the log-in and the keys come from where the values say."""
    config = config_of(VALUES["fleet"], tmp_path)
    assert (config.store.url, config.store.username, config.store.prefix) == (
        "rediss://redis.example.internal:6379/0",
        "ocm",
        "cloud",
    )
    assert config.store.password
    assert config.keys_file == tmp_path / "keys.json"
    assert config.limits.json_bytes == 128 * 1024
    objects = render(VALUES["fleet"])
    assert objects["PodDisruptionBudget", "cloud-ocm-gateway"]["spec"]["maxUnavailable"] == 1
    assert ("ConfigMap", "cloud-extra") in objects


def test_one_replica_keeps_its_state():
    """With the embedded store there is a volume, and never two pods on it."""
    objects = render(LEAST)
    assert ("PersistentVolumeClaim", "cloud-ocm-gateway") in objects
    assert objects["Deployment", "cloud-ocm-gateway"]["spec"]["strategy"] == {"type": "Recreate"}
    assert not [kind for kind, _ in objects if kind == "PodDisruptionBudget"]


@pytest.mark.parametrize("name", VALUES)
def test_the_pod_is_restricted(name):
    """The pod meets the restricted profile: no root, nothing to gain, nothing to write, no token, no service links."""
    spec = pod(VALUES[name])
    gateway = spec["containers"][0]["securityContext"]
    assert gateway == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 65532)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_probes_ask_the_operations_port():
    """Each probe asks its own path of the operations port."""
    gateway = pod(LEAST)["containers"][0]
    probes = {name: gateway[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/startupz", "port": "ops"},
        "liveness": {"path": "/healthz", "port": "ops"},
        "readiness": {"path": "/readyz", "port": "ops"},
    }


def test_the_operations_port_is_not_public():
    """The ingress and the public service lead to the public listener only; the other service stays in the cluster."""
    objects = render(VALUES["sidecar"])
    (rule,) = objects["Ingress", "cloud-ocm-gateway"]["spec"]["rules"]
    assert rule["host"] == "cloud.example.org"
    assert [path["backend"]["service"]["port"]["name"] for path in rule["http"]["paths"]] == ["http"]
    assert [p["targetPort"] for p in objects["Service", "cloud-ocm-gateway"]["spec"]["ports"]] == ["http"]
    assert objects["Service", "cloud-ocm-gateway-ops"]["spec"]["type"] == "ClusterIP"


def test_drain_fits_into_the_grace_period(tmp_path):
    """Running transfers end before the pod is killed."""
    values = with_least({"drainSeconds": 60})
    assert pod(values)["terminationGracePeriodSeconds"] == 90
    assert config_of(values, tmp_path).http.drain_seconds == 60


def test_secrets_stand_in_the_secret_only():
    """What is secret is in the Secret and in no other object, and readable for nobody else in the pod."""
    objects = render(VALUES["sidecar"])
    secret = objects.pop(("Secret", "cloud-ocm-gateway"))
    assert secret["stringData"] == {"storage-credentials": "gateway:secret"}
    assert "gateway:secret" not in json.dumps(list(objects.values()))
    (volume,) = [volume for volume in pod(VALUES["sidecar"])["volumes"] if volume["name"] == "secrets"]
    assert volume["secret"]["defaultMode"] == 0o440


def test_a_changed_configuration_restarts_the_pods():
    """The pods carry a sum of the configuration and of the secrets."""

    def sums(values):
        meta = render(values)["Deployment", "cloud-ocm-gateway"]["spec"]["template"]["metadata"]
        return [meta["annotations"][f"checksum/{name}"] for name in ("config", "secret")]

    before = sums(LEAST)
    other_config = sums({"config": {**LEAST["config"], "provider_name": "x"}})
    other_secret = sums(with_least({"secrets": {"storageCredentials": "a:b"}}))
    assert before[0] != other_config[0]
    assert before[1] != other_secret[1]


SEVERAL = {
    "storages": {"old": {"url": "webdav+https://old.example.org/{user}/"}, "new": {"url": "file:///srv/{user}"}},
    "storage_rules": [{"users": ["alice"], "storage": "new"}, {"storage": "old"}],
}


def test_several_storages_are_configured_as_they_are(tmp_path):
    """The chart hands several storages and their rules through; secrets of theirs are mounted files."""
    secret = str(tmp_path / "old")
    Path(secret).write_text("user:password")
    old = {**SEVERAL["storages"]["old"], "credentials_file": secret}
    several = {**SEVERAL, "storages": {**SEVERAL["storages"], "old": old}}
    config = config_of({"config": {"public_url": "https://a.example", **several}}, tmp_path)
    assert config.storages["old"].credentials == Secret("user:password")
    assert [rule.storage for rule in config.placement] == ["new", "old"]


EXTERNAL = {"mode": "external", "url": "redis://redis:6379/0"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "config.public_url is required"),
        ({"config": {"public_url": "https://a.example"}}, "config.storage.url is required"),
        (with_least({"replicaCount": 2}), "set redis.mode to external"),
        (with_least({"redis": {"mode": "external"}}), "redis.url is required"),
        (with_least({"redis": {"url": "redis://redis:6379/0"}}), "redis.mode is embedded"),
        (with_least({"redis": EXTERNAL}), "all replicas need the same keys"),
        (
            with_least({"redis": EXTERNAL, "existingSecret": "x", "secretKeys": {"keys": ""}}),
            "all replicas need the same keys",
        ),
        (with_least({"existingSecret": "x", "secrets": {"keys": "y"}}), "choose one"),
        (
            {"config": {**LEAST["config"], "storage": {"url": "file:///x", "credentials": "a:b"}}},
            "put credentials into secrets",
        ),
        ({"config": {**LEAST["config"], "store": {"password": "p"}}}, "put credentials into secrets"),
        ({"config": {**LEAST["config"], **SEVERAL}}, "both set"),
        (
            {
                "config": {
                    "public_url": "https://a.example",
                    "storages": {"a": {"url": "file:///x", "credentials": "a:b"}},
                }
            },
            "mount a Secret with extraVolumes",
        ),
    ],
)
def test_contradictions_are_refused(values, sentence):
    """Values that cannot work together are refused with the sentence that helps."""
    with pytest.raises(helm_python.HelmError, match=sentence):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        {"replicaCount": "two"},
        {"replicas": 2},
        {"redis": {"mode": "sentinel"}},
        {"redis": {"mode": "external", "url": "redis://:secret@redis"}},
        {"image": {"digest": "latest"}},
        {"service": {"http": {"port": 0}}},
        {"config": {**LEAST["config"], "publicUrl": "x"}},
        {"config": {**LEAST["config"], "limits": {"json_byte": 1}}},
    ],
)
def test_the_schema_refuses(values):
    """Wrong types, unknown values and unknown options of the gateway do not pass the schema."""
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(LEAST)
        with pytest.raises(helm_python.HelmValuesError):
            chart.validate_schema({**LEAST, **values})


def test_the_schema_knows_every_value():
    """Each value of values.yaml stands in the schema, and the gateway's options are those of the code."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["config"] == reference_schema()
    assert set(schema["properties"]) == {*yaml.safe_load((CHART / "values.yaml").read_text()), "global"}
