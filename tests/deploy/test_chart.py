"""The chart, rendered by Helm's own engine over combinations of its values, against the schemas of Kubernetes and
rules that every object must follow. Objects of the Prometheus operator have no schema here."""

import copy
import itertools
import json
import os
import subprocess

import helm_python
import kubernetes_validate
import pytest
import yaml
from conftest import DEPLOY

CHART = DEPLOY / "helm" / "longhaul"
OLDEST, NEWEST = "1.27", "1.33"
LABELS = {"app.kubernetes.io/name": "longhaul", "app.kubernetes.io/instance": "demo"}

# Values that may be combined in any way, each a choice.
CHOICES = [
    [{"tls": {"insecureHttp": True}}, {"tls": {"existingSecret": "certificate"}}],
    [{}, {"database": {"enabled": True, "existingSecret": "url", "keysSecret": "keys"}}],
    [{}, {"serviceMonitor": {"enabled": True, "apiKeySecret": "key", "labels": {"release": "prometheus"}}}],
    [{}, {"replicas": 1}, {"podDisruptionBudget": {"maxUnavailable": "50%"}}],
    [{}, {"admin": {"existingSecret": "admin"}, "workflows": {"existingConfigMap": "flows"}}],
    [
        {},
        {
            "fullnameOverride": "other",
            "serviceAccount": {"existingName": "robot"},
            "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}},
            "persistence": {"storageClassName": "fast", "size": "1.5Ti"},
            "podAnnotations": {"a": "b"},
            "podLabels": {"team": "x"},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {}},
            "priorityClassName": "high",
            "imagePullSecrets": [{"name": "registry"}],
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
            "topologySpreadConstraints": [
                {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            ],
        },
    ],
]


def combinations():
    for chosen in itertools.product(*CHOICES):
        values = {}
        for choice in chosen:
            values.update(copy.deepcopy(choice))
        yield values


@pytest.fixture(scope="module")
def chart():
    with helm_python.Chart.load(str(CHART)) as chart:
        yield chart


def rendered(chart, values):
    """Objects by kind and name."""
    files = chart.render(values, name="demo", namespace="prod")
    objects = [one for name, text in files.items() if not name.endswith(".txt") for one in yaml.safe_load_all(text)]
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects if one}
    assert len(found) == len([one for one in objects if one]), "two objects have one name"
    return found


def check_pod(spec, values):
    assert spec["securityContext"]["runAsNonRoot"] and spec["automountServiceAccountToken"] is False
    volumes = [volume["name"] for volume in spec.get("volumes", [])]
    assert len(volumes) == len(set(volumes))
    for container in spec["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]} and security["runAsUser"] > 0
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        assert len(mounts) == len(set(mounts))
        names = [variable["name"] for variable in container.get("env", [])]
        assert len(names) == len(set(names))
        for variable in container.get("env", []):
            # A file that a variable names is in a volume.
            value = variable.get("value", "")
            if value.startswith("/"):
                assert any(value.startswith(mount + "/") or value == mount for mount in mounts), variable
        probes = [probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")]
        scheme = "HTTP" if values["tls"].get("insecureHttp") else "HTTPS"
        assert all(probe["scheme"] == scheme for probe in probes)
    return volumes


def test_every_combination_gives_objects_that_kubernetes_knows(chart):
    count, valid = 0, set()
    for values in combinations():
        found = rendered(chart, values)
        kinds = [kind for kind, _ in found]
        is_shared = values.get("database", {}).get("enabled", False)
        replicas = values.get("replicas", 2)
        assert ("Deployment" in kinds, "StatefulSet" in kinds) == (is_shared, not is_shared)
        assert ("PodDisruptionBudget" in kinds) == (is_shared and replicas > 1)
        assert ("ServiceMonitor" in kinds) == ("serviceMonitor" in values)
        assert ("ServiceAccount" in kinds) == ("serviceAccount" not in values)
        for (kind, name), one in found.items():
            text = json.dumps(one)
            assert "<no value>" not in text and "%!" not in text, (kind, name)
            if kind != "ServiceMonitor" and text not in valid:
                # Most objects are the same in many combinations.
                for version in (OLDEST, NEWEST):
                    kubernetes_validate.validate(one, version, strict=True)
                valid.add(text)
            if kind in ("Deployment", "StatefulSet"):
                pod = one["spec"]["template"]
                claims = [claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])]
                volumes = check_pod(pod["spec"], values) + claims
                used = {m["name"] for c in pod["spec"]["containers"] for m in c["volumeMounts"]}
                assert used == set(volumes), "a volume is missing, or mounted nowhere"
                assert one["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
                assert LABELS.items() <= pod["metadata"]["labels"].items()
                assert ("topologySpreadConstraints" in pod["spec"]) == is_shared
            if kind == "Pod":
                check_pod(one["spec"], values)
                # The service must not send requests to the test's own pod.
                assert not LABELS.items() <= one["metadata"]["labels"].items()
            if kind == "ServiceMonitor":
                wanted = one["spec"]["selector"]["matchLabels"].items()
                matched = [o for (k, _), o in found.items() if k == "Service" and wanted <= o["metadata"]["labels"].items()]
                assert len(matched) == 1 and matched[0]["spec"]["ports"][0]["name"] == "api"
        count += 1
    assert count == 96


def test_lint_has_nothing_to_say():
    told = helm_python.lint(str(CHART), values={"tls": {"insecureHttp": True}})
    assert [one for one in told["messages"] if "icon" not in one["error"]] == []


def refused(chart, values):
    with pytest.raises(helm_python.HelmValuesError) as refusal:
        chart.render(values, name="demo", namespace="prod")
    return str(refusal.value)


def test_what_must_be_decided_is_asked_for(chart):
    plain = {"tls": {"insecureHttp": True}}
    assert "/tls" in refused(chart, {})
    assert "/tls" in refused(chart, {"tls": {"insecureHttp": True, "existingSecret": "a"}})
    assert "/database/existingSecret" in refused(chart, plain | {"database": {"enabled": True, "keysSecret": "k"}})
    assert "/database/keysSecret" in refused(chart, plain | {"database": {"enabled": True, "existingSecret": "u"}})
    assert "/serviceMonitor/apiKeySecret" in refused(chart, plain | {"serviceMonitor": {"enabled": True}})


def test_every_value_is_described_and_of_its_type(chart):
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}

    def walk(part, value, path):
        assert part.get("description") or not path, path
        nested = part.get("properties", {})
        if isinstance(value, dict) and nested and path != ["resources"]:
            assert set(value) == set(nested) - {"global"}, path
            # A misspelt value is refused, not left out.
            yield path + ["misspelt"], "x"
            for name, inner in value.items():
                yield from walk(nested[name], inner, path + [name])
        else:
            yield path, [[]] if isinstance(value, dict) else {"no": []}

    count = 0
    for path, wrong in walk(schema, values, []):
        changed = {"tls": {"insecureHttp": True}}
        inner = changed
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = wrong
        assert "/".join(path[:-1]) in refused(chart, changed), path
        count += 1
    assert count > 40


def test_default_configuration_is_read_by_the_server(tmp_path, longhaul, clean, chart):
    found = rendered(chart, {"tls": {"insecureHttp": True}})
    config = tmp_path / "longhaul.toml"
    config.write_text(found["ConfigMap", "demo-longhaul"]["data"]["longhaul.toml"])
    pod = found["StatefulSet", "demo-longhaul"]["spec"]["template"]["spec"]["containers"][0]
    names = {one["name"] for one in pod["env"]}
    # An address that cannot be bound ends the start after everything else was read.
    line = [longhaul, "serve", "--config", str(config), "--data-dir", str(tmp_path / "data"), "--listen", "unix:/no/s"]
    done = subprocess.run(line, env=clean, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/no/s" in done.stderr, done.stderr
    # The program knows every variable that the chart sets.
    known = subprocess.run([longhaul, "serve", "--help"], env=clean, capture_output=True, text=True).stdout
    others = {"LONGHAUL_SERVER", "LONGHAUL_ADMIN_PASSWORD"}
    assert all(name in known or name in others for name in names if name.startswith("LONGHAUL_"))
    assert os.path.exists(config)
