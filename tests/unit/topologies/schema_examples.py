# SPDX-License-Identifier: Apache-2.0
"""Holds the published schema against an independent validator: the examples must pass, broken ones
must not. Exit 77 (skipped) without python3-jsonschema or python3-yaml."""
import copy
import json
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

EXAMPLES = "topologies/examples/"
BREAKS = {
    "unknown key": lambda t: t.update(netwroks={}),
    "missing key": lambda t: t.pop("networks"),
    "unknown version": lambda t: t.update(segproof=2),
    "version as text": lambda t: t.update(segproof="1"),
    "reserved name": lambda t: t["hosts"].update({"any": t["hosts"]["web-1"]}),
    "no hosts": lambda t: t.update(hosts={}),
    "address that is none": lambda t: t["hosts"]["web-1"].update(address="web-1"),
    "address without value": lambda t: t["hosts"]["web-1"].update(address=[]),
    "probe by telnet": lambda t: t["hosts"]["web-1"]["probe"].update(via="telnet"),
    "probe with an option as target": lambda t: t["hosts"]["web-1"]["probe"].update(target="-oX"),
    "port without protocol": lambda t: t["policies"][0].update(allow="443/tcp"),
    "policy without a verb": lambda t: t["policies"][0].pop("allow"),
    "both translations": lambda t: t.update(
        nat=[{"from": "web", "to": "data", "snat": "10.0.0.1", "dnat": "10.0.0.2"}]),
    "isolation of three": lambda t: t.update(isolation=[["web", "data", "web-1"]]),
    "preset without a name": lambda t: t.update(use=[{"roles": {"mgmt": "web-1"}}]),
    "preset with an unknown key": lambda t: t.update(use=[{"preset": "istio", "role": {}}]),
    "rate of zero": lambda t: t.update(limits={"max_rate": 0}),
    "loss above one": lambda t: t.update(limits={"loss": 2}),
}


class Loader(yaml.SafeLoader):
    """Days stay texts, as in segproof."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(name):
    with open(EXAMPLES + name, encoding="utf-8") as file:
        return yaml.load(file, Loader)  # JSON is YAML here


with open("topologies/schema/topology.schema.json", encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
failed = False
for name in ("gloo-mesh.yaml", "shop.yaml", "minimal.yaml", "minimal.json"):
    for error in validator.iter_errors(read(name)):
        print(f"{name}: {error.json_path}: {error.message}")
        failed = True
for what, spoil in BREAKS.items():
    broken = copy.deepcopy(read("minimal.json"))
    spoil(broken)
    if validator.is_valid(broken):
        print("the schema accepts:", what)
        failed = True
if read("minimal.json") != {**read("minimal.yaml")}:
    print("minimal.json and minimal.yaml differ")
    failed = True
sys.exit(1 if failed else 0)
